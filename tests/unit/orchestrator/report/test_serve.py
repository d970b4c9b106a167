"""The local page's server, over real HTTP: what it shows, and what it does not give away."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator.analysis.rank import rank
from orchestrator.report.page import write_report
from orchestrator.report.serve import Server, is_loopback, listening
from orchestrator.results.database import FILE, LOCK
from orchestrator.results.readable import percent
from orchestrator.results.store import Store
from orchestrator.results.store_reader import StoreReader
from tasks.errors import StoreError
from tasks.grid import Grid
from tasks.protocol.messages import Rows
from tests import made


@contextmanager
def serving(folder: Path, host: str = "127.0.0.1") -> Iterator[Server]:
    with listening(folder, host, port=0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def ask(server: Server, path: str, method: str = "GET", **headers: str) -> tuple[int, str, http.client.HTTPMessage]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=30)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), answer.headers
    finally:
        connection.close()


def sweeps(server: Server) -> list[dict[str, Any]]:
    status, body, _ = ask(server, "/api/sweeps")
    assert status == 200
    found: list[dict[str, Any]] = json.loads(body)["sweeps"]
    return found


def add(folder: Path, sweep: str, points: range) -> None:
    grid, chance = Grid.from_mapping(made.GRID), np.random.default_rng(1)
    with Store.create(folder) as store:
        rows = [made.row(grid, point, chance) for point in points]
        store.insert(sweep, Rows.from_dicts(f"2:{points[0]}-{points[-1]}", "here/0", 1.0, rows))


def test_every_sweep_is_listed_with_its_state(tmp_path: Path) -> None:
    made.store(tmp_path / "done", sweep="one-0123456789", failed={3: "no"})
    made.store(tmp_path / "part way", sweep="two-0123456789", points=range(40))
    made.store(tmp_path / "part way", sweep="three-0123456789", points=range(50))
    (tmp_path / "notes").mkdir()
    with serving(tmp_path) as server:
        found = {each["sweep"]: each for each in sweeps(server)}
        assert set(found) == {"one-0123456789", "two-0123456789", "three-0123456789"}
        one = found["one-0123456789"]
        with StoreReader.open(tmp_path / "done") as store:
            best = rank(store.table("one-0123456789"), "net_pnl", grid=store.sweep("one-0123456789").grid).rows[0]
        assert one["best"] == f"net_pnl {percent(best['net_pnl'])} at point {best['point']}"
        assert (one["state"], one["done"], one["failed"], one["points"], one["name"]) == ("done", 160, 1, 160, "one")
        assert (found["two-0123456789"]["state"], found["two-0123456789"]["done"]) == ("stopped", 40)
        assert found["two-0123456789"]["report"] == "/report/part%20way/two-0123456789"
        status, body, _ = ask(server, found["two-0123456789"]["report"])
        assert status == 200
        assert "120 of 160 points have no row yet" in body


def test_a_finished_sweep_shows_its_verdict_and_a_stopped_one_none(tmp_path: Path) -> None:
    trust = {"verdict": "luck", "sentence": "The best of 160 points is what luck looks like."}
    made.store(tmp_path / "done", meta={"trust": trust})
    made.store(tmp_path / "stopped", points=range(40), meta={"trust": trust})  # more rows may change it
    made.store(tmp_path / "old")
    with serving(tmp_path) as server:
        found = {each["folder"]: (each["verdict"], each["sentence"]) for each in sweeps(server)}
    assert found == {"done": ("luck", trust["sentence"]), "stopped": ("", ""), "old": ("", "")}


def test_the_folds_of_a_walk_forward_are_counted_as_they_come(tmp_path: Path) -> None:
    sweep = made.store(tmp_path / "bands", meta={"walk_forward": {"folds": [{}, {}], "planned": 5}})
    with serving(tmp_path) as server:
        assert (sweeps(server)[0]["folds"], sweeps(server)[0]["planned_folds"]) == (2, 5)
        with Store.create(tmp_path / "bands") as store:
            store.set_meta(sweep, "walk_forward", {"folds": [{}] * 3, "planned": 5})
        assert sweeps(server)[0]["folds"] == 3


def test_an_output_folder_itself_can_be_served(tmp_path: Path) -> None:
    made.store(tmp_path / "bands")
    with serving(tmp_path / "bands") as server:
        (line,) = sweeps(server)
        assert line["folder"] == "bands"
        assert ask(server, line["report"])[0] == 200


def test_new_rows_are_seen_and_a_writer_makes_it_running(tmp_path: Path) -> None:
    sweep = made.store(tmp_path / "bands", points=range(10))
    with serving(tmp_path) as server:
        assert sweeps(server)[0]["done"] == 10
        with Store.create(tmp_path / "bands"):
            assert sweeps(server)[0]["state"] == "running"
        add(tmp_path / "bands", sweep, range(10, 30))
        assert (sweeps(server)[0]["done"], sweeps(server)[0]["state"]) == (30, "stopped")


@pytest.mark.parametrize("content", ["", "process", "process 999999999", "process -1", "process 99999999999999999999"])
def test_a_lock_without_a_living_process_is_not_running(tmp_path: Path, content: str) -> None:
    made.store(tmp_path / "bands", points=range(10))
    (tmp_path / "bands" / LOCK).write_text(content)
    with serving(tmp_path) as server:
        assert sweeps(server)[0]["state"] == "stopped"


def test_the_report_of_run_is_shown_while_it_is_current(tmp_path: Path) -> None:
    folder = tmp_path / "bands"
    sweep = made.store(folder, points=range(100))
    with StoreReader.open(folder) as store:
        write_report(store, sweep, folder / "report.html", details=[made.detail_row(7)])
    with serving(tmp_path) as server:
        address = sweeps(server)[0]["report"]
        assert 'data-chart="curves"' in ask(server, address)[1]
        add(folder, sweep, range(100, 130))
        later = ask(server, address)[1]
        assert "30 of 160 points have no row yet" in later
        assert 'data-chart="curves"' not in later
    assert 'data-chart="curves"' in (folder / "report.html").read_text()  # the user's own page stays as it was
    assert [path.name for path in folder.glob("*.html")] == ["report.html"]


def test_a_report_is_written_once_for_the_same_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made.store(tmp_path / "bands", points=range(20))
    with serving(tmp_path) as server:
        address = sweeps(server)[0]["report"]
        first = ask(server, address)[1]
        monkeypatch.setattr("orchestrator.report.serve.write_report", lambda *_, **__: pytest.fail("written again"))
        assert ask(server, address)[1] == first


@pytest.mark.parametrize(
    "path",
    [
        "/report/..%2fsecret/x-0123456789",
        "/report/%2e%2e/x-0123456789",
        "/report/../../etc/passwd",
        "/report/bands/..%2f..%2fsecret.txt",
        "/report/bands/bands-0123456789/more",
        "/report/bands/unknown",
        "/report/%00/x",
        "/secret.txt",
        "/bands/results.sqlite",
        "//secret.txt",
        "/api",
        "/report/" + "a" * 5000 + "/x",
    ],
)
def test_no_address_leads_out_of_the_sweeps(tmp_path: Path, path: str) -> None:
    (tmp_path / "secret.txt").write_text("the secret")
    made.store(tmp_path / "secret", sweep="x-0123456789", points=range(4))
    made.store(tmp_path / "runs" / "bands", points=range(4))
    with serving(tmp_path / "runs") as server:
        status, body, _ = ask(server, path)
        assert status == 404
        assert body in ("there is no such page\n", "there is no such sweep\n")


def test_only_reading_is_answered(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        for method in ("POST", "PUT", "DELETE"):
            assert ask(server, "/", method)[0] == 501
        status, body, headers = ask(server, "/", "HEAD")
        assert (status, body) == (200, "")
        assert int(headers["Content-Length"]) > 1000


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "", "10.0.0.1"])
def test_a_foreign_name_for_this_server_is_refused(tmp_path: Path, host: str) -> None:
    """A web page elsewhere may have its name point to 127.0.0.1; the browser then sends that name."""
    made.store(tmp_path / "bands", points=range(4))
    with serving(tmp_path) as server:
        status, body, _ = ask(server, "/api/sweeps", Host=host)
        assert status == 403
        assert "bands" not in body


@pytest.mark.parametrize("host", ["localhost", "localhost:8765", "127.0.0.1:1", "[::1]:8765"])
def test_names_of_this_machine_are_answered(tmp_path: Path, host: str) -> None:
    with serving(tmp_path) as server:
        assert ask(server, "/api/sweeps", Host=host)[0] == 200


def test_answers_forbid_the_browser_the_rest(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        for path in ("/", "/api/sweeps", "/nothing"):
            headers = ask(server, path)[2]
            assert headers["Content-Security-Policy"].startswith("default-src 'none'")
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Cache-Control"] == "no-store"


def test_a_damaged_store_is_one_line_and_the_others_stay(tmp_path: Path) -> None:
    made.store(tmp_path / "good", points=range(4))
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / FILE).write_bytes(b"no database at all" * 100)
    with serving(tmp_path) as server:
        found = {each["folder"]: each for each in sweeps(server)}
        assert found["good"]["done"] == 4
        assert found["bad"]["state"] == "broken"
        assert "results.sqlite" in found["bad"]["error"]
        assert ask(server, "/report/bad/x")[0] == 500


def test_a_report_that_cannot_be_ranked_says_why(tmp_path: Path) -> None:
    made.store(tmp_path / "bands", points=range(4), meta={"rank_by": "net_pnll"})
    with serving(tmp_path) as server:
        status, body, _ = ask(server, sweeps(server)[0]["report"])
        assert status == 500
        assert "there is no column net_pnll; the nearest is `net_pnl`" in body


def test_the_page_itself_shows_the_folder_escaped(tmp_path: Path) -> None:
    folder = tmp_path / "<b>runs"
    folder.mkdir()
    with serving(folder) as server:
        body = ask(server, "/")[1]
    assert "&lt;b&gt;runs" in body
    assert "<b>runs" not in body


def test_a_folder_that_is_not_there_and_a_port_that_is_taken(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no such folder"), listening(tmp_path / "nothing"):
        pass
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StoreError, match=f"cannot listen on 127.0.0.1:{port}"), listening(tmp_path, port=port):
            pass


def test_it_listens_on_loopback_unless_told_otherwise(tmp_path: Path) -> None:
    with listening(tmp_path, port=0) as server:
        assert server.server_address[0] == "127.0.0.1"
        assert server.url == f"http://127.0.0.1:{server.server_address[1]}/"
        assert server.loopback
    assert not is_loopback("0.0.0.0")
    assert not is_loopback("::")


def test_written_reports_go_with_the_server(tmp_path: Path) -> None:
    made.store(tmp_path / "bands", points=range(4))
    with serving(tmp_path) as server:
        ask(server, sweeps(server)[0]["report"])
        reports = Path(server.sweeps._reports.name)
        assert list(reports.iterdir())
    assert not reports.exists()

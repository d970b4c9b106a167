"""The orchestrator dies, is told to end, or has no room for its rows."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cluster.bookkeeping import known_sweeps, read_sweep
from orchestrator.results.database import FILE
from tasks.broker.connect import connect
from tasks.settings import Settings
from tests.integration.conftest import START, Cluster, Place, eventually, settings_of, small_sweep
from tests.integration.faults.conftest import LENGTHS, finish, results, started


def test_the_orchestrator_is_killed_and_resumed(served: Place, undisturbed: list[dict[str, Any]]) -> None:
    process = started(served)
    process.kill()
    process.communicate()
    (served.folder / "awake").touch()  # the audit of the end runs points many times
    finished = served.run("resume", "runs/test")  # it waits until the dead one's collector_lease has run out
    assert finished.code == 0, finished.err
    assert results(served.rows()) == undisturbed


def test_a_walk_forward_whose_orchestrator_is_killed_in_a_test_window_goes_on_there(
    served: Place, session_cluster: Cluster, tmp_path: Path
) -> None:
    (trouble,) = (text.replace("0.25", "0.1") for text in served.sweep["grid"]["trouble"])
    validate = {"walk_forward": {"train": "3h", "test": "2h", "all": True}, "embargo": 0}
    served.sweep |= {"grid": {"trouble": [trouble], "length": LENGTHS[:8]}, "validate": validate}
    served.environment["HUMMINGSWEEP_CHUNK_SECONDS"] = "0.2"
    process = served.start("run", served.file, "--no-audit", "--no-report")
    test_1 = f"start={START + 4 * 3600},end={START + 6 * 3600 - 60}"
    stored = eventually(lambda: rows_under(served, test_1), 60, "the first rows of the first test window")
    process.kill()
    process.communicate()
    assert stored < 8
    redis: Any = connect(Settings.read(served.environment), patient=False)
    redis.delete(*redis.scan_iter("hs:*:collector"))  # its lease has run out
    finished = served.run("run", served.file, "--no-audit", "--no-report")
    assert finished.code == 0, finished.err
    calm = small_sweep(tmp_path / "calm", session_cluster.environment)
    calm.sweep |= {"grid": {"trouble": ["sleep:0"], "length": LENGTHS[:8]}, "validate": validate}
    assert calm.run("run", calm.file, "--no-audit", "--no-report").code == 0
    found, expected = (
        results(json.loads(place.run("rows", "runs/test", "--windows", "--format", "json").out))
        for place in (served, calm)
    )
    assert len(found) == 8 * 2 * 2
    assert found == expected
    walks = [place.run("walk", "runs/test", "--json").document["walk_forward"] for place in (served, calm)]
    assert walks[0]["joined"] == walks[1]["joined"]


def rows_under(place: Place, scenario: str) -> int:
    """How many rows the output folder holds by now under a scenario."""
    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(
            sqlite3.connect(f"file:{place.folder / 'runs' / 'test' / FILE}?mode=ro", uri=True)
        ) as connection,
    ):
        wanted = "SELECT count(*) FROM rows JOIN scopes ON scopes.id = rows.scope WHERE scenario = ?"
        return int(connection.execute(wanted, (scenario,)).fetchone()[0])
    return 0


def test_the_orchestrator_is_told_to_end(
    served: Place, serving_cluster: Cluster, undisturbed: list[dict[str, Any]]
) -> None:
    process = started(served)
    process.terminate()
    _, err = process.communicate(timeout=20)
    assert (process.returncode, err.splitlines()[-1]) == (143, "hummingsweep: ended by SIGTERM")
    redis: Any = connect(settings_of(serving_cluster), patient=False)
    assert list(redis.scan_iter("hs:*:collector")) == []
    finish(served.start("run", served.file, "--no-audit", "--no-report"))
    assert results(served.rows()) == undisturbed


def test_a_sweep_that_is_cancelled_while_it_runs_ends_with_the_running_chunks(
    served: Place, serving_cluster: Cluster
) -> None:
    """Its chunks were passed over, and its orchestrator took them for lost and sent them again and again."""
    process = started(served)
    assert served.run("cancel", "runs/test").code == 0
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "was cancelled: finishing the running chunks" in err
    assert "lost" not in err
    assert out.splitlines()[-1].startswith("cancelled; go on with: ")
    redis: Any = connect(settings_of(serving_cluster), patient=False)
    status = read_sweep(redis, known_sweeps(redis)[0]).status
    assert status is not None and status.state == "cancelled"
    assert 0 < served.stored() < 40


def test_it_is_resumed_from_an_old_copy_of_the_output_folder(served: Place, undisturbed: list[dict[str, Any]]) -> None:
    """Another machine has the folder as it was a while ago: rows collected since are computed again."""
    process = started(served)
    shutil.copytree(served.folder / "runs" / "test", served.folder / "copy")
    known = served.stored("copy")
    eventually(lambda: served.stored() >= known + 6, 60, "more rows")
    process.kill()
    process.communicate()
    shutil.rmtree(served.folder / "runs")
    (served.folder / "awake").touch()
    eventually(
        lambda: served.run("resume", "copy").code == 0, 90, "the end of the dead one's collector_lease and a resume"
    )
    assert results(served.rows("copy")) == undisturbed


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """A file system of a given size, to be made larger. Needs root."""
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "none", folder]).returncode:
        pytest.skip("mounting a small file system needs root")

    def resize(size: str) -> Path:
        subprocess.run(["mount", "-o", f"remount,size={size}", folder], check=True)
        return folder

    yield resize
    subprocess.run(["umount", "-l", folder], check=True)


def test_the_disk_of_the_result_store_is_full(
    served: Place, small_disk: Callable[[str], Path], undisturbed: list[dict[str, Any]]
) -> None:
    out = small_disk("100k")
    finished = served.run("run", served.file, "--no-audit", "--no-report", "--out", out / "run")
    assert finished.code == 2, finished.err
    assert "full" in finished.err
    assert "Traceback" not in finished.err
    small_disk("50m")
    finished = served.run("run", served.file, "--no-audit", "--no-report", "--out", out / "run")
    assert finished.code == 0, finished.err
    assert results(served.rows(str(out / "run"))) == undisturbed


def test_a_disk_without_any_room_is_one_line(alone: Place, small_disk: Callable[[str], Path]) -> None:
    """The output folder's, then that of the cache: before the first point."""
    full = small_disk("100k")
    (full / "o").mkdir()
    (full / "there").mkdir()
    with (full / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while True:
            filler.write(bytes(4096))
    for out, cache in ((full / "o", ""), (full / "new", ""), (alone.folder / "out", str(full / "there"))):
        more = {"HUMMINGSWEEP_CACHE": cache} if cache else {}
        finished = alone.run("run", alone.file, "--no-audit", "--no-report", "--out", out, **more)
        assert (finished.code, finished.err.splitlines()[-1][:14]) == (2, "hummingsweep: "), finished.err
        assert "Traceback" not in finished.err
        assert "room" in finished.err or "another" in finished.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_progress_and_answer_that_cannot_be_written_cost_no_row(served: Place) -> None:
    served.sweep["grid"] = {"length": [5, 10]}
    with Path("/dev/full").open("w") as full:
        command = subprocess.run(
            [sys.executable, "-m", "orchestrator.cli", "run", served.file, "--no-audit", "--no-report"],
            cwd=served.folder, env=served.environment, stdout=full, stderr=full, timeout=120, check=False,
        )  # fmt: skip
    assert command.returncode == 2
    assert [row["status"] for row in served.rows()] == ["ok", "ok"]


def test_two_interrupts_stop_at_once(served: Place) -> None:
    """The last of this module: the children of its node go on sleeping."""
    served.sweep["grid"] = {"trouble": ["sleep:0", "sleep:60", "sleep:61"], "length": [5, 6]}
    process = started(served, points=1)
    process.send_signal(signal.SIGINT)
    time.sleep(1)
    assert process.poll() is None  # it waits for the running chunks
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode == 130

"""Rows that do not fit stop no sweep: they are set aside, and their points are computed again."""

from __future__ import annotations

import threading
from typing import Any

from orchestrator.cluster.collect import SET_ASIDE
from tasks.broker.connect import connect
from tasks.child.attempts import Attempts
from tasks.protocol.keys import Keys
from tasks.protocol.messages import Rows
from tests.integration.conftest import Cluster, Place, settings_of

GOOD = Rows.from_dicts("1:0-0", "bad@host/1", 0.1, [{"point": 0, "status": "ok", "error": "", "engine": "jump"}])


def bad_messages() -> list[bytes]:
    """One of each kind that stopped an orchestrator, again at every start."""
    rows: list[dict[str, Any]] = [
        {"point": -3, "status": "ok"},
        {"point": 0.5, "status": "ok"},
        {"point": "0", "status": "ok"},
        {"point": 0, "status": "fine"},
        {"point": 10**25, "status": "ok"},
        {"point": 0},
        {"status": "ok"},
    ]
    messages = [Rows.from_dicts("1:0-0", "bad@host/1", 0.1, [row]).encode() for row in rows]
    text = GOOD.encode()
    return [
        *messages,
        text.replace(b'"status":["ok"]', b'"status":["ok","ok"]'),
        text.replace(b'"jump"', b'"\\ud800"').replace(b'"chunk":"1:0-0"', b'"chunk":"1:7-7"'),
        text.replace(b'"1:0-0"', b'"../../x"'),
        text.replace(b'"1:0-0"', b'"1:0-99999999999"'),
        text.replace(b'"columns"', b'"column"'),
        b"",
        b"null",
        b"\xff",
        text[:-10],
    ]


def test_what_lies_in_the_stream_is_set_aside_and_the_sweep_goes_on(place: Place, session_cluster: Cluster) -> None:
    begun = place.run("run", place.file, "--estimate", "--json")
    assert begun.code == 0, begun.err
    keys = Keys(begun.document["sweep"])
    redis = connect(settings_of(session_cluster), patient=False)
    for message in bad_messages():
        redis.xadd(keys.rows, {"rows": message})
    finished = place.run("run", place.file, "--no-report", "--no-audit")
    assert finished.code == 0, finished.err
    assert "Traceback" not in finished.err
    assert f"{len(bad_messages())} messages of rows did not fit" in finished.err
    assert "node bad@host" in finished.err
    assert len(list((place.folder / "runs" / "test" / SET_ASIDE).iterdir())) == len(bad_messages())
    assert [row["point"] for row in place.rows()] == list(range(12))
    assert redis.xlen(keys.rows) == 0


def test_points_whose_rows_did_not_fit_are_computed_again(place: Place, session_cluster: Cluster) -> None:
    """Somebody commits nonsense for every chunk, before the child does."""
    expected = place.run("run", place.file, "--no-report", "--no-audit", "--out", "runs/undisturbed")
    assert expected.code == 0, expected.err
    place.sweep["seed"] = 7  # another sweep, with its own keys
    begun = place.run("run", place.file, "--estimate", "--json")
    assert begun.code == 0, begun.err
    before = len(place.rows())
    keys = Keys(begun.document["sweep"])
    redis = connect(settings_of(session_cluster), patient=False)
    redis.delete(keys.sent)
    attempts, spoiled, over = Attempts(redis, keys), set[str](), threading.Event()

    def spoil() -> None:
        while not over.is_set():
            for raw in redis.smembers(keys.sent):
                chunk = raw.decode()
                if chunk not in spoiled:
                    spoiled.add(chunk)
                    attempts.commit(chunk, Rows.from_dicts(chunk, "bad@host/1", 0.1, [{"point": -1, "status": "ok"}]))

    thread = threading.Thread(target=spoil)
    thread.start()
    try:
        finished = place.run("run", place.file, "--no-report", "--no-audit")
    finally:
        over.set()
        thread.join()
    assert finished.code == 0, finished.err
    assert before == 12 or spoiled
    ours = {row["point"]: row["net_pnl"] for row in place.rows()}
    assert ours == {row["point"]: row["net_pnl"] for row in place.rows("runs/undisturbed")}

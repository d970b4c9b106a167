"""Garbage in the records that everybody shares stops no command."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.broker.connect import connect
from tasks.protocol.keys import NODES_KEY, SWEEPS_KEY, Keys
from tests.integration.conftest import Place, broker_at, settings_of, small_sweep


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory: pytest.TempPathFactory, bare_environment: dict[str, str]) -> Any:
    """A broker without a node, with records that nobody of ours wrote."""
    with broker_at(tmp_path_factory.mktemp("broker"), bare_environment) as cluster:
        redis = connect(settings_of(cluster), patient=False)
        redis.hset(NODES_KEY, mapping={b"\xff\xfe": b"\x00", "n@h": "{broken", "m@h": "[]", "../x": "{}"})
        redis.zadd(SWEEPS_KEY, {b"\xff": 1, "../../etc": 2, "a\nb": 3, "text": 4, "types": 5, "good": 6})
        redis.hset(Keys("text").status, mapping={"points": "many", "state": b"\xff"})
        for what in ("status", "tally", "running", "attempts", "rows", "collector"):
            redis.lpush(getattr(Keys("types"), what), "a list")
        good = {"points": 12, "done": 5, "failed": 0, "state": "stopped", "at": 1.0}
        redis.hset(Keys("good").status, mapping=good)
        redis.hset(Keys("good").running, mapping={"1:0-0": b"\xff", "x": "y"})
        redis.hset(Keys("good").tally, mapping={b"\xff points": "3", "n@h points": "x"})
        redis.hset(Keys("good").attempts, "1:0-0", b"\xff")
        yield cluster


@pytest.fixture
def place(tmp_path: Any, spoiled: Any) -> Place:
    return small_sweep(tmp_path, spoiled.environment)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("list",), 0), (("list", "--json"), 0), (("watch", "good", "--json"), 0), (("watch", "good"), 0),
        (("watch", "text"), 2), (("watch", "types"), 2), (("cancel", "good"), 0), (("cancel", "types"), 0),
        (("doctor",), 1), (("watch", "../../etc"), 2),
    ],
)  # fmt: skip
def test_a_command_passes_over_what_it_cannot_read(place: Place, command: tuple[str, ...], code: int) -> None:
    finished = place.run(*command)
    assert "Traceback" not in finished.err, finished.err
    assert finished.code == code, (finished.out, finished.err)
    assert (finished.out + finished.err).replace("\n", "").isprintable()
    if command[0] == "list":
        assert "good" in finished.out


def test_a_list_of_nodes_that_is_none_is_one_line(place: Place, spoiled: Any) -> None:
    redis = connect(settings_of(spoiled), patient=False)
    kept = redis.dump(NODES_KEY)
    redis.delete(NODES_KEY)
    redis.set(NODES_KEY, "a text")
    try:
        finished = place.run("submit", place.file)
        assert finished.code == 2
        assert "is not the list of nodes" in finished.err
        assert "Traceback" not in finished.err
    finally:
        redis.delete(NODES_KEY)
        redis.restore(NODES_KEY, 0, kept)

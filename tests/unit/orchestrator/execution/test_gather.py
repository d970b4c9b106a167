"""A command whose few points wait says why: they lie behind other sweeps' chunks, or the children are starting."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.execution import gather
from orchestrator.progress.watcher import Silent
from tasks.protocol.messages import Kind, Rows
from tasks.protocol.records import NodeRecord


class Redis:
    def __init__(self, running: bool, at_work: str = ""):
        self._running, self.at_work = running, at_work

    def incr(self, key: str) -> int:
        return 1

    def exists(self, key: str) -> int:
        return int(self._running)

    def scan_iter(self, pattern: str, count: int, _type: str) -> list[bytes]:
        return [b"hs:another:running"] if self.at_work else []

    def hvals(self, key: str) -> list[bytes]:
        return [f"{self.at_work}/1 1700000000.0".encode()]


class Stream:
    """Nothing for two looks, then the rows."""

    def __init__(self, *_: object):
        self._looks = 0

    def read(self, wait_s: float) -> Iterator[tuple[str, Rows]]:
        self._looks += 1
        if self._looks > 2:
            yield "1-0", Rows.from_dicts("1:0-0", "node/1", 0.1, [{"point": 0, "status": "ok"}])

    def forget(self, entries: list[str]) -> None: ...

    def take_set_aside(self) -> list[Any]:
        return []


@pytest.mark.parametrize(
    ("running", "at_work", "words"),
    [
        (False, "node@host", ["busy with other sweeps"]),
        (False, "dead@host", ["they are starting"]),
        (False, "", ["they are starting"]),
        (True, "node@host", []),
    ],
)
def test_who_waits_is_told_once_why(
    running: bool, at_work: str, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gather, "Stream", Stream)
    monkeypatch.setattr(gather, "put_away_foreign", lambda *_: [])
    monkeypatch.setattr(gather, "BUSY_S", -1.0)
    said: list[str] = []
    cluster: Any = SimpleNamespace(
        redis=Redis(running, at_work),
        children=lambda: 1,
        nodes=lambda: [NodeRecord("node@host", 1, "q", {})],
        send=lambda *_: None,
        check_alive=lambda say: None,
        say=said.append,
    )
    definition: Any = SimpleNamespace(sweep="s", kind=Kind.AUDIT)
    assert gather.gather(cluster, definition, [0], Silent()) == [{"point": 0, "status": "ok"}]
    assert len(said) == len(words)
    assert all(word in line for word, line in zip(words, said, strict=True))

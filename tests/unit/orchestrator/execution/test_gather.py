"""A command whose few points lie behind other sweeps' chunks says so."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.execution import gather
from orchestrator.progress.watcher import Silent
from tasks.protocol.messages import Rows


class Redis:
    def __init__(self, running: bool):
        self._running = running

    def incr(self, key: str) -> int:
        return 1

    def exists(self, key: str) -> int:
        return int(self._running)


class Stream:
    """Nothing for two looks, then the rows."""

    def __init__(self, *_: object):
        self._looks = 0

    def read(self, wait_s: float) -> Iterator[tuple[str, Rows]]:
        self._looks += 1
        if self._looks > 2:
            yield "1-0", Rows.from_dicts("1:0-0", "node/1", 0.1, [{"point": 0, "status": "ok"}])

    def forget(self, entries: list[str]) -> None: ...


@pytest.mark.parametrize("running", [False, True])
def test_who_waits_behind_other_sweeps_is_told_once(running: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gather, "Stream", Stream)
    monkeypatch.setattr(gather, "BUSY_S", -1.0)
    said: list[str] = []
    cluster: Any = SimpleNamespace(
        redis=Redis(running), children=lambda: 1, send=lambda *_: None, check_alive=lambda say: None, say=said.append
    )
    definition: Any = SimpleNamespace(sweep="s")
    assert gather.gather(cluster, definition, [0], Silent()) == [{"point": 0, "status": "ok"}]
    assert len(said) == (0 if running else 1)
    assert all("busy with other sweeps" in line for line in said)

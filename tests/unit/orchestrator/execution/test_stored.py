"""Sweeps of output folders are listed and watched without a broker."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.execution import remote
from orchestrator.progress.watcher import Silent
from orchestrator.results.store import Store
from tasks.protocol.records import SweepState
from tasks.settings import Settings
from tests.unit.orchestrator.stores import failed, fill, ok


class Lines(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A folder with runs, and no broker anywhere."""
    monkeypatch.chdir(tmp_path)
    for name, points in (("whole", 12), ("part", 5)):
        with Store.create(tmp_path / "runs" / name) as store:
            fill(store, [ok(point) if point else failed(0) for point in range(points)])
    return Settings(cache=str(tmp_path / "cache"))


def test_a_finished_sweep_is_watched_from_its_folder(alone: Settings) -> None:
    lines = Lines()
    remote.watch("runs/whole", alone, lines)
    assert "done, 12/12 points, 1 failed" in lines.said[0]
    assert remote.standing("part", alone).status.state is SweepState.STOPPED


def test_the_sweeps_of_the_runs_folder_are_listed(alone: Settings) -> None:
    assert [(one["done"], one["state"]) for one in remote.sweeps(alone)] == [(5, "stopped"), (12, "done")]

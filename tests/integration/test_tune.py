"""`hummingsweep tune` on a real embedded server and real children."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.execution import tune
from orchestrator.sweepfile.sweep import read
from tasks.settings import Settings
from tests.integration.conftest import Place


def test_a_choice_is_timed_over_the_real_road(alone: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in alone.environment.items():
        if name.startswith("HUMMINGSWEEP_"):
            monkeypatch.setenv(name, value)
    monkeypatch.setattr(tune, "WINDOW_S", 0.3)
    # a value in the environment must not hide what is tried
    monkeypatch.setenv("HUMMINGSWEEP_CHILDREN", "7")
    sweep = read(alone.file)
    with tune.Track(sweep, Settings.read()) as track:
        first = track.measure(tune.Choice(children=1))
        again = track.measure(tune.Choice(children=1, chunk_seconds=1.0))
        assert track._cluster is not None
        assert track._cluster.children() == 1
    assert first.points == again.points > 0
    assert first.points_per_s > 0
    assert Settings.read().children == 7


def test_a_bad_sweep_is_one_clear_error(alone: Place, tmp_path: Path) -> None:
    alone.sweep["candles"] = "nowhere"
    finished = alone.run("tune", alone.file)
    assert finished.code == 2
    assert "nowhere" in finished.err
    assert "Traceback" not in finished.err
    assert not (tmp_path / "settings.toml").exists()

"""`hummingsweep run` with windows that cannot be: one line with the numbers and exit code 2, before anything starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from orchestrator.commands.root import app
from orchestrator.execution.publish import defined
from orchestrator.progress.watcher import Silent
from orchestrator.sweepfile.sweep import Sweep
from tasks.errors import CandlesMissing
from tasks.protocol.blobs import digest_of
from tasks.protocol.messages import FeedNeed
from tests.made import cross_inputs, flat_candles

#: 2024-01-01 00:00 UTC
START = 1_704_067_200
HOUR = 3600


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, Any]:
    """A day of 1m candles; folds of five and three hours in its first 20 hours, and a hold-out of four."""
    cross_inputs(tmp_path)
    flat_candles(tmp_path, 1440)
    return {
        "name": "windows",
        "controller": {
            "controller_type": "directional_trading",
            "controller_name": "cross",
            "connector_name": "binance",
            "trading_pair": "BTC-USDT",
            "time_limit": 3600,
        },
        "grid": {"fast": [5, 10]},
        "period": {"start": START, "end": START + 20 * HOUR},
        "candles": "data",
        "validate": {"walk_forward": {"train": "5h", "test": "3h"}, "embargo": "1h"},
    }


def refused(keys: dict[str, Any], folder: Path) -> str:
    """What `run` says of a sweep file that it refuses."""
    file = folder / "sweep.yml"
    file.write_text(yaml.safe_dump(keys, sort_keys=False))
    found = CliRunner().invoke(app, ["run", str(file), "--out", str(folder / "runs")])
    assert found.exit_code == 2, found.output
    assert found.stdout == ""
    assert found.stderr.count("\n") == 1, found.stderr
    assert not (folder / "runs").exists()
    return found.stderr


@pytest.mark.parametrize(
    ("validate", "key", "said"),
    [
        (
            {"walk_forward": {"train": "40h", "test": "4h"}, "embargo": 0},
            "walk_forward.train",
            "40h is longer than the 20h of the period",
        ),
        (
            {"walk_forward": {"train": "4h", "test": "21h"}, "embargo": 0},
            "walk_forward.test",
            "21h is longer than the 20h",
        ),
        ({"walk_forward": {"train": "8h", "test": "4h", "step": "0h"}}, "walk_forward.step", "must be longer than 0"),
        (
            {"walk_forward": {"train": "8h", "test": "4h", "step": "3h"}},
            "walk_forward.step",
            "3h is shorter than the test of 4h",
        ),
        ({"walk_forward": {"train": "0h", "test": "4h"}}, "walk_forward.train", "must be longer than 0"),
        (
            {"walk_forward": {"train": "8h", "test": "4h"}, "embargo": "5h"},
            "embargo",
            "5h is longer than the test of 4h",
        ),
        ({"walk_forward": {"train": "8h", "test": "30m"}}, "embargo", "1h is longer than the test of 30m"),
        (
            {"walk_forward": {"train": "18h", "test": "4h"}, "embargo": 0},
            "walk_forward",
            "train 18h, embargo 0s and test 4h are 22h together, and 20h of the period are left for them: not one fold",
        ),
        (
            {"walk_forward": {"train": "8h", "test": "4h", "choice": "worst"}},
            "walk_forward.choice",
            "is no choice; the nearest is",
        ),
        (
            {"walk_forward": {"train": "8h", "test": "4h", "choice": {"point": 2}}},
            "walk_forward.choice",
            "point 2 is outside the grid of 2 points; write 0 to 1",
        ),
        ({"holdout": "30h"}, "holdout", "the hold-out of 30h and the embargo of 1h"),
        ({"holdout": "4h", "embargo": "5h"}, "embargo", "5h is longer than the hold-out of 4h"),
    ],
)
def test_windows_that_cannot_be_are_one_line_with_the_numbers(
    keys: dict[str, Any], tmp_path: Path, validate: dict[str, Any], key: str, said: str
) -> None:
    text = refused(keys | {"validate": validate}, tmp_path)
    assert said in text
    assert "sweep.yml, line " in text
    assert f"validate.{key}: " in text


@pytest.mark.parametrize(
    ("hole", "said"),
    [
        (range(6 * 60, 9 * 60), r"test window 1 .* has no candle"),
        (range(7 * 60, 8 * 60), r"test window 1 .* has 120 of 180 candles \(60 are missing\)"),
        (range(60, 120), r"training window 1 .* has 240 of 300 candles \(60 are missing\)"),
    ],
)
def test_a_window_whose_candles_are_missing_is_one_line_with_the_numbers(
    keys: dict[str, Any], tmp_path: Path, hole: range, said: str
) -> None:
    """Which feeds there are, a child says; with them the sweep is refused before it is published."""
    flat_candles(tmp_path, 1440, hole)
    sweep = Sweep.from_mapping(keys, tmp_path / "sweep.yml")
    needs = [FeedNeed("binance", "BTC-USDT", "1m", 0)]
    with pytest.raises(CandlesMissing, match=said) as error:
        defined(sweep, needs, "0" * 64, digest_of, Silent())
    assert "\n" not in str(error.value)

"""The sweep files that the page offers: they can be read, and say what their titles do."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from orchestrator.analysis.rank import Edge
from orchestrator.report.next_steps import Step, next_steps
from orchestrator.sweepfile.sweep import Sweep
from tasks.grid import Grid
from tests import made

FILE: dict[str, Any] = {
    "name": "mine",
    "controller": {
        "controller_type": "directional_trading",
        "controller_name": "band_reversion",
        "connector_name": "binance_perpetual",
        "trading_pair": "BTC-USDT",
    },
    "grid": {
        "bb_length": {"range": [20, 100, 20]},
        "bb_std": [1.5, 2.0, 2.5],
        "stop_loss": {"logspace": [0.004, 0.032, 4]},
        "side": ["both", "long"],
    },
    "period": {"start": "2024-01-01", "end": "2024-01-08"},
    "candles": "data",
}


def steps(edges: tuple[Edge, ...] = (), point: int = 0, **changes: Any) -> dict[str, Step]:
    file = FILE | changes
    axes = {"bb_length": [20, 40, 60, 80, 100], "bb_std": [1.5, 2.0, 2.5]}
    grid = Grid.from_mapping({**axes, "stop_loss": [0.004, 0.008, 0.016, 0.032], "side": ["both", "long"]})
    ranking = SimpleNamespace(rows=[{"point": point}], edges=edges)
    found = next_steps(yaml.safe_dump(file), made.definition("mine-0123456789", {}), grid, ranking)  # type: ignore[arg-type]
    return {step.file: step for step in found}


def test_each_file_is_a_sweep_file_that_keeps_what_it_does_not_change(tmp_path: Path) -> None:
    found = steps((Edge("bb_length", 20, "lowest"),), point=60)
    assert list(found) == ["mine-validated.yml", "mine-wider.yml", "mine-finer.yml"]
    for step in found.values():
        sweep = Sweep.from_mapping(yaml.safe_load(step.text))
        assert sweep.name == step.file.removesuffix(".yml")
        assert yaml.safe_load(step.text)["period"] == FILE["period"]


def test_an_even_axis_goes_on_evenly_and_an_axis_of_ratios_by_its_ratio() -> None:
    grid = yaml.safe_load(
        steps((Edge("bb_length", 100, "highest"), Edge("stop_loss", 0.004, "lowest")))["mine-wider.yml"].text
    )["grid"]
    assert grid["bb_length"] == [100, 120, 140, 160]
    assert grid["stop_loss"] == pytest.approx([0.004, 0.002, 0.001, 0.0005])
    assert grid["bb_std"] == FILE["grid"]["bb_std"]


def test_a_positive_axis_is_halved_where_even_steps_would_pass_zero() -> None:
    found = steps((Edge("bb_length", 20, "lowest"),))
    assert yaml.safe_load(found["mine-wider.yml"].text)["grid"]["bb_length"] == [20, 10, 5, 2]


def test_the_finer_grid_lies_between_the_neighbours_of_the_best_point() -> None:
    # point 60: bb_length 60, bb_std 2.0, stop_loss 0.016, side both
    grid = yaml.safe_load(steps(point=24 * 2 + 8 + 4)["mine-finer.yml"].text)["grid"]
    assert (min(grid["bb_length"]), max(grid["bb_length"])) == (47, 73)
    assert 60 in grid["bb_length"] and all(isinstance(value, int) for value in grid["bb_length"])
    assert grid["side"] == ["both", "long"]


def test_what_is_validated_already_and_what_has_no_file_gets_no_such_step() -> None:
    assert "mine-validated.yml" not in steps(validate={"holdout": 0.3})
    ranking = SimpleNamespace(rows=[{"point": 0}], edges=())
    definition, grid = made.definition("x-0123456789", {}), Grid.from_mapping({"a": [1, 2]})
    for text in ("", "no: grid", "[1, 2", "name: x"):
        assert next_steps(text, definition, grid, ranking) == []  # type: ignore[arg-type]

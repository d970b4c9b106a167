"""How the objective depends on each axis."""

from __future__ import annotations

import statistics
from pathlib import Path

import numpy as np
import pytest

from orchestrator.analysis.sensitivity import AxisEffect, digits, sensitivity
from orchestrator.results.store import Store
from tasks.grid import Grid
from tests.unit.orchestrator.stores import failed, fill, ok

GRID = {"x": [1, 2, 3], "pair": ["BTC", "ETH"]}


def effects(
    folder: Path, rows: list[dict[str, object]], rank_by: str = "net_pnl", where: str | None = None
) -> list[AxisEffect]:
    with Store.create(folder) as store:
        return sensitivity(store.table(fill(store, rows, GRID)), rank_by, where, grid=Grid.from_mapping(GRID))


def test_against_the_definition(tmp_path: Path) -> None:
    pnl = [1.0, 5.0, 2.0, 7.5, -3.0, 0.25]
    x, pair = effects(tmp_path, [ok(point, net_pnl=value) for point, value in enumerate(pnl)])
    assert [effect.value for effect in x.values] == [1, 2, 3]
    for effect, group in zip(x.values, (pnl[0:2], pnl[2:4], pnl[4:6]), strict=True):
        assert effect.count == 2
        assert effect.mean == pytest.approx(statistics.mean(group))
        assert effect.std == pytest.approx(statistics.stdev(group))
        assert (effect.min, effect.max, effect.best) == (min(group), max(group), max(group))
    assert [effect.best_point for effect in x.values] == [1, 3, 5]
    assert [(effect.value, effect.mean) for effect in pair.values] == [("BTC", 0.0), ("ETH", 4.25)]
    mean = statistics.mean(pnl)
    total = sum((value - mean) ** 2 for value in pnl)
    between = 3 * (0.0 - mean) ** 2 + 3 * (4.25 - mean) ** 2
    assert pair.explained == pytest.approx(between / total)


def test_ascending_turns_the_best(tmp_path: Path) -> None:
    x, _ = effects(tmp_path, [ok(0, net_pnl=4.0), ok(1, net_pnl=3.0), ok(2, net_pnl=1.0)], "-net_pnl")
    assert [(effect.best, effect.best_point) for effect in x.values] == [(3.0, 1), (1.0, 2)]
    assert (x.values[0].mean, x.values[1].std) == (3.5, None)


def test_failed_missing_infinite_and_unwanted_points_are_left_out(tmp_path: Path) -> None:
    rows = [
        ok(0, net_pnl=1.0),
        failed(1),
        ok(2, net_pnl=float("nan")),
        ok(3, net_pnl=float("inf")),
        ok(4, net_pnl=None),
        ok(5, net_pnl=9.0),
    ]
    x, pair = effects(tmp_path, rows, where="net_pnl < 5")
    assert [(effect.value, effect.count) for effect in x.values] == [(1, 1)]
    assert [(effect.value, effect.count) for effect in pair.values] == [("BTC", 1)]
    assert x.explained is None


def test_an_axis_that_decides_everything_and_one_that_decides_nothing(tmp_path: Path) -> None:
    x, pair = effects(tmp_path, [ok(point, net_pnl=point // 2) for point in range(6)])
    assert x.explained == pytest.approx(1.0)
    assert pair.explained == pytest.approx(0.0)


def test_nothing(tmp_path: Path) -> None:
    assert effects(tmp_path, [failed(0)]) == [AxisEffect("x", (), None), AxisEffect("pair", (), None)]


def test_digits_are_those_of_the_grid() -> None:
    grid = Grid.from_mapping({"a": list(range(1000)), "b": [1], "c": list(range(777)), "d": list(range(10**6))})
    points = [0, 1, 999_999, 10**6, grid.size // 3, grid.size - 1]
    assert digits(grid, np.array(points)).tolist() == [list(grid.digits(point)) for point in points]

"""Which point is asked for the most history, where several axes decide it together."""

from __future__ import annotations

from typing import Any

from orchestrator.publish import _greediest
from tasks.grid import Grid


def asked(grid: Grid, points: list[int], history: Any) -> dict[int, dict[str, Any]]:
    return {point: {"feeds": [["binance", "BTC-USDT", "1m", history(**grid.values(point))]]} for point in points}


def test_axes_that_multiply_or_pull_apart_are_asked_together() -> None:
    grid = Grid.from_mapping({"length": [10, 50, 20], "factor": [3, 1, 2], "stop": [0.1, 0.2], "skip": [0, 5]})
    alone = [grid.point(digits) for digits in ((0, 0, 0, 0), (1, 0, 0, 0), (2, 0, 0, 0), (0, 1, 0, 0), (0, 2, 0, 0),
                                               (0, 0, 1, 0), (0, 0, 0, 1))]  # fmt: skip
    rows = asked(grid, alone, lambda length, factor, stop, skip: length * factor - skip)
    assert grid.values(_greediest(grid, rows)) == {"length": 50, "factor": 3, "stop": 0.1, "skip": 0}


def test_points_that_could_not_be_asked_count_for_nothing() -> None:
    grid = Grid.from_mapping({"length": [10, 50]})
    assert _greediest(grid, {0: {"feeds": [["a", "b", "1m", 10]]}, 1: {"status": "error"}}) == 0

"""The feeds of a grid are found by asking some of its points, also where many are refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tasks.feeds import MOST, asking, deepest
from tasks.grid import Grid
from tasks.protocol.messages import FeedNeed

Needs = Callable[[dict[str, Any]], list[FeedNeed]]


def found(grid: Grid, needs: Needs) -> tuple[dict[str, int], int]:
    """The feeds with their history, and how many points were asked."""
    around = asking(grid, seed=0)
    asked = 0
    try:
        points = next(around)
        while True:
            assert points == sorted(set(points))
            asked += len(points)
            points = around.send({point: needs(grid.values(point)) for point in points})
    except StopIteration as end:
        return {need.key: need.max_records for need in deepest(end.value)}, asked


def feed(records: int, pair: str = "BTC-USDT", interval: str = "1m") -> FeedNeed:
    return FeedNeed("venue", pair, interval, records)


@pytest.mark.parametrize("below", [True, False])
def test_a_fast_and_slow_grid_whose_corners_are_refused(below: bool) -> None:
    values = list(range(5, 205, 5))
    grid = Grid.from_mapping({"fast": values, "slow": values, "take_profit": [0.01, 0.02]})

    def needs(config: dict[str, Any]) -> list[FeedNeed]:
        fine = config["fast"] < config["slow"] if below else config["fast"] > config["slow"]
        return [feed(config["fast"] + config["slow"])] if fine else []

    records, asked = found(grid, needs)
    assert records == {"venue_BTC-USDT_1m": 200 + 195}
    assert asked < grid.size / 4


@pytest.mark.parametrize("refused", range(4))
def test_any_one_corner_may_be_refused(refused: int) -> None:
    grid = Grid.from_mapping({"length": [20, 40], "z": [0, 1]})
    corner = grid.values(refused)
    records, _ = found(grid, lambda config: [] if config == corner else [feed(config["length"])])
    assert records == {"venue_BTC-USDT_1m": 40}


def test_all_refused_ends_after_the_first_points() -> None:
    grid = Grid.from_mapping({"a": list(range(1000)), "b": list(range(1000))})
    records, asked = found(grid, lambda config: [])
    assert records == {}
    assert asked <= MOST + 100


def test_axes_that_change_the_feeds_are_combined_though_the_first_point_is_refused() -> None:
    pairs, intervals = [f"P{n}-USDT" for n in range(12)], ["1m", "3m", "5m", "15m"]
    grid = Grid.from_mapping({"pair": pairs, "interval": intervals, "x": [1, 2, 3]})

    def needs(config: dict[str, Any]) -> list[FeedNeed]:
        return [] if config["x"] == 1 else [feed(10, config["pair"], config["interval"])]

    assert set(found(grid, needs)[0]) == {f"venue_{pair}_{interval}" for pair in pairs for interval in intervals}


def test_axes_that_multiply_or_pull_apart_are_asked_together() -> None:
    values = [*range(1, 40), 100, *range(40, 80)]  # the deepest is neither first nor last
    grid = Grid.from_mapping({"length": values, "factor": values, "stop": [0.1, 0.2], "skip": [5, 0, 7]})
    records, asked = found(grid, lambda config: [feed(config["length"] * config["factor"] + 10 - config["skip"])])
    assert records == {"venue_BTC-USDT_1m": 100 * 100 + 10}
    assert asked < 300


def test_a_grid_of_a_million_million_points_is_asked_at_few() -> None:
    grid = Grid.from_mapping({name: list(range(1, 1001)) for name in "abcd"})
    records, asked = found(grid, lambda config: [feed(sum(config.values()))])
    assert records == {"venue_BTC-USDT_1m": 4000}
    assert asked <= MOST + 100

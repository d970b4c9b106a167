"""Point index <-> values."""

from __future__ import annotations

import tracemalloc
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.grid import Axis, Grid, Grouped, spread

axes = st.lists(st.integers(1, 7), min_size=0, max_size=5).map(
    lambda lengths: Grid(tuple(Axis(f"a{place}", tuple(range(length))) for place, length in enumerate(lengths)))
)


@given(axes)
def test_points_are_the_product_last_axis_fastest(grid: Grid) -> None:
    expected = [dict(zip(grid.names, values, strict=True)) for values in product(*(axis.values for axis in grid.axes))]
    assert [grid.values(point) for point in range(grid.size)] == expected


@given(axes, st.data())
def test_digits_and_point_are_inverse(grid: Grid, data: st.DataObject) -> None:
    point = data.draw(st.integers(0, grid.size - 1))
    assert grid.point(grid.digits(point)) == point


def test_a_million_million_points_cost_no_memory() -> None:
    tracemalloc.start()
    grid = Grid.from_mapping({name: range(1000) for name in "abcd"})
    assert grid.size == 10**12
    assert grid.values(10**12 - 1) == dict.fromkeys("abcd", 999)
    assert grid.values(123_456_789_012) == {"a": 123, "b": 456, "c": 789, "d": 12}
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("point", [-1, 6])
def test_points_outside_are_refused(point: int) -> None:
    with pytest.raises(IndexError):
        Grid.from_mapping({"a": [1, 2, 3], "b": [1, 2]}).digits(point)


def test_neighbours_differ_by_one_step_on_one_axis() -> None:
    grid = Grid.from_mapping({"a": [1, 2, 3], "b": [1, 2]})
    assert sorted(grid.neighbours(grid.point((1, 0)))) == sorted(map(grid.point, [(0, 0), (2, 0), (1, 1)]))


def test_mapping_round_trip() -> None:
    mapping = {"pair": ["BTC-USDT", "ETH-USDT"], "spreads": ["0.01,0.02", [0.01, 0.02]]}
    assert Grid.from_mapping(mapping).to_mapping() == mapping


@given(axes, st.data())
def test_grouped_is_the_grid_with_some_axes_at_the_front(grid: Grid, data: st.DataObject) -> None:
    names = data.draw(st.sets(st.sampled_from(grid.names))) if grid.names else set()
    order = Grouped(grid, names)
    points = [order.point(rank) for rank in range(grid.size)]
    places = [place for place, name in enumerate(grid.names) if name in names]
    expected = sorted(range(grid.size), key=lambda point: ([grid.digits(point)[place] for place in places], point))
    assert points == expected
    assert [order.rank(point) for point in points] == list(range(grid.size))
    groups = [order.group(point) for point in points]
    assert groups == sorted(groups)
    assert len(set(groups)) == len({tuple(grid.digits(point)[place] for place in places) for point in points})
    assert order.is_natural == (expected == list(range(grid.size)))


def test_spread_holds_first_and_last() -> None:
    assert spread(100, 4) == [0, 33, 66, 99]
    assert spread(3, 8) == [0, 1, 2]
    assert spread(100, 1) == [0]
    assert spread(100, 0) == []

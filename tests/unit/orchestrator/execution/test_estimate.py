"""An estimate times points from all over the grid, each once, in the groups that share their features."""

from __future__ import annotations

from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.execution.estimate import MAX_SAMPLED, STRETCH, SamplePlanner, sample
from tasks.grid import Grid, Grouped
from tasks.protocol.messages import Rows

GRID = Grid.from_mapping({"take_profit": range(20), "length": range(6), "stop_loss": range(5), "width": range(4)})
FEATURES = ["length", "width"]


def features(point: int) -> tuple[int, int]:
    _, length, _, width = GRID.digits(point)
    return length, width


def rows(points: list[int], seconds: float) -> Rows:
    return Rows("1:0-0", "node/1", seconds, {"point": points}, feature_axes=FEATURES)


@pytest.mark.parametrize("size", [1, 5, 8, 17, 100, 320, 2000, 8192, 100_000, 10**12])
def test_a_sample_is_from_all_over_the_grid(size: int) -> None:
    points = sample(size, 8)
    assert len(set(points)) == len(points)
    assert min(points) == 0
    assert max(points) == size - 1
    assert min(size, 8) <= len(points) <= max(8, min(size // 8, MAX_SAMPLED))
    # whenever an estimate stops, what it has seen is not of one end of the grid
    assert len({4 * point // size for point in points[: 4 * STRETCH]}) >= min(len(points), 3)


def test_a_sample_in_groups_holds_whole_ones() -> None:
    points = sample(GRID.size, 8, Grouped(GRID, FEATURES))
    assert GRID.size // 16 < len(points) == len(set(points)) <= GRID.size // 8
    stretches = [len(list(stretch)) for _, stretch in groupby(points, features)]
    assert max(stretches) <= STRETCH
    assert min(stretches) >= 36  # groups of 100 in parts of 64, across one end each at most


@given(st.sets(st.integers(0, GRID.size - 1), max_size=60), st.integers(0, 5))
def test_an_estimate_times_each_point_once(stored: set[int], early: int) -> None:
    missing = [(point, point) for point in range(GRID.size) if point not in stored]
    sampler = SamplePlanner(missing, GRID)
    handed: list[int] = []
    sent = []
    for _ in range(early):
        sent.append(sampler.next(2))
        handed += sent[-1]
    for chunk in sent:  # stopped after their first points, which say what features depend on
        sampler.observe(rows(chunk[:1], 1.0), chunk[1:], cold=False)
        handed = [point for point in handed if point not in chunk[1:]]
    while chunk := sampler.next(2):
        handed += chunk
        sampler.observe(rows(chunk, 0.01 * len(chunk)), [], cold=False)
    assert len(set(handed)) == len(handed) > 0
    assert not stored.intersection(handed)


def test_what_was_sent_in_another_order_says_nothing_about_this_one() -> None:
    sampler = SamplePlanner([(0, GRID.size - 1)], GRID)
    first, second = sampler.next(2), sampler.next(2)
    sampler.observe(rows(first[:1], 9.0), first[1:], cold=True)
    assert sampler.speeds.seconds_per_point() is None
    sampler.observe(rows(second[:1], 9.0), second[1:], cold=False)
    assert sampler.speeds.seconds_per_point() is None
    chunk = sampler.next(2)
    assert not set(chunk) & {*first, *second}
    sampler.observe(rows(chunk, 0.1 * len(chunk)), [], cold=False)
    assert sampler.speeds.seconds_per_point() == pytest.approx(0.1)


def test_a_sweep_that_is_nearly_done_is_estimated_by_what_is_missing() -> None:
    sampler = SamplePlanner([(1001, 1003)], GRID)
    assert sorted(sampler.next(1) + sampler.next(1) + sampler.next(1)) == [1001, 1002, 1003]

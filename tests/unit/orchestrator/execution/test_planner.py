"""Every missing point is handed out once, in chunks that fit the time."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from itertools import groupby, pairwise
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.execution.planner import FIRST_POINTS, FIRST_S, MAX_POINTS, Planner
from orchestrator.execution.source import GridSource
from tasks.grid import Grid, spread
from tasks.protocol.chunks import Chunk
from tasks.protocol.messages import Rows


def planned(
    missing: Iterable[tuple[int, int]],
    size: int,
    *,
    target_s: float,
    probes: Sequence[int] = (),
    grid: Grid | None = None,
) -> Planner:
    return Planner(GridSource(missing, size, grid), target_s=target_s, probes=probes)


def learn(planner: Planner, axes: list[str]) -> None:
    """Rows came back whose features depend on these axes."""
    planner._source.observe(Rows("1:0-0", "node/1", 0.0, {}, feature_axes=axes))


runs = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 40)), max_size=6).map(
    lambda steps: [
        (
            sum(gap + length + 2 for gap, length in steps[:place]) + gap,
            sum(g + n + 2 for g, n in steps[:place]) + gap + length,
        )
        for place, (gap, length) in enumerate(steps)
    ]
)


@given(runs, st.integers(1, 8), st.floats(0.001, 10), st.integers(0, 4))
def test_each_point_once(missing: list[tuple[int, int]], children: int, each: float, probe_count: int) -> None:
    points = [point for first, last in missing for point in range(first, last + 1)]
    probes = [points[place] for place in spread(len(points), min(probe_count, len(points)))] if points else []
    planner = planned(missing, len(points), target_s=5.0, probes=probes)
    handed: list[int] = []
    while chunk := planner.next(children):
        handed += chunk
        planner.speeds.add("node", each * len(chunk), len(chunk))
    assert sorted(handed) == points
    assert planner.left == 0


GRID = Grid.from_mapping({"take_profit": range(20), "length": range(6), "stop_loss": range(5), "width": range(4)})


@given(
    st.sets(st.integers(0, GRID.size - 1), max_size=30), st.integers(0, 4), st.floats(0.001, 1), st.integers(0, 3),
    st.sampled_from([0, 10_000]),
)  # fmt: skip
def test_each_point_once_when_features_are_known(
    stored: set[int], after: int, each: float, probe_count: int, few: int
) -> None:
    points = [point for point in range(GRID.size) if point not in stored]
    probes = [points[place] for place in spread(len(points), probe_count)]
    planner = planned(ranges(points), len(points), target_s=5.0, probes=probes, grid=GRID)
    handed: list[int] = []
    with mock.patch("orchestrator.execution.source.FEW", few):
        _hand_out(planner, handed, each, after)
    assert sorted(handed) == points
    assert planner.left == 0


def _hand_out(planner: Planner, handed: list[int], each: float, after: int) -> None:
    while chunk := planner.next(2):
        handed += chunk
        planner.speeds.add("node", each * len(chunk), len(chunk))
        if len(handed) > after:
            learn(planner, ["length", "width"])
        if len(handed) % 7 == 0 and len(chunk) > 1:
            planner.give_back(chunk[1:])
            del handed[1 - len(chunk) :]


def ranges(points: list[int]) -> list[tuple[int, int]]:
    return [(point, point) for point in points]


def test_points_that_share_their_features_go_side_by_side() -> None:
    planner = planned([(0, GRID.size - 1)], GRID.size, target_s=5.0, grid=GRID)
    planner.speeds.add("node", 0.05, 1)
    learn(planner, ["width", "length"])
    features: list[tuple[int, int]] = []
    while chunk := planner.next(children=2):
        assert len(Chunk.of(1, chunk).id) < 100
        features += [(length, width) for _, length, _, width in map(GRID.digits, chunk)]
    # each combination in one stretch
    assert len(list(groupby(features))) == 6 * 4
    assert len(features) == GRID.size


def test_what_was_sent_too_early_joins_its_group() -> None:
    planner = planned([(0, GRID.size - 1)], GRID.size, target_s=5.0, grid=GRID)
    early, late = planner.next(children=2), planner.next(children=2)
    planner.give_back(early[1:])  # they were expensive
    planner.speeds.add("node", 0.05, 1)
    learn(planner, ["width", "length"])
    chunks = [planner.next(children=2)]
    planner.give_back(late[1:])
    while chunk := planner.next(children=2):
        chunks.append(chunk)
    stretches = sum(len(set(map(features, chunk))) for chunk in chunks)
    assert stretches <= 64  # 24 groups, 20 of which the late chunk had a part of; in the grid's order more than 400
    assert sum(map(len, chunks)) == GRID.size - 2


def features(point: int) -> tuple[int, int]:
    _, length, _, width = GRID.digits(point)
    return length, width


def test_a_chunk_ends_where_a_group_ends() -> None:
    planner = planned([(0, GRID.size - 1)], GRID.size, target_s=6.5, grid=GRID)
    planner.speeds.add("node", 0.05, 1)
    learn(planner, ["width", "length"])
    for _ in range(10):  # 100 points a group, 130 in the time
        chunk = planner.next(children=1)
        assert len(chunk) == 100
        assert len(set(map(features, chunk))) == 1


def test_an_order_that_has_features_side_by_side_already_stays() -> None:
    planner = planned([(0, GRID.size - 1)], GRID.size, target_s=5.0, grid=GRID)
    planner.speeds.add("node", 0.05, 1)
    learn(planner, ["take_profit", "length"])
    assert planner.next(children=1) == list(range(100))
    planner.speeds.add("node", 4.5, 99)
    assert planner.next(children=1) == list(range(100, 200))


def sizes(each: float, count: int, children: int) -> list[int]:
    planner = planned([(0, count - 1)], count, target_s=5.0, probes=[0])
    found = []
    while chunk := planner.next(children):
        found.append(len(chunk))
        planner.speeds.add("node", each * len(chunk), len(chunk))
    return found


def test_chunks_take_the_target_in_the_middle_and_shrink_to_the_end() -> None:
    found = sizes(each=0.1, count=10_000, children=4)
    assert found[0] == 1
    assert found[len(found) // 3] in (49, 50)
    assert found[-1] == 1
    assert all(earlier + 1 >= later for earlier, later in pairwise(found[1:]))  # what was measured has a last bit


def test_the_last_cheap_points_are_shared_out_but_not_too_finely() -> None:
    planner = planned([(0, 30)], 31, target_s=5.0)
    planner.speeds.add("node", 0.27, 100)
    sizes = []
    while chunk := planner.next(2):
        sizes.append(len(chunk))
    assert sizes == [16, 8, 7]  # of 80 ms at most, where two children share what is left, and 20 ms at least


def test_until_it_is_known_points_that_differ_in_the_last_axis_are_taken_to_share_their_features() -> None:
    grid = Grid.from_mapping({"length": range(10), "deviations": range(10), "take_profit": range(4)})
    planner = planned([(0, 399)], 400, target_s=5.0, grid=grid)
    sizes = [len(planner.next(children=9)) for _ in range(4)]  # of 36 points and fewer
    assert sizes == [36, 32, 28, 28]


def test_single_points_weigh_as_much_as_their_seconds() -> None:
    planner = planned([(0, 999)], 1000, target_s=5.0)
    for _ in range(8):
        planner.speeds.add("node", 1.0, 1)
    assert planner.speeds.seconds_per_point() == pytest.approx(1.0)
    assert len(planner.next(children=2)) == 5


def test_probes_end_when_points_are_known_to_be_cheap() -> None:
    planner = planned([(0, 999)], 1000, target_s=5.0, probes=[0, 400, 999])
    assert planner.next(children=2) == [0]
    planner.speeds.add("node", 0.01, 1)
    handed = [planner.next(children=2)]
    assert len(handed[0]) == 250
    while chunk := planner.next(children=2):
        handed.append(chunk)
    assert sorted(point for chunk in handed for point in chunk) == list(range(1, 1000))


def test_chunks_are_fewer_where_all_points_take_as_long() -> None:
    alike, other = planned([(0, 9999)], 10_000, target_s=60.0), planned([(0, 9999)], 10_000, target_s=60.0)
    chunks = {0: 0, 1: 0}
    for number, planner in enumerate((alike, other)):
        while chunk := planner.next(children=4):
            chunks[number] += 1
            factor = 1.5 if number and chunks[number] % 2 else 1.0
            planner.speeds.add("node", factor * 0.01 * len(chunk), len(chunk))
    assert chunks[0] < 0.75 * chunks[1]


def test_dear_points_go_alone_and_cheap_ones_are_bounded() -> None:
    assert set(sizes(each=60.0, count=20, children=2)) == {1}
    assert max(sizes(each=1e-6, count=100_000, children=1)) == MAX_POINTS


def test_the_slowest_node_sets_the_last_chunks() -> None:
    planner = planned([(0, 99)], 100, target_s=5.0)
    planner.speeds.add("fast", 1.0, 1000)
    planner.speeds.add("slow", 10.0, 5)
    assert len(planner.next(children=4)) <= 2


def idle(costs: list[float], children: int) -> float:
    """Share of the children's time they wait, when points cost so many seconds: each child has one chunk waiting."""
    planner = planned([(0, len(costs) - 1)], len(costs), target_s=5.0, probes=spread(len(costs), 8))
    queue: list[tuple[list[int], float]] = []
    running: list[tuple[float, list[int], list[int]]] = []
    free, now, handed = children, 0.0, 0

    def fill() -> None:
        nonlocal free
        while len(queue) + len(running) < 2 * children and (chunk := planner.next(children)):
            queue.append((chunk, planner.limit_s(len(chunk))))
        while free and queue:
            chunk, limit = queue.pop(0)
            taken, seconds = [], 0.0
            for point in chunk:
                if limit and taken and seconds > limit:
                    break
                taken.append(point)
                seconds += costs[point]
            free -= 1
            heapq.heappush(running, (now + seconds, chunk, taken))

    fill()
    while running:
        now, chunk, taken = heapq.heappop(running)
        free, handed = free + 1, handed + len(taken)
        planner.give_back(chunk[len(taken) :])
        planner.speeds.add("node", sum(costs[point] for point in taken), len(taken))
        fill()
    assert handed == len(costs)
    return 1 - sum(costs) / (children * now)


def test_children_stay_busy_when_some_points_are_a_hundred_times_dearer() -> None:
    cheap, expensive = [0.01], [1.0]
    assert idle(cheap * 4500 + expensive * 500 + cheap * 5000, 8) < 0.05  # one value of the first axis
    assert idle(cheap * 9500 + expensive * 500, 8) < 0.05
    assert idle(expensive * 500 + cheap * 9500, 8) < 0.05
    assert idle((cheap * 19 + expensive) * 500, 8) < 0.05  # one of the last


def test_until_rows_come_a_chunk_has_many_points_and_little_time() -> None:
    planner = planned([(0, 99)], 100, target_s=5.0)
    first = planner.next(children=2)
    assert len(first) == 40
    assert planner.limit_s(len(first)) == FIRST_S
    planner.give_back(first[3:])  # they were expensive
    planner.speeds.add("node", 3.0, 3)
    second = planner.next(children=2)
    assert second == [3, 4, 5, 6, 7]
    assert planner.limit_s(len(second)) > 5.0
    assert len(planned([(0, 10**6)], 10**6, target_s=5.0).next(children=2)) == FIRST_POINTS


def test_the_first_of_a_few_points_go_alone() -> None:
    """One of them may be as long as all the others: their rows would wait for it."""
    planner = planned([(0, 1)], 2, target_s=5.0)
    assert [planner.next(children=1), planner.next(children=1)] == [[0], [1]]


def test_a_point_alone_has_no_limit() -> None:
    assert planned([(0, 99)], 100, target_s=5.0).limit_s(1) == 0.0


def test_a_childs_first_chunk_says_little() -> None:
    planner = planned([(0, 9999)], 10_000, target_s=5.0)
    planner.speeds.add("node", 2.0, 1, cold=True)
    assert planner.speeds.seconds_per_point() == 2.0
    planner.speeds.add("node", 0.01, 1)
    planner.speeds.add("node", 2.0, 1, cold=True)
    assert planner.speeds.seconds_per_point() == 0.01


def test_a_million_million_points_are_planned_lazily() -> None:
    planner = planned([(0, 10**12 - 1)], 10**12, target_s=5.0, probes=[0])
    assert planner.next(4) == [0]
    planner.speeds.add("node", 0.01, 1)
    assert planner.next(4) == list(range(1, 501))


def test_scattered_points_make_more_chunks_and_no_longer_ids() -> None:
    missing = [(point, point) for point in range(10**9, 10**9 + 4000, 2)]
    planner = planned(missing, len(missing), target_s=1000)
    planner.speeds.add("node", 1.0, 1000)
    handed = []
    while chunk := planner.next(children=1):
        assert len(Chunk.of(1, chunk).id) < 100
        handed += chunk
    assert handed == [point for point, _ in missing]


def test_ranges_out_of_order_are_handed_out_as_they_come() -> None:
    planner = planned([(90, 99), (0, 9), (45, 54)], 30, target_s=5.0)
    planner.speeds.add("node", 1.0, 10)
    handed = []
    while points := planner.next(children=1):
        handed += points
    assert handed == [*range(90, 100), *range(10), *range(45, 55)]


def test_a_probe_that_comes_back_is_handed_out_once_more() -> None:
    planner = planned([(0, 19)], 20, target_s=5.0, probes=[7])
    assert planner.next(2) == [7]
    planner.give_back([7])
    handed: list[int] = []
    while chunk := planner.next(2):
        handed += chunk
        planner.speeds.add("node", 1.0, 1)
    assert sorted(handed) == list(range(20))

"""Which points of a training window go into its test."""

from __future__ import annotations

import math

import numpy as np

from orchestrator.validation.choice import Order, choose, draw
from tasks.grid import Grid
from tests.unit.orchestrator.validation.tables import table

GRID = Grid.from_mapping({"a": [10, 20, 30, 40, 50]})


def chosen(objective: dict[int, float | None], rule: tuple[str, int], where: str | None = None) -> list[int]:
    return [point for point, _ in choose(table(objective), rule, Order("net_pnl", where, GRID), 10)]


def test_best_is_the_ranking_without_failed_and_unranked_points() -> None:
    rows = {0: 0.1, 1: 0.5, 2: None, 3: math.nan, 4: 0.3}
    assert chosen(rows, ("best", 0)) == [1, 4, 0]
    assert chosen(rows, ("best", 0), "net_pnl < 0.4") == [4, 0]


def test_ties_go_to_the_lowest_point() -> None:
    assert chosen({4: 1.0, 0: 1.0, 2: 1.0}, ("best", 0)) == [0, 2, 4]


def test_a_descending_objective_is_turned() -> None:
    found = choose(table({0: 0.1, 1: 0.5}), ("best", 0), Order("-net_pnl", None, GRID), 10)
    assert found[0] == (0, 0.1)


def test_a_plateau_beats_a_spike_by_its_neighbourhood() -> None:
    rows = {0: 1.0, 1: 0.0, 2: 0.6, 3: 0.7, 4: 0.6}
    assert chosen(rows, ("best", 0))[0] == 0
    assert chosen(rows, ("neighbourhood", 0))[0] == 4  # its one neighbour is 0.7; 3 has 0.6 on both sides


def test_the_neighbours_are_those_of_the_grid_also_at_its_ends_and_beside_failed_points() -> None:
    grid = Grid.from_mapping({"a": [1, 2], "b": [1, 2, 3], "c": [5, 6, 7, 8]})
    rng = np.random.default_rng(5)
    objective: dict[int, float | None] = {int(point): float(rng.normal()) for point in rng.permutation(grid.size)}
    objective[7] = objective[15] = None
    score = {}
    for point, own in objective.items():
        if own is not None:
            around = [value for value in (objective[other] for other in grid.neighbours(point)) if value is not None]
            score[point] = (own + sum(around)) / (1 + len(around))
    found = choose(table(objective), ("neighbourhood", 0), Order("net_pnl", None, grid), 100)
    assert [point for point, _ in found] == sorted(score, key=lambda point: -score[point])
    assert dict(found)[3] == objective[3]  # what is reported is the point's own objective


def test_an_axis_without_an_order_has_no_neighbours() -> None:
    grid = Grid.from_mapping({"a": ["x", "y", "z"]})
    rows = table({0: 1.0, 1: -5.0, 2: 0.5})
    assert [point for point, _ in choose(rows, ("neighbourhood", 0), Order("net_pnl", None, grid), 10)] == [0, 2, 1]


def test_the_median_of_the_best_lies_in_the_middle_of_their_values() -> None:
    rows = {0: 0.9, 1: 0.1, 2: 0.8, 3: 0.7, 4: 1.0}
    # the best four are 4, 0, 2, 3: their middle is 2.5, and 2 ranks before 3
    assert chosen(rows, ("median", 4)) == [2, 3, 4, 0, 1]


def test_a_fixed_point_is_chosen_whatever_it_did() -> None:
    assert choose(table({0: 0.9, 1: 0.1}), ("point", 1), Order("net_pnl", None, GRID), 10) == [(1, 0.1)]


def test_nothing_is_chosen_where_nothing_can_be_ranked() -> None:
    assert chosen({0: None, 1: math.nan}, ("best", 0)) == []


def test_the_control_is_the_same_for_the_same_seed_and_fold_and_another_for_others() -> None:
    rows = table({point: float(point) for point in range(100)})
    by = Order("net_pnl", "net_pnl > 50", Grid.from_mapping({"a": list(range(100))}))
    first = draw(rows, by, 10, 7, 0)
    assert first == draw(rows, by, 10, 7, 0)
    assert first != draw(rows, by, 10, 7, 1)
    assert len(set(first)) == 10
    assert min(first) > 50


def test_across_an_axis_a_group_is_chosen_by_its_worst_and_stands_for_one_point() -> None:
    grid = Grid.from_mapping({"length": [1, 2], "pair": ["A", "B"]})
    rows = table({0: 0.9, 1: -0.5, 2: 0.3, 3: 0.2})
    by = Order("net_pnl", None, grid, {"pair": "min"})
    assert choose(rows, ("best", 0), by, 10) == [(3, 0.2), (1, -0.5)]
    assert sorted(draw(rows, by, 10, 1, 0)) == [1, 3]

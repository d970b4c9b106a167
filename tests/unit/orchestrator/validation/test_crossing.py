"""Every point on every test window: rank correlation and the paths of combinatorial cross-validation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from orchestrator.validation.crossing import cross, paths, rank_correlation, splits, winners
from orchestrator.validation.folds import Window
from orchestrator.validation.joined import Piece

DAY = 86400


def test_rank_correlation_is_spearmans() -> None:
    rng = np.random.default_rng(3)
    inside, outside = rng.integers(0, 20, 200).astype(float), rng.normal(size=200)
    assert rank_correlation(inside, outside) == pytest.approx(stats.spearmanr(inside, outside).statistic)


def test_rank_correlation_of_what_has_no_order_is_none() -> None:
    assert rank_correlation(np.zeros(10), np.arange(10.0)) is None
    assert rank_correlation(np.array([1.0, np.nan, 2.0]), np.arange(3.0)) is None


@pytest.mark.parametrize(("groups", "tested", "number", "ways"), [(6, 2, 15, 5), (8, 2, 28, 7), (6, 3, 20, 10)])
def test_splits_and_paths_are_as_many_as_the_book_says(groups: int, tested: int, number: int, ways: int) -> None:
    assert len(splits(groups, tested)) == number
    found = paths(groups, tested)
    assert len(found) == ways
    for group in range(groups):  # every path takes a group from another split, and each tests that group
        served = [path[group] for path in found]
        assert len(set(served)) == ways
        assert all(group in splits(groups, tested)[split] for split in served)


def test_a_winner_is_chosen_without_its_test_windows() -> None:
    objectives = np.array([[9.0, 1.0], [9.0, 1.0], [0.0, 1.0], [0.0, 1.0]])
    parts = [[0], [1], [2], [3]]
    won = dict(zip(splits(4), winners(objectives, parts, ascending=False), strict=True))
    assert won[(0, 1)] == 1  # what point 0 did there is not seen
    assert won[(2, 3)] == 0


def test_a_point_without_an_objective_in_training_cannot_win() -> None:
    objectives = np.array([[np.nan, 1.0], [9.0, 1.0], [9.0, 1.0]])
    won = winners(objectives, [[0], [1], [2]], ascending=False)
    # of (0, 1), (0, 2) and (1, 2) the training is window 2, 1 and 0; point 0 has nothing on window 0
    assert won == [0, 0, 1]


def test_the_best_point_of_all_windows_is_on_every_path() -> None:
    windows = [
        {
            point: Piece(
                Window(day * DAY, (day + 1) * DAY - 60), DAY, np.array([0.01 * point]), np.array([(day + 1.0) * DAY])
            )
            for point in range(3)
        }
        for day in range(6)
    ]
    objectives = np.tile([0.0, 0.01, 0.02], (6, 1))
    found = cross(objectives, [0, 1, 2], lambda number, wanted: windows[number], ascending=False)
    assert found is not None
    assert (found["splits"], found["paths"], found["points"], found["losing"]) == (15, 5, 1, 0.0)


def test_two_windows_cannot_be_crossed() -> None:
    assert cross(np.zeros((2, 1)), [0], lambda number, wanted: {}, ascending=False) is None


def test_where_no_point_can_win_there_is_no_path() -> None:
    assert cross(np.full((5, 3), np.nan), [0, 1, 2], lambda number, wanted: {}, ascending=False) is None

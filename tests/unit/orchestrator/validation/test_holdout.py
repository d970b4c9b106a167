"""The hold-out: who is looked at, how looks are counted, and what it says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from orchestrator.analysis.rank import rank
from orchestrator.report.folds_words import closing_lines
from orchestrator.validation import holdout
from orchestrator.validation.folds import Window
from orchestrator.validation.joined import Piece
from orchestrator.validation.walk import WindowResult
from tasks.grid import Grid
from tests.unit.orchestrator.validation.tables import table

DAY = 86400
WINDOW = Window(100 * DAY, 140 * DAY - 60)
GRID = Grid.from_mapping({"a": list(range(50))})


def result(objective: float) -> WindowResult:
    returns = np.random.default_rng(1).normal(objective / 40, 0.01, 40)
    return WindowResult(Piece(WINDOW, DAY, returns, (101.0 + np.arange(40)) * DAY), objective, "ok", 9)


def test_the_best_and_as_many_random_others_are_looked_at() -> None:
    rows = table({point: float(point % 7) + point / 100 for point in range(50)})
    ranking = rank(rows, "net_pnl", grid=GRID, top=5)
    best, drawn = holdout.points_to_look_at(ranking, rows, "net_pnl", None, 5, seed=3)
    assert best == [48, 41, 34, 27, 20]
    assert len(drawn) == 5
    assert not set(best) & set(drawn)
    assert (best, drawn) == holdout.points_to_look_at(ranking, rows, "net_pnl", None, 5, seed=3)
    assert drawn != holdout.points_to_look_at(ranking, rows, "net_pnl", None, 5, seed=4)[1]


def test_the_same_points_again_are_no_new_look() -> None:
    looks = [holdout.look(WINDOW, [3, 1, 2], at=0.0)]
    assert not holdout.is_new(looks, WINDOW, [1, 3])
    assert holdout.is_new(looks, WINDOW, [1, 4])
    assert holdout.is_new(looks, Window(WINDOW.start + DAY, WINDOW.end), [1])


def test_a_look_at_a_part_of_the_same_stretch_counts() -> None:
    looks = [
        holdout.look(WINDOW, [1], 0.0),
        holdout.look(Window(139 * DAY, 150 * DAY), [1], 0.0),
        holdout.look(Window(0, DAY), [1], 0.0),
    ]
    assert holdout.count_looks(looks, WINDOW) == 2


def test_what_it_says() -> None:
    results = {1: result(0.3), 2: result(0.1), 8: result(0.2), 9: result(0.4)}
    found: dict[str, Any] = holdout.answer(
        WINDOW, [1, 2], [8, 9], {1: 0.9, 2: 0.8, 8: 0.1, 9: 0.0}, results, 2, ascending=False
    )
    assert found["looks"] == 2
    assert found["beats_random"] == 0.5
    assert (found["best_median"], found["random_median"]) == (pytest.approx(0.2), pytest.approx(0.3))
    first = found["points"][0]
    assert (first["rank"], first["objective_in"], first["objective_out"]) == (1, 0.9, 0.3)
    assert found["sharpe"] == first["sharpe"] is not None
    assert [each["rank"] for each in found["points"]] == [1, 2, None, None]


def test_a_point_that_failed_there_is_said() -> None:
    found = holdout.answer(WINDOW, [1], [], {1: 0.9}, {}, 1, ascending=False)
    assert found["points"][0]["objective_out"] is None
    assert found["sharpe"] is None
    assert found["beats_random"] is None


def test_where_it_is_too_short_for_the_objective_returns_are_compared() -> None:
    results = {
        point: WindowResult(Piece(WINDOW, DAY, np.array([value]), np.array([101.0 * DAY])), float("nan"), "ok", 9)
        for point, value in {1: 0.02, 2: 0.04, 8: 0.01, 9: 0.05}.items()
    }
    found = holdout.answer(WINDOW, [1, 2], [8, 9], {1: 0.9}, results, 1, ascending=False)
    assert found["by_return"] is True
    assert (found["best_median"], found["random_median"]) == (pytest.approx(0.03), pytest.approx(0.03))
    assert found["beats_random"] == 0.5
    assert found["points"][0]["objective_out"] is None
    said = closing_lines({"holdout": found | {"rank_by": "sharpe"}})[0]
    assert "best point 1 return +2.00% (in sample sharpe 0.9); median return of the best +3.00%" in said
    assert said.endswith("too short for sharpe")

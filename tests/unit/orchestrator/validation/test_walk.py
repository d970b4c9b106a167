"""The walk-forward as a whole: folds, control, further choices, wandering parameters."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from orchestrator.validation.folds import Fold, Window
from orchestrator.validation.joined import Piece
from orchestrator.validation.walk import Chosen, WindowResult, walk
from tasks.grid import Grid

DAY = 86400
GRID = Grid.from_mapping({"a": [1, 2, 3], "b": ["x", "y"]})


def result_on(window: Window, daily: float) -> WindowResult:
    days = round((window.end - window.start) / DAY)
    return WindowResult(
        Piece(window, DAY, np.full(days, daily), window.start + np.arange(1.0, days + 1) * DAY), daily, "ok", 5
    )


def fold(number: int, order: tuple[int, ...], train: float, test: dict[int, float]) -> Chosen:
    start = number * 10 * DAY
    one = Fold(number, Window(start, start + 20 * DAY - 60), Window(start + 20 * DAY, start + 30 * DAY - 60))
    return Chosen(
        one,
        order,
        tuple(point for point in test if point not in order),
        candidates=6,
        train={point: result_on(one.train, train) for point in order},
        test={point: result_on(one.test, daily) for point, daily in test.items()},
    )


def answer(folds: list[Chosen]) -> dict[str, Any]:
    return walk(folds, GRID, ("best", 0), "net_pnl")


def test_a_fold_says_what_was_chosen_and_what_it_did() -> None:
    found = answer([fold(0, (3, 1), 0.01, {3: 0.002, 1: 0.0, 5: -0.001})])
    first = found["folds"][0]
    assert (first["point"], first["values"]) == (3, {"a": 2, "b": "y"})
    assert first["return_in"] == pytest.approx(1.01**20 - 1)
    assert first["return_out"] == pytest.approx(1.002**10 - 1)
    assert first["control_out"] == pytest.approx(0.999**10 - 1)


def test_the_chosen_points_are_joined_and_further_choices_beside_them() -> None:
    found = answer(
        [fold(0, (3, 1), 0.01, {3: 0.002, 1: -0.002, 5: 0.0}), fold(1, (2, 1), 0.01, {2: 0.004, 1: -0.002, 4: 0.0})]
    )
    assert found["joined"]["return"] == pytest.approx(1.002**10 * 1.004**10 - 1)
    assert found["joined"]["winning_windows"] == 1.0
    assert [each["place"] for each in found["choices"]] == [1, 2]
    assert found["choices"][1]["winning_windows"] == 0.0
    assert found["control"]["beaten"] == 1.0
    assert found["control"]["return"] == pytest.approx(0.0)


def test_a_fold_in_which_nothing_could_be_chosen_is_said_and_left_out_of_the_curve() -> None:
    found = answer([fold(0, (), 0.0, {}), fold(1, (2,), 0.01, {2: 0.004})])
    assert found["folds"][0]["point"] is None
    assert found["joined"]["windows"] == 1


def test_without_any_choice_there_is_no_curve() -> None:
    found = answer([fold(0, (), 0.0, {})])
    assert found["joined"] is None
    assert found["control"] is None
    assert found["choices"] == []


def test_parameters_that_stay_and_parameters_that_wander() -> None:
    found = answer([fold(number, (point,), 0.01, {point: 0.0}) for number, point in enumerate((0, 4, 0, 4))])
    by_axis = {each["axis"]: each for each in found["parameters"]}
    assert by_axis["a"]["values"] == [1, 3, 1, 3]
    assert by_axis["a"]["step"] == 1.0
    assert by_axis["b"]["changed"] == 0.0
    assert by_axis["b"]["step"] is None


def test_an_objective_that_is_no_number_is_none() -> None:
    one = fold(0, (3,), 0.01, {3: 0.0})
    broken = Chosen(one.fold, one.order, (), 6, one.train, {3: WindowResult(one.test[3].piece, math.nan, "error")})
    assert answer([broken])["folds"][0]["objective_out"] is None

"""The walk-forward's answer from what a store holds: the same for a run, `walk`, the report and Python.

Which points were chosen is worked out again from the training rows: the rules and the draws of the control depend on
nothing else. Folds whose windows have no rows yet are left out, so that the answer grows while a sweep runs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.analysis.rank import scored
from orchestrator.analysis.untraded import unranked
from orchestrator.sweepfile.expressions import parse_objective
from orchestrator.sweepfile.in_sample import resolution_s
from orchestrator.sweepfile.skip import points_of
from orchestrator.validation.choice import Order, choose, draw
from orchestrator.validation.crossing import cross, rank_correlation
from orchestrator.validation.folds import Windows, windows_of
from orchestrator.validation.rows import results_of
from orchestrator.validation.walk import CONTROLS, PLACES, Chosen, walk
from orchestrator.validation.window_order import order_note, order_table, returns_of
from tasks.named_types import JsonObject

if TYPE_CHECKING:
    import numpy.typing as npt

    from orchestrator.results.store_reader import StoreReader
    from orchestrator.sweepfile.sweep import Sweep
    from orchestrator.validation.folds import Fold, Window
    from orchestrator.validation.joined import Piece

    Floats = npt.NDArray[np.float64]


def chosen_points(store: StoreReader, name: str, sweep: Sweep, fold: Fold) -> Chosen:
    """What a rule and the control choose from a training window's rows; without what those points did.

    `name`: the sweep's id. Raises ExpressionError.
    """
    walk_forward = sweep.validation.walk_forward
    assert walk_forward is not None
    table = order_table(store, name, sweep, fold.train)
    by = Order.of(sweep)
    order = choose(table, walk_forward.choice, by, PLACES)
    everyone = choose(table, ("best", 0), by, table.num_rows)
    control = draw(table, by, CONTROLS, sweep.seed, fold.number)
    why = "" if order else unranked(table, sweep.rank_by, sweep.where)[0]
    return Chosen(fold, tuple(point for point, _ in order), tuple(control), len(everyone), why=why)


def points_to_test(one: Chosen) -> list[int]:
    """The points of a fold whose test window is run."""
    return sorted({*one.order, *one.control})


def walk_answer(store: StoreReader, name: str, sweep: Sweep) -> JsonObject | None:
    """The walk-forward of a stored sweep; None where it has none. Raises ExpressionError, SweepFileError."""
    walk_forward = sweep.validation.walk_forward
    if walk_forward is None:
        return None
    there = set(store.scenarios(name))
    trained = [fold for fold in windows_of(sweep).folds if str(fold.train.scenario) in there]
    # a fold in which nothing could be chosen has no rows in its test, and is part of the answer
    folds = [one for one in (filled(store, name, sweep, fold) for fold in trained) if one.test or not one.order]
    answer = answer_of(sweep, folds)
    if walk_forward.all:
        answer |= _crossed(store, name, sweep, folds)
    return answer


def answer_of(sweep: Sweep, folds: list[Chosen]) -> JsonObject:
    """What the folds so far say: `orchestrator.validation.walk.walk`, how they were planned, and their cost."""
    walk_forward, windows = sweep.validation.walk_forward, windows_of(sweep)
    assert walk_forward is not None
    answer = walk(folds, sweep.grid, walk_forward.choice, sweep.rank_by)
    answer |= {
        "planned": len(windows.folds),
        "train_s": walk_forward.train,
        "test_s": walk_forward.test,
        "step_s": walk_forward.step or walk_forward.test,
        "anchored": walk_forward.anchored,
        "embargo_s": windows.embargo_s,
        "left_over_s": windows.left_over_s,
        "order_note": order_note(sweep, windows.folds),
        "returns_of": returns_of(sweep),
        "cost": cost(windows, sweep, points_of(sweep.definition()), [len(points_to_test(one)) for one in folds]),
    }
    return answer


def filled(store: StoreReader, name: str, sweep: Sweep, fold: Fold) -> Chosen:
    """A fold whose windows have their rows: what was chosen, and what it did."""
    one = chosen_points(store, name, sweep, fold)
    asked = points_to_test(one)
    train = results_of(store, name, sweep, fold.train, asked)
    test = results_of(store, name, sweep, fold.test, asked)
    return dataclasses.replace(one, train=train, test=test)


def _crossed(store: StoreReader, name: str, sweep: Sweep, folds: list[Chosen]) -> JsonObject:
    """Rank correlation per fold, and the paths over the test windows."""
    tests = [_objectives(store, name, sweep, one.fold.test) for one in folds]
    trains = [_objectives(store, name, sweep, one.fold.train) for one in folds]
    correlations = [rank_correlation(*_side_by_side(train, test)) for train, test in zip(trains, tests, strict=True)]
    points = sorted(set.intersection(*(set(each) for each in tests))) if tests else []
    objectives = np.array([[test[point] for point in points] for test in tests])
    paths = None
    if points:
        paths = cross(
            objectives,
            points,
            lambda number, wanted: _pieces(store, name, sweep, folds[number].fold.test, wanted),
            ascending=parse_objective(sweep.rank_by)[1],
        )
    return {"rank_correlation": correlations, "paths": paths}


def _objectives(store: StoreReader, name: str, sweep: Sweep, window: Window) -> dict[int, float]:
    """Point -> `rank_by` on a window, also on one too short for annual figures; NaN where the point failed there."""
    table = order_table(store, name, sweep, window)
    found = scored(table, sweep.rank_by)
    known = dict(zip(found.points.tolist(), found.objective.tolist(), strict=True))
    return {point: known.get(point, float("nan")) for point in table.column("point").to_pylist()}


def _side_by_side(train: dict[int, float], test: dict[int, float]) -> tuple[Floats, Floats]:
    points = sorted(train.keys() & test.keys())
    return np.array([train[point] for point in points]), np.array([test[point] for point in points])


def _pieces(store: StoreReader, name: str, sweep: Sweep, window: Window, points: Iterable[int]) -> dict[int, Piece]:
    found = results_of(store, name, sweep, window, points)
    return {point: result.piece for point, result in found.items()}


def cost(windows: Windows, sweep: Sweep, size: int, tested: list[int]) -> dict[str, int]:
    """Candles that points are stepped over: of the plain sweep, and of the windows beside it.

    `size`: points of the sweep. `tested`: per fold how many points are run on the test window, where not all are.
    """
    every = sweep.validation.walk_forward is not None and sweep.validation.walk_forward.all
    resolution = resolution_s(sweep)

    def candles(start: int, end: int) -> int:
        return (end - start) // resolution + 1

    plain = size * candles(windows.in_sample.start, windows.in_sample.end)
    training = sum(size * candles(fold.train.start, fold.train.end) for fold in windows.folds)
    tests = sum(
        (size if every else count) * candles(fold.test.start, fold.test.end)
        for fold, count in zip(windows.folds, tested, strict=False)
    )
    return {"plain_candles": plain, "train_candles": training, "test_candles": tests}

"""The walk-forward: what was chosen in each fold, and what it did on the test window that the choice never saw.

folds       one entry a fold: windows, the chosen point, its values, objective and return in and out
joined      the test windows of the chosen points as one curve, with its figures
choices     the same for the second, third, ... choice: is the first one better than its neighbours in rank?
control     the same for points drawn at random from those the rule could have chosen: is choosing better than not?
parameters  how the chosen values wander from fold to fold
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.analysis.rank import ordered
from orchestrator.validation.joined import Curve, Piece, efficiency, figures, join
from tasks.named_types import JsonObject, JsonView

if TYPE_CHECKING:
    from orchestrator.validation.folds import Fold
    from tasks.grid import Grid

#: Choices that are tested on every fold.
PLACES = 10
#: Random points that are tested on every fold.
CONTROLS = 10


@dataclass(frozen=True)
class WindowResult:
    """A point on one window."""

    piece: Piece
    #: `rank_by` on this window; NaN where there is none
    objective: float
    #: the row's status
    status: str
    #: executors that traded; None: not known
    trades: float | None = None


@dataclass(frozen=True)
class Chosen:
    """One fold with everything that was run for it."""

    fold: Fold
    #: points in the order of choice
    order: tuple[int, ...]
    #: points drawn at random
    control: tuple[int, ...]
    #: points that could have been chosen
    candidates: int
    #: point -> what it did
    train: Mapping[int, WindowResult] = field(default_factory=dict)
    test: Mapping[int, WindowResult] = field(default_factory=dict)
    #: why no point could be chosen, in a sentence; "" where one was, or where no point ran to its end
    why: str = ""


def walk(folds: Sequence[Chosen], grid: Grid, rule: tuple[str, int], rank_by: str) -> JsonObject:
    """The answer of a walk-forward as plain data (JSON); folds without any rankable point take part as flat windows."""
    chosen = [one for one in folds if one.order]
    first = path(chosen, [one.order[0] for one in chosen])
    answer: JsonObject = {
        "rule": {"name": rule[0], "number": rule[1]},
        "rank_by": rank_by,
        "folds": [_fold(one, grid) for one in folds],
        "joined": first,
        "choices": [
            _place(chosen, place) for place in range(min(PLACES, max((len(one.order) for one in chosen), default=0)))
        ],
        "control": _control(chosen, first),
        "parameters": wander(chosen, grid),
    }
    return answer


def path(folds: Sequence[Chosen], points: Sequence[int]) -> JsonObject | None:
    """One point a fold, joined: figures, efficiency and the curve; None without a fold."""
    if not folds:
        return None
    tested = [one.test[point].piece for one, point in zip(folds, points, strict=True) if point in one.test]
    trained = [one.train[point].piece for one, point in zip(folds, points, strict=True) if point in one.train]
    if not tested:
        return None
    curve = join(tested)
    return {**figures(curve), "efficiency": efficiency(trained, tested), "curve": thinned(curve)}


def thinned(curve: Curve, most: int = 1000) -> dict[str, list[float]]:
    """The curve as a page draws it: at most `most` moments, first and last among them."""
    count = len(curve.time)
    kept = np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))
    return {"time": curve.time[kept].tolist(), "growth": curve.growth[kept].tolist()}


def _fold(one: Chosen, grid: Grid) -> JsonObject:
    facts: JsonObject = {
        "fold": one.fold.number,
        "train_start": one.fold.train.start,
        "train_end": one.fold.train.end,
        "test_start": one.fold.test.start,
        "test_end": one.fold.test.end,
        "candidates": one.candidates,
        "point": None,
    }
    if not one.order:
        return facts | {"why": one.why}
    point = one.order[0]
    inside, outside = one.train.get(point), one.test.get(point)
    return facts | {
        "point": point,
        "values": grid.values(point),
        "objective_in": _number(inside.objective if inside else None),
        "objective_out": _number(outside.objective if outside else None),
        "return_in": inside.piece.total if inside else None,
        "return_out": outside.piece.total if outside else None,
        "return_in_per_year": inside.piece.per_year if inside else None,
        "return_out_per_year": outside.piece.per_year if outside else None,
        "trades_in": inside.trades if inside else None,
        "trades_out": outside.trades if outside else None,
        "status_out": outside.status if outside else None,
        "control_out": _median([one.test[each].piece.total for each in one.control if each in one.test]),
    }


def _place(folds: Sequence[Chosen], place: int) -> JsonObject:
    """The choice at one place of the order, 0 the first; folds with a shorter order are left out."""
    with_it = [one for one in folds if len(one.order) > place]
    found = path(with_it, [one.order[place] for one in with_it]) or {}
    return {"place": place + 1, **{name: value for name, value in found.items() if name != "curve"}}


def _control(folds: Sequence[Chosen], first: JsonView | None) -> JsonObject | None:
    """Choosing at random: one joined curve per draw, their middle, and how many of them the rule beats."""
    draws = min((len(one.control) for one in folds), default=0)
    paths = [path(folds, [one.control[draw] for one in folds]) for draw in range(draws)]
    curves = [each for each in paths if each is not None]
    if not curves or first is None:
        return None
    ranked = sorted(curves, key=lambda each: float(each["return"]))
    middle = ranked[len(ranked) // 2]
    beaten = sum(each["return"] < first["return"] for each in curves)
    return {
        "draws": len(curves),
        "return": _median([each["return"] for each in curves]),
        "return_per_year": _median([each["return_per_year"] for each in curves]),
        "sharpe": _median([each["sharpe"] for each in curves if each["sharpe"] is not None]),
        "efficiency": _median([each["efficiency"] for each in curves if each["efficiency"] is not None]),
        "winning_windows": _median([each["winning_windows"] for each in curves]),
        "beaten": beaten / len(curves),
        "curve": middle["curve"],
    }


def wander(folds: Sequence[Chosen], grid: Grid) -> list[JsonObject]:
    """Per axis, the chosen value of every fold and how restless it is.

    changed: share of folds whose value is another than the one before. step: mean change between folds in steps of the
    axis, as a share of the most it could be; None for an axis without an order. At random about a third.
    """
    found = []
    for place, axis in enumerate(grid.axes):
        digits = [grid.digits(one.order[0])[place] for one in folds]
        moves = [abs(after - before) for before, after in pairwise(digits)]
        step = statistics.fmean(moves) / (len(axis) - 1) if moves and ordered(axis) else None
        found.append(
            {
                "axis": axis.name,
                "folds": [one.fold.number for one in folds],
                "values": [axis.values[digit] for digit in digits],
                "changed": sum(move > 0 for move in moves) / len(moves) if moves else None,
                "step": step,
            }
        )
    return found


def _median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value

"""Which points of a training window go into its test: the rules of `walk_forward.choice`, and the control.

best            the ranking of the training rows by `rank_by` and `where`
neighbourhood   the same, by the mean of a point and those one step away on an ordered axis: a plateau beats a spike
median: K       the point of the best K whose values lie in their middle: the sum of its steps to the median value of
                each ordered axis is the smallest; ties by rank. Axes without an order count a step where the value is
                not the most frequent one
point: N        always the same point, for comparison

Every rule gives an order of points, so that the second to tenth choice can be tested like the first.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.analysis.across import reduced
from orchestrator.analysis.rank import ordered, scored

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    from orchestrator.analysis.scored import Scored
    from orchestrator.sweepfile.sweep import Sweep
    from tasks.grid import Grid

    Floats = npt.NDArray[np.float64]
    Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Order:
    """What puts points in order: the sweep file's `rank_by`, `where` and `across`."""

    rank_by: str
    where: str | None
    grid: Grid
    across: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, sweep: Sweep) -> Order:
        """As the sweep file says."""
        return cls(sweep.rank_by, sweep.where, sweep.grid, sweep.across)

    def scored(self, table: pa.Table) -> Scored:
        """The ok points of a table; with `across`, the one that stands for each group. Raises ExpressionError."""
        found = scored(table, self.rank_by, self.where)
        if not self.across or not len(found.points):
            return found
        groups = reduced(found, self.grid, self.across)
        heads = np.zeros(len(found.points), dtype=bool)
        heads[groups.heads] = True
        return dataclasses.replace(groups.scored, matching=groups.scored.matching & heads)


def choose(table: pa.Table, rule: tuple[str, int], by: Order, most: int) -> list[tuple[int, float]]:
    """Up to `most` (point, objective in training), the chosen one first; empty when no point can be ranked.

    `table`: rows of one training window, as StoreReader.table gives them. Raises ExpressionError.
    """
    found, grid = by.scored(table), by.grid
    name, number = rule
    if name == "point":
        at = np.flatnonzero(found.points == number)
        return [(number, float(found.objective[at[0]]) if len(at) else float("nan"))]
    score = _mean_of_neighbours(found, grid) if name == "neighbourhood" else found.score
    order = _best_first(found, score)
    if name == "median":
        order = _middle_first(found, order, grid, number)
    return [(int(found.points[at]), float(found.objective[at])) for at in order[:most]]


def draw(table: pa.Table, by: Order, count: int, seed: int, fold: int) -> list[int]:
    """The control: `count` points drawn at random from those a rule could have chosen, in the order they were drawn.

    The same for the same seed and fold, whatever else is computed.
    """
    found = by.scored(table)
    candidates = found.points[found.matching & np.isfinite(found.objective)].tolist()
    rng = random.Random(f"control {seed} {fold}")
    return rng.sample(candidates, min(count, len(candidates)))


def _best_first(found: Scored, score: Floats) -> Integers:
    """Positions of the points that can be ranked, best score first, ties by point."""
    able = np.flatnonzero(found.matching & np.isfinite(score))
    order: Integers = able[np.lexsort((found.points[able], -score[able]))]
    return order


def _mean_of_neighbours(found: Scored, grid: Grid) -> Floats:
    """The score of every point, averaged with those of its neighbours that have one; NaN where it has none itself."""
    score = found.score
    total, count = score.copy(), np.ones(len(score))
    if not len(score):
        return total
    by_point = np.argsort(found.points)
    points = found.points[by_point]
    weight = 1
    for axis in reversed(grid.axes):
        digit = found.points // weight % len(axis)
        for step in (-1, 1) if ordered(axis) else ():
            there = found.points + step * weight
            at = np.minimum(np.searchsorted(points, there), len(points) - 1)
            known = (digit + step >= 0) & (digit + step < len(axis)) & (points[at] == there)
            theirs = np.where(known, score[by_point[at]], np.nan)
            has = np.isfinite(theirs)
            total = np.where(has, total + np.where(has, theirs, 0.0), total)
            count += has
        weight *= len(axis)
    return total / count


def _middle_first(found: Scored, order: Integers, grid: Grid, best: int) -> Integers:
    """The best `best` positions, the one nearest to the middle of their values first; the others after them."""
    head = order[:best]
    if not len(head):
        return order
    steps = np.zeros(len(head))
    weight = 1
    for axis in reversed(grid.axes):
        digits = found.points[head] // weight % len(axis)
        if ordered(axis):
            steps += np.abs(digits - np.median(digits))
        else:
            steps += digits != np.bincount(digits).argmax()
        weight *= len(axis)
    return np.concatenate([head[np.argsort(steps, kind="stable")], order[best:]])

"""How the objective depends on each axis: its mean and spread along the axis' values.

Over the ok points that have a finite objective and meet `where`. The share of its variance that an axis explains alone
(eta squared: the variance between the means of its values, weighted by their points, over the variance of all points)
says which axes matter; interactions between axes are in none of these shares.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.analysis.rank import scored
from orchestrator.analysis.scored import Scored

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from tasks.grid import Grid

    Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ValueEffect:
    """The objective at one value of an axis."""

    value: Any
    #: points behind the numbers, at least 1
    count: int
    mean: float
    #: with count - 1; None for one point
    std: float | None
    min: float
    max: float
    #: the best objective (the smallest where the ranking ascends) and the lowest point that has it
    best: float
    best_point: int


@dataclass(frozen=True)
class AxisEffect:
    """The objective along one axis."""

    axis: str
    #: values with at least one point, in the axis' order
    values: tuple[ValueEffect, ...]
    #: share of the objective's variance, 0 to 1; None where all points are equal, or the variance is no float
    explained: float | None


def sensitivity(table: pa.Table, rank_by: str, where: str | None = None, *, grid: Grid) -> list[AxisEffect]:
    """One entry an axis, in the grid's order, from a sweep's table (see StoreReader.table). Raises ExpressionError."""
    import numpy as np

    found = scored(table, rank_by, where)
    used = np.flatnonzero(found.matching & np.isfinite(found.objective))
    places = digits(grid, found.points[used])
    with np.errstate(over="ignore", invalid="ignore"):  # objectives near the largest float
        return [
            AxisEffect(axis.name, *_along(axis.values, places[:, number], found, used))
            for number, axis in enumerate(grid.axes)
        ]


def digits(grid: Grid, points: Integers) -> Integers:
    """The positions on every axis of many points, shape (points, axes); see Grid.digits."""
    import numpy as np

    places = np.empty((len(points), len(grid.axes)), dtype=np.int64)
    rest = np.asarray(points, dtype=np.int64)
    for number in reversed(range(len(grid.axes))):
        rest, places[:, number] = np.divmod(rest, len(grid.axes[number]))
    return places


def _along(
    values: tuple[Any, ...], places: Integers, found: Scored, used: Integers
) -> tuple[tuple[ValueEffect, ...], float | None]:
    import numpy as np

    if not len(used):
        return (), None
    # sorted by value, then best first, then point: the groups lie together and begin with their best
    order = np.lexsort((found.points[used], -found.score[used], places))
    objective, points, places = found.objective[used][order], found.points[used][order], places[order]
    starts = np.flatnonzero(np.diff(places, prepend=-1))
    counts = np.diff(starts, append=len(places))
    means = np.add.reduceat(objective, starts) / counts
    deviations = objective - np.repeat(means, counts)
    squares = np.add.reduceat(deviations**2, starts)
    low, high = np.minimum.reduceat(objective, starts), np.maximum.reduceat(objective, starts)
    effects = tuple(
        ValueEffect(
            value=values[places[start]],
            count=int(counts[number]),
            mean=float(means[number]),
            std=float(np.sqrt(squares[number] / (counts[number] - 1))) if counts[number] > 1 else None,
            min=float(low[number]),
            max=float(high[number]),
            best=float(objective[start]),
            best_point=int(points[start]),
        )
        for number, start in enumerate(starts)
    )
    total = float(np.sum((objective - objective.mean()) ** 2))
    between = float(np.sum(counts * (means - objective.mean()) ** 2))
    return effects, min(1.0, between / total) if total and np.isfinite([between, total]).all() else None

"""The ranking, and whether it can be trusted.

Only points that are ok and meet `where` are ranked: best objective first, NaN last, ties by point. Points whose
results are all equal are one entry, under the lowest of them. What is said of the winner:

edges        ordered axes (numbers, ascending or descending, three or more) whose first or last value it has: the best
             may lie beyond. An axis along which an equal point lies inside is none of them.
neighbours   the points one step away on an ordered axis. How much of the winner's lead over the median ranked point
             they keep on average, (mean of neighbours - median) / (winner - median), says what it stands on:
             at least PLATEAU of it a plateau, less than SPIKE of it a spike, a slope between. Nothing is said of a
             single neighbour, nor where winner and neighbours are half of the ranked points.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from orchestrator.analysis.across import reduced
from orchestrator.analysis.scored import Scored
from orchestrator.results.columns import LEADING, as_numpy, axis_columns, to_rows
from orchestrator.sweepfile.expressions import Expression, parse_objective
from tasks.arrow import array_of, floats_of, integers_of, numpy_of
from tasks.named_types import Row
from tasks.protocol.messages import Status

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from tasks.grid import Axis, Grid

    Floats = npt.NDArray[np.float64]
    Integers = npt.NDArray[np.int64]

#: Shares of the winner's lead that its neighbours keep on average.
PLATEAU = 0.7
SPIKE = 0.3
#: An axis with fewer values has no inside, so its ends say nothing.
MIN_FOR_EDGE = 3
#: One neighbour says nothing of what the winner stands on.
MIN_NEIGHBOURS = 2
#: Points of a group of `across` whose curves are shown.
MAX_MEMBERS = 6
#: Columns that do not make two points different.
_NOT_RESULTS = frozenset({*LEADING, "engine_note", "controller_log"})


class Stability(StrEnum):
    """What the winner stands on."""

    #: its neighbours are nearly as good
    PLATEAU = "plateau"
    #: its neighbours keep some of its lead
    SLOPE = "slope"
    #: its neighbours are hardly better than the median point: it may be luck
    SPIKE = "spike"
    #: too few points to say, or no point is worse
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Edge:
    """An end of an axis that the winner has."""

    axis: str
    value: Any
    #: "lowest" or "highest" value of the axis
    end: str


@dataclass(frozen=True)
class Neighbour:
    """A point one step from the winner on one axis."""

    axis: str
    value: Any
    point: int
    #: None: no row, not ok, or no number
    objective: float | None


@dataclass(frozen=True)
class Neighbourhood:
    """The winner among its neighbours."""

    stability: Stability
    neighbours: tuple[Neighbour, ...]
    #: share of the winner's lead over the median that the neighbours keep on average; None: unknown
    kept: float | None
    #: mean and worst objective of the neighbours as a multiple of the winner's; None where that is 0 or unknown
    mean_ratio: float | None
    worst_ratio: float | None


_NOWHERE = Neighbourhood(Stability.UNKNOWN, (), None, None, None)


@dataclass(frozen=True)
class Ranking:
    """The best points of a sweep."""

    rank_by: str
    where: str | None
    #: the smallest objective is the best
    ascending: bool
    #: points that are ok
    ok: int
    #: points that are ok and meet `where`
    matching: int
    #: entries in all: points of `matching`, equal ones counted once
    groups: int
    #: the best entries: each a row with every column, and `rank` (from 1 on), `objective` and `equal_points`
    #: (the other points with the same results, ascending)
    rows: list[Row]
    edges: tuple[Edge, ...] = ()
    neighbourhood: Neighbourhood = _NOWHERE
    #: axes over which points are taken together; then each row also has `across`: {value of the axis: own objective},
    #: and `across_points`: {value of the axis: point}
    across: dict[str, str] = field(default_factory=dict)
    #: columns of the axes, in the grid's order
    axes: tuple[str, ...] = ()
    _places: dict[int, int] = field(default_factory=dict, repr=False)

    def place(self, point: int) -> int | None:
        """The rank (from 1 on) of any ranked point, also beyond `rows`; None when it is not ranked."""
        return self._places.get(point)

    @property
    def best(self) -> int | None:
        """The point ranked first; None where none is, or where no ranked point has a number."""
        first = self.rows[0] if self.rows else None
        return None if first is None or math.isnan(first["objective"]) else int(first["point"])

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from orchestrator.analysis.html import ranking_html

        return ranking_html(self)


def curve_points(ranking: Ranking, best: int) -> list[int]:
    """Points whose curves a report shows: the best ones, or with `across` those of the best group beside each other."""
    if ranking.across and ranking.rows and best:
        return list(ranking.rows[0]["across_points"].values())[:MAX_MEMBERS]
    return [int(row["point"]) for row in ranking.rows[:best]]


def scored(table: pa.Table, rank_by: str, where: str | None = None) -> Scored:
    """Evaluate `rank_by` and `where` on the ok rows of a sweep's table. Raises ExpressionError."""
    import numpy as np
    import pyarrow as pa

    expression, ascending = parse_objective(rank_by)
    condition = Expression.parse(where) if where else None
    rows = table.filter(array_of(numpy_of(table.column("status")) == Status.OK.value, pa.bool_()))
    size = rows.num_rows
    points = numpy_of(rows.column("point"))
    if not size:  # without an ok row there are no result columns to look for
        return Scored(rows, points, np.empty(0), np.empty(0, dtype=bool), ascending)
    wanted = {*expression.names, *(condition.names if condition else ())}
    columns = {name: as_numpy(rows.column(name)) for name in rows.column_names if name in wanted}
    for each in (expression, condition):
        if each:
            each.check_columns(rows.column_names)
    objective = expression.numbers(columns, size)
    matching = condition.truth(columns, size) if condition else np.ones(size, dtype=bool)
    return Scored(rows, points, objective, matching, ascending)


def rank(
    table: pa.Table,
    rank_by: str,
    where: str | None = None,
    *,
    grid: Grid,
    top: int | None = 10,
    across: Mapping[str, str] | None = None,
) -> Ranking:
    """Rank a sweep's table (see StoreReader.table). `top`: entries in `rows`; None: all. `across`: see analysis.across.

    Raises ExpressionError for a `rank_by` or `where` that cannot be read, names a column that is not there, or mixes
    text and numbers.
    """
    import numpy as np
    import pyarrow as pa

    found = scored(table, rank_by, where)
    groups = reduced(found, grid, across) if across else None
    found = found if groups is None else groups.scored
    candidates = np.flatnonzero(found.matching) if groups is None else groups.heads
    score = found.score[candidates]
    order = candidates[np.lexsort((found.points[candidates], -score, np.isnan(score)))]
    results = [name for name in table.column_names if name not in _NOT_RESULTS.union(_axes(table, grid).values())]
    compared = found.table.select(results).take(integers_of(order)).columns
    members = _groups([*compared, pa.chunked_array([floats_of(found.objective[order])])])
    heads = order[[places[0] for places in members]]
    shown = len(heads) if top is None else top
    rows = to_rows(found.table.take(integers_of(heads[:shown])))
    for place, row in enumerate(rows, 1):
        value = float(found.objective[heads[place - 1]])
        row |= {"rank": place, "objective": value, "equal_points": found.points[order[members[place - 1][1:]]].tolist()}
        if groups is not None:
            head = int(heads[place - 1])
            row |= {"across": groups.own[head], "across_points": groups.points[head]}
    edges: tuple[Edge, ...] = ()
    around = _NOWHERE
    if rows and not math.isnan(rows[0]["objective"]):
        edges = _edges(grid, [rows[0]["point"], *rows[0]["equal_points"]], across or ())
        around = _neighbourhood(grid, rows[0]["point"], found)
    return Ranking(
        rank_by=rank_by,
        where=where,
        ascending=found.ascending,
        ok=len(found.points),
        matching=int(found.matching.sum()),
        groups=len(members),
        rows=rows,
        edges=edges,
        neighbourhood=around,
        across=dict(across or {}),
        axes=tuple(_axes(table, grid).values()),
        _places={
            int(point): place
            for place, group in enumerate(members, 1)
            for position in order[group]
            for point in ([found.points[position]] if groups is None else groups.members[int(position)])
        },
    )


def ordered(axis: Axis) -> bool:
    """Whether an axis is a line of numbers, so that its values have neighbours and ends."""
    values = axis.values
    if len(values) < 2 or any(isinstance(value, bool) or not isinstance(value, int | float) for value in values):
        return False
    steps = {after > before for before, after in pairwise(values)}
    return len(steps) == 1 and len(set(values)) == len(values)


def _axes(table: pa.Table, grid: Grid) -> dict[str, str]:
    """Axis -> its column in this table."""
    return axis_columns(grid.names, [name[5:] for name in table.column_names if name.startswith("axis_")])


def _groups(results: list[pa.ChunkedArray]) -> list[Integers]:
    """Rows that are equal in all columns: their positions, ascending; groups in order of their first."""
    import numpy as np

    codes: Integers = np.zeros(len(results[0]), dtype=np.int64)
    if not len(codes):
        return []
    for column in results:
        # exact: each column's values are numbered, and so is every combination of numbers that occurs
        numbers = numpy_of(column.combine_chunks().dictionary_encode(null_encoding="encode").indices)
        codes = codes * (int(numbers.max()) + 1) + numbers
        codes = numpy_of(integers_of(codes).dictionary_encode().indices).astype(np.int64)
    # dictionary numbers are given in order of appearance
    order = np.argsort(codes, kind="stable")
    found: list[Integers] = np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
    return found


def _edges(grid: Grid, points: list[int], across: Collection[str]) -> tuple[Edge, ...]:
    digits = [grid.digits(point) for point in points]
    edges = []
    for place, axis in enumerate(grid.axes):
        last = len(axis) - 1
        inside = any(0 < each[place] < last for each in digits)
        if axis.name in across or len(axis) < MIN_FOR_EDGE or not ordered(axis) or inside:
            continue
        at = {each[place] for each in digits}
        if at == {0, last}:  # equal at both ends: the axis has no effect there
            continue
        value = axis.values[digits[0][place]]
        edges.append(Edge(axis.name, value, "lowest" if value == min(axis.values) else "highest"))
    return tuple(edges)


def _neighbourhood(grid: Grid, winner: int, found: Scored) -> Neighbourhood:
    import numpy as np

    digits = grid.digits(winner)
    around = []
    for place, axis in enumerate(grid.axes):
        for digit in (digits[place] - 1, digits[place] + 1):
            if ordered(axis) and 0 <= digit < len(axis):
                point = grid.point((*digits[:place], digit, *digits[place + 1 :]))
                around.append((axis.name, axis.values[digit], point))
    positions = {point: np.flatnonzero(found.points == point) for _, _, point in around}
    objective = {point: float(found.objective[at[0]]) for point, at in positions.items() if len(at)}
    neighbours = tuple(Neighbour(axis, value, point, _number(objective.get(point))) for axis, value, point in around)
    best = float(found.objective[np.flatnonzero(found.points == winner)[0]])
    theirs = [each.objective for each in neighbours if each.objective is not None and math.isfinite(each.objective)]
    if not theirs or not math.isfinite(best):
        return Neighbourhood(Stability.UNKNOWN, neighbours, None, None, None)
    mean = math.fsum(each / len(theirs) for each in theirs)
    worst = max(theirs) if found.ascending else min(theirs)
    ranked = found.objective[found.matching]
    with np.errstate(over="ignore"):  # objectives near the largest float
        median = float(np.median(ranked[np.isfinite(ranked)]))
    kept = (mean - median) / (best - median) if math.isfinite(median) and best != median else None
    # where winner and neighbours are half of the field, the median is one of them
    enough = len(theirs) >= MIN_NEIGHBOURS and len(ranked) > 2 * (len(theirs) + 1)
    stability = _stability(kept) if enough else Stability.UNKNOWN
    return Neighbourhood(stability, neighbours, kept, mean / best if best else None, worst / best if best else None)


def _stability(kept: float | None) -> Stability:
    if kept is None:
        return Stability.UNKNOWN
    if kept >= PLATEAU:
        return Stability.PLATEAU
    return Stability.SPIKE if kept < SPIKE else Stability.SLOPE


def _number(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value

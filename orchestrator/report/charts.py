"""From rows to what a page draws: a few thousand numbers, however many points a sweep has.

Everything works on whole columns. What comes out is what JSON holds; a cell without any point is None.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from orchestrator.analysis.rank import Ranking
from orchestrator.analysis.scored import Scored
from orchestrator.analysis.sensitivity import AxisEffect, digits
from orchestrator.report.text import DIGITS, shown
from tasks.grid import Axis, Grid
from tasks.named_types import JsonObject

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: An axis with more values is shown in so many runs of neighbouring values.
MAX_BINS = 40
#: Cells of all heat maps together; with many axes the maps get coarser.
MAX_CELLS = 150_000
#: Values of an axis in its own chart; of more, every so many-th is shown.
MAX_VALUES = 250
#: Lines of the parallel coordinates.
MAX_LINES = 600
HISTOGRAM_BINS = 60
#: Groups of `across` that are shown side by side.
MAX_GROUPS = 20
#: Kinds of regimes that are drawn as bars.
CALENDAR = ("month", "weekday", "hour")


@dataclass(frozen=True)
class Swept:
    """The points a page draws: ok, with a finite objective."""

    grid: Grid
    #: point indices, int64, shape (n,)
    points: Ints
    #: float64, shape (n,)
    objective: Floats
    #: True: the smaller the objective the better
    ascending: bool
    #: whether `where` holds, bool, shape (n,); None: of all
    matching: npt.NDArray[np.bool_] | None = None

    @classmethod
    def of(cls, found: Scored, grid: Grid) -> Swept:
        """From every ok point."""
        drawn = np.isfinite(found.objective)
        return cls(grid, found.points[drawn], found.objective[drawn], found.ascending, found.matching[drawn])

    @property
    def ranked(self) -> Swept:
        """Those that meet `where`."""
        if self.matching is None:
            return self
        return Swept(self.grid, self.points[self.matching], self.objective[self.matching], self.ascending)

    @property
    def digits(self) -> Ints:
        """Position on each axis, int64, shape (n, axes)."""
        return digits(self.grid, self.points)

    def order(self) -> Ints:
        """Positions from the best to the worst; equal ones by point."""
        order: Ints = np.lexsort((self.points, self.objective if self.ascending else -self.objective))
        return order


@dataclass(frozen=True)
class Bins:
    """An axis as a chart shows it: one bin a value, or runs of neighbouring values where there are many."""

    name: str
    labels: list[str]
    #: digit -> bin, int64, shape (values,)
    of_digit: Ints

    @classmethod
    def of(cls, axis: Axis, most: int) -> Bins:
        """At most `most` bins, as equal in size as can be."""
        n = len(axis)
        count = min(n, most)
        of_digit = (np.arange(n, dtype=np.int64) * count) // n
        labels = []
        for run in range(count):
            members = np.flatnonzero(of_digit == run)
            first, last = shown(axis.values[members[0]]), shown(axis.values[members[-1]])
            labels.append(first if len(members) == 1 else f"{first} … {last}")
        return cls(axis.name, _distinct(labels), of_digit)


def heat_maps(swept: Swept, winner: int | None = None) -> list[JsonObject]:
    """Mean and best objective for every pair of axes with more than one value each, in the order of the axes.

    The mean is of all points, the best of those that meet `where`: the mean says what an axis does, and must not be
    that of a selection. `winner`: the point whose cell is marked.
    """
    places, ranked = swept.digits, swept.ranked
    ranked_places = ranked.digits
    pairs = list(combinations([place for place, axis in enumerate(swept.grid.axes) if len(axis) > 1], 2))
    if not pairs or not len(swept.points):
        return []
    most = max(4, min(MAX_BINS, int((MAX_CELLS / len(pairs)) ** 0.5)))
    bins = [Bins.of(axis, most) for axis in swept.grid.axes]
    maps = []
    for first, second in pairs:
        y, x = bins[first], bins[second]
        shape = (len(y.labels), len(x.labels))
        cell = y.of_digit[places[:, first]] * shape[1] + x.of_digit[places[:, second]]
        mean, _, count = per_group(cell, swept.objective, shape[0] * shape[1], swept.ascending)
        ranked_cell = y.of_digit[ranked_places[:, first]] * shape[1] + x.of_digit[ranked_places[:, second]]
        _, best, kept = per_group(ranked_cell, ranked.objective, shape[0] * shape[1], swept.ascending)
        at = swept.grid.digits(winner) if winner is not None else None
        maps.append(
            {
                "x": x.name,
                "y": y.name,
                "x_labels": x.labels,
                "y_labels": y.labels,
                "mean": table(mean.reshape(shape)),
                "best": table(best.reshape(shape)),
                "count": count.reshape(shape).tolist(),
                "kept": kept.reshape(shape).tolist(),
                "winner": None if at is None else [int(x.of_digit[at[second]]), int(y.of_digit[at[first]])],
            }
        )
    return maps


def per_group(group: Ints, values: Floats, groups: int, ascending: bool) -> tuple[Floats, Floats, Ints]:
    """(mean, best, count) of the values of each group 0 .. groups - 1; NaN for an empty one."""
    count = np.bincount(group, minlength=groups)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(group, weights=values, minlength=groups) / count
    best = np.full(groups, np.inf if ascending else -np.inf)
    (np.minimum if ascending else np.maximum).at(best, group, values)
    best[count == 0] = np.nan
    return mean, best, count.astype(np.int64)


def distribution(swept: Swept) -> JsonObject | None:
    """A histogram of the objective; None without values.

    The few values beyond the 0.5 % on either side are counted apart where they would squeeze the rest together.
    """
    values = swept.objective
    if not len(values):
        return None
    low, high = float(values.min()), float(values.max())
    inner_low, inner_high = (float(edge) for edge in np.quantile(values, [0.005, 0.995]))
    below = above = 0
    if 0 < inner_high - inner_low < (high - low) / 3:
        low, high = inner_low, inner_high
        below, above = int((values < low).sum()), int((values > high).sum())
    reach = max(abs(low), abs(high))
    if max(1e-9 * reach, 1e-300) < high - low < np.inf:
        counts, edges = np.histogram(values, bins=HISTOGRAM_BINS, range=(low, high))
    else:  # values that differ in their last digits only, or by more than a float holds: one bar
        beside = max(0.5, 1e-9 * reach)
        counts, edges = np.array([len(values)]), np.array([low - beside, high + beside])
    return {
        "edges": column(edges),
        "counts": counts.tolist(),
        "below": below,
        "above": above,
        "median": number(float(np.median(values))),
        "best": number(float(values.min() if swept.ascending else values.max())),
        "positive": int((values > 0).sum()),
        "total": len(values),
    }


def parallel(swept: Swept) -> JsonObject | None:
    """Lines of the parallel coordinates: the best points and an even sample, by rank, of the others, worst first.

    None with fewer than two axes that vary.
    """
    places = [place for place, axis in enumerate(swept.grid.axes) if len(axis) > 1]
    if len(places) < 2 or not len(swept.points):
        return None
    order = swept.order()
    half = MAX_LINES // 2
    if len(order) > MAX_LINES:
        rest = order[half:]
        spread = np.linspace(0, len(rest) - 1, MAX_LINES - half).round().astype(np.int64)
        order = np.concatenate([order[:half], rest[spread]])
    chosen = order[::-1]
    lines = swept.digits[chosen]
    axes = [
        {"name": swept.grid.axes[place].name, "labels": [shown(value) for value in swept.grid.axes[place].values]}
        for place in places
    ]
    return {
        "axes": [{**axis, "labels": _thin(axis["labels"])} for axis in axes],
        "sizes": [len(swept.grid.axes[place]) for place in places],
        "points": swept.points[chosen].tolist(),
        "digits": [lines[:, place].tolist() for place in places],
        "objective": column(swept.objective[chosen]),
        "shown": len(chosen),
        "total": len(swept.points),
    }


def side_by_side(ranking: Ranking) -> JsonObject | None:
    """With `across`: the objective of the best groups at each value of the axes; None without.

    `values`: one list per group (best first), `names` the values, `groups` what names a group, `objective` what it is
    ranked by.
    """
    rows = ranking.rows[:MAX_GROUPS]
    if not ranking.across or not rows:
        return None
    names = list(rows[0]["across"])
    return {
        "names": names,
        "groups": [f"rank {row['rank']}, point {row['point']}" for row in rows],
        "values": [column([row["across"][name] for name in names]) for row in rows],
        "objective": column([row["objective"] for row in rows]),
    }


def along(effect: AxisEffect, winner: Any, ranked: AxisEffect | None = None) -> JsonObject:
    """Mean, spread (one standard deviation either way) and best of the objective at each value of an axis.

    `winner`: the value that the best point has, marked in the chart. `ranked`: the same axis over the points that meet
    `where`, from which the best is taken; None: from all.
    """
    of_ranked = {repr(value.value): value.best for value in (ranked or effect).values}
    values = effect.values
    if len(values) > MAX_VALUES:
        step = -(-len(values) // MAX_VALUES)
        values = tuple(value for place, value in enumerate(values) if place % step == 0 or value.value == winner)
    deviation = [value.std or 0.0 for value in values]
    return {
        "name": effect.axis,
        "labels": _distinct([shown(value.value) for value in values]),
        "mean": column([value.mean for value in values]),
        "low": column([value.mean - by for value, by in zip(values, deviation, strict=True)]),
        "high": column([value.mean + by for value, by in zip(values, deviation, strict=True)]),
        "best": [
            None if best is None else number(best) for best in (of_ranked.get(repr(value.value)) for value in values)
        ],
        "count": [value.count for value in values],
        "winner": next((place for place, value in enumerate(values) if value.value == winner), None),
    }


def curves(detail: JsonObject, point: int, amount: float | None) -> JsonObject:
    """A detail (see tasks.engine.detail) with its numbers rounded for the page.

    `amount`: quote with which the point trades; with it, `hold` is what buying for as much at the start and holding
    would have earned, and `calendar` what each month, weekday and hour (UTC) earned, as a fraction of it.
    """
    curve, trades = detail["curve"], detail["trades"]
    rounded = {name: _prices(values) for name, values in curve.items() if name != "time"}
    numbers = ("entry_price", "exit_price", "pnl")
    close = curve["close"]
    hold = [amount * (price / close[0] - 1) for price in close] if amount and close and close[0] else None
    regimes = (detail.get("regimes") or {}).get("regimes") or []
    calendar = {
        kind: [[each["name"], number(each["earned"] / (amount or 1))] for each in regimes if each["kind"] == kind]
        for kind in CALENDAR
    }
    return {
        "point": point,
        "hold": None if hold is None else _prices(hold),
        "calendar": calendar if any(calendar.values()) else None,
        "calendar_fraction": bool(amount),
        "curve": {"time": curve["time"], **rounded},
        "trades": {name: _prices(values) if name in numbers else values for name, values in trades.items()},
    }


def _prices(values: Sequence[float | None]) -> list[float | None]:
    """Eight digits: two prices a tick apart stay two."""
    return [None if value is None or not np.isfinite(value) else float(f"{value:.8g}") for value in values]


def _thin(labels: Sequence[str]) -> list[list[Any]]:
    """[[position, label], ...]: at most nine labels of an axis, first and last among them."""
    n = len(labels)
    places = sorted({round(step * (n - 1) / 8) for step in range(9)}) if n > 9 else range(n)
    return [[place, labels[place]] for place in places]


def number(value: float) -> float | None:
    """Rounded for the page; None for what is not a number or infinite."""
    return float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None


def column(values: npt.ArrayLike) -> list[float | None]:
    """`number` of each."""
    return [number(float(value)) for value in np.asarray(values, dtype=np.float64)]


def table(values: Floats) -> list[list[float | None]]:
    """`column` of each row."""
    return [column(row) for row in values]


def _distinct(labels: list[str]) -> list[str]:
    """Two values that read the same (1 and "1") are told apart: a chart would draw them as one."""
    seen: dict[str, int] = {}
    distinct = []
    for label in labels:
        seen[label] = seen.get(label, 0) + 1
        distinct.append(label if seen[label] == 1 else f"{label} ({seen[label]})")
    return distinct

"""What to run next: sweep files made from the one that ran, to widen, to refine, to validate.

Each is the file as it was with some keys replaced. They are offered, not run: a reader saves one beside the first file,
so that its relative paths hold.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import yaml

from orchestrator.analysis.rank import ordered
from orchestrator.report.text import plural, shown
from tasks.named_types import ConfigValues, JsonObject

if TYPE_CHECKING:
    from orchestrator.analysis.rank import Edge, Ranking
    from tasks.grid import Axis, Grid
    from tasks.protocol.messages import SweepDefinition

#: Values beyond an edge of the grid, and values of an axis around the winner.
BEYOND = 3
AROUND = 5
#: Share of the period that is kept back, and what a fold's windows are of it.
HOLDOUT, TRAIN, TEST = 0.2, 0.3, 0.1
DAY_S, HOUR_S = 86400, 3600


@dataclass(frozen=True)
class Step:
    """One sweep to run next."""

    title: str
    why: str
    #: name of the file to save it as
    file: str
    #: the whole sweep file
    text: str


def next_steps(sweep_file: str, definition: SweepDefinition, grid: Grid, ranking: Ranking) -> list[Step]:
    """The steps that fit; none without a ranked point, or where the sweep file is not at hand."""
    keys = _keys(sweep_file)
    if not ranking.rows or keys is None:
        return []
    base = str(keys.get("name") or definition.sweep.rpartition("-")[0] or "sweep")
    winner = grid.values(int(ranking.rows[0]["point"]))
    return [*_validate(keys, definition, base), *_widen(keys, grid, ranking, base), *_refine(keys, grid, winner, base)]


def _keys(sweep_file: str) -> JsonObject | None:
    try:
        keys = yaml.safe_load(sweep_file)
    except yaml.YAMLError:
        return None
    return keys if isinstance(keys, dict) and isinstance(keys.get("grid"), dict) else None


def _step(keys: ConfigValues, name: str, title: str, why: str, **changes: Any) -> Step:
    text = yaml.safe_dump({**keys, "name": name, **changes}, sort_keys=False, allow_unicode=True, width=100)
    return Step(title, why, f"{name}.yml", text)


def _validate(keys: ConfigValues, definition: SweepDefinition, base: str) -> Iterator[Step]:
    if keys.get("validate"):
        return
    period = definition.end - definition.start
    train, test = _span(TRAIN * period), _span(TEST * period)
    if train is None or test is None:
        return
    validate = {"holdout": HOLDOUT, "walk_forward": {"train": train, "test": test, "step": test}}
    yield _step(
        keys,
        f"{base}-validated",
        "Validate: judge the choice on data it never saw",
        f"Keeps back the last {HOLDOUT:.0%} of the period, and chooses on windows of {train} to judge on the {test} "
        "that follow. The same points, and no new candles.",
        validate=validate,
    )


def _span(seconds: float) -> str | None:
    """A length as the sweep file writes it, in whole days or hours; None below one hour."""
    if seconds >= 2 * DAY_S:
        return f"{round(seconds / DAY_S)}d"
    return f"{round(seconds / HOUR_S)}h" if seconds >= HOUR_S else None


def _widen(keys: ConfigValues, grid: Grid, ranking: Ranking, base: str) -> Iterator[Step]:
    changed = {
        edge.axis: beyond
        for edge in ranking.edges
        if edge.axis in keys["grid"] and (beyond := _beyond(grid.axes[grid.names.index(edge.axis)], edge))
    }
    if not changed:
        return
    told = "; ".join(f"{axis} to {shown(values[-1])}" for axis, values in changed.items())
    size = _size(grid, changed)
    yield _step(
        keys,
        f"{base}-wider",
        "Widen: the best point lies at an end of the grid",
        f"Goes on beyond the end: {told}. {plural(size, 'point')}.",
        grid={**keys["grid"], **changed},
    )


def _beyond(axis: Axis, edge: Edge) -> list[Any]:
    """The value at the edge and those that follow it, evenly spaced as the last two are, or by their ratio."""
    values = sorted(axis.values)
    if edge.end == "lowest":
        values.reverse()
    last, before = values[-1], values[-2]
    positive = all(value > 0 for value in values)
    geometric = positive and _even([math.log(value) for value in values]) and not _even(values)
    evenly = [last + step * (last - before) for step in range(1, BEYOND + 1)]
    # a length, spread or time stays above 0: it is halved where even steps would pass 0
    by_ratio = geometric or (positive and min(evenly) <= 0)
    ratio = last / before if geometric else 0.5
    beyond = [last * ratio**step for step in range(1, BEYOND + 1)] if by_ratio else evenly
    found = list(dict.fromkeys([last, *(_like(value, axis) for value in beyond)]))
    return [value for value in found if value > 0 or not positive] if len(found) > 1 else []


def _even(values: list[float]) -> bool:
    steps = [after - before for before, after in pairwise(values)]
    return all(math.isclose(step, steps[0], rel_tol=1e-6) for step in steps)


def _refine(keys: ConfigValues, grid: Grid, winner: ConfigValues, base: str) -> Iterator[Step]:
    changed = {
        axis.name: around
        for axis in grid.axes
        if axis.name in keys["grid"] and ordered(axis) and (around := _around(axis, winner[axis.name]))
    }
    if not changed:
        return
    told = "; ".join(f"{axis} {shown(values[0])} to {shown(values[-1])}" for axis, values in changed.items())
    yield _step(
        keys,
        f"{base}-finer",
        "Refine: look closer around the best point",
        f"{told}. {plural(_size(grid, changed), 'point')}. Worth it where the verdict is evidence: around a lucky "
        "point a finer grid finds a luckier one.",
        grid={**keys["grid"], **changed},
    )


def _around(axis: Axis, value: Any) -> list[Any]:
    """Values between the winner's neighbours on an axis; none where there is nothing between them."""
    values = sorted(axis.values)
    place = values.index(value)
    low, high = values[max(0, place - 1)], values[min(len(values) - 1, place + 1)]
    between = [low + (high - low) * step / (AROUND + 1) for step in range(1, AROUND + 1)]
    found = sorted({_like(each, axis) for each in [*between, value]})
    return found if len(found) > 1 and not set(found) <= set(values) else []


def _like(value: float, axis: Axis) -> int | float:
    """A new value of an axis: whole where all of its values are, of six digits otherwise."""
    if all(isinstance(each, int) for each in axis.values):
        return round(value)
    return float(f"{value:.6g}")


def _size(grid: Grid, changed: Mapping[str, list[Any]]) -> int:
    return math.prod(len(changed.get(axis.name, axis.values)) for axis in grid.axes)

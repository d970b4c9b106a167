"""Figures of a stored sweep for a notebook: a map of two axes, the equity of points, the distribution of the objective.

They are plotly figures, which a notebook draws where it shows them; `figure.show()` opens one elsewhere. Everything
comes from the store: no child is started.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.analysis.across import of_meta
from orchestrator.analysis.rank import rank, scored
from orchestrator.report.charts import Bins, Swept, distribution, per_group
from orchestrator.report.text import Objective
from orchestrator.results.store_reader import StoreReader
from tasks.errors import HummingsweepError, StoreError
from tasks.suggest import nearest

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from tasks.grid import Grid

#: What `plot` draws.
KINDS = ("map", "equity", "distribution")
#: Values of an axis that a map shows one by one.
MAX_BINS = 60
#: Loss and gain, as in the report.
LOW, MIDDLE, HIGH = "#b2182b", "#e0e4ea", "#1f63ad"


def plot(folder: Path, kind: str, *, axes: Sequence[str] = (), points: Sequence[int] = (), best: int = 5) -> Figure:
    """One figure of the latest sweep of an output folder.

    `kind`: map (mean objective over two `axes`, default the first two that vary), equity (of `points`, or of the
    `best` ranked ones), distribution (of the objective of the ranked points). Raises StoreError, HummingsweepError for
    an unknown kind or axis, ExpressionError.
    """
    if kind not in KINDS:
        raise HummingsweepError(f"plot draws {', '.join(KINDS)}, not {kind!r}; the nearest is {nearest(kind, KINDS)}")
    with StoreReader.open(folder) as store:
        if kind == "equity":
            return _equity(store, points, best)
        name = store.latest()
        meta, grid, table = store.meta(name), store.sweep(name).grid, store.table(name)
        rank_by, where = meta["rank_by"], meta["where"]
        swept = Swept.of(scored(table, rank_by, where), grid)
        objective = Objective.of(rank_by)
        if not len(swept.points):
            raise StoreError(f"{folder}: no point has a number for {objective.name}: there is nothing to draw")
        return _map(swept, objective, axes) if kind == "map" else _distribution(swept.ranked, objective)


def _figure(**layout: Any) -> Figure:
    from plotly.graph_objects import Figure

    return Figure(layout={"margin": {"l": 60, "r": 20, "t": 50, "b": 50}, "height": 420, **layout})


def _map(swept: Swept, objective: Objective, axes: Sequence[str]) -> Figure:
    from plotly.graph_objects import Heatmap

    first, second = _two_axes(swept.grid, axes)
    y, x = (Bins.of(swept.grid.axes[place], MAX_BINS) for place in (first, second))
    shape = (len(y.labels), len(x.labels))
    digits = swept.digits
    cell = y.of_digit[digits[:, first]] * shape[1] + x.of_digit[digits[:, second]]
    mean, _, count = per_group(cell, swept.objective, shape[0] * shape[1], swept.ascending)
    reach = float(np.nanmax(np.abs(mean))) or 1.0
    ends = (HIGH, LOW) if swept.ascending else (LOW, HIGH)
    figure = _figure(
        title=f"mean {objective.name}", xaxis={"title": x.name, "type": "category"},
        yaxis={"title": y.name, "type": "category"},
    )  # fmt: skip
    figure.add_trace(
        Heatmap(
            x=x.labels,
            y=y.labels,
            z=mean.reshape(shape),
            customdata=count.reshape(shape),
            zmin=-reach,
            zmax=reach,
            colorscale=[[0, ends[0]], [0.5, MIDDLE], [1, ends[1]]],
            colorbar={"tickformat": _format(objective)},
            hovertemplate=f"{x.name} %{{x}}<br>{y.name} %{{y}}<br>mean %{{z:{_format(objective)}}}<br>"
            "%{customdata} points<extra></extra>",
        )
    )
    return figure


def _two_axes(grid: Grid, axes: Sequence[str]) -> tuple[int, int]:
    """Their places in the grid. Raises HummingsweepError, StoreError where fewer than two axes vary."""
    for name in axes:
        if name not in grid.names:
            raise HummingsweepError(f"the sweep has no axis {name!r}; the nearest is {nearest(name, grid.names)}")
    varying = [axis.name for axis in grid.axes if len(axis) > 1 and axis.name not in axes]
    chosen = [*axes, *varying][:2]
    if len(chosen) < 2:
        raise StoreError("a map needs two axes with more than one value each")
    return grid.names.index(chosen[0]), grid.names.index(chosen[1])


def _distribution(swept: Swept, objective: Objective) -> Figure:
    from plotly.graph_objects import Bar

    found = distribution(swept)
    if found is None:
        raise StoreError(f"no ranked point has a number for {objective.name}: there is nothing to draw")
    edges, counts = np.array(found["edges"]), found["counts"]
    middles = (edges[1:] + edges[:-1]) / 2
    below, above = (HIGH, LOW) if swept.ascending else (LOW, HIGH)
    figure = _figure(
        title=f"{objective.name} of {found['total']:,} points", bargap=0.03, yaxis={"title": "points"},
        xaxis={"title": objective.name, "tickformat": _format(objective)},
    )  # fmt: skip
    figure.add_trace(Bar(x=middles, y=counts, marker={"color": [below if x < 0 else above for x in middles]}))
    figure.add_vline(found["median"], line_dash="dot", annotation_text="median")
    return figure


def _equity(store: StoreReader, points: Sequence[int], best: int) -> Figure:
    from plotly.graph_objects import Scatter

    name = store.latest()
    returns = store.returns(name)
    if returns is None:
        raise StoreError(f"{store.folder}: no returns are stored; run the sweep with this version")
    meta, grid = store.meta(name), store.sweep(name).grid
    ranking = rank(
        store.table(name), meta["rank_by"], meta["where"], grid=grid, top=best,
        across=of_meta(meta),
    )  # fmt: skip
    chosen = list(points) or [int(row["point"]) for row in ranking.rows]
    there = {int(point): place for place, point in enumerate(returns.points)}
    missing = [point for point in chosen if point not in there]
    if missing:
        raise StoreError(f"{store.folder}: no returns of point {missing[0]}: it has no row, or it failed")
    figure = _figure(title="return so far", yaxis={"tickformat": ".3~p"}, xaxis={"title": "UTC"})
    moments = np.array([returns.ends[0] - returns.interval_s, *returns.ends], dtype="datetime64[s]")
    for point in chosen:
        growth = np.concatenate([[1.0], np.cumprod(1.0 + returns.values[:, there[point]].astype(np.float64))])
        place = ranking.place(point)
        label = f"point {point}" + (f", rank {place}" if place else "")
        figure.add_trace(Scatter(x=moments, y=growth - 1, mode="lines", name=label))
    figure.add_hline(0, line_width=1)
    return figure


def _format(objective: Objective) -> str:
    return ".3~p" if objective.is_fraction else ".4~g"

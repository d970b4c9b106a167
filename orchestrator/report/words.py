"""Every figure in words: titles, captions, and what a reader who does not see it hears."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from orchestrator.analysis.rank import Ranking
from orchestrator.analysis.sensitivity import AxisEffect
from orchestrator.report.charts import MAX_LINES
from orchestrator.report.text import cell_text, plural, shown

if TYPE_CHECKING:
    from tasks.grid import Grid


def details(details: Sequence[dict[str, Any]], ranking: Ranking, grid: Grid) -> list[SimpleNamespace]:
    """The points with curves; `index` counts those that are drawn, None for one without curves."""
    found, index = [], 0
    for row in details:
        place = ranking.place(row["point"])
        title = f"Point {row['point']}, " + (f"rank {place:,}" if place else "not ranked")
        values = ", ".join(f"{name} {shown(value)}" for name, value in grid.values(row["point"]).items())
        detail = row.get("detail")
        if not detail:
            alt = f"No curves: {row.get('status')}: {row.get('error')}"
            found.append(SimpleNamespace(title=title, values=values, index=None, alt=alt, caption=""))
            continue
        alt, caption = _detail_text(detail)
        found.append(SimpleNamespace(title=title, values=values, index=index, alt=f"{title}: {alt}", caption=caption))
        index += 1
    return found


def _detail_text(detail: dict[str, Any]) -> tuple[str, str]:
    """(the figure in words, its caption)."""
    curve, trades, total = detail["curve"], detail["trades"], detail["trades_total"]
    equity = curve["equity"][-1] if curve["equity"] else 0.0
    deepest = min(curve["drawdown"], default=0.0)
    alt = (
        f"equity changes by {cell_text(equity)} quote, deepest drawdown {cell_text(deepest)}, {plural(total, 'trade')}"
    )
    drawn = len(trades["opened"])
    sampled = f"; {drawn:,} of {total:,} trades are drawn" if drawn < total else ""
    won = sum(1 for pnl in trades["pnl"] if pnl is not None and pnl > 0)
    lost = sum(1 for pnl in trades["pnl"] if pnl is not None and pnl <= 0)
    caption = (
        f"Triangles: entries (up bought, down sold); dots: exits with a gain, crosses: with a loss. "
        f"{plural(total, 'trade')}, of those drawn {won:,} won and {lost:,} lost; "
        f"{plural(detail['unfilled'], 'order')} never filled{sampled}. "
        f"Equity changes by {cell_text(equity)} quote, deepest drawdown {cell_text(deepest)}."
    )
    return alt, caption


def distribution_text(distribution: dict[str, Any] | None, objective: str) -> str:
    """The histogram of charts.distribution."""
    if distribution is None:
        return ""
    outside = distribution["below"] + distribution["above"]
    beyond = f" {outside:,} points lie beyond the ends of the chart." if outside else ""
    return (
        f"{objective} of {plural(distribution['total'], 'point')}: median {cell_text(distribution['median'])}, "
        f"best {cell_text(distribution['best'])}, {distribution['positive']:,} above 0.{beyond}"
    )


def effect_figure(place: int, effect: AxisEffect, objective: str, ascending: bool) -> SimpleNamespace:
    """One axis alone, see charts.along."""
    best = (min if ascending else max)(effect.values, key=lambda value: value.mean)
    worst = (max if ascending else min)(effect.values, key=lambda value: value.mean)
    explained = ""
    if effect.explained is not None:
        share = f"{effect.explained:.0%}" if effect.explained >= 0.01 else "less than 1%"
        explained = f" Alone it explains {share} of the variance."
    alt = (
        f"Mean {objective} is best at {effect.axis} {shown(best.value)} ({cell_text(best.mean)}) and worst at "
        f"{shown(worst.value)} ({cell_text(worst.mean)}).{explained}"
    )
    return SimpleNamespace(index=place, title=effect.axis, alt=alt)


def map_figure(place: int, found: dict[str, Any], objective: str) -> SimpleNamespace:
    """One heat map of charts.heat_maps."""
    cells = [
        (value, x, y)
        for y, row in zip(found["y_labels"], found["mean"], strict=True)
        for x, value in zip(found["x_labels"], row, strict=True)
        if value is not None
    ]
    low, high = min(cells, key=lambda cell: cell[0]), max(cells, key=lambda cell: cell[0])
    alt = f"Heat map of {objective} over {found['x']} and {found['y']}: mean from " + " to ".join(
        f"{cell_text(value)} at {found['x']} {x}, {found['y']} {y}" for value, x, y in (low, high)
    )
    return SimpleNamespace(index=place, title=f"{found['x']} and {found['y']}", alt=alt)


def parallel_text(parallel: dict[str, Any] | None, objective: str) -> str:
    """The lines of charts.parallel."""
    if parallel is None:
        return ""
    text = f"One line a point, coloured by {objective}; drag along an axis to keep the lines that pass there."
    if parallel["shown"] < parallel["total"]:
        half = MAX_LINES // 2
        text += f" Shown are the best {half} and an even sample of the other {parallel['total'] - half:,}."
    return text

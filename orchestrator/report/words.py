"""Every figure in words: titles, captions, and what a reader who does not see it hears."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING

from orchestrator.analysis.across import words
from orchestrator.analysis.rank import Ranking
from orchestrator.analysis.sensitivity import AxisEffect
from orchestrator.report.charts import MAX_LINES
from orchestrator.report.text import Objective, cell_text, plural, shown
from tasks.named_types import (
    AxisValue,
    JsonObject,
)

if TYPE_CHECKING:
    from tasks.grid import Grid


def details(
    details: Sequence[JsonObject], ranking: Ranking, grid: Grid, currency: str = "quote"
) -> list[SimpleNamespace]:
    """The points with curves; `index` counts those that are drawn, None for one without curves."""
    found, index = [], 0
    for row in details:
        place = ranking.place(row["point"])
        title = f"Point {row['point']}, " + (f"rank {place:,}" if place else "not ranked")
        values = ", ".join(f"{name} {shown(value)}" for name, value in grid.values(row["point"]).items())
        detail = row.get("detail")
        if not detail:
            alt = f"No curves: {row.get('status')}: {row.get('error')}"
            found.append(
                SimpleNamespace(point=row["point"], title=title, values=values, index=None, alt=alt, caption="")
            )
            continue
        alt, caption = _detail_text(detail, currency)
        drawn = len(detail["trades"]["opened"])
        found.append(
            SimpleNamespace(
                point=row["point"],
                title=title,
                values=values,
                index=index,
                alt=f"{title}: {alt}",
                caption=caption,
                trades=f"{plural(drawn, 'trade')} as a table" if drawn else "",
                calendar=any(each["kind"] == "hour" for each in (detail.get("regimes") or {}).get("regimes") or []),
            )
        )
        index += 1
    return found


def _detail_text(detail: JsonObject, currency: str) -> tuple[str, str]:
    """(the figure in words, its caption)."""
    curve, trades, total = detail["curve"], detail["trades"], detail["trades_total"]
    equity = curve["equity"][-1] if curve["equity"] else 0.0
    deepest = min(curve["drawdown"], default=0.0)
    earned = f"{cell_text(equity)} {currency}, deepest drawdown {cell_text(deepest)}"
    alt = f"equity changes by {earned}, {plural(total, 'trade')}"
    drawn = len(trades["opened"])
    sampled = f"; {drawn:,} of {total:,} trades are drawn" if drawn < total else ""
    won = sum(1 for pnl in trades["pnl"] if pnl is not None and pnl > 0)
    lost = sum(1 for pnl in trades["pnl"] if pnl is not None and pnl <= 0)
    caption = (
        f"Triangles: entries (up bought, down sold); dots: exits with a gain, crosses: with a loss. "
        f"{plural(total, 'trade')}, of those drawn {won:,} won and {lost:,} lost; "
        f"{plural(detail['unfilled'], 'order')} never filled{sampled}. "
        f"Equity changes by {earned}. Dotted: what buying for the same amount at the start and holding earned, "
        "without leverage; the line at 0: doing nothing."
    )
    return alt, caption


def distribution_text(distribution: JsonObject | None, objective: Objective) -> str:
    """The histogram of charts.distribution."""
    if distribution is None:
        return ""
    if len(distribution["counts"]) == 1:
        total = distribution["total"]
        of = f"of the {plural(total, 'ranked point')}" if total > 1 else "of the only ranked point"
        return f"{objective.name} {of}: {objective.text(distribution['median'])}. There is no distribution to draw."
    outside = distribution["below"] + distribution["above"]
    beyond = f" {outside:,} points lie beyond the ends of the chart." if outside else ""
    return (
        f"{objective.name} of {plural(distribution['total'], 'ranked point')}: median "
        f"{objective.text(distribution['median'])}, best {objective.text(distribution['best'])}, "
        f"{distribution['positive']:,} above 0.{beyond}"
    )


def effect_figure(
    place: int, effect: AxisEffect, objective: Objective, ascending: bool, winner: AxisValue
) -> SimpleNamespace:
    """One axis alone, see charts.along; `winner`: the best point's value of it."""
    best = (min if ascending else max)(effect.values, key=lambda value: value.mean)
    worst = (max if ascending else min)(effect.values, key=lambda value: value.mean)
    alt = (
        f"Mean {objective.name} is best at {shown(best.value)} ({objective.text(best.mean)}) and worst at "
        f"{shown(worst.value)} ({objective.text(worst.mean)})."
    )
    if winner is not None and winner != best.value:
        alt += f" The best point has {shown(winner)}: with other values beside it, another is best than on average."
    share = "" if effect.explained is None else f", explains {_share(effect.explained)}"
    return SimpleNamespace(index=place, title=f"{effect.axis}{share}", alt=f"{effect.axis}: {alt}", caption=alt)


def effects_text(effects: Sequence[AxisEffect], objective: Objective, points: int) -> str:
    """Which axes matter, over all points; `effects` the strongest first."""
    known = [effect for effect in effects if effect.explained is not None]
    if not known:
        return ""
    most = ", then ".join(f"{effect.axis} ({_share(effect.explained or 0)})" for effect in known[:4])
    return f"What matters most over all {points:,} points, by the share of the variance of {objective.name}: {most}."


def _share(explained: float) -> str:
    return f"{explained:.0%}" if explained >= 0.01 else "less than 1%"


def colour_note(ascending: bool) -> str:
    """What the colours of the maps mean; `ascending`: less is better."""
    sides = "Red is above 0 and blue below, for less is better" if ascending else "Blue is above 0 and red below"
    return f"{sides}, the stronger the farther, on one scale for all maps."


def map_figure(place: int, found: JsonObject, objective: Objective) -> SimpleNamespace:
    """One heat map of charts.heat_maps."""
    cells = [
        (value, x, y)
        for y, row in zip(found["y_labels"], found["mean"], strict=True)
        for x, value in zip(found["x_labels"], row, strict=True)
        if value is not None
    ]
    low, high = min(cells, key=lambda cell: cell[0]), max(cells, key=lambda cell: cell[0])
    alt = f"Heat map of {objective.name} over {found['x']} and {found['y']}: mean from " + " to ".join(
        f"{objective.text(value)} at {found['x']} {x}, {found['y']} {y}" for value, x, y in (low, high)
    )
    return SimpleNamespace(index=place, title=f"{found['x']} and {found['y']}", alt=alt)


def parallel_text(parallel: JsonObject | None, objective: Objective) -> str:
    """The lines of charts.parallel."""
    if parallel is None:
        return ""
    text = (
        f"One line a ranked point, coloured by {objective.name} as the bar on the right says; drag along an axis to "
        "keep the lines that pass there."
    )
    if parallel["shown"] < parallel["total"]:
        half = MAX_LINES // 2
        text += f" Shown are the best {half} and an even sample of the other {parallel['total'] - half:,}."
    return text


def side_by_side_text(ranking: Ranking, objective: Objective) -> str:
    """What charts.side_by_side shows."""
    if not ranking.across or not ranking.rows:
        return ""
    names = ranking.rows[0]["across"]
    best = ", ".join(f"{objective.text(value)} at {name}" for name, value in names.items())
    return (
        f"{objective.name} of the best entries at each value of {' and '.join(ranking.across)}, which are ranked by "
        f"the {words(ranking.across)}. A row that is good everywhere is better evidence than one that is best on "
        f"average. The best: {best}."
    )

"""Tables on a terminal, plain lines elsewhere."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from orchestrator.analysis.across import words
from orchestrator.analysis.rank import Stability
from orchestrator.sweepfile.expressions import Expression

if TYPE_CHECKING:
    from orchestrator.analysis.rank import Ranking
    from orchestrator.sweepfile.sweep import Sweep

#: Results a ranking shows beside the axes and the objective.
SHOWN = ("net_pnl", "net_pnl_quote", "max_drawdown_pct", "sharpe", "total_positions", "accuracy", "warning")


#: Values of axes in `across` whose objectives are shown beside each other.
MAX_ACROSS = 6


def ranking_table(ranking: Ranking, sweep: Sweep) -> list[str]:
    """The ranking as lines: rank, point, axes, objective, a few results."""
    if not ranking.rows and ranking.groups:
        return remarks(ranking)  # --top 0: there is a ranking, and no row of it is asked for
    if not ranking.rows:
        return [f"nothing to rank: no point is ok{' and meets where: ' + sweep.where if sweep.where else ''}"]
    objective = sweep.rank_by.lstrip("-")
    first = ranking.rows[0]
    of_row = objective in first and not ranking.across
    asked = [*Expression.parse(objective).names, *(Expression.parse(sweep.where).names if sweep.where else ())]
    honest = [f"honest_{name}" for name in SHOWN] if sweep.fills == "both" else []
    wanted = (objective if of_row else "objective", *sorted(asked), *SHOWN, *honest)
    names = [name for name in wanted if name in first and name not in sweep.grid.names]
    if not any(row.get("warning") for row in ranking.rows):
        names = [name for name in names if name != "warning"]
    results = list(dict.fromkeys(names))
    along = list(first.get("across", {}))[:MAX_ACROSS]
    columns = ["rank", "point", *sweep.grid.names, *along, *results]
    cells = [
        [
            str(row["rank"]),
            str(row["point"]),
            *map(shown, sweep.grid.values(row["point"]).values()),
            *(shown(row["across"][name]) for name in along),
            *(shown(row.get(name)) for name in results),
        ]
        for row in ranking.rows
    ]
    title = f"best by {sweep.rank_by}" + (f", {words(ranking.across)}" if ranking.across else "")
    return [*table(title, columns, cells), *remarks(ranking)]


def remarks(ranking: Ranking) -> list[str]:
    """What to know about the winner before trusting it."""
    said = [
        f"the best point has the {edge.end} value of {edge.axis} ({edge.value}): the best may lie beyond the grid"
        for edge in ranking.edges
    ]
    alike = [(row["rank"], len(row["equal_points"]) + 1) for row in ranking.rows if row["equal_points"]]
    if alike:
        each = ", ".join(f"{count} at rank {place}" for place, count in alike[:5])
        said.append(f"points with the same results share a rank: {each}")
    if ranking.rows and abs(ranking.rows[0]["objective"]) == float("inf"):
        said.append(f"{ranking.rank_by} of the best point is infinite: divided by 0?")
    stability = ranking.neighbourhood.stability
    if stability == Stability.SPIKE:
        said.append("the best point stands on a spike: its neighbours are hardly better than the middle of the field")
    elif stability in (Stability.PLATEAU, Stability.SLOPE):
        said.append(
            f"the best point stands on a {stability.value}: "
            f"its neighbours keep {ranking.neighbourhood.kept:.0%} of its lead"
        )
    return said


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A rich table when standard output is a terminal, aligned columns otherwise."""
    if not sys.stdout.isatty():
        widths = [
            max(len(name), *(len(row[i]) for row in rows)) if rows else len(name) for i, name in enumerate(columns)
        ]
        return [
            title,
            *(
                "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
                for row in (columns, *rows)
            ),
        ]
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(title=title, box=SIMPLE_HEAD, title_justify="left")
    for name in columns:
        drawn.add_column(name, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(cell, style="red" if cell.startswith("-") else "") for cell in row))
    buffer = io.StringIO()
    console = Console(file=buffer, force_terminal=True, width=Console().width)
    console.print(drawn)
    return buffer.getvalue().rstrip().splitlines()


def shown(value: Any) -> str:
    """A cell: floats short, the rest as it is, on one line."""
    if isinstance(value, float):
        return f"{value:.6g}"
    text = "" if value is None else str(value)
    return text if text.isprintable() else "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)

"""Tables on a terminal, plain lines elsewhere."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from orchestrator.analysis.across import words
from orchestrator.analysis.rank import Stability
from orchestrator.analysis.row_warnings import warning_lines
from orchestrator.commands.ranking_columns import Chosen, chosen
from orchestrator.progress.streams import Drawn, terminal_text
from orchestrator.results.readable import currency, is_fraction, objective_column, percent, whose
from tasks.metrics.columns import column

if TYPE_CHECKING:
    from orchestrator.analysis.rank import Ranking
    from orchestrator.sweepfile.sweep import Sweep

#: Characters between two columns of a table on a terminal.
CELL_PADDING = 3
#: Values of axes in `across` whose objectives are shown beside each other.
MAX_ACROSS = 6


def ranking_table(ranking: Ranking, sweep: Sweep, width: int | None = None) -> list[str]:
    """The ranking as lines: rank, point, axes, objective, and the results that orchestrator.commands.ranking_columns
    chooses. `width`: characters of a line, above which results nobody asked for are left out; default the terminal's,
    no limit where standard output is none.
    """
    if not ranking.rows and ranking.groups:
        return remarks(ranking)  # --top 0: there is a ranking, and no row of it is asked for
    if not ranking.rows:
        return [f"nothing to rank: no point is ok{' and meets where: ' + sweep.where if sweep.where else ''}"]
    along = list(ranking.rows[0].get("across", {}))[:MAX_ACROSS]
    # the values of an axis in `across` stand beside each other, so the deciding point's own says nothing
    axes = [name for name in sweep.grid.names if name not in ranking.across]
    objective = objective_column(sweep.rank_by, axes)
    leading = ["rank", "point", *axes, *along]
    results = chosen(ranking, sweep)
    front = [
        [
            str(row["rank"]),
            str(row["point"]),
            *(shown(value) for name, value in sweep.grid.values(row["point"]).items() if name in axes),
            *(_cell(row["across"][name], objective is not None and objective.unit == "fraction") for name in along),
        ]
        for row in ranking.rows
    ]
    cells = {
        name: [
            _cell(
                row.get(name),
                objective is not None and objective.unit == "fraction" if name == "objective" else is_fraction(name),
            )
            for row in ranking.rows
        ]
        for name in results.all
    }
    width = width or (_terminal_width() if sys.stdout.isatty() else None)
    left_out = _too_wide([leading, *front], cells, results, width) if width else []
    names = [name for name in results.all if name not in left_out]
    title = f"best by {sweep.rank_by}" + (f", {words(ranking.across)}" if ranking.across else "")
    if any(column(name, axes).unit == "quote" for name in names):
        title += f" (money in {currency(sweep.controller, sweep.grid)})"
    rows = [[*begin, *(cells[name][place] for name in names)] for place, begin in enumerate(front)]
    below = []
    if results.same:
        of_all = ", ".join(f"{name} {_cell(ranking.rows[0][name], is_fraction(name))}" for name in results.same)
        below.append(f"the same in all of these: {of_all}")
    if left_out:
        below.append(f"left out, for the terminal is too narrow: {', '.join(left_out)}; `hummingsweep rows` has all")
    warnings = map(shown, warning_lines(ranking.rows))
    return [*table(title, [*leading, *names], rows), *below, *whose(names), *warnings, *remarks(ranking)]


def _cell(value: Any, fraction: bool) -> str:
    """A result: fractions as percent."""
    return percent(value) if fraction and isinstance(value, int | float) and value == value else shown(value)


def _terminal_width() -> int:
    from rich.console import Console

    return Console().width


def _too_wide(front: list[list[str]], cells: dict[str, list[str]], results: Chosen, width: int) -> list[str]:
    """Optional results that do not fit into a line, the last ones first to go."""
    widths = [max(len(row[place]) for row in front) for place in range(len(front[0]))]
    wide = {name: max(len(name), *map(len, texts)) for name, texts in cells.items()}
    total = sum(each + CELL_PADDING for each in (*widths, *wide.values())) + CELL_PADDING
    left_out: list[str] = []
    for name in reversed(results.optional):
        if total <= width:
            break
        left_out.insert(0, name)
        total -= wide[name] + CELL_PADDING
    return left_out


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
    columns = [terminal_text(name) for name in columns]
    rows = [[terminal_text(cell) for cell in row] for row in rows]
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
    for place, name in enumerate(columns):
        numbers = all(_is_number(row[place]) for row in rows)
        drawn.add_column(name, overflow="fold", justify="right" if numbers else "left")
    for row in rows:
        drawn.add_row(*(Text(cell, style=_style(name, cell)) for name, cell in zip(columns, row, strict=True)))
    buffer = io.StringIO()
    console = Console(file=buffer, force_terminal=True, width=Console().width)
    console.print(drawn)
    return [Drawn(line) for line in buffer.getvalue().rstrip().splitlines()]


def _style(name: str, cell: str) -> str:
    """Losses are red; a drawdown is never above 0, so its sign says nothing."""
    return "red" if cell.startswith("-") and "max_drawdown" not in name else ""


def _is_number(cell: str) -> bool:
    return not cell or cell.rstrip("%").replace(",", "").replace("e", "", 1).lstrip("-").replace(".", "", 1).isdigit()


def shown(value: Any) -> str:
    """A cell: floats short, the rest as it is, on one line."""
    if isinstance(value, float):
        return f"{value:.6g}"
    text = "" if value is None else str(value)
    return text if text.isprintable() else "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)

"""The page's two tables: the ranking, and the failed points by error."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from orchestrator.analysis.rank import Ranking
from orchestrator.report.text import cell_text
from tasks.protocol.messages import Status

if TYPE_CHECKING:
    import pyarrow as pa

    from tasks.grid import Grid

#: Groups of failed points that are listed.
MAX_FAILURES = 50
#: Results shown in the ranking beside the axes and the objective, where the rows have them.
SHOWN = (
    "net_pnl",
    "net_pnl_quote",
    "honest_net_pnl",
    "honest_net_pnl_quote",
    "sharpe",
    "sortino",
    "max_drawdown",
    "max_drawdown_pct",
    "profit_factor",
    "total_positions",
    "accuracy",
    "total_fees_quote",
    "exposure",
    "trades_per_day",
)


def ranking_note(ranking: Ranking) -> str:
    """What the table shows, in words."""
    if not ranking.rows:
        return f"No point is ok{f' and meets where: {ranking.where}' if ranking.where else ''}, so there is no ranking."
    order = "ascending" if ranking.ascending else "descending"
    text = f"By {ranking.rank_by}, {order}"
    text += f", of the {ranking.matching:,} points where {ranking.where}" if ranking.where else ""
    if ranking.groups < ranking.matching:
        text += f"; points with exactly equal results are one entry ({ranking.groups:,} entries)"
    if ranking.groups > len(ranking.rows):
        text += f". The best {len(ranking.rows)} are shown; hummingsweep rows gives all"
    return text + ". Click a heading to sort."


def _columns(ranking: Ranking, objective: str) -> list[str]:
    """Columns of results: the objective first where it is a column, then the usual ones that any row has."""
    there = [name for name in SHOWN if any(row.get(name) is not None for row in ranking.rows)]
    return [name for name in there if name != objective]


def heads(ranking: Ranking, objective: str, names: list[str]) -> list[SimpleNamespace]:
    """The headings; `names`: the axes."""
    titles = ["rank", "point", objective, *names, *_columns(ranking, objective)]
    if any(row["equal_points"] for row in ranking.rows):
        titles.append("equal points")
    found = [SimpleNamespace(name=name, text=False) for name in titles]
    if any(row.get("warning") for row in ranking.rows):
        found.append(SimpleNamespace(name="warning", text=True))
    return found


def rows(ranking: Ranking, objective: str, grid: Grid, names: list[str]) -> list[list[SimpleNamespace]]:
    """The cells under `heads`, best entry first."""
    columns, headings = _columns(ranking, objective), {head.name for head in heads(ranking, objective, names)}
    rows = []
    for row in ranking.rows:
        values = grid.values(row["point"])
        cells = [_cell(row[name]) for name in ("rank", "point", "objective")]
        cells += [_cell(values[name]) for name in names] + [_cell(row.get(name), name) for name in columns]
        if "equal points" in headings:
            cells.append(_cell(len(row["equal_points"])))
        if "warning" in headings:
            cells.append(SimpleNamespace(shown=row.get("warning") or "", value=None, css="text wrap"))
        rows.append(cells)
    return rows


def _cell(value: Any, name: str = "") -> SimpleNamespace:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # a drawdown is never above 0: red would say nothing
    css = "bad-text" if is_number and value < 0 and not name.startswith("max_drawdown") else ""
    return SimpleNamespace(shown=cell_text(value), value=repr(value) if is_number else None, css=css)


def failures(table: pa.Table) -> list[SimpleNamespace]:
    """Points that are not ok, grouped by status and error, the most frequent first."""
    import pyarrow.compute as pc

    failed = table.filter(pc.not_equal(table.column("status"), Status.OK.value)).select(["status", "error", "point"])
    groups: dict[tuple[str, str], list[int]] = {}
    for status, error, point in zip(*(column.to_pylist() for column in failed.columns), strict=True):
        groups.setdefault((status, error or ""), []).append(point)
    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
    found = [
        SimpleNamespace(count=f"{len(points):,}", status=status, error=error, points=", ".join(map(str, points[:3])))
        for (status, error), points in ordered[:MAX_FAILURES]
    ]
    rest = ordered[MAX_FAILURES:]
    if rest:
        count = sum(len(points) for _, points in rest)
        found.append(SimpleNamespace(count=f"{count:,}", status="", error=f"{len(rest):,} other errors", points=""))
    return found

"""The page's two tables: the ranking, and the failed points by error."""

from __future__ import annotations

from collections.abc import Collection
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from orchestrator.analysis.across import words
from orchestrator.analysis.rank import Ranking
from orchestrator.report.text import Objective, metric_text
from orchestrator.results.readable import is_fraction, unit_text
from orchestrator.sweepfile.expressions import Expression
from tasks.arrow import equals
from tasks.metrics.catalogue import CATALOGUE
from tasks.metrics.columns import Source, column
from tasks.named_types import JsonObject
from tasks.protocol.messages import Status

if TYPE_CHECKING:
    import pyarrow as pa

    from tasks.grid import Grid

#: Groups of failed points that are listed.
MAX_FAILURES = 50
#: Results shown in the ranking beside the axes and the objective, where the rows have them.
SHOWN = tuple(metric.name for metric in CATALOGUE if "report" in metric.shown)
#: Of those, what a reader needs beside the objective, before the axes.
BESIDE = ("net_pnl", "max_drawdown")
#: Different warnings that are told below the table, each with a letter.
MAX_WARNINGS = 26


def ranking_note(ranking: Ranking) -> str:
    """What the table shows, in words."""
    if not ranking.rows:
        return f"No point is ok{f' and meets where: {ranking.where}' if ranking.where else ''}, so there is no ranking."
    order = "ascending" if ranking.ascending else "descending"
    text = f"By {ranking.rank_by}, {order}"
    text += f", {words(ranking.across)}" if ranking.across else ""
    text += f", of the {ranking.matching:,} points where {ranking.where}" if ranking.where else ""
    if ranking.groups < ranking.matching and not ranking.across:
        text += f"; points with exactly equal results are one entry ({ranking.groups:,} entries)"
    if ranking.groups > len(ranking.rows):
        text += f". The best {len(ranking.rows)} are shown; hummingsweep rows gives all"
    return text + ". Click a heading to sort; point at it to read what it is."


class RankingTable:
    """The ranking as the page shows it: headings, cells, and the warnings that its rows share."""

    def __init__(self, ranking: Ranking, objective: Objective, grid: Grid, currency: str):
        self._rows, self._objective, self._grid, self._currency = ranking.rows, objective, grid, currency
        self._along = list(ranking.rows[0].get("across", {})) if ranking.rows else []
        # the values of an axis in `across` stand beside each other
        self._axes = [name for name in grid.names if name not in ranking.across]
        there = {name for row in ranking.rows for name, value in row.items() if value is not None}
        read = [*Expression.parse(ranking.where).names] if ranking.where else []
        read += Expression.parse(objective.name).names
        taken = {objective.name, *grid.names, *self._along}
        twins = [name for each in (objective.name, *BESIDE) for name in _twins(each)]
        self._beside = [name for name in dict.fromkeys([*twins, *sorted(read)]) if name in there and name not in taken]
        rest = [name for each in SHOWN for name in _twins(each)]
        self._rest = [name for name in rest if name in there and name not in {*taken, *self._beside}]
        self._has_equal = any(row["equal_points"] for row in ranking.rows)
        texts = list(dict.fromkeys(row["warning"] for row in ranking.rows if row.get("warning")))
        self._letters = {text: chr(ord("a") + place) for place, text in enumerate(texts[:MAX_WARNINGS])}

    @property
    def heads(self) -> list[SimpleNamespace]:
        """Name, unit and tooltip of each column."""
        named = [*self._beside, *self._axes, *self._rest]
        found = [_head("rank"), _head("point"), self._objective_head()]
        found += [
            SimpleNamespace(name=name, unit="", title=f"{self._objective.name} at {name}") for name in self._along
        ]
        found += [_head(name, self._grid.names, self._currency) for name in named]
        if self._has_equal:
            found.append(SimpleNamespace(name="equal", unit="points", title=column("equal_points").sentence))
        if self._letters:
            found.append(SimpleNamespace(name="notes", unit="", title="Warnings of the row, see below the table."))
        return found

    @property
    def rows(self) -> list[list[SimpleNamespace]]:
        """The cells under the headings, best entry first."""
        return [self._cells(row) for row in self._rows]

    @property
    def notes(self) -> list[tuple[str, str]]:
        """(letter, warning) of the rows."""
        return [(letter, text) for text, letter in self._letters.items()]

    def _objective_head(self) -> SimpleNamespace:
        if self._objective.name.isidentifier():
            return _head(self._objective.name, self._grid.names, self._currency)
        return SimpleNamespace(name=self._objective.name, unit="", title="What the sweep ranks by.")

    def _cells(self, row: JsonObject) -> list[SimpleNamespace]:
        values = self._grid.values(row["point"])
        cells = [_cell(row["rank"], "rank"), _cell(row["point"], "point")]
        cells.append(_cell(row["objective"], self._objective.name, fraction=self._objective.is_fraction))
        cells += [
            _cell(row["across"].get(name), self._objective.name, fraction=self._objective.is_fraction)
            for name in self._along
        ]
        cells += [_cell(row.get(name), name, fraction=is_fraction(name)) for name in self._beside]
        cells += [_cell(values[name], "") for name in self._axes]
        cells += [_cell(row.get(name), name, fraction=is_fraction(name)) for name in self._rest]
        if self._has_equal:
            cells.append(_cell(len(row["equal_points"]), ""))
        if self._letters:
            letter = self._letters.get(row.get("warning") or "", "")
            cells.append(SimpleNamespace(shown=letter, value=None, css="text"))
        return cells


def _twins(name: str) -> list[str]:
    """A result and what it is with honest fills."""
    plain = name.removeprefix("honest_")
    return [plain, f"honest_{plain}"]


def _head(name: str, axes: Collection[str] = (), currency: str = "quote") -> SimpleNamespace:
    found = column(name, axes)
    direction = {1: " More is better.", -1: " Less is better.", 0: ""}[found.better]
    whose = " Computed by the stock engine." if found.source is Source.STOCK else ""
    unit = unit_text(found, currency)
    if found.source is Source.STOCK:
        unit = ", ".join(filter(None, [unit, "stock"]))
    return SimpleNamespace(name=name, unit=unit, title=f"{found.sentence}{direction}{whose}")


def _cell(value: Any, name: str, *, fraction: bool = False) -> SimpleNamespace:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # a drawdown is never above 0: red would say nothing
    css = "bad-text" if is_number and value < 0 and "max_drawdown" not in name else ""
    text = metric_text(value, fraction=fraction)
    return SimpleNamespace(shown=text, value=repr(value) if is_number else None, css=css)


def failures(table: pa.Table) -> list[SimpleNamespace]:
    """Points that are not ok, grouped by status and error, the most frequent first."""
    import pyarrow.compute as pc

    failed = table.filter(pc.invert(equals(table.column("status"), Status.OK))).select(["status", "error", "point"])
    groups: dict[tuple[str, str], list[int]] = {}
    for status, error, point in zip(*(each.to_pylist() for each in failed.columns), strict=True):
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

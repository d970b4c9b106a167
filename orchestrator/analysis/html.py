"""What a notebook shows of a ranking, a verdict and a sweep: small pieces of HTML, everything a user wrote escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, Protocol

from orchestrator.results.readable import is_fraction, objective_column, percent
from tasks.metrics.catalogue import CATALOGUE
from tasks.metrics.columns import column
from tasks.named_types import (
    JsonObject,
    JsonView,
    Row,
)

#: Results beside the objective, where the rows have them.
SHOWN = tuple(metric.name for metric in CATALOGUE if "terminal" in metric.shown)
#: Colours that are readable on a light and on a dark notebook.
COLOURS = {"luck": "#c0392b", "weak": "#b7791f", "evidence": "#1e8449", "untested": "#7f8c8d"}


class Ranked(Protocol):
    """What the table reads of an orchestrator.analysis.rank.Ranking."""

    @property
    def rank_by(self) -> str: ...  # noqa: D102  as there
    @property
    def where(self) -> str | None: ...  # noqa: D102  as there
    @property
    def ok(self) -> int: ...  # noqa: D102  as there
    @property
    def matching(self) -> int: ...  # noqa: D102  as there
    @property
    def groups(self) -> int: ...  # noqa: D102  as there
    @property
    def rows(self) -> list[Row]: ...  # noqa: D102  as there
    @property
    def axes(self) -> tuple[str, ...]: ...  # noqa: D102  as there


def ranking_html(ranking: Ranked) -> str:
    """A table: rank, point, objective, `across`, axes and results as far as the rows have them."""
    if not ranking.rows:
        where = f" and meets <code>{escape(ranking.where)}</code>" if ranking.where else ""
        return f"<p>nothing to rank: no point is ok{where}</p>"
    first = ranking.rows[0]
    named = objective_column(ranking.rank_by)
    of_objective = named is not None and named.unit == "fraction"
    objective = ranking.rank_by.lstrip("-")
    results = [name for name in SHOWN if first.get(name) is not None and name != objective]
    along = list(first.get("across", {}))
    heads = ["rank", "point", objective, *along, *ranking.axes, *results]
    rows = [
        [
            str(row["rank"]),
            str(row["point"]),
            _cell(row["objective"], of_objective),
            *(_cell(row["across"][name], of_objective) for name in along),
            *(_cell(row.get(name), False) for name in ranking.axes),
            *(_cell(row.get(name), is_fraction(name)) for name in results),
        ]
        for row in ranking.rows
    ]
    note = (
        f"best by {ranking.rank_by}, {ranking.matching:,} of {ranking.ok:,} points ranked, {ranking.groups:,} different"
    )
    return table_html(heads, rows, note, [column(name).sentence if name in results else "" for name in heads])


def verdict_html(document: JsonView) -> str:
    """The word and the sentence of a verdict (orchestrator.analysis.verdict.document)."""
    word = str(document.get("verdict"))
    colour = COLOURS.get(word, COLOURS["untested"])
    return (
        f'<div style="border-left:5px solid {colour};padding:.3em .8em"><b style="color:{colour}">{escape(word)}</b> '
        f"{escape(str(document.get('sentence', '')))}</div>"
    )


def table_html(heads: Sequence[str], rows: Sequence[Sequence[str]], note: str, titles: Sequence[str] = ()) -> str:
    """A table with a caption; `titles`: tooltips of the headings, "" for none."""
    told = [f' title="{escape(title)}"' if title else "" for title in titles] or [""] * len(heads)
    head = "".join(f"<th{title}>{escape(name)}</th>" for name, title in zip(heads, told, strict=True))
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><caption>{escape(note)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


class VerdictDict(JsonObject):
    """The verdict's document, a dict that a notebook shows as its word and sentence."""

    def _repr_html_(self) -> str:
        return verdict_html(self)


def _cell(value: Any, fraction: bool) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, float):
        return percent(value) if fraction and abs(value) != float("inf") else f"{value:.6g}"
    return str(value)

"""Numbers and values as the page writes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from orchestrator.results.columns import plain_text
from orchestrator.results.readable import is_fraction, objective_column, percent
from orchestrator.sweepfile.expressions import parse_objective

#: Significant digits of a number in the page's charts.
DIGITS = 6


@dataclass(frozen=True)
class Objective:
    """What a sweep ranks by, as the page writes it."""

    #: the column or expression, without the sign that turns it around
    name: str
    #: a column that holds fractions, which are shown as percent
    is_fraction: bool

    @classmethod
    def of(cls, rank_by: str) -> Objective:
        """From a sweep file's `rank_by`. Raises ExpressionError."""
        column = objective_column(rank_by)
        return cls(parse_objective(rank_by)[0].text, column is not None and column.unit == "fraction")

    def text(self, value: Any) -> str:
        """One value of it."""
        return metric_text(value, fraction=self.is_fraction)


def metric_text(value: Any, *, fraction: bool) -> str:
    """A result: fractions as percent, everything else as `cell_text`."""
    finite = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")
    return percent(value) if fraction and finite else cell_text(value)


def result_text(name: str, value: Any) -> str:
    """The value of a result column."""
    return metric_text(value, fraction=is_fraction(name))


def shown(value: Any) -> str:
    """A value of an axis as a label."""
    if isinstance(value, float):
        return f"{value:.{DIGITS}g}"
    text = ",".join(shown(item) for item in value) if isinstance(value, list | tuple) else plain_text(value)
    return text if len(text) <= 40 else text[:39] + "…"


def cell_text(value: Any) -> str:
    """A value for reading: five digits, thousands apart; a dash for none."""
    if value is None or value != value:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if 1e5 <= abs(value) < 1e15 else f"{value:.5g}"
    return shown(value)


def plural(count: int, noun: str) -> str:
    """ "1 point", "2,000 points"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def a_point(seconds: float, count: int) -> str:
    """Seconds a point, in milliseconds where that reads better; "" without points."""
    if not count:
        return ""
    mean = seconds / count
    return f"{mean:,.3g} s a point" if mean >= 1 else f"{mean * 1000:,.3g} ms a point"

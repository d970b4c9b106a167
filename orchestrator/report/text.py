"""Numbers and values as the page writes them."""

from __future__ import annotations

from typing import Any

from orchestrator.results.columns import plain_text

#: Significant digits of a number in the page's charts.
DIGITS = 6


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

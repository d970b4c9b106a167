"""Values as a person reads them: fractions as percent, money with its currency. What is stored stays as it is."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING

from orchestrator.sweepfile.expressions import parse_objective
from tasks.errors import ExpressionError
from tasks.metrics.columns import Column, Source, column
from tasks.named_types import ConfigValues

if TYPE_CHECKING:
    from tasks.grid import Grid

#: A trading pair as Hummingbot spells it; its group is the quote.
_PAIR = re.compile(r"\S+-([A-Z][A-Z0-9]*)")


def percent(value: float) -> str:
    """A fraction as percent: two decimals from 0.1% on, two digits below."""
    hundred = 100 * value
    if hundred == 0:
        return "0%"
    return f"{hundred:,.2f}%" if abs(hundred) >= 0.1 else f"{hundred:.2g}%"


def is_fraction(name: str, axes: Collection[str] = ()) -> bool:
    """Whether a column holds fractions, which people read as percent. Axes stay as the sweep file writes them."""
    return column(name, axes).unit == "fraction"


def objective_column(rank_by: str, axes: Collection[str] = ()) -> Column | None:
    """The column that an objective is, its sign left out; None for an expression, or what cannot be read."""
    try:
        text = parse_objective(rank_by)[0].text
    except ExpressionError:
        return None
    return column(text, axes) if text.isidentifier() else None


def currency(controller: ConfigValues, grid: Grid) -> str:
    """The quote currency of a sweep's pairs (USDT); "quote" where they have several or none is known.

    The pairs are those of `trading_pair`; without it, whatever looks like a pair in the config or the axes.
    """
    values = {
        **{name: (value,) for name, value in controller.items()},
        **{axis.name: axis.values for axis in grid.axes},
    }
    asked = [values["trading_pair"]] if "trading_pair" in values else values.values()
    pairs = [_PAIR.fullmatch(value) for each in asked for value in each if isinstance(value, str)]
    found = {pair[1] for pair in pairs if pair}
    return found.pop() if len(found) == 1 else "quote"


def unit_text(found: Column, currency: str) -> str:
    """The unit beside a heading: %, USDT, days, per day; "" for what has none."""
    return {"fraction": "%", "quote": currency, "ratio": "", "count": "", "seconds": "s"}.get(found.unit, found.unit)


#: Column of ours -> the stock engine's column of nearly the same name that means something else.
TWINS = {
    "sharpe": "sharpe_ratio",
    "max_drawdown": "max_drawdown_pct",
    "profit_factor_true": "profit_factor",
}


def whose(names: Collection[str]) -> list[str]:
    """Sentences that tell figures of nearly the same name apart, for those that are shown together."""
    return [
        f"{ours} is hummingsweep's ({column(ours).sentence.rstrip('.')}); {stock} is the stock engine's "
        f"({column(stock).sentence.rstrip('.')})"
        for ours, stock in TWINS.items()
        if ours in names and stock in names
    ]


def is_stock(name: str) -> bool:
    """Whether the stock engine computes a column."""
    return column(name).source is Source.STOCK

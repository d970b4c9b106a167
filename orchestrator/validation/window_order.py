"""The rows of a window as the choice reads them: also a window that is too short for annual figures has an order.

A row of fewer than MIN_DAYS days or MIN_RETURNS returns has no sharpe, sortino, cagr and calmar, for nobody should read
such a figure. All points of a window have the same length, though, so that the figures still put them in order. Here
they are worked out from the stored returns, by the formulas of the rows, and are shown nowhere. With `fills: both` the
returns are those of the stock fills, so that `honest_sharpe` and the like stay empty; `honest_net_pnl` has a value.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.sweepfile.in_sample import resolution_s
from orchestrator.sweepfile.validate import length_text
from orchestrator.validation.rows import table_of
from tasks.metrics import formulas
from tasks.metrics.inputs import DAYS_PER_YEAR, MIN_DAYS, MIN_RETURNS, too_short

if TYPE_CHECKING:
    import pyarrow as pa

    from orchestrator.results.store_reader import StoreReader
    from orchestrator.sweepfile.sweep import Sweep
    from orchestrator.validation.folds import Fold, Window
    from orchestrator.validation.joined import Floats

#: The columns that are empty in rows of a short window.
ANNUAL = ("sharpe", "sortino", "cagr", "calmar")
#: The largest exponent of a growth rate; of more, e to its power is no float.
MAX_EXPONENT = 700.0


def order_table(store: StoreReader, name: str, sweep: Sweep, window: Window) -> pa.Table:
    """All rows of a sweep on a window, to put its points in order; `name`: the sweep's id.

    Where the window is too short for annual figures, with those of the stored returns in their columns.
    """
    import pyarrow as pa

    table = table_of(store, name, window.scenario)
    returns = store.returns(name, str(window.scenario))
    if returns is None or not _is_short(window, sweep):
        return table
    column = {int(point): place for place, point in enumerate(returns.points)}
    drawdowns = table.column("max_drawdown").to_pylist() if "max_drawdown" in table.column_names else []
    days = max(window.end - window.start, returns.interval_s) / formulas.DAY_S
    found: list[Sequence[float | None]] = []
    for place, point in enumerate(table.column("point").to_pylist()):
        if point not in column:
            found.append([None] * len(ANNUAL))
            continue
        values = returns.values[:, column[point]].astype(np.float64)
        found.append(_annual(values, returns.interval_s, days, drawdowns[place] if drawdowns else None))
    for number, annual in enumerate(ANNUAL):
        filled = pa.array([each[number] for each in found], type=pa.float64())
        if annual in table.column_names:
            table = table.set_column(table.column_names.index(annual), annual, filled)
        else:
            table = table.append_column(annual, filled)
    return table


def order_note(sweep: Sweep, folds: Sequence[Fold]) -> str:
    """Why windows of these folds have an order and no annual figure, in a sentence; "" where all are long enough or
    `rank_by` and `where` name none of these figures."""
    words = set(re.findall(r"\w+", f"{sweep.rank_by} {sweep.where or ''}"))
    named = [each for each in ANNUAL if each in words]
    roles = [(role, window) for fold in folds[:1] for role, window in (("training", fold.train), ("test", fold.test))]
    short = [(role, window) for role, window in roles if _is_short(window, sweep)]
    if not named or not short:
        return ""
    which = " and ".join(
        f"{role} windows of {length_text(window.end - window.start + resolution_s(sweep))}" for role, window in short
    )
    return (
        f"{which} are too short for a yearly figure (it takes {MIN_DAYS} days and {MIN_RETURNS} returns): their points "
        f"are put in order by {' and '.join(named)}, which is not shown for them"
    )


def returns_of(sweep: Sweep) -> str:
    """Whose fills the stored returns are: "stock" with `fills: both`, whose rows also have results of honest ones; ""
    where a sweep has only one kind."""
    return "stock" if sweep.fills == "both" else ""


def _is_short(window: Window, sweep: Sweep) -> bool:
    return bool(too_short(window.start, window.end, resolution_s(sweep)))


def _annual(returns: Floats, interval_s: int, days: float, drawdown: float | None) -> Sequence[float | None]:
    """The figures of ANNUAL; a rate that no float holds is the largest one."""
    year = DAYS_PER_YEAR * formulas.DAY_S / interval_s
    growth = float(np.prod(1.0 + returns))
    rate: float | None = None
    if math.isfinite(growth):
        exponent = math.log(growth) * DAYS_PER_YEAR / days if growth > 0 else -math.inf
        rate = math.expm1(min(exponent, MAX_EXPONENT))
    calmar = rate / -drawdown if rate is not None and drawdown is not None and drawdown < 0 else None
    return formulas.sharpe(returns, year), formulas.sortino(returns, year), rate, calmar

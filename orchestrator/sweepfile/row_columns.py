"""The columns that a sweep's rows will have, as far as they are known before there is a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.sweepfile.sweep import Sweep

#: Columns of every row.
LEADING = ("point", "status", "error", "engine", "seconds", "engine_note", "warning")
#: Keys of the stock engine's results.
STOCK = tuple(
    """
    net_pnl net_pnl_quote total_executors total_executors_with_position total_volume total_long total_short close_types
    accuracy_long accuracy_short total_positions accuracy max_drawdown_usd max_drawdown_pct sharpe_ratio profit_factor
    win_signals loss_signals unrealized_pnl_quote position_realized_pnl_quote total_fees_quote
    """.split()  # noqa: SIM905
)
#: Metrics of our own, see tasks/metrics/catalogue.py.
OWN = tuple(
    """
    sharpe sortino cagr max_drawdown max_drawdown_days calmar exposure turnover trades_per_day expectancy
    profit_factor_true skew kurtosis
    """.split()  # noqa: SIM905
)

#: What a path bracket gives of the best path, see tasks.child.point.
BRACKETED = ("net_pnl", "net_pnl_quote", "sharpe", "max_drawdown", "total_positions")


def row_columns(sweep: Sweep) -> list[str]:
    """Names of columns, axes among them."""
    results = [*STOCK, *OWN]
    honest = [f"honest_{name}" for name in results] if sweep.fills == "both" else []
    best_path = [f"best_path_{name}" for name in BRACKETED] if sweep.fill_path == "bracket" else []
    if sweep.fills == "both":
        best_path = [f"honest_{name}" for name in best_path]
    return [*LEADING, *sweep.grid.names, *results, *honest, *best_path]

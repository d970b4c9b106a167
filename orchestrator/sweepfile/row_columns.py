"""The columns that a sweep's rows will have, as far as they are known before there is a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.metrics.catalogue import CATALOGUE

if TYPE_CHECKING:
    from orchestrator.sweepfile.sweep import Sweep

#: Columns of every row.
LEADING = ("point", "status", "error", "engine", "seconds", "engine_note", "warning")
#: What a path bracket gives of the best path, see tasks.child.point.
BRACKETED = ("net_pnl", "net_pnl_quote", "sharpe", "max_drawdown", "total_positions")


def row_columns(sweep: Sweep) -> list[str]:
    """Names of columns, axes among them."""
    results = [metric.name for metric in CATALOGUE]
    honest = [f"honest_{name}" for name in results] if sweep.fills == "both" else []
    best_path = [f"best_path_{name}" for name in BRACKETED] if sweep.fill_path == "bracket" else []
    if sweep.fills == "both":
        best_path = [f"honest_{name}" for name in best_path]
    return [*LEADING, *sweep.grid.names, *results, *honest, *best_path]

"""A live replay in words."""

from __future__ import annotations

from tasks.named_types import RowView


def sentence(row: RowView) -> str:
    """One point's replay; `row` as orchestrator.execution.stages.live.summary gives it."""
    name = f"live replay of point {row['point']}"
    if row["error"]:
        return f"{name}: {row['error']}."
    if row["engine"] == "live":
        return f"{name}: it ran on the live engine already."
    trades = row["trades"]
    total = sum(trades.values())
    part = "the whole period" if row["covered"] > 0.9995 else f"the first {row['covered']:.1%} of the period"
    pnl = f"pnl {row['pnl']:+.2%} live, {row['backtest_pnl']:+.2%} back-tested"
    if not total:
        return f"{name} over {part}: no trades on either engine."
    told = (
        f"{name} over {part}: {trades['same']} of {total} trades the same, {trades['changed']} changed, "
        f"{trades['missing']} missing, {trades['extra']} extra; {pnl}"
    )
    first = row["first_difference"]
    if first is None:
        return f"{told}."
    return f"{told}; first difference {first['time_utc']} ({first['what']}): {first['why']}."

"""A live replay in words."""

from __future__ import annotations

from tasks.named_types import RowView

#: Beginning of a reason (tasks.engine.live.replay) -> what to do about it.
REMEDIES = {
    "look-ahead": "hummingsweep audit names the feature",
    "fills": "semantics: honest gives the back-test the same fills",
    "unfinished candle": "decide on candles that have closed, or sweep with engine: live",
    "less history": "raise max_records in the controller: hummingsweep audit says how many are enough",
    "times of candles": "a bot's candles carry the time they opened at: sweep with engine: live",
    "state per tick": "sweep with engine: live",
    "price of now": "sweep with engine: live",
    "not found": "hummingsweep live looks longer",
}


def sentence(row: RowView) -> str:
    """One point's replay; `row` as orchestrator.execution.stages.live.summary gives it."""
    name = f"live replay of point {row['point']}"
    if row["error"]:
        return f"{name}: {row['error']}."
    if row["engine"] == "live":
        return f"{name}: it ran on the live engine already."
    trades = row["trades"]
    back_tested = trades["same"] + trades["changed"] + trades["missing"]
    part = "the whole period" if row["covered"] > 0.9995 else f"the first {row['covered']:.1%} of the period"
    pnl = f"pnl {row['pnl']:+.2%} live, {row['backtest_pnl']:+.2%} back-tested"
    if not any(trades.values()):
        return f"{name} over {part}: no trades on either engine."
    told = (
        f"{name} over {part}: of {back_tested} back-tested trades {trades['same']} are the same, {trades['changed']} "
        f"changed and {trades['missing']} missing, {trades['extra']} others are made; {pnl}"
    )
    first = row["first_difference"]
    if first is None:
        return f"{told}."
    return f"{told}; first difference {first['time_utc']} ({first['what']}): {first['why']}{_remedy(first['why'])}."


def _remedy(why: str) -> str:
    """What to do, in brackets; empty where nothing is known."""
    return next((f" ({remedy})" for reason, remedy in REMEDIES.items() if why.startswith(reason)), "")

"""What a report draws of one back-test: the equity curve, its drawdown, the price, entries and exits.

Everything is columnar and made of what JSON holds. Times are seconds since epoch, UTC; money is quote.

    curve    time, equity, drawdown, close        one entry a candle; at most MAX_POINTS of them
    trades   one entry a trade                    at most MAX_TRADES of them, spread evenly over the ledger
    regimes  see tasks.engine.regimes
    trades_total, unfilled                        how many there were; executors whose order never filled
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tasks.engine import regimes
from tasks.named_types import JsonObject

if TYPE_CHECKING:
    from tasks.engine._base import Outcome
    from tasks.upstream.names import ExecutorInfo

Floats = npt.NDArray[np.float64]

#: A curve is thinned out to at most so many candles.
MAX_POINTS = 2000
MAX_TRADES = 5000

#: Columns of `trades`. `closed`, `exit_price` and `pnl` are None for what was still open at the end.
TRADE_COLUMNS = ("opened", "entry_price", "closed", "exit_price", "side", "close_type", "pnl", "executor", "level")


def detail(outcome: Outcome) -> JsonObject:
    """The curves and trades of an outcome that was computed with `curves=True`. Raises ValueError without curves.

    `equity` is the change since the start at the candle's close; `drawdown` is equity minus its highest value so far
    (the start's 0 included), 0 or negative. The price of a limit entry is the order's own, also with stock fills,
    which ledger it at the candle's close.
    """
    if outcome.equity is None or outcome.timestamps is None:
        raise ValueError("a detail needs the curves: run the engine with curves=True")
    close = np.asarray(outcome.processed_data["features"]["close"], dtype=np.float64)
    equity = outcome.equity
    drawdown = equity - np.maximum.accumulate(np.maximum(equity, 0.0))
    kept = keep_extremes((equity, close), MAX_POINTS, also=[int(np.argmin(drawdown))] if len(drawdown) else [])
    trades = [trade for info in outcome.executors for trade in _trades(info)]
    shown = _evenly(len(trades), MAX_TRADES)
    return {
        "curve": {
            "time": outcome.timestamps[kept].tolist(),
            "equity": equity[kept].tolist(),
            "drawdown": drawdown[kept].tolist(),
            "close": close[kept].tolist(),
        },
        "trades": {name: [trades[i][place] for i in shown] for place, name in enumerate(TRADE_COLUMNS)},
        "regimes": regimes.table(outcome.timestamps, close, equity),
        "trades_total": len(trades),
        "unfilled": sum(1 for info in outcome.executors if not info.filled_amount_quote > 0),
    }


def keep_extremes(series: tuple[Floats, ...], most: int, also: list[int]) -> npt.NDArray[np.int64]:
    """Positions, ascending, that keep the shape of some series of one length: at most `most` of them.

    The series are cut into equal parts; of each part the lowest and highest position of every series stay, and so do
    the first and last position and those in `also`.
    """
    n = len(series[0])
    if n <= most:
        return np.arange(n)
    parts = (most - 2 - len(also)) // (2 * len(series))
    kept = {0, n - 1, *also}
    for part in np.array_split(np.arange(n), parts):
        for values in series:
            kept.add(int(part[np.argmin(values[part])]))
            kept.add(int(part[np.argmax(values[part])]))
    return np.array(sorted(kept), dtype=np.int64)


def _trades(info: ExecutorInfo) -> Iterator[tuple[Any, ...]]:
    """Rows of TRADE_COLUMNS of one ExecutorInfo: none when it never filled, one per level and round for a grid."""
    if not info.filled_amount_quote > 0:
        return
    about = info.custom_info
    if about.get("fill_events"):
        yield from _grid_trades(info)
        return
    close_type = info.close_type.name if info.close_type is not None else ""
    closed = info.close_timestamp is not None and close_type != "POSITION_HOLD"
    entry_price = float(about.get("current_position_average_price") or about["close_price"])
    yield (
        float(about["open_order_last_update"]),
        entry_price,
        float(info.close_timestamp) if closed else None,
        float(about["close_price"]) if closed else None,
        info.side.name,
        close_type,
        float(info.net_pnl_quote) if closed else None,
        info.type,
        str(about.get("level_id") or ""),
    )


def _grid_trades(info: ExecutorInfo) -> Iterator[tuple[Any, ...]]:
    """Every fill of a grid level with the take-profit that ended it, or with the grid's own end.

    A round's pnl is what the prices give, without fees.
    """
    about, side = info.custom_info, info.side.name
    sign = 1 if side == "BUY" else -1
    ended = info.close_timestamp
    close_type = info.close_type.name if info.close_type is not None else ""
    open_levels: dict[int, JsonObject] = {}

    def trade(entry: JsonObject, time: float | None, price: float | None, how: str) -> tuple[Any, ...]:
        base = entry["amount_quote"] / entry["price"]
        pnl = None if price is None else float(sign * base * (price - entry["price"]))
        level = f"L{entry['level_idx']}"
        return float(entry["timestamp"]), float(entry["price"]), time, price, side, how, pnl, info.type, level

    for event in about["fill_events"]:
        if ended is not None and event["timestamp"] > ended:
            break  # it was stopped before: the simulation knows what would have come after
        if event["side"] == "entry":
            open_levels[event["level_idx"]] = event
        elif event["level_idx"] in open_levels:
            entry = open_levels.pop(event["level_idx"])
            yield trade(entry, float(event["timestamp"]), float(event["price"]), "TAKE_PROFIT")
    for entry in open_levels.values():
        if ended is None or close_type == "POSITION_HOLD":
            yield trade(entry, None, None, close_type)
        else:
            yield trade(entry, float(ended), float(about["close_price"]), close_type)


def _evenly(total: int, most: int) -> list[int]:
    """At most `most` of the positions 0 .. total - 1, spread evenly, ascending."""
    if total <= most:
        return list(range(total))
    return [round(place * (total - 1) / (most - 1)) for place in range(most)]

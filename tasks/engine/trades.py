"""The ledger of one back-test as data: its executors, and the fills of each.

Columnar, made of what JSON holds. Times are seconds since epoch, UTC: the open of the candle in which something
happened; money is quote, amounts are base.

    executors   one entry an executor, in the ledger's order; `executor` is its number there
    fills       one entry a trade, in order of time; `executor` says whose

Stock fills have no trades of their own: an entry is the close of the candle at which the stock engine books it, an
exit the close at which it ends, each with half of the fees, and `liquidity` is empty. Other fills are the trades
themselves.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from tasks.engine._base import Outcome
    from tasks.engine.executors._base import Fill
    from tasks.upstream.names import ExecutorInfo

#: `filled`, `closed`, prices and `close_type` are None for what never filled or is still held.
EXECUTOR_COLUMNS = (
    "executor", "id", "type", "trading_pair", "side", "level", "created", "filled", "closed", "amount", "entry_price",
    "exit_price", "close_type", "pnl_quote", "fees_quote", "volume_quote",
)  # fmt: skip
#: `liquidity`: maker, taker, or empty where it is not known; `level`: of a grid or a DCA, None where there is none.
FILL_COLUMNS = ("executor", "time", "side", "price", "amount", "fee_quote", "liquidity", "level")


class _Trade(NamedTuple):
    """A fill, and whether it opens."""

    time: float
    opens: bool
    price: float
    amount: float
    fee: float
    liquidity: str
    level: int | None


def trades(outcome: Outcome) -> dict[str, dict[str, list[Any]]]:
    """{"executors": columns, "fills": columns} of an outcome; see the module."""
    features = outcome.processed_data["features"]
    closes = _Closes(features.index.to_numpy(dtype=np.float64), features["close"].to_numpy(dtype=np.float64))
    executors: list[tuple[Any, ...]] = []
    fills: list[tuple[Any, ...]] = []
    known: Sequence[Sequence[Fill] | None] = outcome.fills or [None] * len(outcome.executors)
    for number, (info, own) in enumerate(zip(outcome.executors, known, strict=True)):
        traded = list(_of_fills(own) if own is not None else _of_info(info, closes))
        executors.append(_executor(number, info, traded))
        opening, closing = (info.side.name, "SELL" if info.side.name == "BUY" else "BUY")
        fills += [
            (
                number,
                one.time,
                opening if one.opens else closing,
                one.price,
                one.amount,
                one.fee,
                one.liquidity,
                one.level,
            )
            for one in traded
        ]
    fills.sort(key=lambda fill: (fill[1], fill[0]))
    return {"executors": _columns(EXECUTOR_COLUMNS, executors), "fills": _columns(FILL_COLUMNS, fills)}


def _executor(number: int, info: ExecutorInfo, traded: Sequence[_Trade]) -> tuple[Any, ...]:
    entries, exits = [one for one in traded if one.opens], [one for one in traded if not one.opens]
    amount = sum(one.amount for one in entries)
    close_type = info.close_type.name if info.close_type is not None else None
    kept = close_type == "POSITION_HOLD"
    return (
        number,
        info.id,
        info.type,
        info.config.trading_pair,
        info.side.name,
        str(info.custom_info.get("level_id") or ""),
        float(info.timestamp),
        entries[0].time if entries else None,
        float(info.close_timestamp) if info.close_timestamp is not None and not kept else None,
        amount,
        _average(entries),
        _average(exits),
        close_type,
        float(info.net_pnl_quote),
        float(info.cum_fees_quote),
        sum(one.amount * one.price for one in traded),
    )


def _average(fills: Sequence[_Trade]) -> float | None:
    amount = sum(one.amount for one in fills)
    return sum(one.amount * one.price for one in fills) / amount if amount > 0 else None


def _of_fills(fills: Sequence[Fill]) -> Iterator[_Trade]:
    for fill in fills:
        liquidity = "maker" if fill.is_maker else "taker"
        level = fill.level if fill.level >= 0 else None
        yield _Trade(fill.time, fill.base > 0, fill.price, abs(fill.base), fill.fee, liquidity, level)


def _of_info(info: ExecutorInfo, closes: _Closes) -> Iterator[_Trade]:
    """What an ExecutorInfo of stock fills says."""
    if not info.filled_amount_quote > 0:
        return
    about, fees = info.custom_info, float(info.cum_fees_quote)
    close_type = info.close_type.name if info.close_type is not None else ""
    closed = info.close_timestamp is not None and close_type != "POSITION_HOLD"
    if about.get("fill_events"):
        yield from _of_grid(info, closes, closed)
        return
    opened = float(about["open_order_last_update"])
    price = closes.at(opened)
    quote = float(info.filled_amount_quote)
    if closed and close_type != "EARLY_STOP":
        quote /= 2  # the stock engine counts the exit too
    yield _Trade(opened, True, price, quote / price, fees / 2 if closed else fees, "", None)
    if closed:
        ended = float(info.close_timestamp)
        yield _Trade(ended, False, closes.at(ended), quote / price, fees / 2, "", None)


def _of_grid(info: ExecutorInfo, closes: _Closes, closed: bool) -> Iterator[_Trade]:
    events = [
        one for one in info.custom_info["fill_events"]
        if info.close_timestamp is None or one["timestamp"] <= info.close_timestamp
    ]  # fmt: skip
    prices = info.custom_info["grid_level_prices"]
    fee = float(info.cum_fees_quote) / max(len(events), 1)
    held: dict[int, float] = {}
    for event in events:
        level, opens = event["level_idx"], event["side"] == "entry"
        amount = event["amount_quote"] / prices[level]
        if opens:
            held[level] = amount
        else:
            held.pop(level, None)
        yield _Trade(float(event["timestamp"]), opens, float(event["price"]), amount, fee, "", level)
    if closed and held:
        ended = float(info.close_timestamp)
        for level, amount in held.items():
            yield _Trade(ended, False, closes.at(ended), amount, 0.0, "", level)


class _Closes:
    """The close of the candle that holds a moment."""

    def __init__(self, times: Any, closes: Any) -> None:
        self._times, self._closes = times.tolist(), closes.tolist()

    def at(self, time: float) -> float:
        """The close of the last candle that opens at `time` or before."""
        return float(self._closes[max(bisect_right(self._times, time) - 1, 0)])


def _columns(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> dict[str, list[Any]]:
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}

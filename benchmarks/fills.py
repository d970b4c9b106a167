"""How close each rung of the fill ladder comes to what really filled: `python benchmarks/fills.py [--json]`.

Two quotes are placed at the close of every minute, a spread below and above it, and live for one minute; what filled is
closed at the market at the minute's end. No costs. That is a market maker that refreshes every minute, at each of eight
spreads: a sweep over spreads. Every rung fills these orders from 1m candles, and is compared with a truth:

  coinbase    BTC-USD, three days of October 2016, 1s candles of real trades (../shared/data beside the checkout).
              Truth: the orders filled in the 1s candles inside the minute, where a price is traded through by a tick,
              and up to all of the volume that was traded beyond it.
  tape        a synthetic tape of trades from a seeded book with a queue, two days. Truth: the queue's own rules, below.

The book of the tape: the best bid and the best ask each hold a depth drawn when they become the best. Market orders of
random size hit one side; the side has a memory. A level that is used up moves both prices by a tick. An order of ours
that rests at a level has half of that level's depth in front of it when the level becomes the best; it gets what is
traded there beyond that, and is filled whole when the level is used up. Ours do not move the tape.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path as File
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import ujson

REPOSITORY = File(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from tasks.engine.candles import Candles
from tasks.engine.executors import simulate
from tasks.engine.fills import STOCK, FillRules, RunFills
from tasks.engine.fills.path import Path
from tasks.upstream.names import OrderType, PositionExecutorConfig, TradeType, TradingRule, TripleBarrierConfig

Floats = npt.NDArray[np.float64]

#: Fractions of the price.
SPREADS = (0.0001, 0.0002, 0.0003, 0.0005, 0.0008, 0.0012, 0.002, 0.003)
MINUTE = 60

HONEST = FillRules()
RUNGS: dict[str, FillRules] = {
    "stock": STOCK,
    "touch": FillRules("touch"),
    "through 1 tick": FillRules("through", ticks=1),
    "through 2 ticks": FillRules("through", ticks=2),
    "through 5 ticks": FillRules("through", ticks=5),
    "volume 50%": FillRules("volume", volume_share=0.5),
    "volume 25%": FillRules("volume", volume_share=0.25),
    "volume 10% (honest)": HONEST,
    "volume 5%": FillRules("volume", volume_share=0.05),
    "honest, 1s inside": replace(HONEST, detail="1s"),
}


@dataclass(frozen=True)
class Market:
    """Minutes to quote in, and what really filled."""

    name: str
    minutes: Candles
    seconds: pd.DataFrame
    tick: float
    #: base of an order
    amount: float
    #: what filled of the orders, base, shape (spreads, 2 sides, minutes); from a tape only
    truth: Floats | None = None


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--days", type=int, default=2, help="days of the synthetic tape")
    parser.add_argument("--seed", type=int, default=7, help="of the synthetic tape")
    asked = parser.parse_args()
    answers = {}
    for market in markets(asked.days, asked.seed):
        truth = _truth(market)
        rows = {"truth": _figures(market, truth, truth)}
        rows |= {name: _figures(market, filled(market, rules), truth) for name, rules in RUNGS.items()}
        answers[market.name] = rows
        if not asked.json:
            print(_table(market, rows), "\n")
    if asked.json:
        print(ujson.dumps(answers))


def markets(days: int, seed: int) -> list[Market]:
    """The real one, where its file is there, and the tape."""
    found = []
    file = REPOSITORY.parent / "shared" / "data" / "candles_coinbase_BTC-USD_1s.csv.gz"
    if file.is_file():
        seconds = pd.read_csv(file).astype(float)
        found.append(Market("coinbase BTC-USD 2016, 1s", minutes_of(seconds), seconds, 0.01, 0.05))
    found.append(tape(days, seed))
    return found


def minutes_of(seconds: pd.DataFrame) -> Candles:
    """1m candles of 1s candles."""
    minute = (seconds["timestamp"] // MINUTE * MINUTE).rename("epoch_seconds")
    how = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    if "taker_buy_base_volume" in seconds:
        how["taker_buy_base_volume"] = "sum"
    frame = seconds.groupby(minute).agg(how)
    if "taker_buy_base_volume" in frame:
        frame["taker_buy_base_volume_bt"] = frame["taker_buy_base_volume"]
    return Candles(frame)


def filled(market: Market, rules: FillRules) -> Floats:
    """What each order gets under some rules, and what that is worth at the minute's end.

    Shape (2, spreads, 2 sides, minutes): base filled, and pnl in quote.
    """
    candles = market.minutes
    rule = TradingRule("BTC-USD", min_price_increment=Decimal(str(market.tick)))
    path = Path.inside(candles, market.seconds, MINUTE) if rules.detail else None
    answer = np.zeros((2, len(SPREADS), 2, len(candles)))
    for place, spread in enumerate(SPREADS):
        # a run of its own for each spread: the points of a sweep do not share volume
        run = RunFills(rules, candles, trade_cost=0.0, trading_rules=lambda *_: rule, path=path)
        for row in range(len(candles) - 1):
            for turn, side in enumerate((TradeType.BUY, TradeType.SELL)):
                trajectory = simulate(_order(market, row, side, spread), candles, row, run)
                if trajectory is None or trajectory.fill_row is None:
                    continue
                state = trajectory.at(trajectory.last)
                fills = trajectory.fills(trajectory.last)
                base = market.amount if fills is None else sum(fill.base for fill in fills if fill.base > 0)
                answer[:, place, turn, row] = base, state.net_pnl_quote
    return answer


def _order(market: Market, row: int, side: Any, spread: float) -> PositionExecutorConfig:
    close, sign = float(market.minutes.close[row]), 1 if side == TradeType.BUY else -1
    steps = np.floor(close * (1 - sign * spread) / market.tick + 1e-6)
    return PositionExecutorConfig.model_construct(
        id="", type="position_executor", controller_id=None, level_id=None, activation_bounds=None, leverage=1,
        timestamp=float(market.minutes.timestamp[row]), trading_pair="BTC-USD", connector_name="coinbase", side=side,
        entry_price=Decimal(str(round(steps * market.tick, 8))), amount=Decimal(str(market.amount)),
        triple_barrier_config=_BARRIERS,
    )  # fmt: skip


_BARRIERS = TripleBarrierConfig(time_limit=MINUTE, open_order_type=OrderType.LIMIT)


def _truth(market: Market) -> Floats:
    if market.truth is None:
        return filled(market, FillRules("volume", volume_share=1.0, detail="1s"))
    close = market.minutes.close
    answer = np.stack([market.truth, np.zeros_like(market.truth)])
    for place, spread in enumerate(SPREADS):
        for turn, sign in enumerate((1, -1)):
            price = np.floor(close * (1 - sign * spread) / market.tick + 1e-6) * market.tick
            gain = sign * (np.append(close[1:], close[-1]) - price)
            answer[1, place, turn] = market.truth[place, turn] * gain
    return answer


def _figures(market: Market, got: Floats, truth: Floats) -> dict[str, float]:
    """Of one rung beside the truth."""
    base, pnl = got
    orders, right = base > 0, truth[0] > 0
    notional = base.sum() * market.minutes.close.mean()
    by_spread, true_by_spread = pnl.sum(axis=(1, 2)), truth[1].sum(axis=(1, 2))
    return {
        "orders": int(orders.sum()),
        "of_true": float((orders & right).sum() / max(right.sum(), 1)),
        "false": float((orders & ~right).sum() / max(orders.sum(), 1)),
        "base": float(base.sum() / truth[0].sum()),
        "pnl_bp": float(pnl.sum() / notional * 1e4) if notional else 0.0,
        "rank": _rank_correlation(by_spread, true_by_spread),
        "best_spread": SPREADS[int(np.argmax(by_spread))],
        "pnl": [round(float(value), 4) for value in by_spread],
    }


def _rank_correlation(one: Floats, other: Floats) -> float:
    ranks = [np.argsort(np.argsort(values)).astype(float) for values in (one, other)]
    return float(np.corrcoef(ranks)[0, 1])


def tape(days: int, seed: int) -> Market:
    """Candles of a synthetic tape, and what the queue gave each order; the rules stand at the top."""
    rng = np.random.default_rng(seed)
    tick, start, amount = 0.01, 1_704_067_200, 0.5
    trades = days * 86_400
    moments = start + np.sort(rng.uniform(0, days * 86_400, trades))
    sizes, draws = rng.exponential(1.0, trades), rng.random(trades)
    bid, side = 10_000, 1  # in ticks; the ask is one tick above
    depth = {1: rng.exponential(3.0), -1: rng.exponential(3.0)}
    at = np.empty(trades, dtype=np.int64)
    sides, depths, emptied = np.empty(trades, dtype=np.int64), np.empty(trades), np.zeros(trades, dtype=bool)
    whole = dict(depth)
    for k in range(trades):
        side = side if draws[k] < 0.55 else -side  # 1: a taker buys
        at[k], sides[k], depths[k] = bid + (side > 0), side, whole[side]
        depth[side] -= sizes[k]
        if depth[side] <= 0:
            emptied[k] = True
            sizes[k] += depth[side]  # what the level had
            bid += side
            depth = {1: rng.exponential(3.0), -1: rng.exponential(3.0)}
            whole = dict(depth)
    seconds = _seconds(moments, at * tick, sizes, sides, start, days)
    minutes = minutes_of(seconds)
    truth = np.zeros((len(SPREADS), 2, len(minutes)))
    edges = moments.searchsorted(minutes.timestamp)
    after = np.append(edges[1:], trades)
    for row in range(len(minutes) - 1):
        span = slice(after[row], after[row + 1])
        for place, spread in enumerate(SPREADS):
            for turn, sign in enumerate((1, -1)):
                wanted = int(np.floor(minutes.close[row] * (1 - sign * spread) / tick + 1e-6))
                truth[place, turn, row] = _queued(
                    at[span], sizes[span], sides[span], depths[span], emptied[span], wanted, sign, amount
                )
    return Market(f"synthetic tape with a queue, {days} days", minutes, seconds, tick, amount, truth)


def _queued(
    at: Any, sizes: Floats, sides: Any, depths: Floats, emptied: Any, level: int, sign: int, amount: float
) -> float:
    """Base that an order at a level gets: behind half of the depth it meets there."""
    against = sides == -sign  # takers that sell fill our buy order
    if (against & (sign * at < sign * level)).any() or (against & (at == level) & emptied).any():
        return amount
    here = against & (at == level)
    if not here.any():
        return 0.0
    return float(min(amount, max(0.0, sizes[here].sum() - depths[here][0] / 2)))


def _seconds(moments: Floats, prices: Floats, sizes: Floats, sides: Any, start: int, days: int) -> pd.DataFrame:
    frame = pd.DataFrame(
        {"timestamp": np.floor(moments), "price": prices, "volume": sizes, "bought": np.where(sides > 0, sizes, 0.0)}
    )
    grouped = frame.groupby("timestamp")
    seconds = grouped["price"].ohlc()
    seconds["volume"], seconds["taker_buy_base_volume"] = grouped["volume"].sum(), grouped["bought"].sum()
    seconds = seconds.reindex(np.arange(start, start + days * 86_400, dtype=float))
    seconds["close"] = seconds["close"].ffill().bfill()
    for name in ("open", "high", "low"):
        seconds[name] = seconds[name].fillna(seconds["close"])
    return seconds.fillna(0.0).rename_axis("timestamp").reset_index()


def _table(market: Market, rows: dict[str, dict[str, Any]]) -> str:
    lines = [
        f"{market.name}: {len(market.minutes):,} minutes, {2 * len(SPREADS) * (len(market.minutes) - 1):,} orders",
        "",
        "| fills | orders filled | of the true ones | false | base filled | pnl, bp | rank correlation | best spread |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {row['orders']:,} | {row['of_true']:.0%} | {row['false']:.0%} | {row['base']:.2f} | "
        f"{row['pnl_bp']:+.2f} | {row['rank']:+.2f} | {row['best_spread']:.2%} |"
        for name, row in rows.items()
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()

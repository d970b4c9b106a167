"""What a candle costs on the live engine: `python benchmarks/live.py [--quick] [--json] [--days 7]`.

Each case is a controller that looks at its candles and its executors and computes nothing, so that all of its time is
the engine's: showing candles, prices and executors, two calls, carrying out actions. Seconds are CPU seconds of the
process; the fastest of several runs on seeded synthetic candles, for whatever else a machine does can only add to
them. Exit code 1 where a candle costs more than PROMISED_MS.

Real controllers follow for comparison: their own code is in their figure.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from benchmarks.workloads.controllers import BollingerConfig, SimpleMakerConfig
from benchmarks.workloads.market import START, market_of, random_walk
from benchmarks.workloads.stateful import Generic, GenericConfig, HourlyBuyerConfig
from tasks.engine._base import Market
from tasks.engine.fills import FillRules
from tasks.engine.live.engine import LiveEngine
from tasks.upstream.names import CandlesConfig, TradeType

#: Milliseconds a candle may cost outside of the controller's own code.
PROMISED_MS = 0.15

CONNECTOR, PAIR = "binance_perpetual", "BTC-USDT"
FEEDS = {"1m": 60, "5m": 300, "1h": 3600}


class LookerConfig(GenericConfig):
    """Looks and does nothing."""

    controller_name: str = "looker"
    intervals: list[str] = ["1m"]  # noqa: RUF012  pydantic copies it
    records: int = 500
    positions: int = 0

    def get_controller_class(self) -> Any:
        """Upstream's hook."""
        return Looker


class Looker(Generic):
    """Asks for its candles, its executors and the price."""

    def get_candles_config(self) -> list[Any]:
        """The feeds."""
        return [
            CandlesConfig(connector=CONNECTOR, trading_pair=PAIR, interval=interval, max_records=self.config.records)
            for interval in self.config.intervals
        ]

    async def update_processed_data(self) -> None:
        """Every feed once."""
        for interval in self.config.intervals:
            self.market_data_provider.get_candles_df(CONNECTOR, PAIR, interval, self.config.records)
        self.price()

    def determine_executor_actions(self) -> list[Any]:
        """Keeps some positions open."""
        running = [one for one in self.executors_info if one.is_active]
        if len(running) >= self.config.positions:
            return []
        return [self.position(TradeType.BUY, time_limit=86_400, stop_loss=Decimal("0.5"))]


CASES: dict[str, tuple[Any, dict[str, Any], bool]] = {
    "one feed of 500 rows": (LookerConfig, {}, True),
    "one feed of 5000 rows": (LookerConfig, {"records": 5000}, True),
    "1m, 5m and 1h, unfinished candles": (LookerConfig, {"intervals": ["1m", "5m", "1h"]}, True),
    "one feed, three positions open": (LookerConfig, {"positions": 3}, True),
    "hourly buyer": (HourlyBuyerConfig, {}, False),
    "bands on 100 candles": (BollingerConfig, {"length": 100}, False),
    "simple maker, two levels a side": (
        SimpleMakerConfig,
        {"buy_spreads": "0.001,0.002", "sell_spreads": "0.001,0.002", "buy_amounts_pct": "1,1",
         "sell_amounts_pct": "1,1"},
        False,
    ),
}  # fmt: skip


def market(days: int) -> Market:
    """One pair in three intervals, with four days before the period."""
    rows = (days + 4) * 1440
    minutes = random_walk(rows, seed=5)
    feeds = {f"{CONNECTOR}_{PAIR}_{name}": resampled(minutes, seconds) for name, seconds in FEEDS.items()}
    return dataclasses.replace(
        market_of(minutes, shift=1), feeds=feeds, start=START + 4 * 86_400, end=START + rows * 60 - 60, warmup=True
    )


def resampled(minutes: Any, seconds: int) -> Any:
    """Candles of another interval."""
    if seconds == 60:
        return minutes
    group = (minutes["timestamp"] // seconds * seconds).rename("opened")
    rules = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    return minutes.groupby(group).agg(rules).reset_index(names="timestamp")


def measure(case: str, on: Market, runs: int) -> dict[str, Any]:
    """Milliseconds a candle of one case."""
    kind, values, promised = CASES[case]
    engine, rows, taken = LiveEngine(FillRules()), (on.end - on.start) // 60 + 1, []
    for _ in range(runs + 1):  # the first one prepares what the points of a market share
        config = kind(id="x", connector_name=CONNECTOR, trading_pair=PAIR, total_amount_quote=1000, **values)
        began = time.process_time()
        outcome = asyncio.run(engine.run(config, on))
        taken.append(time.process_time() - began)
    milliseconds = min(taken[1:]) / rows * 1000
    return {
        "case": case,
        "ms_per_candle": milliseconds,
        "candles": rows,
        "executors": len(outcome.executors),
        "promised_ms": PROMISED_MS if promised else None,
        "kept": not promised or milliseconds <= PROMISED_MS,
    }


def main() -> int:
    """Measure, print, and say whether the promise is kept."""
    parser = argparse.ArgumentParser(description="What a candle costs on the live engine.")
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="two days, three runs")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    days, runs = (2, 3) if given.quick else (given.days, given.runs)
    on = market(days)
    found = [measure(case, on, runs) for case in CASES]
    if given.json:
        print(json.dumps({"days": days, "cases": found}, indent=2))
    else:
        for one in found:
            mark = "" if one["promised_ms"] is None else f"  (promised {one['promised_ms']:.2f})"
            print(f"{one['case']:<36} {one['ms_per_candle']:.4f} ms a candle{mark}")
    return 0 if all(one["kept"] for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())

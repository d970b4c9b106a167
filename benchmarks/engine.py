"""Stock and jump-ahead engine side by side: `python benchmarks/engine.py [--quick] [--json] [--days 7,30]`.

Both engines run every workload in one process, in turn (stock, jump, stock, jump, ...), on the same synthetic seeded
candles; every pair is compared and must be equal. A workload's ratio is the median of its pairs' ratios: of at least
five, of fewer where one stock run takes minutes and no --pairs is given (the table says how many). Then the jump-ahead
engine alone: how its time grows with days and with executors, and what 180 days add to the process's memory. Seconds
are CPU seconds of the process: both engines run on one thread, and what else the machine does moves the clock on the
wall, not these.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

import ujson

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from benchmarks.workloads import controllers
from benchmarks.workloads.market import PAIR, market_of, random_walk
from tasks.engine._base import Engine, Market, Outcome
from tasks.engine.compare import compare
from tasks.engine.jump.engine import JumpEngine
from tasks.engine.stock import StockEngine

DAY_S = 86400
#: A stock run longer than this (seconds) is paired once or twice, not five times, unless so many pairs are asked for.
LONG_S = 60.0

_BARRIERS: dict[str, Any] = {"stop_loss": "0.01", "take_profit": "0.008", "time_limit": 2700}
_LEVELS: dict[str, Any] = {
    **_BARRIERS, "buy_amounts_pct": "", "sell_amounts_pct": "", "executor_refresh_time": 300, "cooldown_time": 600,
}  # fmt: skip


@dataclass(frozen=True)
class Workload:
    """A controller, its settings, and how much faster it must at least be."""

    name: str
    floor: float
    config: type
    settings: dict[str, Any]
    seconds: int = 60
    #: of one candle's close
    volatility: float = 0.0007

    def make(self) -> Any:
        """A fresh config."""
        common = {"id": "bench", "connector_name": "binance_perpetual", "trading_pair": PAIR}
        return self.config(**{**common, "total_amount_quote": Decimal(1000), **self.settings})

    def market(self, days: float) -> Market:
        """Synthetic candles over so many days."""
        rows = int(days * DAY_S / self.seconds)
        candles = random_walk(rows, seed=1, seconds=self.seconds, volatility=self.volatility)
        return market_of(candles, resolution="1s" if self.seconds == 1 else "1m")


WORKLOADS = (
    Workload("directional, sparse signals", 50, controllers.BollingerConfig, {
        **_BARRIERS, "length": 100, "deviations": 2.5, "cooldown_time": 300}),
    Workload("directional, dense signals", 25, controllers.BollingerConfig, {
        **_BARRIERS, "length": 100, "deviations": 0.5, "cooldown_time": 60, "max_executors_per_side": 4}),
    Workload("market making, 1m", 15, controllers.SimpleMakerConfig, {
        **_LEVELS, "buy_spreads": "0.001,0.002", "sell_spreads": "0.001,0.002"}),
    Workload("market making, dynamic, 1m", 15, controllers.DynamicMakerConfig, {
        **_LEVELS, "buy_spreads": "1,2", "sell_spreads": "1,2"}),
    Workload("market making, 1s", 50, controllers.SimpleMakerConfig, {
        **_LEVELS, "buy_spreads": "0.0005,0.001", "sell_spreads": "0.0005,0.001"}, seconds=1, volatility=0.00009),
    Workload("DCA", 15, controllers.BollingerDCAConfig, {
        **_BARRIERS, "length": 100, "deviations": 1.5, "cooldown_time": 300}),
    Workload("grid", 15, controllers.BollingerGridConfig, {
        **_BARRIERS, "length": 100, "deviations": 1.5, "cooldown_time": 300}),
    Workload("override everything", 4, controllers.OverridingMakerConfig, {
        **_LEVELS, "buy_spreads": "0.001,0.002", "sell_spreads": "0.001,0.002"}),
    Workload("declares when to ask", 15, controllers.PatientConfig, {}),
)  # fmt: skip


@dataclass
class Measured:
    """A workload over some days."""

    workload: str
    days: float
    candles: int
    executors: int
    pairs: int
    #: medians, seconds
    stock_s: float
    jump_s: float
    ratio: float
    floor: float
    #: "jump", "step" or "stock": what the jump-ahead engine did
    engine: str
    equal: bool


@dataclass
class Grown:
    """The jump-ahead engine alone."""

    what: str
    candles: int
    executors: int
    jump_s: float
    #: microseconds
    per_candle_us: float
    #: what the run added to the process's peak, MB (0 where an earlier run's peak was higher)
    added_mb: float


def timed(engine: Engine, workload: Workload, market: Market) -> tuple[Outcome, float]:
    """One run and its CPU seconds; executor ids from the same seed for both engines."""
    random.seed(1)
    config = workload.make()
    answers: list[tuple[Outcome, float]] = []

    async def run() -> None:
        started = time.process_time()
        outcome = await engine.run(config, market, curves=False)
        answers.append((outcome, time.process_time() - started))

    # Not returned: asyncio.run prints the result of a task into a text that nobody sees.
    asyncio.run(run())
    return answers[0]


def measure(workload: Workload, days: float, pairs: int, *, fewer_when_long: bool = True) -> Measured:
    """Paired runs. Equality is checked on every pair."""
    market = workload.market(days)
    timed(JumpEngine(), workload, workload.market(min(days, 0.5)))  # compiled and imported before the clock runs
    times: list[tuple[float, float]] = []
    while len(times) < pairs:
        stock, stock_s = timed(StockEngine(), workload, market)
        jump, jump_s = timed(JumpEngine(), workload, market)
        times.append((stock_s, jump_s))
        differences = compare(stock, jump)
        if fewer_when_long and stock_s > LONG_S:
            pairs = min(pairs, 1 if stock_s > 3 * LONG_S else 2)
        if differences:
            break
    return Measured(
        workload=workload.name,
        days=days,
        candles=len(market.feeds[next(iter(market.feeds))]),
        executors=len(jump.executors),
        pairs=len(times),
        stock_s=median(stock_s for stock_s, _ in times),
        jump_s=median(jump_s for _, jump_s in times),
        ratio=median(stock_s / jump_s for stock_s, jump_s in times),
        floor=workload.floor,
        engine=jump.engine,
        equal=not differences,
    )


def growth(quick: bool) -> Iterator[Grown]:
    """Days by days, then executors by executors."""
    sparse, maker = WORKLOADS[0], WORKLOADS[2]
    for days in (7, 30) if quick else (7, 30, 90, 180):
        yield _grown(f"{sparse.name}, {days} days", sparse, sparse.market(days))
    spreads = "0.0001,0.0002,0.0003,0.0004,0.0005"
    impatient = {"executor_refresh_time": 60, "cooldown_time": 60, "time_limit": 300}
    settings = {**_LEVELS, **impatient, "buy_spreads": spreads, "sell_spreads": spreads}
    many = Workload(maker.name, 0, maker.config, settings)
    for days in (3, 6) if quick else (6, 12, 24):
        yield _grown(f"market making of ten levels, {days} days", many, many.market(days))


def _grown(what: str, workload: Workload, market: Market) -> Grown:
    before = _peak_mb()
    outcome, jump_s = timed(JumpEngine(), workload, market)
    candles = len(market.feeds[next(iter(market.feeds))])
    return Grown(what, candles, outcome.results["total_executors"], jump_s, jump_s / candles * 1e6, _peak_mb() - before)


def _peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 if sys.platform != "darwin" else 1024 * 1024)


def main(arguments: list[str] | None = None, say: Callable[[str], Any] = print) -> int:
    """The command. Exit code 1 when a pair differs or a ratio is below its floor."""
    parser = argparse.ArgumentParser(prog="bench engine", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--quick", action="store_true", help="one or two days, three pairs")
    parser.add_argument("--days", default="", help="such as 7,30,180; market making at 1s takes a day for each seven")
    parser.add_argument("--pairs", type=int, default=0, help="paired runs of each workload, however long")
    parser.add_argument("--only", default="", help="workloads whose name holds this")
    options = parser.parse_args(arguments)
    days = [float(part) for part in options.days.split(",") if part] or ([1.0] if options.quick else [7.0, 30.0])
    pairs = options.pairs or (3 if options.quick else 5)
    rows, grown = [], []
    if not options.json:
        say(f"{'workload':<28}{'days':>6}{'candles':>9}{'executors':>10}{'pairs':>6}{'stock s':>10}{'jump s':>9}"
            f"{'ratio':>8}{'floor':>7}  engine equal")  # fmt: skip
    for workload in WORKLOADS:
        if options.only not in workload.name:
            continue
        for length in days:
            row = measure(
                workload, length / 7 if workload.seconds == 1 else length, pairs, fewer_when_long=not options.pairs
            )
            rows.append(row)
            if not options.json:
                say(f"{row.workload:<28}{row.days:>6.3g}{row.candles:>9}{row.executors:>10}{row.pairs:>6}"
                    f"{row.stock_s:>10.3f}{row.jump_s:>9.4f}{row.ratio:>8.1f}{row.floor:>7.0f}  {row.engine:<6} "
                    f"{'yes' if row.equal else 'NO'}")  # fmt: skip
    if not options.only:
        for line in growth(options.quick):
            grown.append(line)
            if not options.json:
                say(f"{line.what:<44}{line.candles:>9} candles{line.executors:>8} executors{line.jump_s:>9.3f} s"
                    f"{line.per_candle_us:>8.2f} us/candle{line.added_mb:>8.1f} MB")  # fmt: skip
    if options.json:
        say(ujson.dumps({"workloads": [asdict(row) for row in rows], "growth": [asdict(line) for line in grown]}))
    return 0 if all(row.equal and row.ratio >= row.floor for row in rows) else 1


if __name__ == "__main__":
    from tasks.upstream.imports import patches

    patches.apply()
    sys.exit(main())

"""The work that every contender does: the same points, candles, controller and engine.

The folder of a work is what `prepare` stores: candles as CSV and the sweep file for this project, and for all others
the definition and the slices, cut once. A worker process calls `enter` (imports and candles, counted as its start)
and then `compute` per point, with the event loop and the engine kept from point to point.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ujson
import yaml

from tasks.protocol.messages import FeedNeed, SweepDefinition

CONTROLLERS = Path(__file__).resolve().parent.parent / "controllers"
#: 2024-01-01T00:00:00Z
START = 1_704_067_200
FEED = FeedNeed("binance_perpetual", "BTC-USDT", "1m", 1)
RULES = {
    "min_order_size": "0.0001",
    "min_price_increment": "0.01",
    "min_base_amount_increment": "0.0001",
    "min_notional_size": "5",
}
#: What a row must agree in: a few of the stock results; the others follow from them.
COMPARED = (
    "net_pnl", "net_pnl_quote", "total_executors", "total_executors_with_position", "total_volume", "total_long",
    "total_short", "close_types", "accuracy", "max_drawdown_usd", "sharpe_ratio", "profit_factor", "total_fees_quote",
)  # fmt: skip
#: Points that are swept before the clock starts, so that every worker is warm.
WARMING = 16
#: A row as contenders hand it back: point, compared results, process id of who computed it, seconds it took there, and
#: from this project time.monotonic() of its coming in (the others' rows come in when they are yielded).
Row = tuple[Any, ...]


@dataclass(frozen=True)
class Kind:
    """What the points of a work are like."""

    #: of the sweep file's `controller`
    controller: dict[str, Any]
    #: the axes the features depend on: ten values and five
    axes: dict[str, Any]
    days: float = 1.0


_BANDS: dict[str, Any] = {"length": {"range": [20, 65, 5]}, "deviations": [1.0, 1.5, 2.0, 2.5, 3.0]}
_TREND: dict[str, Any] = {"length": {"range": [7, 16, 1]}, "multiplier": [1.5, 2.0, 2.5, 3.0, 3.5]}
KINDS = {
    # a day: two to four milliseconds, most of it the back-test (400 on upstream's engine)
    "cheap": Kind({"controller_name": "bands"}, _BANDS),
    # the same with a known cost on top, which no other point shares
    "10ms": Kind({"controller_name": "bands", "burn_s": 0.0065}, _BANDS),
    # a quarter of a day, most of it the indicator, which points that differ in their exits share
    "indicator": Kind({"controller_name": "trend"}, _TREND, days=0.25),
    # one second of CPU on top
    "expensive": Kind({"controller_name": "bands", "burn_s": 1.0}, _BANDS),
}


def prepare(folder: Path, points: int, kind: str, name: str = "peers") -> Path:
    """A work of at least `points` points of a kind in a new folder; returns it."""
    import numpy as np

    from orchestrator.sweepfile.sweep import read
    from tasks.candles.formats import find
    from tasks.candles.resample import slice_for
    from tasks.protocol.blobs import digest_of

    (folder / "candles" / "trading_rules").mkdir(parents=True)
    chance, rows = np.random.default_rng(3), int(KINDS[kind].days * 1440) + 1
    close = np.round(40_000 * np.exp(np.cumsum(chance.normal(0, 0.0008, rows))), 2)
    opened = np.concatenate([[40_000.0], close[:-1]])
    high = np.round(np.maximum(opened, close) * (1 + np.abs(chance.normal(0, 0.0003, rows))), 2)
    low = np.round(np.minimum(opened, close) * (1 - np.abs(chance.normal(0, 0.0003, rows))), 2)
    table = np.column_stack([START + 60 * np.arange(rows), opened, high, low, close, chance.uniform(1, 50, rows)])
    np.savetxt(
        folder / "candles" / f"candles_{FEED.key}.csv", table, fmt=["%d", *["%.2f"] * 5], delimiter=",",
        header="timestamp,open,high,low,close,volume", comments="",
    )  # fmt: skip
    rules = folder / "candles" / "trading_rules" / f"{FEED.connector}.json"
    rules.write_text(ujson.dumps({FEED.trading_pair: RULES}))
    sweep = {
        "name": name,
        "controller": {
            "controller_type": "directional_trading",
            "connector_name": FEED.connector,
            "trading_pair": FEED.trading_pair,
            "total_amount_quote": 1000,
            "stop_loss": 0.01,
            "time_limit": 3600,
            "max_executors_per_side": 2,
            "cooldown_time": 300,
            **KINDS[kind].controller,
        },
        "grid": {
            **KINDS[kind].axes,
            "take_profit": {"linspace": [0.001, 0.02, max(1, -(-points // 50))]},
        },
        "period": {"start": START, "end": START + 60 * (rows - 1)},
        # as the stock engine does it, so that it can be called directly
        "engine": "jump",
        "fills": "stock",
        "shift": 0,
        "warmup": False,
        "candles": "candles",
        "controllers": os.path.relpath(CONTROLLERS, folder),
    }
    file = folder / "sweep.yml"
    file.write_text(yaml.safe_dump(sweep, sort_keys=False))
    read_sweep = read(file)
    cut = slice_for(FEED, find(folder / "candles"), read_sweep.start, read_sweep.end, read_sweep.gaps)
    (folder / "slice.arrow").write_bytes(cut.ipc())
    address = digest_of(cut.ipc())
    definition = read_sweep.definition(
        controllers="0" * 64, slices={FEED.key: address}, trading_rules={FEED.connector: {FEED.trading_pair: RULES}}
    )
    (folder / "definition.json").write_bytes(definition.encode())
    return folder


def definition_of(folder: Path) -> SweepDefinition:
    """What `prepare` wrote."""
    return SweepDefinition.decode((folder / "definition.json").read_bytes())


class _Here:
    """What a process keeps from point to point."""

    def __init__(self, folder: Path):
        from tasks.candles.mirror import Mirror
        from tasks.engine._base import Market
        from tasks.engine.jump.engine import JumpEngine
        from tasks.engine.jump.shared import SharedFeatures
        from tasks.grid import Grid
        from tasks.intervals import interval_seconds
        from tasks.protocol.returns import returns_interval
        from tasks.upstream.backtest.rules import trading_rules
        from tasks.upstream.imports import patches

        patches.apply()
        self.definition = definition_of(folder)
        self.grid = Grid.from_mapping(self.definition.grid)
        mirror = folder / f"mirror-{os.getpid()}"
        try:
            frame = Mirror(mirror, 1 << 30).frame(self.definition.slices[FEED.key], (folder / "slice.arrow").read_bytes)
            self.market = Market(
                feeds={FEED.key: frame}, trading_rules=trading_rules(self.definition.trading_rules),
                **{name: getattr(self.definition, name)
                   for name in ("start", "end", "resolution", "trade_cost", "shift", "warmup")},
            )  # fmt: skip
        finally:
            shutil.rmtree(mirror, ignore_errors=True)  # the map stays
        resolution_s = interval_seconds(self.definition.resolution)
        self.returns_interval_s = returns_interval(self.definition.start, self.definition.end, resolution_s)
        self.loop = asyncio.new_event_loop()
        # what a child of this project spares its points is its own doing; with `peers.py --share` it is everybody's
        shared = None
        if os.environ.get("PEERS_SHARE"):
            shared = SharedFeatures()
            gc.collect()
            gc.freeze()
        self.engine = JumpEngine(shared=shared)

    def config(self, point: int) -> Any:
        from tasks.upstream.backtest.build import controller_config

        values = {**self.definition.controller, **self.grid.values(point)}
        return controller_config(values, CONTROLLERS, config_id=f"peers-{point}")


@functools.cache
def _here(folder: str) -> _Here:
    return _Here(Path(folder))


def enter(folder: str) -> None:
    """What a worker process does before its first point."""
    _here(folder)


def compute(folder: str, point: int) -> Row:
    """One point as a child of this project computes it: back-test, curves, metrics."""
    from tasks.child.point import _results

    started = time.perf_counter()
    here = _here(folder)
    config = here.config(point)
    outcome = here.loop.run_until_complete(here.engine.run(config, here.market))
    row = _results(outcome, config, here.market, "", here.returns_interval_s)
    return point, {name: row[name] for name in COMPARED}, os.getpid(), time.perf_counter() - started


def compute_stock(folder: str, point: int) -> Row:
    """One point on upstream's engine, called as Hummingbot's own research tools call it."""
    from hummingbot.strategy_v2.backtesting.backtesting_engine_base import BacktestingEngineBase

    from tasks.upstream.backtest.build import controller_class, upstream_class_cache

    started = time.perf_counter()
    here = _here(folder)
    config = here.config(point)
    upstream_class_cache()[config.controller_name] = controller_class(config)
    engine = BacktestingEngineBase()
    engine.backtesting_data_provider.trading_rules[FEED.connector] = here.market.trading_rules[FEED.connector]
    engine.backtesting_data_provider.candles_feeds = dict(here.market.feeds)
    answer = here.loop.run_until_complete(
        engine.run_backtesting(config, here.market.start, here.market.end, "1m", here.market.trade_cost)
    )
    row = {**answer["results"], "close_types": answer["results"]["close_types"] or {}}
    return point, {name: row[name] for name in COMPARED}, os.getpid(), time.perf_counter() - started


def quiet_stock() -> None:
    """Upstream starts a task that asks an exchange for rates; there is no network in a benchmark."""
    from hummingbot.data_feed.market_data_provider import MarketDataProvider

    MarketDataProvider.initialize_rate_sources = lambda *_: None

"""On the live engine nothing later can be reached, whatever a controller tries."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import gc
import types
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.workloads.market import PAIR, START, market_of, random_walk
from tasks.engine._base import Market
from tasks.engine.audit.truncation import changed_market
from tasks.engine.fills import FillRules
from tasks.engine.jump.engine import JumpEngine
from tasks.engine.live.engine import LiveEngine
from tasks.upstream.backtest.build import controller_config
from tasks.upstream.names import CandlesConfig, ControllerBase, ControllerConfigBase
from tests.cases import cases
from tests.unit.tasks.engine.live.conftest import CONNECTOR, resampled

#: Rows of the small market, and the seconds of them before its period.
MINUTES, LEAD = 130, 3600
FEEDS = [f"{CONNECTOR}_{PAIR}_{interval}" for interval in ("1m", "3m", "15m")]


class WatcherConfig(ControllerConfigBase):  # type: ignore[misc]
    controller_name: str = "watcher"
    connector_name: str = CONNECTOR
    trading_pair: str = PAIR

    def get_controller_class(self) -> Any:
        return Watcher


class Watcher(ControllerBase):  # type: ignore[misc]
    """Writes down all that it can see, in every way there is."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.seen: dict[float, list[Any]] = {}

    def get_candles_config(self) -> list[Any]:
        return [
            CandlesConfig(connector=CONNECTOR, trading_pair=PAIR, interval=interval, max_records=20)
            for interval in ("1m", "3m", "15m")
        ]

    async def update_processed_data(self) -> None:
        provider = self.market_data_provider
        seen: list[Any] = [provider.get_price_by_type(CONNECTOR, PAIR), dict(provider.prices), provider.get_rate(PAIR)]
        for wanted in self.get_candles_config():
            interval = wanted.interval
            feed = provider.get_candles_feed(wanted)
            frames = [
                provider.get_candles_df(CONNECTOR, PAIR, interval, 500),
                provider.candles_feeds[f"{CONNECTOR}_{PAIR}_{interval}"].candles_df,
                provider.candles_data[f"{CONNECTOR}_{PAIR}_{interval}"].candles_df,
                feed.candles_df,
                await feed,
                feed.copy(),
                await provider.get_historical_candles_df(CONNECTOR, PAIR, interval, 0, START + 10**8, 10**6),
                await provider.get_historical_candles_df(CONNECTOR, PAIR, interval),
            ]
            seen += [frame.to_numpy().tolist() for frame in frames]
            frames[0]["close"] = 0.0  # a frame is its reader's own
        self.seen[provider.time()] = seen

    def determine_executor_actions(self) -> list[Any]:
        return []


def small_market(shift: int) -> Market:
    minutes = random_walk(MINUTES, seed=8)
    feeds = dict(zip(FEEDS, (minutes, resampled(minutes, 180), resampled(minutes, 900)), strict=True))
    return dataclasses.replace(
        market_of(minutes, shift=shift), feeds=feeds, start=START + LEAD, end=START + (MINUTES - 1) * 60, warmup=True
    )


def watched(market: Market) -> Any:
    """The controller after a run."""
    kept: list[Any] = []
    config = WatcherConfig(id="x", total_amount_quote=100)
    made = Watcher.__init__

    def noting(self: Any, *args: Any, **kwargs: Any) -> None:
        made(self, *args, **kwargs)
        kept.append(self)

    Watcher.__init__ = noting  # type: ignore[method-assign]
    try:
        asyncio.run(LiveEngine(FillRules()).run(config, market))
    finally:
        Watcher.__init__ = made  # type: ignore[method-assign]
    return kept[0]


@functools.cache
def seen_in_full(shift: int) -> dict[float, list[Any]]:
    """What the watcher sees in the small market, which every case compares with."""
    return watched(small_market(shift)).seen


@settings(max_examples=cases(12))
@given(row=st.integers(1, 60), shift=st.integers(0, 2))
def test_what_a_controller_can_see_does_not_depend_on_what_comes_later(row: int, shift: int) -> None:
    market = small_market(shift)
    moment = START + LEAD + row * 60.0
    full, other = seen_in_full(shift), watched(changed_market(market, moment)).seen
    before = [time for time in full if time + 60 <= moment]
    assert len(before) == row
    assert [full[time] for time in before] == [other[time] for time in before]
    later = [time for time in full if time >= moment]
    assert any(full[time] != other[time] for time in later)


def test_a_row_shows_nothing_that_has_not_happened_at_its_close() -> None:
    seen = watched(small_market(0)).seen
    closes = random_walk(MINUTES, seed=8).set_index("timestamp")["close"]
    for time, values in seen.items():
        assert float(values[0]) == closes.loc[time]
        for rows in values[3:]:
            assert rows[-1][0] <= time
            assert rows[-1][4] == closes.loc[time]


def test_no_array_within_reach_of_a_controller_holds_a_later_price() -> None:
    """Everything that hangs on the provider and on what the controller is told, in memory, in the middle of a run."""
    market = small_market(0)
    marked = 777_777.0
    for feed in market.feeds.values():
        feed.loc[feed["timestamp"] >= START + LEAD + 60 * 60, ["open", "high", "low", "close"]] = marked
    found: list[Any] = []

    class Prying(Watcher):
        async def update_processed_data(self) -> None:
            if self.market_data_provider.time() != START + LEAD + 59 * 60:
                return
            roots = [self.market_data_provider, *self.executors_info, *self.positions_held]
            arrays = [one for one in reachable(roots) if isinstance(one, np.ndarray) and one.dtype == float]
            found.extend(one for one in arrays if (one == marked).any())

    class PryingConfig(WatcherConfig):
        def get_controller_class(self) -> Any:
            return Prying

    asyncio.run(LiveEngine(FillRules()).run(PryingConfig(id="x", total_amount_quote=100), market))
    assert not found


def reachable(roots: list[Any]) -> list[Any]:
    """What can be reached from some objects through attributes and containers, without modules, classes and frames;
    arrays also through their base."""
    seen: dict[int, Any] = {}
    todo = list(roots)
    while todo:
        one = todo.pop()
        if id(one) in seen or isinstance(one, type | types.ModuleType | types.FrameType | types.CoroutineType):
            continue
        if isinstance(one, types.FunctionType | types.BuiltinFunctionType | asyncio.AbstractEventLoop):
            continue
        seen[id(one)] = one
        if isinstance(one, np.ndarray) and one.base is not None:
            todo.append(one.base)
        if isinstance(one, pd.DataFrame | pd.Series):
            todo += list(one._mgr.arrays)
        todo += gc.get_referents(one)
    return list(seen.values())


CHEATS = [
    "whole_window", "negative_shift", "negative_shift_nan", "centred", "rank", "hour_high", "backfill", "line_fit",
    "seldom", "late",
]  # fmt: skip


def cheating(kind: str, folder: Path, market: Market) -> Any:
    values = {
        "controller_type": "directional_trading", "controller_name": "suspect", "connector_name": CONNECTOR,
        "trading_pair": PAIR, "total_amount_quote": 1000, "kind": kind, "stop_loss": 0.01, "take_profit": 0.004,
        "time_limit": 1800, "cooldown_time": 300, "until": market.end,
    }  # fmt: skip
    return controller_config(values, folder)


@pytest.mark.parametrize("kind", CHEATS)
def test_a_cheat_decides_the_same_whatever_comes_later(kind: str, audited_market: Market, cheats: Path) -> None:
    market = dataclasses.replace(audited_market, end=audited_market.start + 4 * 3600)
    moment = market.start + 3 * 3600.0

    def decided(on: Market) -> list[Any]:
        outcome = asyncio.run(LiveEngine(FillRules()).run(cheating(kind, cheats, market), on))
        return sorted(
            (one.timestamp, one.config.side.name, one.config.entry_price, one.config.amount)
            for one in outcome.executors
            if one.timestamp + 60 <= moment
        )

    assert decided(market) == decided(changed_market(market, moment))


@pytest.mark.parametrize("kind", ["negative_shift", "negative_shift_nan"])
def test_what_a_cheat_earns_on_the_jump_engine_it_does_not_earn_live(
    kind: str, audited_market: Market, cheats: Path
) -> None:
    at_once = dataclasses.replace(audited_market, shift=0)
    jump = asyncio.run(JumpEngine(FillRules()).run(cheating(kind, cheats, audited_market), at_once))
    live = asyncio.run(LiveEngine(FillRules()).run(cheating(kind, cheats, audited_market), at_once))
    assert jump.results["net_pnl_quote"] > 0
    assert live.results["net_pnl_quote"] <= 0


def test_frames_are_what_their_reader_makes_of_them_and_nobody_elses() -> None:
    """The watcher overwrites a frame at every tick; what it sees next is whole."""
    seen = watched(small_market(1)).seen
    assert all(row[4] > 0 for values in seen.values() for rows in values[3:] for row in rows)

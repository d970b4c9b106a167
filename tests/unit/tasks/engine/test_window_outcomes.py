"""A back-test on a window is the back-test of a plain sweep over that period, to the last bit, on both engines."""

from __future__ import annotations

import asyncio
import dataclasses
import random
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from benchmarks.workloads.controllers import Bollinger, BollingerConfig
from benchmarks.workloads.market import PAIR as TRADED
from tasks.engine._base import Engine, Market
from tasks.engine.compare import compare
from tasks.engine.fills import FillRules
from tasks.engine.jump.engine import JumpEngine
from tasks.engine.scenarios import market_of as market_under
from tasks.engine.stock import StockEngine
from tasks.protocol.scenario import Scenario
from tests.unit.tasks.engine.test_scenarios import HOUR, PERIOD, definition, market, sliced

#: A window of two hours in the middle of the period.
WINDOW = Scenario(start=PERIOD[0] + 20 * HOUR, end=PERIOD[0] + 22 * HOUR - 60)


class Cheating(Bollinger):
    """Knows the mean of everything it can reach: it trades back to it before the rest of the window is known."""

    async def update_processed_data(self) -> None:
        """Signal 1 below the mean of the whole frame, -1 above it."""
        config = self.config
        df = self.market_data_provider.get_candles_df(config.connector_name, config.trading_pair, "3m", 10).copy()
        df["signal"] = np.where(df["close"] < df["close"].mean(), 1, -1)
        self.processed_data = {"signal": int(df["signal"].iloc[-1]), "features": df}


def config_of(controller: type, interval: str) -> Any:
    chosen = type("Config", (BollingerConfig,), {"get_controller_class": lambda self: controller})
    return chosen(
        id="case", connector_name="binance_perpetual", trading_pair=TRADED, total_amount_quote=Decimal(1000),
        interval=interval, length=20, deviations=1.0, cooldown_time=60, max_executors_per_side=2, time_limit=1200,
    )  # fmt: skip


def engines() -> dict[str, Engine]:
    return {
        "stock": StockEngine(),
        "jump": JumpEngine(),
        "honest": JumpEngine(FillRules(maker_cost=0.0002, taker_cost=0.0006, slippage_bps=1.0)),
    }


def outcome(engine: Engine, controller: type, interval: str, on: Market) -> Any:
    random.seed(3)
    return asyncio.run(engine.run(config_of(controller, interval), on))


@pytest.mark.parametrize("interval", ["1m", "3m"])
@pytest.mark.parametrize(
    ("engine", "shift", "warmup"), [("stock", 0, False), ("jump", 0, False), ("jump", 1, True), ("honest", 1, True)]
)
def test_a_window_gives_what_a_plain_sweep_over_it_gives(engine: str, shift: int, warmup: bool, interval: str) -> None:
    about = definition(shift=shift, warmup=warmup)
    whole = dataclasses.replace(market(about), shift=shift, warmup=warmup)
    windowed = market_under(whole, WINDOW, WINDOW.applied(about))
    assert WINDOW.start is not None
    assert WINDOW.end is not None
    alone = dataclasses.replace(
        whole,
        trade_cost=about.trade_cost,
        feeds=sliced(WINDOW.start, WINDOW.end),
        start=WINDOW.start,
        end=WINDOW.end,
        shift=shift,
        warmup=warmup,
    )
    first = outcome(engines()[engine], Bollinger, interval, windowed)
    second = outcome(engines()[engine], Bollinger, interval, alone)
    assert first.results == second.results
    assert first.results["total_executors"] > 0
    assert np.array_equal(first.equity, second.equity)
    assert np.array_equal(first.timestamps, second.timestamps)
    assert compare(first, second) == []


def test_what_a_cheat_knows_of_a_training_window_is_of_no_use_in_the_test() -> None:
    """It knows the mean of the whole window and trades on it; what comes after the window's end changes nothing, for
    the candles of the test are not there to be known."""
    about = definition(shift=0, warmup=False)
    whole = market(about)
    other = {feed: frame.copy() for feed, frame in whole.feeds.items()}
    assert WINDOW.end is not None
    for frame in other.values():  # the same market up to the window's end, and another one after it
        later = frame["timestamp"] > WINDOW.end
        frame.loc[later, ["open", "high", "low", "close"]] *= 3.0
    decisions = [
        outcome(
            StockEngine(),
            Cheating,
            "3m",
            market_under(dataclasses.replace(whole, feeds=feeds), WINDOW, WINDOW.applied(about)),
        )
        for feeds in (dict(whole.feeds), other)
    ]
    assert decisions[0].results == decisions[1].results
    assert decisions[0].results["total_executors"] > 0

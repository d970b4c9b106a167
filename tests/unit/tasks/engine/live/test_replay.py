"""A back-test and its live replay: what is counted, and the reason of the first difference."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from typing import Any

import pytest

from benchmarks.workloads.controllers import Bollinger, BollingerConfig
from tasks.engine._base import Market
from tasks.engine.fills import STOCK, FillRules
from tasks.engine.jump.engine import JumpEngine
from tasks.engine.live.engine import LiveEngine, LiveOptions
from tasks.engine.live.need import quotes_price_of_now, why_live
from tasks.engine.live.replay import Replay, Runs, known_reason, replay
from tests.unit.tasks.engine.live.test_decisions import DIRECTIONAL, config_of
from tests.unit.tasks.engine.live.test_no_future import cheating


class SmoothConfig(BollingerConfig):
    controller_name: str = "smooth"

    def get_controller_class(self) -> Any:
        return Smooth


class Smooth(Bollinger):
    """Crossings of an average with a memory much longer than the candles it asks for."""

    async def update_processed_data(self) -> None:
        config = self.config
        df = self.market_data_provider.get_candles_df(
            config.connector_name, config.trading_pair, config.interval, config.length
        )
        df["slow"] = df["close"].ewm(alpha=1 / 200, adjust=False).mean()
        df["signal"] = (df["close"] > df["slow"]).astype(int) * 2 - 1
        self.processed_data = {"signal": int(df["signal"].iloc[-1]), "features": df}


class EvenHoursConfig(BollingerConfig):
    controller_name: str = "even_hours"

    def get_controller_class(self) -> Any:
        return EvenHours


class EvenHours(Bollinger):
    """Buys in even hours, by the times of the candles."""

    async def update_processed_data(self) -> None:
        config = self.config
        df = self.market_data_provider.get_candles_df(
            config.connector_name, config.trading_pair, config.interval, config.length
        )
        df["signal"] = (df["timestamp"] // 3600 % 2 == 0).astype(int)
        self.processed_data = {"signal": int(df["signal"].iloc[-1]), "features": df}


def even_hours(interval: str) -> Any:
    values = {**DIRECTIONAL, "interval": interval, "length": 40}
    return EvenHoursConfig(
        id="x", connector_name="binance_perpetual", trading_pair="BTC-USDT", total_amount_quote=1000, **values
    )


def smooth() -> Any:
    values = {**DIRECTIONAL, "interval": "5m", "length": 40}
    return SmoothConfig(
        id="x", connector_name="binance_perpetual", trading_pair="BTC-USDT", total_amount_quote=1000, **values
    )


def replayed(market: Market, make: Any, *, stock: bool = False, budget_s: float = 0.0) -> Replay:
    async def run() -> Replay:
        rules = STOCK if stock else FillRules()
        back_test = await JumpEngine(rules).run(make(), market)

        async def live(options: LiveOptions) -> Any:
            return await LiveEngine(FillRules(), options).run(make(), market)

        async def again(other: Market) -> Any:
            return await JumpEngine(FillRules()).run(make(), other)

        otherwise = known_reason(await why_live(make, market), quotes_price_of_now(make()), market.shift)
        return await replay(back_test, Runs(live, again, market, same_fills=not stock), otherwise, budget_s=budget_s)

    return asyncio.run(run())


def test_where_nothing_differs_every_trade_is_the_same(two_pairs: Market) -> None:
    found = replayed(two_pairs, lambda: config_of("bands"))
    assert found.same > 5
    assert (found.changed, found.missing, found.extra, found.first, found.covered) == (0, 0, 0, None, 1.0)
    assert found.trades_same == 1.0
    assert found.live_pnl_quote == found.backtest_pnl_quote != 0
    assert found.equity["live"] == found.equity["backtest"]


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: config_of("bands on unfinished candles"), "unfinished candle"),
        (smooth, "less history than the back-test has"),
        (lambda: even_hours("5m"), "times of candles"),
        (lambda: even_hours("15m"), "times of candles"),
        (lambda: config_of("counter"), "state per tick: its update_processed_data keeps state in self.mean"),
        (lambda: config_of("simple maker"), "price of now: the back-test holds the reference price back by 1 candles"),
    ],
)
def test_the_reason_of_the_first_difference_is_named(make: Any, reason: str, two_pairs: Market) -> None:
    found = replayed(two_pairs, make)
    assert found.first is not None
    assert found.why.startswith(reason)
    assert found.trades_same is not None
    assert found.trades_same < 1


@pytest.mark.parametrize("kind", ["whole_window", "negative_shift_nan", "hour_high", "seldom"])
def test_a_back_test_that_looks_ahead_is_told_so(kind: str, audited_market: Market, cheats: Path) -> None:
    found = replayed(audited_market, lambda: cheating(kind, cheats, audited_market))
    assert found.first is not None
    assert found.why.startswith("look-ahead: "), found.why


@pytest.mark.parametrize("kind", ["bands", "expanding"])
def test_an_honest_one_is_not(kind: str, audited_market: Market, cheats: Path) -> None:
    found = replayed(audited_market, lambda: cheating(kind, cheats, audited_market))
    assert "look-ahead" not in found.why


def test_other_fills_are_a_reason_of_their_own(two_pairs: Market) -> None:
    found = replayed(two_pairs, lambda: config_of("bands"), stock=True)
    assert found.first is not None
    assert found.why == "fills"


def test_a_replay_that_has_no_time_left_says_how_far_it_came(two_pairs: Market) -> None:
    found = replayed(two_pairs, lambda: config_of("bands"), budget_s=1e-9)
    assert found.covered < 1
    assert found.extra == found.missing == 0


def test_the_answer_is_plain_json(two_pairs: Market) -> None:
    import ujson

    found = replayed(dataclasses.replace(two_pairs, end=two_pairs.start + 7200), smooth)
    assert ujson.loads(ujson.dumps(found.to_dict()))["trades"].keys() == {"same", "changed", "missing", "extra"}

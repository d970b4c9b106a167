"""What users' controllers do to their configs, features and executors while they trade: the stock engine's outcome."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from benchmarks.workloads.controllers import Bollinger, BollingerConfig, Patient, PatientConfig, SimpleMaker
from benchmarks.workloads.controllers import SimpleMakerConfig as MakerConfig
from benchmarks.workloads.market import PAIR, market_of, random_walk
from tasks.engine._base import Market, Outcome
from tasks.engine.compare import compare
from tasks.engine.jump.engine import JumpEngine
from tasks.engine.stock import StockEngine
from tasks.errors import ControllerError
from tasks.isolation.seeding import held_clock, seed_rng
from tasks.upstream.names import CreateExecutorAction, StopExecutorAction


@pytest.fixture(scope="module")
def market() -> Market:
    return market_of(random_walk(140, seed=4, volatility=0.002))


def made(base: type, controller: type, **values: Any) -> Any:
    chosen: Any = type(base.__name__, (base,), {"get_controller_class": lambda self: controller})
    levels = {"buy_spreads": "0.001,0.004", "sell_spreads": "0.001", "buy_amounts_pct": "", "sell_amounts_pct": ""}
    usual = levels if issubclass(base, MakerConfig) else {"length": 20, "deviations": 1.0, "cooldown_time": 60}
    common = {"id": "case", "connector_name": "binance_perpetual", "trading_pair": PAIR, "total_amount_quote": 1000}
    return chosen(**{**common, **(usual if base is not PatientConfig else {}), **values})


def run(engine: Any, config: Any, market: Market) -> Outcome:
    seed_rng(3, 0)
    outcome: Outcome = asyncio.run(engine.run(config, market))
    return outcome


def both(config: Any, market: Market) -> Outcome:
    """The jump-ahead engine's outcome, equal to the stock engine's, curves included."""
    jump = run(JumpEngine(), config.model_copy(deep=True), market)
    stock = run(StockEngine(), config, market)
    assert compare(stock, jump) == []
    np.testing.assert_allclose(jump.equity, stock.equity, rtol=1e-9, atol=1e-7)
    return jump


class SpendsItsSignals(Bollinger):
    def get_executor_config(self, trade_type: Any, price: Decimal, amount: Decimal) -> Any:
        features, now = self.processed_data["features"], self.market_data_provider.time()
        features.loc[(features.index > now) & (features.index < now + 3600), "signal"] = 0
        return super().get_executor_config(trade_type, price, amount)


class AddsColumns(Bollinger):
    def get_executor_config(self, trade_type: Any, price: Decimal, amount: Decimal) -> Any:
        self.processed_data["features"]["traded"] = 1.0
        return super().get_executor_config(trade_type, price, amount)


class WritesFloats(SpendsItsSignals):
    async def update_processed_data(self) -> None:
        await super().update_processed_data()
        self.processed_data["features"] = self.processed_data["features"].astype(float)


@pytest.mark.parametrize("controller", [SpendsItsSignals, WritesFloats])
def test_features_written_to_while_trading_are_left_to_stock(controller: type, market: Market) -> None:
    outcome = both(made(BollingerConfig, controller), market)
    assert (outcome.engine, outcome.engine_note) == (
        "stock",
        "the controller writes into its features while it trades",
    )


def test_a_column_added_while_trading_disturbs_nothing() -> None:
    assert (
        both(made(BollingerConfig, AddsColumns), market_of(random_walk(1500, seed=4, volatility=0.002))).engine
        == "jump"
    )


class MovesItsSettings(SimpleMaker):
    def get_executor_config(self, level_id: str, price: Decimal, amount: Decimal) -> Any:
        self.rng = getattr(self, "rng", None) or random.Random(5)
        self.config.executor_refresh_time = self.rng.choice([0, 60, 300])
        self.config.cooldown_time = self.rng.choice([0, 60, 4000])
        self.config.skip_rebalance = self.rng.random() < 0.5
        return super().get_executor_config(level_id, price, amount)


class BecomesSpot(SimpleMaker):
    def get_executor_config(self, level_id: str, price: Decimal, amount: Decimal) -> Any:
        self.config.connector_name = "binance"
        return super().get_executor_config(level_id, price, amount)


@pytest.mark.parametrize("controller", [MovesItsSettings, BecomesSpot])
@pytest.mark.parametrize("connector", ["binance", "binance_perpetual"])
def test_settings_changed_while_trading_count_from_that_moment(controller: type, connector: str) -> None:
    market = market_of(random_walk(140, seed=4, volatility=0.002), connector=connector)
    config = made(MakerConfig, controller, connector_name=connector, stop_loss="0.002", executor_refresh_time=120)
    assert both(config, market).engine == "jump"


class WithOwnClock(SimpleMaker):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.market_data_provider.time = lambda: self.market_data_provider._time - 30.0


def test_a_clock_of_its_own_is_asked(market: Market) -> None:
    outcome = both(made(MakerConfig, WithOwnClock), market)
    assert outcome.engine == "step"
    assert "market_data_provider" in outcome.engine_note


class ChangesItsMind(Bollinger):
    def get_executor_config(self, trade_type: Any, price: Decimal, amount: Decimal) -> Any:
        self.can_create_executor = lambda signal: False
        return super().get_executor_config(trade_type, price, amount)


def test_a_decision_method_put_there_while_trading_is_noticed(market: Market) -> None:
    outcome = both(made(BollingerConfig, ChangesItsMind), market)
    assert outcome.engine == "stock"
    assert "can_create_executor" in outcome.engine_note


class Reuses(Bollinger):
    """One config object for all its executors, one after the other or at the same time."""

    one: Any = None

    def get_executor_config(self, trade_type: Any, price: Decimal, amount: Decimal) -> Any:
        if self.one is None:
            self.one = super().get_executor_config(trade_type, price, amount)
        self.one.timestamp, self.one.side = self.market_data_provider.time(), trade_type
        return self.one


class Copies(Reuses):
    """Copies that share their id."""

    def get_executor_config(self, trade_type: Any, price: Decimal, amount: Decimal) -> Any:
        return super().get_executor_config(trade_type, price, amount).model_copy()


@pytest.mark.parametrize("controller", [Reuses, Copies])
@pytest.mark.parametrize("room", [1, 3])
def test_configs_used_again(controller: type, room: int, market: Market) -> None:
    barriers = {"stop_loss": "0.004", "take_profit": "0.004", "max_executors_per_side": room}
    outcome = both(made(BollingerConfig, controller, **barriers), market)
    assert len(outcome.executors) > 3


class Spoils(Patient):
    """Its third executor gets an amount that no config may have."""

    made = 0

    def determine_executor_actions(self) -> list[Any]:
        actions = super().determine_executor_actions()
        for action in actions:
            self.made += 1
            action.executor_config.amount *= self.made != 3
        return actions


class Leaves(Patient):
    """Stops all on the way, and leaves something in `processed_data` on the last candle."""

    def determine_executor_actions(self) -> list[Any]:
        self.processed_data = {"fresh": self.market_data_provider.time()}
        stops = [StopExecutorAction(executor_id=one.id, keep_position=True) for one in self.executors_info[:1]]
        return [*super().determine_executor_actions(), *stops]


class Unsupported(Patient):
    def determine_executor_actions(self) -> list[Any]:
        actions = super().determine_executor_actions()
        odd = [one.executor_config.model_copy(update={"type": "twap_executor"}) for one in actions]
        return [CreateExecutorAction.model_construct(executor_config=_Twap(one)) for one in odd]


class _Twap:
    def __init__(self, like: Any) -> None:
        self.type, self.id = "twap_executor", like.id


@pytest.mark.parametrize("controller", [Spoils, Unsupported])
def test_what_cannot_be_traded_fails_alike(controller: type, market: Market) -> None:
    said = []
    for engine in (StockEngine(), JumpEngine()):
        with pytest.raises(ControllerError) as caught:
            run(engine, made(PatientConfig, controller), market)
        said.append(str(caught.value))
    assert said[0] == said[1]
    assert "at candle 2024-01-01T0" in said[0]


def test_what_is_written_on_the_last_candle_stays(market: Market) -> None:
    class EveryCandle(Leaves):
        next_decision_time = None  # type: ignore[assignment]  # asked at every candle

    assert list(both(made(PatientConfig, EveryCandle), market).processed_data) == ["fresh"]


class WhenInWords(Patient):
    def next_decision_time(self) -> Any:
        return "tomorrow"


def test_a_moment_that_is_no_number_is_refused(market: Market) -> None:
    with pytest.raises(ControllerError, match="next_decision_time gives 'tomorrow'"):
        run(JumpEngine(), made(PatientConfig, WhenInWords), market)


def test_dice_repeat_per_point_and_the_clock_can_be_held() -> None:
    def seeded(point: int) -> tuple[float, float]:
        seed_rng(1, point)
        return random.random(), float(np.random.rand())

    assert seeded(1) == seeded(1) != seeded(2)
    with held_clock():
        first = time.time()
        time.sleep(0.01)
        assert time.time() == first
    assert time.time() > first


@pytest.fixture(autouse=True)
def calm() -> Iterator[None]:
    Spoils.made = 0
    yield

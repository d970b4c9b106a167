"""Which way a controller is run, what it sees meanwhile, and what is said when it cannot be run."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from benchmarks.workloads.controllers import (
    Bollinger,
    BollingerConfig,
    OverridingMaker,
    OverridingMakerConfig,
    Patient,
    PatientConfig,
    SimpleMaker,
    SimpleMakerConfig,
)
from benchmarks.workloads.market import PAIR, market_of, random_walk
from tasks.engine._base import Market, Outcome
from tasks.engine.compare import compare
from tasks.engine.fills import FillRules
from tasks.engine.jump import ledger
from tasks.engine.jump.engine import JumpEngine
from tasks.engine.stock import StockEngine
from tasks.errors import ControllerError
from tasks.upstream import fingerprint
from tasks.upstream.names import (
    BacktestingEngineBase,
    CreateExecutorAction,
    DirectionalTradingControllerBase,
    ExecutorConfigBase,
    ExecutorInfo,
    MarketMakingControllerBase,
    PositionExecutorConfig,
    PositionExecutorSimulator,
    StopExecutorAction,
    TradeType,
)

ROWS = 140


@pytest.fixture(scope="module", autouse=True)
def also_the_shortest_periods() -> Iterator[None]:
    """A run leaves a few candles to the stock engine; here they are compared, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tasks.engine.jump.engine.FEW", 0)
        yield


@pytest.fixture(scope="module")
def market() -> Market:
    return market_of(random_walk(ROWS, seed=4, volatility=0.002))


def made(config_class: type, controller: type | None = None, **values: Any) -> Any:
    """A config; of `controller`, where it is not the class's own."""
    chosen = config_class
    if controller is not None:
        chosen = type(config_class.__name__, (config_class,), {"get_controller_class": lambda self: controller})
    common = {"id": "case", "connector_name": "binance_perpetual", "trading_pair": PAIR}
    return chosen(**{**common, "total_amount_quote": Decimal(1000), **values})


def bollinger(controller: type | None = None, **values: Any) -> Any:
    return made(BollingerConfig, controller, **{"length": 20, "deviations": 1.0, "cooldown_time": 60, **values})


def maker(controller: type | None = None, **values: Any) -> Any:
    levels = {"buy_spreads": "0.001,0.004", "sell_spreads": "0.001", "buy_amounts_pct": "", "sell_amounts_pct": ""}
    return made(SimpleMakerConfig, controller, **{**levels, "executor_refresh_time": 120, **values})


def run(engine: Any, config: Any, market: Market) -> Outcome:
    random.seed(3)
    outcome: Outcome = asyncio.run(engine.run(config, market, curves=False))
    return outcome


def assert_equal(config: Any, market: Market) -> Outcome:
    jump = run(JumpEngine(), config.model_copy(deep=True), market)
    stock = run(StockEngine(), config, market)
    assert compare(stock, jump) == []
    assert len(jump.executors) > 0
    return jump


def test_controllers_that_only_give_values_are_jumped_over(market: Market) -> None:
    for config in (bollinger(), maker()):
        outcome = assert_equal(config, market)
        assert (outcome.engine, outcome.engine_note) == ("jump", "")


@pytest.mark.parametrize("shift", [0, 1, 2])
@pytest.mark.parametrize("warmup", [False, True])
def test_shifted_and_warmed_up_features_of_another_interval(shift: int, warmup: bool) -> None:
    fast, slow = random_walk(660, seed=5, volatility=0.002), random_walk(220, seed=5, seconds=180, volatility=0.003)
    feeds = {f"binance_perpetual_{PAIR}_1m": fast, f"binance_perpetual_{PAIR}_3m": slow}
    start = int(fast["timestamp"].iloc[400])
    market = replace(market_of(fast, shift=shift), feeds=feeds, start=start, warmup=warmup)
    assert assert_equal(bollinger(interval="3m"), market).engine == "jump"
    assert assert_equal(maker(), market).engine == "jump"


class Mixin:
    def executors_to_early_stop(self) -> list[Any]:
        return [StopExecutorAction(executor_id=one.id) for one in self.executors_info if one.is_trading]


class MixedMaker(Mixin, SimpleMaker):
    pass


class RoomyBollinger(Bollinger):
    def can_create_executor(self, signal: int) -> bool:
        return len([one for one in self.executors_info if one.is_active]) < 7


class PatchedMaker(SimpleMaker):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.get_levels_to_execute = lambda: ["buy_0"] if not self.executors_info else []


class WritingMaker(SimpleMaker):
    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)


@pytest.mark.parametrize(
    ("config", "word"),
    [
        (maker(MixedMaker), "executors_to_early_stop"),
        (bollinger(RoomyBollinger), "can_create_executor"),
        (maker(PatchedMaker), "get_levels_to_execute"),
        (maker(WritingMaker), "__setattr__"),
    ],
)
def test_decision_logic_of_its_own_is_asked_at_every_candle(config: Any, word: str, market: Market) -> None:
    outcome = assert_equal(config, market)
    assert outcome.engine == "step"
    assert word in outcome.engine_note


def test_an_overridden_decision_in_a_subclass_of_a_base_is_asked(market: Market) -> None:
    config = made(
        OverridingMakerConfig, buy_spreads="0.001", sell_spreads="0.001", buy_amounts_pct="", sell_amounts_pct=""
    )
    assert assert_equal(config, market).engine == "step"


class CountingPatient(Patient):
    asked = 0

    def determine_executor_actions(self) -> list[Any]:
        type(self).asked += 1
        return super().determine_executor_actions()


def test_a_controller_that_says_when_is_asked_then(market: Market) -> None:
    outcome = run(JumpEngine(), made(PatientConfig, CountingPatient), market)
    asked = CountingPatient.asked
    assert outcome.engine == "jump"
    assert compare(run(StockEngine(), made(PatientConfig), market), outcome) == []
    assert 0 < asked < ROWS / 4


def test_a_changed_decision_method_of_the_base_is_asked(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    original = MarketMakingControllerBase.executors_to_refresh

    def executors_to_refresh(self: Any) -> list[Any]:
        return [] if len(self.executors_info) > 3 else original(self)

    monkeypatch.setattr(MarketMakingControllerBase, "executors_to_refresh", executors_to_refresh)
    outcome = assert_equal(maker(), market)
    assert outcome.engine == "step"
    assert "executors_to_refresh" in outcome.engine_note


@pytest.mark.parametrize(
    ("cls", "name"), [(PositionExecutorSimulator, "simulate"), (BacktestingEngineBase, "handle_stop_action")]
)
def test_a_changed_engine_or_simulator_runs_on_stock(
    cls: type, name: str, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = getattr(cls, name)

    def changed(self: Any, *args: Any) -> Any:
        return original(self, *args)

    monkeypatch.setattr(cls, name, changed)
    outcome = assert_equal(maker(), market)
    assert outcome.engine == "stock"
    assert f"{cls.__name__}.{name}" in outcome.engine_note


def test_what_was_verified_is_what_is_installed() -> None:
    assert fingerprint.table() == fingerprint.VERIFIED
    assert fingerprint.changed_engine() == ""
    for base in (DirectionalTradingControllerBase, MarketMakingControllerBase):
        assert fingerprint.changed_decisions(base) == ""


class ClashingBollinger(Bollinger):
    async def update_processed_data(self) -> None:
        await super().update_processed_data()
        self.processed_data["features"]["ts"] = 1.0


def test_features_that_clash_with_upstreams_simulators_run_on_stock(market: Market) -> None:
    outcome = assert_equal(bollinger(ClashingBollinger, trailing_stop="0.004,0.002"), market)
    assert outcome.engine == "stock"
    assert "'ts'" in outcome.engine_note


class WordyBollinger(Bollinger):
    async def update_processed_data(self) -> None:
        await super().update_processed_data()
        self.processed_data["features"]["word"] = "up"
        self.processed_data["features"]["flag"] = True

    def get_executor_config(self, trade_type: Any, price: Decimal, amount: Decimal) -> Any:
        assert self.processed_data["word"] == "up"
        assert self.processed_data["flag"] is True
        assert self.processed_data["close"] == float(price)
        return super().get_executor_config(trade_type, price, amount)


def test_features_that_are_no_numbers_reach_the_controller(market: Market) -> None:
    assert assert_equal(bollinger(WordyBollinger), market).engine == "jump"


class Keeper(OverridingMaker):
    """Keeps what it saw, and writes down what it said at the time."""

    def determine_executor_actions(self) -> list[Any]:
        kept = self.__dict__.setdefault("kept", [])
        seen = self.executors_info
        kept.append((seen, self.positions_held, [str(one) for one in seen], str(self.positions_held)))
        self.processed_data["kept"] = kept
        return super().determine_executor_actions()


def test_what_a_controller_keeps_keeps_its_values(market: Market) -> None:
    config = maker(Keeper, take_profit=None, stop_loss="0.05")
    jump = run(JumpEngine(), config, market)
    kept = jump.processed_data["kept"]
    assert len(kept) == ROWS
    for seen, held, said, held_said in kept:
        assert isinstance(seen, list)
        assert [str(one) for one in seen] == said
        assert str(held) == held_said
    assert any(held for _, held, _, _ in kept)


class LateReader(OverridingMaker):
    """Keeps the lists unread until the end."""

    def determine_executor_actions(self) -> list[Any]:
        self.processed_data.setdefault("kept", []).append(self.executors_info)
        return MarketMakingControllerBase.determine_executor_actions(self)


def test_a_list_read_late_shows_its_own_candle(market: Market) -> None:
    config = maker(LateReader)
    stock, jump = run(StockEngine(), config.model_copy(), market), run(JumpEngine(), config, market)
    for expected, got in zip(stock.processed_data["kept"], jump.processed_data["kept"], strict=True):
        assert [one.net_pnl_quote for one in expected] == [one.net_pnl_quote for one in got]
        assert [one.status for one in expected] == [one.status for one in got]


def test_an_ended_executor_is_one_object_and_a_change_to_it_counts(market: Market) -> None:
    class Meddler(OverridingMaker):
        def determine_executor_actions(self) -> list[Any]:
            for one in self.executors_info:
                if not one.is_active:
                    one.custom_info["seen"] = one.custom_info.get("seen", 0) + 1
                    one.net_pnl_quote = Decimal("-1")
            return super().determine_executor_actions()

    outcome = assert_equal(maker(Meddler), market)
    assert max(one.custom_info.get("seen", 0) for one in outcome.executors) > 1


class RaisingMaker(SimpleMaker):
    def get_executor_config(self, level_id: str, price: Decimal, amount: Decimal) -> Any:
        if self.market_data_provider.time() > 1704067200 + 3600:
            raise ValueError("no more levels")
        return super().get_executor_config(level_id, price, amount)


def test_what_a_controller_raises_names_the_candle(market: Market) -> None:
    messages = []
    for engine in (StockEngine(), JumpEngine()):
        with pytest.raises(ControllerError, match="ValueError: no more levels") as raised:
            run(engine, maker(RaisingMaker), market)
        assert isinstance(raised.value.__cause__, ValueError)
        messages.append(str(raised.value))
    assert messages[0] == messages[1]
    assert "at candle 2024-01-01T01:" in messages[0]


class Arbitrage(ExecutorConfigBase):
    type: Any = "xemm_executor"


class Arbitrageur(SimpleMaker):
    def get_executor_config(self, level_id: str, price: Decimal, amount: Decimal) -> Any:
        return Arbitrage(timestamp=self.market_data_provider.time())


class AskedArbitrageur(Arbitrageur):
    def determine_executor_actions(self) -> list[Any]:
        return [CreateExecutorAction(executor_config=Arbitrage(timestamp=self.market_data_provider.time()))]


@pytest.mark.parametrize("controller", [Arbitrageur, AskedArbitrageur])
def test_an_executor_that_cannot_be_simulated_is_named(controller: type, market: Market) -> None:
    with pytest.raises(ControllerError, match=r"2024-01-01T00:00:00Z.*'xemm_executor' \(Arbitrage\)"):
        run(JumpEngine(), maker(controller), market)


class ConstantIds:
    """Gives executors ids of its own, the same for a level each time."""

    def get_executor_config(self, level_id: str, price: Decimal, amount: Decimal) -> Any:
        config = super().get_executor_config(level_id, price, amount)
        return PositionExecutorConfig(**{**dict(config), "id": level_id[:3]})


class AskedConstant(ConstantIds, OverridingMaker):
    pass


class Constant(ConstantIds, SimpleMaker):
    pass


@pytest.mark.parametrize("controller", [AskedConstant, Constant])
def test_executors_that_share_an_id(controller: type, market: Market) -> None:
    config = maker(controller, executor_refresh_time=600)
    stock, jump = run(StockEngine(), config.model_copy(), market), run(JumpEngine(), config, market)
    assert stock.results == jump.results
    assert list(stock.executors) == list(jump.executors)


class Hoarder(SimpleMaker):
    """Holds every second config."""

    def get_executor_config(self, level_id: str, price: Decimal, amount: Decimal) -> Any:
        config = super().get_executor_config(level_id, price, amount)
        held = self.processed_data.setdefault("held", [])
        if len(held) % 2 == 0:
            held.append(config)
        else:
            held.append(None)
        return config


def test_configs_that_were_put_away_come_back(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "PUT_AWAY_FROM", 0)
    config = maker(Hoarder, trailing_stop="0.01,0.005")
    stock, jump = run(StockEngine(), config.model_copy(), market), run(JumpEngine(), config, market)
    for expected, got in zip(stock.executors, jump.executors, strict=True):
        assert expected == got
        assert repr(expected) == repr(got)
        assert expected.config.model_fields_set == got.config.model_fields_set
        assert got.config is got.config
    held = {id(config) for config in jump.processed_data["held"] if config is not None}
    assert len(held & {id(one.config) for one in jump.executors}) >= len(jump.executors) // 2


def test_an_info_built_by_the_engine_is_the_one_pydantic_builds(market: Market) -> None:
    config = maker(OverridingMaker)
    stock, jump = run(StockEngine(), config.model_copy(), market), run(JumpEngine(), config, market)
    for expected, got in zip(stock.executors, jump.executors, strict=True):
        assert type(got) is ExecutorInfo
        assert expected == got
        assert expected.model_fields_set == got.model_fields_set
        assert expected.to_dict() == got.to_dict()
        assert repr(expected) == repr(got)
        assert {name: type(value) for name, value in dict(expected).items()} == {
            name: type(value) for name, value in dict(got).items()
        }


def test_fills_other_than_stock_have_no_stock_engine_to_fall_back_to(market: Market) -> None:
    with pytest.raises(ControllerError, match="needs stock fills"):
        run(JumpEngine(FillRules()), bollinger(ClashingBollinger), market)


def test_the_side_of_a_short_signal_counts_longs_too(market: Market) -> None:
    """Upstream's filter for a short signal is always true: reproduced, not repaired."""
    outcome = assert_equal(bollinger(max_executors_per_side=1, time_limit=60000, stop_loss=None), market)
    sides = [one.side for one in sorted(outcome.executors, key=lambda one: one.timestamp)]
    assert TradeType.BUY in sides


def test_a_few_candles_are_left_to_the_stock_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.engine.jump.engine.FEW", 10)
    outcome = run(JumpEngine(), maker(), market_of(random_walk(9, seed=4, volatility=0.002)))
    assert outcome.engine == "stock"
    assert outcome.engine_note == "fewer than 10 candles: nothing to jump over"

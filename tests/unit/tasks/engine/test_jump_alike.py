"""Executors that differ in moment, side, price and amount: their configs are upstream's, made when they are read."""

from __future__ import annotations

import asyncio
import itertools
import random
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from hummingbot.strategy_v2.controllers import directional_trading_controller_base
from pydantic import BaseModel

from benchmarks.workloads.controllers import Bollinger, BollingerConfig
from benchmarks.workloads.market import PAIR, market_of, random_walk
from tasks.engine._base import Market, Outcome
from tasks.engine.compare import compare
from tasks.engine.executors import lazy_config
from tasks.engine.fills import FillRules
from tasks.engine.jump import ledger
from tasks.engine.jump.engine import JumpEngine
from tasks.engine.stock import StockEngine
from tasks.upstream import fingerprint
from tasks.upstream.backtest.provider import SweepDataProvider
from tasks.upstream.names import (
    DirectionalTradingControllerBase,
    PositionExecutorConfig,
    TradeType,
    TrailingStop,
    TripleBarrierConfig,
)


class Plain(Bollinger):
    """All that it opens is its base class's doing."""

    get_executor_config = DirectionalTradingControllerBase.get_executor_config


class Own(Bollinger):
    def get_executor_config(self, trade_type: Any, price: Decimal, amount: Decimal) -> Any:
        return DirectionalTradingControllerBase.get_executor_config(self, trade_type, price, amount)


class OwnBarriersConfig(BollingerConfig):
    @property
    def triple_barrier_config(self) -> Any:
        return TripleBarrierConfig(stop_loss=Decimal("0.002"))


class ChangingBarriersConfig(BollingerConfig):
    """Other barriers each time it is asked."""

    asked: ClassVar[list[int]] = []

    @property
    def triple_barrier_config(self) -> Any:
        self.asked.append(1)
        return TripleBarrierConfig(stop_loss=Decimal(len(self.asked)) / 1000)


def config_of(controller: type = Plain, base: type = BollingerConfig, **values: Any) -> Any:
    chosen = type(base.__name__, (base,), {"get_controller_class": lambda self: controller})
    common = {
        "id": "case", "connector_name": "binance_perpetual", "trading_pair": PAIR, "total_amount_quote": Decimal(1000),
        "length": 20, "deviations": 1.0, "cooldown_time": 60, "max_executors_per_side": 3, "time_limit": 1200,
        "trailing_stop": TrailingStop(activation_price=Decimal("0.004"), trailing_delta=Decimal("0.002")),
    }  # fmt: skip
    return chosen(**{**common, **values})


@pytest.fixture(scope="module")
def market() -> Market:
    return market_of(random_walk(200, seed=4, volatility=0.002))


def run(engine: Any, config: Any, market: Market, *, curves: bool = False) -> Outcome:
    random.seed(3)
    outcome: Outcome = asyncio.run(engine.run(config, market, curves=curves))
    return outcome


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every LazyPositionConfig of a run."""
    those: list[Any] = []

    class Counted(lazy_config.LazyPositionConfig):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            those.append(self)

    for module in ("jump.schedulers", "jump.ledger", "jump.compact", "executors.registry"):
        monkeypatch.setattr(f"tasks.engine.{module}.LazyPositionConfig", Counted)
    return those


def test_configs_are_upstreams_to_the_id_and_the_type(market: Market, made: list[Any]) -> None:
    stock = run(StockEngine(), config_of(), market)
    jump = run(JumpEngine(), config_of(), market)
    assert len(jump.executors) > 20
    assert len(made) == len(jump.executors) - 1  # the first is upstream's own doing
    assert compare(stock, jump) == []
    for theirs, ours in zip(stock.executors, jump.executors, strict=True):
        for name in PositionExecutorConfig.model_fields:
            one, other = getattr(theirs.config, name), getattr(ours.config, name)
            assert (type(one), one) == (type(other), other), name
        assert theirs.config.model_fields_set == ours.config.model_fields_set
        assert theirs.id == ours.id
    barriers = {id(ours.config.triple_barrier_config) for ours in jump.executors}
    assert len(barriers) == len(jump.executors)


def test_no_config_is_made_that_nobody_reads(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    def made(self: Any) -> Any:
        raise AssertionError("a config was made")

    monkeypatch.setattr(lazy_config.LazyPositionConfig, "made", made)
    outcome = run(JumpEngine(), config_of(), market, curves=True)
    assert outcome.results["total_executors"] > 20


def test_what_is_put_away_comes_back(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "PUT_AWAY_FROM", 0)
    assert compare(run(StockEngine(), config_of(), market), run(JumpEngine(), config_of(), market)) == []


@pytest.mark.parametrize(
    ("controller", "base"), [(Own, BollingerConfig), (Plain, OwnBarriersConfig), (Plain, ChangingBarriersConfig)]
)
def test_what_is_a_controllers_own_is_asked_each_time(
    controller: type, base: type, market: Market, made: list[Any]
) -> None:
    stock = run(StockEngine(), config_of(controller, base), market)
    ChangingBarriersConfig.asked.clear()
    jump = run(JumpEngine(), config_of(controller, base), market)
    assert compare(stock, jump) == []
    assert made == []


def test_another_upstream_makes_each_config_itself(
    market: Market, made: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(fingerprint.VERIFIED, "ExecutorConfigBase.set_id", "0" * 16)
    assert compare(run(StockEngine(), config_of(), market), run(JumpEngine(), config_of(), market)) == []
    assert made == []


class PatchesTheProvider(Plain):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kind: Any = type(self.market_data_provider)
        kind.get_price_by_type = lambda provider, *_: next(iter(provider.prices.values())) * Decimal("1.001")


class PatchesTheBarriers(Plain):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        upstream: Any = directional_trading_controller_base
        turns = itertools.count()
        upstream.TripleBarrierConfig = lambda **values: TripleBarrierConfig(
            **{**values, "stop_loss": Decimal("0.002") * (1 + next(turns) % 5)}
        )


class PatchesTheExecutors(Plain):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        turns, kind, plain = itertools.count(1), PositionExecutorConfig, BaseModel.__init__
        kind.__init__ = lambda one, **values: plain(one, **{**values, "leverage": next(turns)})


@pytest.mark.parametrize("controller", [PatchesTheProvider, PatchesTheBarriers, PatchesTheExecutors])
def test_upstream_replaced_in_the_process_is_asked_each_time(
    controller: type, market: Market, made: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(SweepDataProvider, "get_price_by_type", SweepDataProvider.get_price_by_type)
        patch.setattr(directional_trading_controller_base, "TripleBarrierConfig", TripleBarrierConfig)
        patch.setattr(PositionExecutorConfig, "__init__", PositionExecutorConfig.__init__)
        stock, jump = (run(one, config_of(controller), market) for one in (StockEngine(), JumpEngine()))
        assert compare(stock, jump) == []
        assert made == []


class SharesAnId(Bollinger):
    def get_executor_config(self, trade_type: Any, price: Decimal, amount: Decimal) -> Any:
        made = DirectionalTradingControllerBase.get_executor_config(self, trade_type, price, amount)
        return made.model_copy(update={"id": "one"})


def test_executors_that_vanish_with_their_namesake_may_be_put_away(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "PUT_AWAY_FROM", 0)
    values = {"stop_loss": "0.004", "take_profit": "0.004"}
    stock, jump = (run(one, config_of(SharesAnId, **values), market) for one in (StockEngine(), JumpEngine()))
    assert compare(stock, jump) == []
    assert (jump.engine, jump.engine_note) == ("jump", "")


class Flips(Bollinger):
    """Turns the side of its newest executor when it opens the next."""

    newest: Any = None

    def get_executor_config(self, trade_type: Any, price: Decimal, amount: Decimal) -> Any:
        if self.newest is not None:
            self.newest.side = TradeType.SELL
        self.newest = DirectionalTradingControllerBase.get_executor_config(self, trade_type, price, amount)
        return self.newest


def test_the_side_of_a_running_executor_is_what_its_config_says_now(market: Market) -> None:
    stock, jump = (run(one, config_of(Flips), market) for one in (StockEngine(), JumpEngine()))
    assert compare(stock, jump) == []
    assert (jump.engine, jump.engine_note) == ("jump", "")


class DecimalCooldownConfig(BollingerConfig):
    cooldown_time: Any = Decimal("60.5")


def test_times_and_counts_of_another_type_are_upstreams_business(market: Market) -> None:
    config = config_of(Plain, DecimalCooldownConfig, cooldown_time=Decimal("60.5"))
    stock, jump = run(StockEngine(), config, market), run(JumpEngine(), config, market)
    assert compare(stock, jump) == []
    assert (jump.engine, jump.engine_note) == ("step", "DecimalCooldownConfig holds cooldown_time as Decimal")


def test_the_last_candle_is_seen_though_no_other_one_was(market: Market, made: list[Any]) -> None:
    config = config_of(max_executors_per_side=400, cooldown_time=1, deviations=0.0, time_limit=60)
    outcome = run(JumpEngine(), config, market)
    assert len(made) > 150
    features = outcome.processed_data["features"]
    assert outcome.processed_data["close"] == features["close"].iloc[-1]
    assert compare(run(StockEngine(), config, market), outcome) == []


def test_honest_fills_take_them_too(market: Market, made: list[Any]) -> None:
    honest = FillRules(maker_cost=0.0002, taker_cost=0.0005, slippage_bps=1.0)
    alike_ones = run(JumpEngine(fills=honest), config_of(), market, curves=True)
    assert made
    each = run(JumpEngine(fills=honest), config_of(Own), market, curves=True)
    assert compare(each, alike_ones) == []
    assert (each.equity == alike_ones.equity).all()


def test_an_alike_reads_like_its_pattern_but_for_what_differs() -> None:
    pattern = PositionExecutorConfig(
        timestamp=60.0, connector_name="binance", trading_pair=PAIR, side=TradeType.BUY, entry_price=Decimal(100),
        amount=Decimal(1), triple_barrier_config=TripleBarrierConfig(time_limit=60), leverage=5,
    )  # fmt: skip
    other = lazy_config.LazyPositionConfig(pattern, 120.0, TradeType.SELL, Decimal(99), Decimal(2))
    assert (other.timestamp, other.side, other.entry_price, other.amount) == (120.0, TradeType.SELL, 99, 2)
    assert (other.leverage, other.type, other.triple_barrier_config.time_limit) == (5, "position_executor", 60)
    assert other.id != pattern.id
    assert other.made().id == other.id

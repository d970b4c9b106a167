"""The jump-ahead engine gives the stock engine's outcome, or its error, on random controllers and random candles."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.workloads.controllers import SimpleMaker, SimpleMakerConfig
from benchmarks.workloads.market import PAIR, START, market_of
from tasks.engine.compare import compare
from tasks.engine.jump import ledger
from tasks.engine.jump.engine import JumpEngine
from tasks.engine.stock import StockEngine
from tasks.errors import HummingsweepError
from tasks.upstream.names import (
    ControllerBase,
    ControllerConfigBase,
    CreateExecutorAction,
    DCAExecutorConfig,
    DirectionalTradingControllerBase,
    DirectionalTradingControllerConfigBase,
    ExecutionStrategy,
    ExecutorInfo,
    GridExecutorConfig,
    OrderExecutorConfig,
    OrderType,
    PositionExecutorConfig,
    StopExecutorAction,
    TradeType,
    TrailingStop,
    TripleBarrierConfig,
)
from tests.cases import cases

PRICE = 100.0


@pytest.fixture(scope="module", autouse=True)
def also_the_shortest_periods() -> Iterator[None]:
    """A run leaves a few candles to the stock engine; here they are compared, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tasks.engine.jump.engine.FEW", 0)
        yield


TICK = 0.5
#: 2026, where executors are stamped by controllers that use time.time()
WALL_CLOCK = 1767225600.25
SPOT, PERPETUAL = "binance", "binance_perpetual"


def candles_of(seed: int, rows: int, calm: float) -> pd.DataFrame:
    """Prices on a coarse grid, so that levels are hit exactly: flat stretches, jumps, missing and empty candles."""
    rng = np.random.default_rng(seed)
    moves = rng.choice([-1, 0, 1, -2, 2, -8, 8], size=rows, p=[0.28, 0.32, 0.28, 0.05, 0.05, 0.01, 0.01])
    moves[rng.random(rows) < calm] = 0
    close = np.maximum(PRICE + TICK * np.cumsum(moves), 20.0)
    opened = np.concatenate([[PRICE], close[:-1]])
    reach = TICK * rng.choice([0, 0, 1, 2, 5], size=(2, rows))
    times = START + 60.0 * np.cumsum(rng.choice([1, 2, 30], size=rows, p=[0.97, 0.02, 0.01]))
    return pd.DataFrame(
        {
            "timestamp": times - times[0] + START,
            "open": opened,
            "high": np.maximum(opened, close) + reach[0],
            "low": np.minimum(opened, close) - reach[1],
            "close": close,
            "volume": rng.choice([0.0, 1.0, 12.5], size=rows),
        }
    )


class RngState:
    """Random executor configs: every kind, every barrier, levels on and off the price grid, odd timestamps."""

    def __init__(self, seed: int, kinds: str) -> None:
        self.rng = random.Random(seed)
        self.kinds = kinds

    def maybe(self, *values: str) -> Decimal | None:
        value = self.rng.choice([None, *values])
        return None if value is None else Decimal(value)

    def trailing(self) -> Any:
        if self.rng.random() < 0.6:
            return None
        activation, delta = self.rng.choice([("0.004", "0.002"), ("0.01", "0.005"), ("0.005", "0.02"), ("0.001", "1")])
        return TrailingStop(activation_price=Decimal(activation), trailing_delta=Decimal(delta))

    def limit(self) -> int | None:
        return self.rng.choice([None, 30, 60, 90, 600, 1800, 100000])

    def moment(self, now: float) -> float:
        return now + self.rng.choice([0, 0, 0, 0, 0, 0, -60, -45.5, -900, 86400 * 3, WALL_CLOCK - now])

    def price(self, price: Decimal, side: Any) -> Decimal:
        away = Decimal(self.rng.choice(["0", "0.5", "1", "2.5", "0.3333333333333333333333333333", "-1"]))
        return price - away if side == TradeType.BUY else price + away

    def side(self) -> Any:
        return self.rng.choice([TradeType.BUY, TradeType.SELL])

    def barriers(self) -> Any:
        return TripleBarrierConfig(
            stop_loss=self.maybe("0.005", "0.01", "0.03", "0.5"),
            take_profit=self.maybe("0.0046", "0.005", "0.01", "0.04"),
            time_limit=self.limit(),
            trailing_stop=self.trailing(),
            open_order_type=self.rng.choice([OrderType.LIMIT, OrderType.MARKET, OrderType.LIMIT_MAKER]),
        )

    def config(self, now: float, price: Decimal, side: Any, level_id: str | None = None) -> Any:
        kind = self.rng.choice(self.kinds)
        common = {
            "timestamp": self.moment(now), "connector_name": PERPETUAL, "trading_pair": PAIR, "side": side,
            "level_id": level_id,
        }  # fmt: skip
        if kind == "p":
            amount = self.rng.choice([Decimal("1"), Decimal("0.3"), Decimal(10) / 3])
            return PositionExecutorConfig(
                **common, entry_price=self.price(price, side), amount=amount, triple_barrier_config=self.barriers()
            )
        if kind == "d":
            sign = -1 if side == TradeType.BUY else 1
            step = Decimal(self.rng.choice(["0", "0.5", "0.5", "0.7", "1", "-0.5"]))
            levels = self.rng.randint(1, 3)
            return DCAExecutorConfig(
                **common,
                prices=[self.price(price, side) + sign * step * k for k in range(levels)],
                amounts_quote=[Decimal(self.rng.choice(["10", "33.3"])) for _ in range(levels)],
                take_profit=self.maybe("0.005", "0.01"),
                stop_loss=self.maybe(*["0.01", "0.02"] * 10),
                trailing_stop=self.trailing(),
                time_limit=self.limit(),
            )
        if kind == "g":
            width = Decimal(self.rng.choice(["1", "2.5", "6"]))
            keep = self.rng.random() < 0.5
            middle = price + Decimal(self.rng.choice(["0", "-1", "1.2"]))
            start, end = middle - width, middle + width
            limit = start - 1 if side == TradeType.BUY else end + 1
            return GridExecutorConfig(
                **common,
                start_price=start,
                end_price=end,
                limit_price=limit if self.rng.random() < 0.7 else Decimal(0),
                total_amount_quote=Decimal(self.rng.choice(["100", "40", "3"])),
                min_spread_between_orders=Decimal(self.rng.choice(["0.002", "0.01"])),
                keep_position=keep,
                coerce_tp_to_step=self.rng.random() < 0.5,
                triple_barrier_config=TripleBarrierConfig(
                    take_profit=Decimal(self.rng.choice(["0.005", "0.001"])),
                    stop_loss=self.maybe("0.01", "0.03"),
                    time_limit=self.limit(),
                ),
            )
        strategy = self.rng.choice([ExecutionStrategy.MARKET, ExecutionStrategy.LIMIT, ExecutionStrategy.LIMIT_MAKER])
        return OrderExecutorConfig(
            **common, amount=Decimal("0.7"), price=self.price(price, side), execution_strategy=strategy
        )


class SignalConfig(DirectionalTradingControllerConfigBase):
    controller_name: str = "signals"
    seed: int = 0
    density: float = 0.1
    kinds: str = "p"

    def get_controller_class(self) -> Any:
        return Signals


class AskedSignalConfig(SignalConfig):
    controller_name: str = "asked_signals"

    def get_controller_class(self) -> Any:
        return AskedSignals


class BaseSignalConfig(SignalConfig):
    controller_name: str = "base_signals"

    def get_controller_class(self) -> Any:
        return BaseSignals


class BaseSignals(DirectionalTradingControllerBase):
    """Random signals; every decision and every executor is the base's."""

    async def update_processed_data(self) -> None:
        self.rng = RngState(self.config.seed, self.config.kinds)
        df = self.market_data_provider.get_candles_df(self.config.connector_name, PAIR, "1m")
        rng = np.random.default_rng(self.config.seed)
        signal = rng.choice([1, -1], size=len(df)) * (rng.random(len(df)) < self.config.density)
        self.processed_data = {"signal": 0, "features": df.assign(signal=signal, extra=rng.random(len(df)))}


class Signals(BaseSignals):
    """Random executors, too."""

    def get_executor_config(self, trade_type: Any, price: Decimal, amount: Decimal) -> Any:
        if self.config.kinds == "base":
            return super().get_executor_config(trade_type, price, amount)
        return self.rng.config(self.market_data_provider.time(), price, trade_type)


class AskedSignals(Signals):
    """The same, asked at every candle, with a memory of all it saw."""

    def determine_executor_actions(self) -> list[Any]:
        remember(self)
        return super().determine_executor_actions()


class MakerConfig(SimpleMakerConfig):
    controller_name: str = "maker"
    seed: int = 0
    kinds: str = "p"
    refuses: float = 0.0

    def get_controller_class(self) -> Any:
        return Maker


class Maker(SimpleMaker):
    """A market maker of random executors that sometimes refuses to place a level."""

    rng: RngState | None = None

    def get_executor_config(self, level_id: str, price: Decimal, amount: Decimal) -> Any:
        self.rng = self.rng or RngState(self.config.seed, self.config.kinds)
        self.processed_data["seen"] = [*self.processed_data.get("seen", []), [str(e) for e in self.executors_info][:2]]
        if self.rng.rng.random() < self.config.refuses:
            return None
        if self.config.kinds == "base":
            return super().get_executor_config(level_id, price, amount)
        side = self.get_trade_type_from_level_id(level_id)
        return self.rng.config(self.market_data_provider.time(), price, side, level_id)


class ActorConfig(ControllerConfigBase):
    controller_name: str = "actor"
    connector_name: str = PERPETUAL
    trading_pair: str = PAIR
    seed: int = 0
    kinds: str = "pdgo"
    raises_at: int = -1

    def get_controller_class(self) -> Any:
        return Actor


class Actor(ControllerBase):
    """Creates and stops at random, keeps positions, and remembers all it saw."""

    async def update_processed_data(self) -> None:
        self.rng = RngState(self.config.seed, self.config.kinds)
        self.asked = 0

    def determine_executor_actions(self) -> list[Any]:
        remember(self)
        self.asked += 1
        if self.asked == self.config.raises_at:
            raise ValueError(f"asked {self.asked} times")
        rng, actions = self.rng.rng, []
        price = self.market_data_provider.prices[f"{PERPETUAL}_{PAIR}"]
        while rng.random() < 0.12:
            config = self.rng.config(self.market_data_provider.time(), price, self.rng.side())
            actions.append(CreateExecutorAction(executor_config=config))
        return actions + [
            StopExecutorAction(executor_id=info.id, keep_position=rng.random() < 0.6)
            for info in self.executors_info
            if rng.random() < (0.05 if info.is_active else 0.002)
        ]


def remember(controller: Any) -> None:
    """What a controller sees on a candle, kept for the comparison; every tenth time the objects themselves."""
    memory = controller.processed_data.setdefault("memory", [])
    seen = controller.executors_info
    fields = [name for name in ExecutorInfo.model_fields if name not in ("id", "config")]
    shown = [[getattr(info, name) for name in fields] for info in seen]
    kept = seen if len(memory) % 10 == 0 else []
    held = [dict(position) for position in controller.positions_held]
    memory.append([controller.market_data_provider.time(), shown, held, [info.net_pnl_quote for info in kept]])


def outcome_of(engine: Any, config: Any, market: Any) -> Any:
    """An outcome, or the error a user would read."""
    random.seed(7)  # executor ids
    try:
        return asyncio.run(engine.run(config, market, curves=True))
    except HummingsweepError as error:
        return f"{type(error).__name__}: {error}"


def assert_equal(config: Any, market: Any) -> Any:
    """Both engines agree; returns the jump engine's outcome or error."""
    stock = outcome_of(StockEngine(), config.model_copy(deep=True), market)
    with pytest.MonkeyPatch.context() as patched:
        if config.model_dump().get("seed", 0) % 2:
            patched.setattr(ledger, "PUT_AWAY_FROM", 0)
        jump = outcome_of(JumpEngine(), config, market)
    if isinstance(stock, str) or isinstance(jump, str):
        assert stock == jump, f"stock: {stock}\njump: {jump}"
        return jump
    differences = compare(stock, jump)
    assert not differences, differences
    np.testing.assert_allclose(jump.equity, stock.equity, rtol=1e-9, atol=1e-7)
    np.testing.assert_allclose(jump.position_value, stock.position_value, rtol=1e-9, atol=1e-7)
    np.testing.assert_allclose(jump.turnover, stock.turnover, rtol=1e-9, atol=1e-7)
    return jump


CANDLES = st.builds(
    candles_of,
    seed=st.integers(0, 2**32 - 1),
    rows=st.sampled_from([1, 2, 3, 40, 90, 150]),
    calm=st.sampled_from([0.0, 0.5, 0.95]),
)
KINDS = st.sampled_from(["base", "p", "d", "g", "o", "pdgo"])
SEEDS = st.integers(0, 2**32 - 1)
TRAILING = st.sampled_from([None, "0.005,0.002"])


@st.composite
def directional(draw: Any) -> Any:
    return draw(st.sampled_from([SignalConfig, AskedSignalConfig, BaseSignalConfig]))(
        id="case", connector_name=PERPETUAL, trading_pair=PAIR, total_amount_quote=Decimal(1000),
        seed=draw(SEEDS), density=draw(st.sampled_from([0.02, 0.3, 1.0])), kinds=draw(KINDS),
        max_executors_per_side=draw(st.integers(1, 4)),
        cooldown_time=draw(st.sampled_from([1, 60, 61, 300, 3000])),
        stop_loss=draw(st.sampled_from([None, "0.005", "0.02"])),
        take_profit=draw(st.sampled_from([None, "0.005", "0.02"])),
        time_limit=draw(st.sampled_from([None, 60, 100, 2700])), trailing_stop=draw(TRAILING),
    )  # fmt: skip


@st.composite
def making(draw: Any) -> Any:
    levels = draw(st.sampled_from(["0", "0.005", "0.005,0.01", "0.001,0.005,0.02"]))
    return MakerConfig(
        id="case", connector_name=draw(st.sampled_from([PERPETUAL, SPOT])), trading_pair=PAIR,
        total_amount_quote=Decimal(1000), seed=draw(SEEDS), kinds=draw(KINDS), refuses=draw(st.sampled_from([0, 0.3])),
        buy_spreads=levels, sell_spreads=draw(st.sampled_from([levels, "0.01"])), buy_amounts_pct="",
        sell_amounts_pct="", executor_refresh_time=draw(st.sampled_from([0, 60, 120, 300, 5000])),
        cooldown_time=draw(st.sampled_from([0, 15, 60, 600, 8000])),
        stop_loss=draw(st.sampled_from([None, "0.005", "0.02"])),
        take_profit=draw(st.sampled_from([None, "0.005", "0.02"])),
        time_limit=draw(st.sampled_from([None, 60, 100, 2700])), trailing_stop=draw(TRAILING),
        position_rebalance_threshold_pct=draw(st.sampled_from(["0.05", "0", "0.5"])),
        skip_rebalance=draw(st.booleans()),
    )  # fmt: skip


@st.composite
def acting(draw: Any) -> Any:
    return ActorConfig(
        id="case", total_amount_quote=Decimal(1000), seed=draw(SEEDS),
        kinds=draw(st.sampled_from(["p", "d", "g", "o", "pdgo"])), raises_at=draw(st.sampled_from([-1, -1, -1, 1, 20])),
    )  # fmt: skip


CASES = st.one_of(directional(), making(), acting())


def check(config: Any, candles: pd.DataFrame, shift: int) -> None:
    market = market_of(candles, connector=config.connector_name, shift=shift)
    assert_equal(config, market)


SHIFTS = st.sampled_from([0, 0, 0, 1])
QUIET = {"deadline": None, "suppress_health_check": list(HealthCheck), "print_blob": True}


@settings(max_examples=cases(80), **QUIET)
@given(CASES, CANDLES, SHIFTS)
def test_any_controller_on_any_candles(config: Any, candles: pd.DataFrame, shift: int) -> None:
    check(config, candles, shift)


@pytest.mark.long
@pytest.mark.timeout(3600)
@settings(max_examples=2500, **QUIET)
@given(CASES, CANDLES, SHIFTS)
def test_any_controller_on_any_candles_at_length(config: Any, candles: pd.DataFrame, shift: int) -> None:
    check(config, candles, shift)

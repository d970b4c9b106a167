"""Controllers that a back-test calls wrongly: they keep state from tick to tick, decide in `update_processed_data`,
or trade several pairs. In the manner of Hummingbot's generic controllers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from pydantic import Field

from benchmarks.workloads.controllers import Bollinger, BollingerConfig
from tasks.upstream.names import (
    CandlesConfig,
    ControllerBase,
    ControllerConfigBase,
    CreateExecutorAction,
    ExecutionStrategy,
    GridExecutorConfig,
    OrderExecutorConfig,
    PositionExecutorConfig,
    PriceType,
    StopExecutorAction,
    TradeType,
    TripleBarrierConfig,
)


class GenericConfig(ControllerConfigBase):  # type: ignore[misc]
    """A generic controller on one pair."""

    controller_name: str = "generic"
    connector_name: str = "binance_perpetual"
    trading_pair: str = "BTC-USDT"
    interval: str = "1m"
    length: int = 30

    def update_markets(self, markets: Any) -> Any:
        """Upstream's hook."""
        return markets.add_or_update(self.connector_name, self.trading_pair)


class Generic(ControllerBase):  # type: ignore[misc]
    """Helpers for those below."""

    def get_candles_config(self) -> list[Any]:
        """One feed."""
        config = self.config
        return [
            CandlesConfig(
                connector=config.connector_name,
                trading_pair=config.trading_pair,
                interval=config.interval,
                max_records=config.length + 1,
            )
        ]

    def candles(self) -> Any:
        """The feed's rows."""
        config = self.config
        return self.market_data_provider.get_candles_df(
            config.connector_name, config.trading_pair, config.interval, config.length + 1
        )

    def price(self, pair: str | None = None, connector: str | None = None) -> Decimal:
        """The pair's price of now."""
        price: Decimal = self.market_data_provider.get_price_by_type(
            connector or self.config.connector_name, pair or self.config.trading_pair, PriceType.MidPrice
        )
        return price

    def position(self, side: Any, pair: str | None = None, quote: Decimal = Decimal(100), **barriers: Any) -> Any:
        """A position executor at the market."""
        price = self.price(pair)
        return CreateExecutorAction(
            controller_id=self.config.id,
            executor_config=PositionExecutorConfig(
                timestamp=self.market_data_provider.time(),
                connector_name=self.config.connector_name,
                trading_pair=pair or self.config.trading_pair,
                side=side,
                entry_price=price,
                amount=quote / price,
                triple_barrier_config=TripleBarrierConfig(**barriers),
            ),
        )


class HourlyBuyerConfig(GenericConfig):
    """Buys once an hour, and keeps what it bought."""

    controller_name: str = "hourly_buyer"

    def get_controller_class(self) -> Any:
        """Upstream's hook."""
        return HourlyBuyer


class HourlyBuyer(Generic):
    """Decides in `update_processed_data` and remembers the hour."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.last_hour = -1
        self.due = False

    async def update_processed_data(self) -> None:
        """Is it another hour?"""
        hour = int(self.market_data_provider.time() // 3600)
        self.due = hour != self.last_hour
        self.last_hour = hour

    def determine_executor_actions(self) -> list[Any]:
        """One market order."""
        if not self.due:
            return []
        config = self.config
        return [
            CreateExecutorAction(
                controller_id=config.id,
                executor_config=OrderExecutorConfig(
                    timestamp=self.market_data_provider.time(),
                    connector_name=config.connector_name,
                    trading_pair=config.trading_pair,
                    side=TradeType.BUY,
                    amount=Decimal(100) / self.price(),
                    execution_strategy=ExecutionStrategy.MARKET,
                ),
            )
        ]


class GridKeeperConfig(GenericConfig):
    """Lays one grid and lays another one only when the first has ended."""

    controller_name: str = "grid_keeper"
    width: float = 0.03

    def get_controller_class(self) -> Any:
        """Upstream's hook."""
        return GridKeeper


class GridKeeper(Generic):
    """Looks for its running grid in `update_processed_data`."""

    async def update_processed_data(self) -> None:
        """The running grid, as Hummingbot's grid_strike finds it."""
        self.processed_data = {"grids": self.filter_executors(filter_func=lambda one: one.is_active)}

    def determine_executor_actions(self) -> list[Any]:
        """A grid, where none runs."""
        if self.processed_data["grids"]:
            return []
        config, price = self.config, self.price()
        start, end = price * Decimal(str(1 - config.width)), price * Decimal(str(1 + config.width / 2))
        return [
            CreateExecutorAction(
                controller_id=config.id,
                executor_config=GridExecutorConfig(
                    timestamp=self.market_data_provider.time(),
                    connector_name=config.connector_name,
                    trading_pair=config.trading_pair,
                    side=TradeType.BUY,
                    start_price=start,
                    end_price=end,
                    limit_price=start * Decimal("0.98"),
                    total_amount_quote=config.total_amount_quote,
                    min_spread_between_orders=Decimal("0.001"),
                    triple_barrier_config=TripleBarrierConfig(take_profit=Decimal("0.002")),
                ),
            )
        ]


class CounterConfig(GenericConfig):
    """Trades on an average that it updates tick by tick."""

    controller_name: str = "counter"
    interval: str = "3m"

    def get_controller_class(self) -> Any:
        """Upstream's hook."""
        return Counter


class Counter(Generic):
    """Keeps a running mean of the closes that it has seen; sells what loses."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.mean = 0.0
        self.ticks = 0

    async def update_processed_data(self) -> None:
        """Features and a mean of its own."""
        df = self.candles()
        self.ticks += 1
        self.mean += (float(df["close"].iloc[-1]) - self.mean) / min(self.ticks, 200)
        df["signal"] = 0
        self.processed_data = {"features": df, "signal": 1 if df["close"].iloc[-1] < self.mean * 0.998 else 0}

    def determine_executor_actions(self) -> list[Any]:
        """At most three positions; the oldest is stopped after two hours."""
        actions = []
        running = self.filter_executors(filter_func=lambda one: one.is_active)
        now = self.market_data_provider.time()
        if self.processed_data["signal"] and len(running) < 3:
            actions.append(self.position(TradeType.BUY, take_profit=Decimal("0.004"), stop_loss=Decimal("0.01")))
        actions += [
            StopExecutorAction(controller_id=self.config.id, executor_id=one.id, keep_position=True)
            for one in running
            if now - one.timestamp > 7200
        ]
        return actions


class PairsTraderConfig(ControllerConfigBase):  # type: ignore[misc]
    """Buys one pair and sells the other when their ratio leaves its mean."""

    controller_name: str = "pairs_trader"
    connector_name: str = "binance_perpetual"
    pairs: list[str] = Field(default=["BTC-USDT", "ETH-USDT"])
    interval: str = "1m"
    length: int = 60

    def get_controller_class(self) -> Any:
        """Upstream's hook."""
        return PairsTrader

    def update_markets(self, markets: Any) -> Any:
        """Upstream's hook."""
        for pair in self.pairs:
            markets = markets.add_or_update(self.connector_name, pair)
        return markets


class PairsTrader(Generic):
    """Two legs, and no `trading_pair`."""

    def get_candles_config(self) -> list[Any]:
        """One feed a pair."""
        config = self.config
        return [
            CandlesConfig(
                connector=config.connector_name,
                trading_pair=pair,
                interval=config.interval,
                max_records=config.length,
            )
            for pair in config.pairs
        ]

    async def update_processed_data(self) -> None:
        """How far the ratio of the closes is from its mean, in deviations."""
        config = self.config
        one, other = (
            self.market_data_provider.get_candles_df(config.connector_name, pair, config.interval, config.length)[
                "close"
            ].to_numpy()
            for pair in config.pairs
        )
        rows = min(len(one), len(other))
        ratio = one[-rows:] / other[-rows:]
        self.processed_data = {"score": (ratio[-1] - ratio.mean()) / (ratio.std() or 1.0)}

    def determine_executor_actions(self) -> list[Any]:
        """A long and a short leg."""
        score = self.processed_data["score"]
        if abs(score) < 2 or any(one.is_active for one in self.executors_info):
            return []
        cheap, dear = reversed(self.config.pairs) if score > 0 else self.config.pairs
        barriers = {"time_limit": 3600, "stop_loss": Decimal("0.02"), "take_profit": Decimal("0.01")}
        return [
            self.position(TradeType.BUY, cheap, **barriers),
            self.position(TradeType.SELL, dear, **barriers),
        ]


class CallerConfig(GenericConfig):
    """Trades by the calls `buy`, `sell` and `cancel`."""

    controller_name: str = "caller"

    def get_controller_class(self) -> Any:
        """Upstream's hook."""
        return Caller


class Caller(Generic):
    """Its actions go by the queue; `determine_executor_actions` gives none."""

    async def update_processed_data(self) -> None:
        """Buys below the mean, sells above, cancels what is not filled."""
        df = self.candles()
        mean, config = df["close"].mean(), self.config
        if self.market_data_provider.time() % 1800:
            return
        for one in self.executors_info:
            if one.is_active and not one.is_trading:
                self.cancel(one.id)
        act = self.buy if df["close"].iloc[-1] < mean else self.sell
        act(
            config.connector_name,
            config.trading_pair,
            Decimal(50) / self.price(),
            price=self.price() * Decimal("0.999" if act == self.buy else "1.001"),
            execution_strategy=ExecutionStrategy.LIMIT,
        )

    def determine_executor_actions(self) -> list[Any]:
        """Everything goes by the queue."""
        return []


class ClosedOnlyConfig(BollingerConfig):
    """Bollinger on candles that have closed, in any interval."""

    controller_name: str = "closed_only"
    interval: str = "3m"
    length: int = 20
    shifts_itself: bool = True

    def get_controller_class(self) -> Any:
        """Upstream's hook."""
        return ClosedOnly


class ClosedOnly(Bollinger):
    """Holds its signal back by one candle itself: the last row of a bot's feed has not closed."""

    async def update_processed_data(self) -> None:
        """The signal of the candle before the last."""
        await super().update_processed_data()
        features = self.processed_data["features"]
        features["signal"] = features["signal"].shift(1).fillna(0).astype(int)
        self.processed_data = {"signal": int(features["signal"].iloc[-1]), "features": features}

"""Controllers for benchmarks and for tests of equality, in the manner of those that Hummingbot users run.

Every config names its controller class itself, so that they can live in one module.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pandas as pd
from pydantic import Field

from tasks.upstream.names import (
    CandlesConfig,
    ControllerBase,
    ControllerConfigBase,
    CreateExecutorAction,
    DCAExecutorConfig,
    DirectionalTradingControllerBase,
    DirectionalTradingControllerConfigBase,
    GridExecutorConfig,
    MarketMakingControllerBase,
    MarketMakingControllerConfigBase,
    PositionExecutorConfig,
    StopExecutorAction,
    TradeType,
    TripleBarrierConfig,
)


class BollingerConfig(DirectionalTradingControllerConfigBase):  # type: ignore[misc]
    """Signals where the close leaves a band around its mean."""

    controller_name: str = "bollinger"
    interval: str = "1m"
    length: int = 100
    deviations: float = 2.0

    def get_controller_class(self) -> Any:
        """Upstream's hook."""
        return Bollinger


class Bollinger(DirectionalTradingControllerBase):  # type: ignore[misc]
    """Only values of its own; every decision is the base's."""

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

    async def update_processed_data(self) -> None:
        """Signal 1 below the band, -1 above it."""
        config = self.config
        df = self.market_data_provider.get_candles_df(
            config.connector_name, config.trading_pair, config.interval, config.length + 1
        ).copy()
        rolling = df["close"].rolling(config.length)
        mean, deviation = rolling.mean(), rolling.std(ddof=0)
        df["percent"] = (df["close"] - mean) / (config.deviations * deviation)
        df["signal"] = 0
        df.loc[df["percent"] < -1, "signal"] = 1
        df.loc[df["percent"] > 1, "signal"] = -1
        self.processed_data = {"signal": int(df["signal"].iloc[-1]), "features": df}


class BollingerDCAConfig(BollingerConfig):
    """Bollinger, in three levels."""

    controller_name: str = "bollinger_dca"
    dca_spreads: list[float] = Field(default=[0.0, 0.002, 0.004])

    def get_controller_class(self) -> Any:
        """Upstream's hook."""
        return BollingerDCA


class BollingerDCA(Bollinger):
    """Overrides the executor's config only."""

    def get_executor_config(self, trade_type: Any, price: Decimal, amount: Decimal) -> Any:
        """A DCA executor instead of a position executor."""
        config = self.config
        sign = -1 if trade_type == TradeType.BUY else 1
        spreads = [Decimal(str(spread)) for spread in config.dca_spreads]
        return DCAExecutorConfig(
            timestamp=self.market_data_provider.time(),
            connector_name=config.connector_name,
            trading_pair=config.trading_pair,
            side=trade_type,
            prices=[price * (1 + sign * spread) for spread in spreads],
            amounts_quote=[amount * price / len(spreads)] * len(spreads),
            take_profit=config.take_profit,
            stop_loss=config.stop_loss,
            trailing_stop=config.trailing_stop,
            time_limit=config.time_limit,
            leverage=config.leverage,
        )


class BollingerGridConfig(BollingerConfig):
    """Bollinger, with a grid for each signal."""

    controller_name: str = "bollinger_grid"
    grid_width: float = 0.01
    keep_position: bool = False

    def get_controller_class(self) -> Any:
        """Upstream's hook."""
        return BollingerGrid


class BollingerGrid(Bollinger):
    """Overrides the executor's config only."""

    def get_executor_config(self, trade_type: Any, price: Decimal, amount: Decimal) -> Any:
        """A grid below the price for a long, above it for a short."""
        config = self.config
        width = Decimal(str(config.grid_width))
        buys = trade_type == TradeType.BUY
        start, end = (price * (1 - width), price * (1 + width / 2)) if buys else (
            price * (1 - width / 2), price * (1 + width))  # fmt: skip
        return GridExecutorConfig(
            timestamp=self.market_data_provider.time(),
            connector_name=config.connector_name,
            trading_pair=config.trading_pair,
            side=trade_type,
            start_price=start,
            end_price=end,
            limit_price=start * (1 - width) if buys else end * (1 + width),
            total_amount_quote=amount * price,
            min_spread_between_orders=Decimal("0.001"),
            keep_position=config.keep_position,
            triple_barrier_config=TripleBarrierConfig(
                take_profit=Decimal("0.002"), stop_loss=config.stop_loss, time_limit=config.time_limit
            ),
        )


class SimpleMakerConfig(MarketMakingControllerConfigBase):  # type: ignore[misc]
    """Hummingbot's pmm_simple."""

    controller_name: str = "simple_maker"
    candles_config: list[Any] = Field(default=[])

    def get_controller_class(self) -> Any:
        """Upstream's hook."""
        return SimpleMaker


class SimpleMaker(MarketMakingControllerBase):  # type: ignore[misc]
    """Position executors at fixed spreads around the close."""

    def get_executor_config(self, level_id: str, price: Decimal, amount: Decimal) -> Any:
        """A position executor per level."""
        config = self.config
        return PositionExecutorConfig(
            timestamp=self.market_data_provider.time(),
            level_id=level_id,
            connector_name=config.connector_name,
            trading_pair=config.trading_pair,
            entry_price=price,
            amount=amount,
            triple_barrier_config=config.triple_barrier_config,
            leverage=config.leverage,
            side=self.get_trade_type_from_level_id(level_id),
        )


class DynamicMakerConfig(SimpleMakerConfig):
    """Hummingbot's pmm_dynamic: spreads in units of volatility around a shifted price."""

    controller_name: str = "dynamic_maker"
    interval: str = "1m"
    length: int = 50

    def get_controller_class(self) -> Any:
        """Upstream's hook."""
        return DynamicMaker


class DynamicMaker(SimpleMaker):
    """Overrides values only."""

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

    async def update_processed_data(self) -> None:
        """reference_price and spread_multiplier for every candle."""
        config = self.config
        df = self.market_data_provider.get_candles_df(
            config.connector_name, config.trading_pair, config.interval, config.length + 1
        )
        volatility = (df["high"] - df["low"]).rolling(config.length).mean() / df["close"]
        mean = df["close"].rolling(config.length).mean()
        shifted = df["close"] * (1 + (mean / df["close"] - 1) * 0.1)
        self.processed_data = {
            "reference_price": Decimal(str(shifted.iloc[-1])),
            "spread_multiplier": Decimal(str(volatility.iloc[-1])),
            "features": pd.DataFrame(
                {"timestamp": df["timestamp"], "reference_price": shifted, "spread_multiplier": volatility}
            ),
        }


class OverridingMakerConfig(SimpleMakerConfig):
    """A maker that decides everything itself."""

    controller_name: str = "overriding_maker"

    def get_controller_class(self) -> Any:
        """Upstream's hook."""
        return OverridingMaker


class OverridingMaker(SimpleMaker):
    """Every decision method is its own: the engine asks it at every candle."""

    def determine_executor_actions(self) -> list[Any]:
        """New levels, old orders."""
        return [*self.create_actions_proposal(), *self.stop_actions_proposal()]

    def get_levels_to_execute(self) -> list[str]:
        """Levels without a running executor."""
        running = {one.custom_info["level_id"] for one in self.executors_info if one.is_active}
        missing: list[str] = self.get_not_active_levels_ids(list(running))
        return missing

    def executors_to_refresh(self) -> list[Any]:
        """Unfilled orders that are too old."""
        now = self.market_data_provider.time()
        return [
            StopExecutorAction(controller_id=self.config.id, executor_id=one.id)
            for one in self.executors_info
            if one.is_active and not one.is_trading and now - one.timestamp > self.config.executor_refresh_time
        ]

    def executors_to_early_stop(self) -> list[Any]:
        """Winners that lose what they won are stopped, and kept."""
        return [
            StopExecutorAction(controller_id=self.config.id, executor_id=one.id, keep_position=True)
            for one in self.executors_info
            if one.is_trading and one.net_pnl_pct < Decimal("-0.01")
        ]


class PatientConfig(ControllerConfigBase):  # type: ignore[misc]
    """One long position, renewed every `every` seconds."""

    controller_name: str = "patient"
    connector_name: str = "binance_perpetual"
    trading_pair: str = "BTC-USDT"
    every: int = 3600

    def get_controller_class(self) -> Any:
        """Upstream's hook."""
        return Patient


class Patient(ControllerBase):  # type: ignore[misc]
    """Decides by itself and says when it next wants to be asked."""

    async def update_processed_data(self) -> None:
        """It needs no data."""

    def determine_executor_actions(self) -> list[Any]:
        """A position at each full period."""
        now = self.market_data_provider.time()
        if now % self.config.every:
            return []
        price = self.market_data_provider.prices[f"{self.config.connector_name}_{self.config.trading_pair}"]
        config = PositionExecutorConfig(
            timestamp=now,
            connector_name=self.config.connector_name,
            trading_pair=self.config.trading_pair,
            entry_price=price,
            amount=self.config.total_amount_quote / price,
            side=TradeType.BUY,
            triple_barrier_config=TripleBarrierConfig(
                take_profit=Decimal("0.01"), stop_loss=Decimal("0.01"), time_limit=self.config.every * 2
            ),
        )
        return [CreateExecutorAction(controller_id=self.config.id, executor_config=config)]

    def next_decision_time(self) -> float | None:
        """The next full period."""
        now: float = self.market_data_provider.time()
        every: int = self.config.every
        return (now // every + 1) * every

"""A supertrend by pandas_ta, as in Hummingbot's own controller: the indicator costs more than the back-test."""

import pandas_ta as ta
from hummingbot.data_feed.candles_feed.data_types import CandlesConfig
from hummingbot.strategy_v2.controllers.directional_trading_controller_base import (
    DirectionalTradingControllerBase,
    DirectionalTradingControllerConfigBase,
)


class TrendConfig(DirectionalTradingControllerConfigBase):
    controller_name: str = "trend"
    interval: str = "1m"
    length: int = 10
    multiplier: float = 3.0
    #: share of the trend line's price within which the close must be
    nearness: float = 0.0005


class Trend(DirectionalTradingControllerBase):
    def get_candles_config(self) -> list[CandlesConfig]:
        return [
            CandlesConfig(
                connector=self.config.connector_name,
                trading_pair=self.config.trading_pair,
                interval=self.config.interval,
                max_records=self.config.length + 1,
            )
        ]

    async def update_processed_data(self) -> None:
        """Called once per back-test, by both engines."""
        candles = self.market_data_provider.get_candles_df(
            self.config.connector_name, self.config.trading_pair, self.config.interval, self.config.length + 1
        )
        trend = ta.supertrend(
            candles["high"], candles["low"], candles["close"], self.config.length, self.config.multiplier
        )
        line, direction = trend.iloc[:, 0], trend.iloc[:, 1]
        near = (candles["close"] / line - 1).abs() < self.config.nearness
        signal = direction.where(near, 0).fillna(0).astype(int)
        self.processed_data["signal"] = int(signal.iloc[-1])
        self.processed_data["features"] = candles.assign(signal=signal)

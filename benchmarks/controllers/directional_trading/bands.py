"""Bollinger bands with a known cost: `burn_s` seconds of this thread's CPU time on top of the back-test.

That makes an expensive point of a cheap one without changing its row, and the cost is known instead of guessed.
"""

import time

from hummingbot.data_feed.candles_feed.data_types import CandlesConfig
from hummingbot.strategy_v2.controllers.directional_trading_controller_base import (
    DirectionalTradingControllerBase,
    DirectionalTradingControllerConfigBase,
)


class BandsConfig(DirectionalTradingControllerConfigBase):
    controller_name: str = "bands"
    interval: str = "1m"
    length: int = 60
    deviations: float = 2.0
    burn_s: float = 0.0


class Bands(DirectionalTradingControllerBase):
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
        if self.config.burn_s:
            _ = self.config.id  # features that read the id are shared with no other point, so each one burns
        until = time.thread_time() + self.config.burn_s
        candles = self.market_data_provider.get_candles_df(
            self.config.connector_name, self.config.trading_pair, self.config.interval, self.config.length + 1
        )
        window = candles["close"].rolling(self.config.length)
        distance = (candles["close"] - window.mean()) / window.std()
        signal = (distance < -self.config.deviations).astype(int) - (distance > self.config.deviations).astype(int)
        self.processed_data["signal"] = int(signal.iloc[-1])
        self.processed_data["features"] = candles.assign(signal=signal)
        while time.thread_time() < until:
            pass

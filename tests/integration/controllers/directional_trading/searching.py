"""A controller that searches for the future: every candle it can reach from what it is given, by any way it knows.

It never trades; its row is an error that names the last candle it found.
"""

import numpy as np
from hummingbot.data_feed.candles_feed.data_types import CandlesConfig
from hummingbot.strategy_v2.controllers.directional_trading_controller_base import (
    DirectionalTradingControllerBase,
    DirectionalTradingControllerConfigBase,
)


class SearchingConfig(DirectionalTradingControllerConfigBase):
    controller_name: str = "searching"
    interval: str = "3m"
    length: int = 10


class Searching(DirectionalTradingControllerBase):
    def get_candles_config(self) -> list[CandlesConfig]:
        return [
            CandlesConfig(
                connector=self.config.connector_name,
                trading_pair=self.config.trading_pair,
                interval=self.config.interval,
                max_records=self.config.length,
            )
        ]

    async def update_processed_data(self) -> None:
        provider = self.market_data_provider
        asked = (self.config.connector_name, self.config.trading_pair, self.config.interval, 10_000)
        frames = [provider.get_candles_df(*asked), await provider.get_historical_candles_df(*asked[:3])]
        frames += provider.candles_feeds.values()
        frames += provider.market.feeds.values()
        last = 0.0
        for frame in frames:
            array = frame["timestamp"].to_numpy()
            while isinstance(array, np.ndarray):  # what a view was cut out of is as far as the memory goes
                candidates = array[(array > 1.5e9) & (array < 2e9)]
                last = max(last, float(candidates.max(initial=0.0)))
                array = array.base
        raise ValueError(f"the last candle opens at {last:.0f}")

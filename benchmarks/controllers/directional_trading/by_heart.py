"""A controller that cheats: it knows by heart whether the price rises or falls in every hour of a part of the period.

Where it knows nothing, it repeats what it knows. benchmarks/out_of_sample.py gives it the market's own course, as
somebody does who writes rules while looking at the chart.
"""

import numpy as np
import pandas as pd
from hummingbot.data_feed.candles_feed.data_types import CandlesConfig
from hummingbot.strategy_v2.controllers.directional_trading_controller_base import (
    DirectionalTradingControllerBase,
    DirectionalTradingControllerConfigBase,
)
from pydantic import Field


class ByHeartConfig(DirectionalTradingControllerConfigBase):
    controller_name: str = "by_heart"
    interval: str = Field(default="5m")
    course: str = Field(description="+ or - for every hour from course_start on")
    course_start: int = Field(description="seconds since epoch")
    known_from: int = Field(description="first day it knows, 0 is course_start")
    known_days: int = Field(description="days it knows")


class ByHeart(DirectionalTradingControllerBase):
    def __init__(self, config: ByHeartConfig, *args, **kwargs):
        super().__init__(config, *args, **kwargs)
        self.config = config
        self.max_records = 10
        first, hours = config.known_from * 24, config.known_days * 24
        self.known = np.array([1 if sign == "+" else -1 for sign in config.course[first : first + hours]])

    def get_candles_config(self) -> list[CandlesConfig]:
        """The feed this controller reads."""
        return [
            CandlesConfig(
                connector=self.config.connector_name,
                trading_pair=self.config.trading_pair,
                interval=self.config.interval,
                max_records=self.max_records,
            )
        ]

    async def update_processed_data(self):
        """The known course of every candle's hour."""
        config = self.config
        candles = self.market_data_provider.get_candles_df(
            config.connector_name, config.trading_pair, config.interval, self.max_records
        )
        hours = ((candles["timestamp"] - config.course_start) // 3600).astype(int) - config.known_from * 24
        signal = pd.Series(self.known[hours % len(self.known)], index=candles.index)
        features = pd.DataFrame({"timestamp": candles["timestamp"], "signal": signal})
        self.processed_data = {"signal": signal.iloc[-1] if len(signal) else 0, "features": features}

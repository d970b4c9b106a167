"""A market maker whose spreads breathe with volatility: they are counted in units of NATR.

NATR is the average true range as a fraction of the price (Wilder's smoothing, as most charting programs draw it). With
`buy_spreads: [1, 2]` the levels lie one and two average ranges below the reference price, which leans a little against
the recent move. The engine reads the columns `reference_price` and `spread_multiplier` on every candle.
"""

from decimal import Decimal

import pandas as pd

# The module and not its classes: of all config classes that a module holds, also imported ones, Hummingbot takes the
# first by name.
from controllers.market_making import pmm_plain
from hummingbot.data_feed.candles_feed.data_types import CandlesConfig
from pydantic import Field


class PMMNatrConfig(pmm_plain.PMMPlainConfig):
    controller_name: str = "pmm_natr"
    interval: str = Field(default="3m", description="Interval of the candles volatility is measured on")
    natr_length: int = Field(default=30, ge=2, description="Candles over which the range is averaged")
    lean: float = Field(
        default=0.5, ge=0, description="How far the quotes lean against the last move, in average ranges"
    )


class PMMNatr(pmm_plain.PMMPlain):
    def __init__(self, config: PMMNatrConfig, *args, **kwargs):
        super().__init__(config, *args, **kwargs)
        self.config = config
        # Wilder's smoothing forgets slowly: after five lengths less than 1 % of the first value is left.
        self.max_records = 5 * config.natr_length + 1

    def get_candles_config(self) -> list[CandlesConfig]:
        return [
            CandlesConfig(
                connector=self.config.connector_name,
                trading_pair=self.config.trading_pair,
                interval=self.config.interval,
                max_records=self.max_records,
            )
        ]

    async def update_processed_data(self):
        candles = self.market_data_provider.get_candles_df(
            self.config.connector_name, self.config.trading_pair, self.config.interval, self.max_records
        )
        close, before = candles["close"], candles["close"].shift()
        true_range = pd.concat(
            [candles["high"] - candles["low"], (candles["high"] - before).abs(), (candles["low"] - before).abs()],
            axis=1,
        ).max(axis=1)
        length = self.config.natr_length
        natr = true_range.ewm(alpha=1 / length, min_periods=length, adjust=False).mean() / close

        move = (close / close.rolling(length).mean() - 1).clip(-natr, natr)
        features = pd.DataFrame(
            {
                "timestamp": candles["timestamp"],
                "reference_price": close * (1 - self.config.lean * move),
                "spread_multiplier": natr,
            }
        )
        self.processed_data = {
            "reference_price": Decimal(str(features["reference_price"].iloc[-1])),
            "spread_multiplier": Decimal(str(features["spread_multiplier"].iloc[-1])),
            "features": features,
        }

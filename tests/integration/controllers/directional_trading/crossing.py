"""A moving-average crossing for the tests: few lines, no indicator library."""

from hummingbot.data_feed.candles_feed.data_types import CandlesConfig
from hummingbot.strategy_v2.controllers.directional_trading_controller_base import (
    DirectionalTradingControllerBase,
    DirectionalTradingControllerConfigBase,
)


class CrossingConfig(DirectionalTradingControllerConfigBase):
    controller_name: str = "crossing"
    interval: str = "1m"
    length: int = 10
    #: what to do instead of computing: see controllers/trouble.py
    trouble: str = ""
    die_at_length: int = 0
    #: a way to look into the future: whole, peek, centred, last
    cheat: str = ""


class Crossing(DirectionalTradingControllerBase):
    def get_candles_config(self) -> list[CandlesConfig]:
        return [
            CandlesConfig(
                connector=self.config.connector_name,
                trading_pair=self.config.trading_pair,
                interval=self.config.interval,
                max_records=self.config.length + 10,
            )
        ]

    async def update_processed_data(self) -> None:
        if self.config.trouble:
            from controllers.trouble import make

            await make("die" if self.config.length == self.config.die_at_length else self.config.trouble)
        candles = self.market_data_provider.get_candles_df(
            self.config.connector_name, self.config.trading_pair, self.config.interval, self.config.length + 10
        ).copy()
        mean = candles["close"].rolling(self.config.length).mean()
        if self.config.cheat == "whole":
            mean = candles["close"].mean()
        if self.config.cheat == "peek":
            mean = candles["close"].shift(-3).rolling(self.config.length).mean().fillna(0)
        if self.config.cheat == "centred":
            mean = candles["close"].rolling(self.config.length, center=True).mean().fillna(0)
        if self.config.cheat == "last":
            mean = candles["close"].iloc[-1]
        candles["signal"] = 0
        candles.loc[candles["close"] > mean * 1.0005, "signal"] = 1
        candles.loc[candles["close"] < mean * 0.9995, "signal"] = -1
        self.processed_data["signal"] = int(candles["signal"].iloc[-1])
        self.processed_data["features"] = candles

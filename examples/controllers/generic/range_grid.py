"""Buys down a grid of limit orders in the lower half of the recent range, sells up one in the upper half.

An example of a controller that decides for itself: it derives from ControllerBase and returns its own actions. One grid
lives at a time. It ends at its stop, at its time limit or when the price leaves it on the winning side; then the
controller waits `cooldown_time` seconds.
"""

from decimal import Decimal

import pandas as pd
from hummingbot.core.data_type.common import MarketDict, OrderType, PriceType, TradeType
from hummingbot.data_feed.candles_feed.data_types import CandlesConfig
from hummingbot.strategy_v2.controllers.controller_base import ControllerBase, ControllerConfigBase
from hummingbot.strategy_v2.executors.grid_executor.data_types import GridExecutorConfig
from hummingbot.strategy_v2.executors.position_executor.data_types import TripleBarrierConfig
from hummingbot.strategy_v2.models.executor_actions import CreateExecutorAction, ExecutorAction
from pydantic import Field


class RangeGridConfig(ControllerConfigBase):
    controller_type: str = "generic"
    controller_name: str = "range_grid"
    connector_name: str = "binance_perpetual"
    trading_pair: str = "BTC-USDT"
    interval: str = Field(default="15m", description="Interval of the candles the range is measured on")
    range_length: int = Field(default=32, ge=2, description="Candles in the range")
    grid_share: float = Field(default=0.5, gt=0, le=1, description="Depth of the grid as a share of the range")
    head_room: float = Field(
        default=0.2, gt=0, description="How far the grid reaches beyond the price on the winning side, in depths"
    )
    take_profit: Decimal = Field(default=Decimal("0.002"), gt=0)
    stop_loss: Decimal | None = Field(default=Decimal("0.02"), gt=0)
    time_limit: int | None = Field(default=60 * 60 * 6, gt=0)
    cooldown_time: int = Field(default=60 * 15, ge=0)
    min_spread_between_orders: Decimal = Field(default=Decimal("0.001"), gt=0)
    leverage: int = 1

    def update_markets(self, markets: MarketDict) -> MarketDict:
        return markets.add_or_update(self.connector_name, self.trading_pair)


class RangeGrid(ControllerBase):
    def __init__(self, config: RangeGridConfig, *args, **kwargs):
        super().__init__(config, *args, **kwargs)
        self.config = config

    def get_candles_config(self) -> list[CandlesConfig]:
        return [
            CandlesConfig(
                connector=self.config.connector_name,
                trading_pair=self.config.trading_pair,
                interval=self.config.interval,
                max_records=self.config.range_length + 1,
            )
        ]

    async def update_processed_data(self):
        candles = self.market_data_provider.get_candles_df(
            self.config.connector_name, self.config.trading_pair, self.config.interval, self.config.range_length + 1
        )
        features = pd.DataFrame(
            {
                "timestamp": candles["timestamp"],
                "range_low": candles["low"].rolling(self.config.range_length).min(),
                "range_high": candles["high"].rolling(self.config.range_length).max(),
            }
        )
        self.processed_data = {**features.iloc[-1].to_dict(), "features": features}

    def determine_executor_actions(self) -> list[ExecutorAction]:
        now = self.market_data_provider.time()
        if any(
            executor.is_active or now - executor.close_timestamp < self.config.cooldown_time
            for executor in self.executors_info
        ):
            return []
        price = self.market_data_provider.get_price_by_type(
            self.config.connector_name, self.config.trading_pair, PriceType.MidPrice
        )
        low, high = Decimal(str(self.processed_data["range_low"])), Decimal(str(self.processed_data["range_high"]))
        if not low < price < high:
            return []
        below = (high - low) * Decimal(str(self.config.grid_share))
        above = below * Decimal(str(self.config.head_room))
        if price - low < high - price:
            side, start, end = TradeType.BUY, price - below, price + above
        else:
            side, start, end = TradeType.SELL, price - above, price + below
        return [
            CreateExecutorAction(
                controller_id=self.config.id,
                executor_config=GridExecutorConfig(
                    timestamp=now,
                    connector_name=self.config.connector_name,
                    trading_pair=self.config.trading_pair,
                    side=side,
                    start_price=start,
                    end_price=end,
                    limit_price=start - below / 2 if side == TradeType.BUY else end + below / 2,
                    total_amount_quote=self.config.total_amount_quote,
                    min_spread_between_orders=self.config.min_spread_between_orders,
                    leverage=self.config.leverage,
                    triple_barrier_config=TripleBarrierConfig(
                        take_profit=self.config.take_profit,
                        stop_loss=self.config.stop_loss,
                        time_limit=self.config.time_limit,
                        open_order_type=OrderType.LIMIT,
                        take_profit_order_type=OrderType.LIMIT,
                    ),
                ),
            )
        ]

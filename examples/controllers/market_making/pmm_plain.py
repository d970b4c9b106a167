"""Quotes a fixed distance around the last price: the smallest market maker the base class allows.

The base class keeps one executor per level alive, refreshes them and cools down after a stop; here it is only said what
kind of executor a level is. `buy_spreads` and `sell_spreads` are fractions of the reference price.
"""

from decimal import Decimal

from hummingbot.strategy_v2.controllers.market_making_controller_base import (
    MarketMakingControllerBase,
    MarketMakingControllerConfigBase,
)
from hummingbot.strategy_v2.executors.position_executor.data_types import PositionExecutorConfig


class PMMPlainConfig(MarketMakingControllerConfigBase):
    controller_name: str = "pmm_plain"


class PMMPlain(MarketMakingControllerBase):
    def get_executor_config(self, level_id: str, price: Decimal, amount: Decimal) -> PositionExecutorConfig:
        return PositionExecutorConfig(
            timestamp=self.market_data_provider.time(),
            level_id=level_id,
            connector_name=self.config.connector_name,
            trading_pair=self.config.trading_pair,
            side=self.get_trade_type_from_level_id(level_id),
            entry_price=price,
            amount=amount,
            triple_barrier_config=self.config.triple_barrier_config,
            leverage=self.config.leverage,
        )

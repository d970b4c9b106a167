"""Band reversion that enters in steps: a DCA executor buys more (or sells more) as the price goes on against it.

Shows how a directional controller returns another kind of executor: `get_executor_config` is all that differs, the
signal is inherited from the controller beside this one.
"""

from decimal import Decimal

# The module and not its classes: of all config classes that a module holds, also imported ones, Hummingbot takes the
# first by name.
from controllers.directional_trading import band_reversion
from hummingbot.core.data_type.common import TradeType
from hummingbot.strategy_v2.executors.dca_executor.data_types import DCAExecutorConfig, DCAMode
from pydantic import Field, field_validator


class DCAReversionConfig(band_reversion.BandReversionConfig):
    controller_name: str = "dca_reversion"
    dca_spreads: list[Decimal] = Field(
        default=[Decimal("0"), Decimal("0.004"), Decimal("0.012")],
        description="Distance of each order from the entry price, as fractions",
    )
    dca_amounts: list[Decimal] = Field(
        default=[Decimal("1"), Decimal("1"), Decimal("2")], description="Weight of each order"
    )

    @field_validator("dca_spreads", "dca_amounts", mode="before")
    @classmethod
    def parse_list(cls, v):
        """Hummingbot's configs write lists as "0,0.004,0.012" as well."""
        return [Decimal(part.strip()) for part in v.split(",")] if isinstance(v, str) else v


class DCAReversion(band_reversion.BandReversion):
    def get_executor_config(self, trade_type: TradeType, price: Decimal, amount: Decimal) -> DCAExecutorConfig:
        away = Decimal(-1) if trade_type == TradeType.BUY else Decimal(1)
        weights = self.config.dca_amounts
        return DCAExecutorConfig(
            timestamp=self.market_data_provider.time(),
            connector_name=self.config.connector_name,
            trading_pair=self.config.trading_pair,
            side=trade_type,
            leverage=self.config.leverage,
            prices=[price * (1 + away * spread) for spread in self.config.dca_spreads],
            amounts_quote=[price * amount * weight / sum(weights) for weight in weights],
            take_profit=self.config.take_profit,
            stop_loss=self.config.stop_loss,
            trailing_stop=self.config.trailing_stop,
            time_limit=self.config.time_limit,
            mode=DCAMode.MAKER,
        )

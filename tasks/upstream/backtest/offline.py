"""What the data providers of a back-test and of the live engine have in common: rules and settings, and no exchange."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from tasks.errors import CandlesMissing, TradingRulesMissing
from tasks.isolation.notes import notes
from tasks.upstream.backtest.connector import OfflineConnector, OfflineConnectors
from tasks.upstream.names import BacktestingDataProvider

if TYPE_CHECKING:
    from tasks.upstream.names import TradingRule


class OfflineProvider:
    """Stands before one of Hummingbot's data providers among the bases of a class; nothing of it is started."""

    def _go_offline(self, trading_rules: Mapping[str, Mapping[str, TradingRule]]) -> None:
        """Set what Hummingbot's own `__init__` would. `trading_rules`: connector -> trading pair -> rule."""
        self.trading_rules = trading_rules
        self.connectors = OfflineConnectors(trading_rules)
        self.conn_settings: dict[str, object] = {}
        self._non_trading_connectors = self.connectors
        self._non_trading_connectors_started: dict[str, bool] = {}
        self._rates: dict[str, Decimal] = {}
        self._rates_required: dict[str, object] = {}
        self._rates_update_task = None
        self._rates_update_interval = 0
        #: (connector, pair) of which it was said that an amount was rounded to 0
        self._said_zero: set[tuple[str, str]] = set()

    @property
    def ready(self) -> bool:
        """Always: everything is here already."""
        return True

    def get_trading_rules(self, connector_name: str, trading_pair: str) -> TradingRule:
        """Hummingbot's TradingRule of a pair. Raises TradingRulesMissing."""
        try:
            return self.trading_rules[connector_name][trading_pair]
        except KeyError:
            raise TradingRulesMissing(
                f'no trading rules for {trading_pair} on {connector_name}: write {{"{trading_pair}": '
                '{"min_order_size": "...", "min_price_increment": "...", "min_base_amount_increment": "..."}} '
                f"in trading_rules/{connector_name}.json beside the candles, or fetch them with `hummingsweep sync`"
            ) from None

    def quantize_order_amount(self, connector_name: str, trading_pair: str, amount: Decimal) -> Decimal:
        """As upstream: rounded down to the exchange's increment. Where nothing is left of it, that is said once."""
        rounded: Decimal = BacktestingDataProvider.quantize_order_amount(self, connector_name, trading_pair, amount)
        market = (connector_name, trading_pair)
        if not rounded and amount > 0 and market not in self._said_zero:
            self._said_zero.add(market)
            increment = self.get_trading_rules(*market).min_base_amount_increment
            notes.warn(
                f"an amount of {amount:.6g} {trading_pair.partition('-')[0]} was rounded down to 0: "
                f"{connector_name}'s min_base_amount_increment is {increment}; give more, such as a larger "
                "total_amount_quote"
            )
        return rounded

    def initialize_rate_sources(self, connector_pairs: object) -> None:
        """No rates task is started; see `get_rate`."""

    def remove_rate_sources(self, connector_pairs: object) -> None:
        """There are none."""

    def get_connector(self, connector_name: str) -> OfflineConnector:
        """Rules and settings, no exchange."""
        return self.connectors[connector_name]


def no_series(name: str, there: Collection[str]) -> CandlesMissing:
    """The error for a series of the sweep file that is not among those `there`."""
    names = ", ".join(sorted(there)) or "none"
    return CandlesMissing(
        f"series {name} is not in the sweep (there: {names}): name its file in the sweep file, "
        f"`series: {{{name}: FILE}}`"
    )


def rate_of(pair: str, prices: Mapping[str, Decimal]) -> Decimal | None:
    """The price of a pair, or 1 / that of its reverse, on the first connector that has it; None: there is none.

    `prices`: "{connector}_{pair}" -> price, quote per base.
    """
    base, _, quote = pair.partition("-")
    for known, price in prices.items():
        if known.endswith(f"_{pair}"):
            return price
        if known.endswith(f"_{quote}-{base}"):
            return 1 / price
    return None

"""Trading rules from plain fields to hummingbot's TradingRule."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from tasks.errors import HummingsweepError
from tasks.named_types import JsonView
from tasks.suggest import nearest
from tasks.upstream.names import TradingRule

#: Fields of TradingRule that are numbers; they travel as strings or numbers and become Decimal.
NUMBERS = (
    "min_order_size",
    "max_order_size",
    "min_price_increment",
    "min_base_amount_increment",
    "min_quote_amount_increment",
    "min_notional_size",
    "min_order_value",
    "max_price_significant_digits",
)
FLAGS = ("supports_limit_orders", "supports_market_orders")
TOKENS = ("buy_order_collateral_token", "sell_order_collateral_token")


def trading_rules(plain: Mapping[str, Mapping[str, JsonView]]) -> dict[str, dict[str, TradingRule]]:
    """connector -> trading pair -> TradingRule, from connector -> trading pair -> fields.

    A field that is left out or null keeps Hummingbot's default. Raises HummingsweepError naming connector, pair and
    field for what is not one.
    """
    return {
        connector: {pair: _rule(connector, pair, fields) for pair, fields in pairs.items()}
        for connector, pairs in plain.items()
    }


def _rule(connector: str, pair: str, fields: JsonView) -> TradingRule:
    where = f"trading rules of {connector}, {pair}"
    if not isinstance(fields, Mapping):
        raise HummingsweepError(f'{where}: {fields!r} is not a set of fields such as {{"min_order_size": "0.001"}}')
    if not all(pair.partition("-")):
        raise HummingsweepError(f"{where}: a trading pair is written BASE-QUOTE, such as BTC-USDT")
    given = {name: _value(where, name, value) for name, value in fields.items() if value is not None}
    return TradingRule(trading_pair=pair, **given)


def _value(where: str, name: str, value: Any) -> Any:
    if name in NUMBERS:
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            number = Decimal("NaN")
        if isinstance(value, bool) or not number.is_finite() or number < 0:
            raise HummingsweepError(f"{where}: {name} = {value!r} is not a number of 0 or more")
        return number
    if name in FLAGS:
        if not isinstance(value, bool):
            raise HummingsweepError(f"{where}: {name} = {value!r} is neither true nor false")
        return value
    if name in TOKENS:
        return str(value)
    known = [*NUMBERS, *FLAGS, *TOKENS]
    near = nearest(name, known)
    raise HummingsweepError(f"{where}: unknown field {name!r} (nearest: {near!r})")

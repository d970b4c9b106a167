"""Hummingbot's connectors as far as they do not trade: which pairs are there, by which rules. For `hummingsweep sync`.

A module of its own because importing it costs seconds more than the candle feeds (exchange.py).
"""

from __future__ import annotations

from decimal import Decimal

from tasks.named_types import JsonObject
from tasks.upstream.backtest.rules import FLAGS, NUMBERS, TOKENS
from tasks.upstream.imports.patches import import_quietly
from tasks.upstream.live.exchange import Traffic, told_apart
from tasks.upstream.live.refusals import ExchangeTrouble, Unintelligible

with import_quietly():
    from hummingbot.connector.trading_rule import TradingRule
    from hummingbot.data_feed.market_data_provider import MarketDataProvider


class Market:
    """A connector of hummingbot's that does not trade: which pairs are there, by which rules."""

    def __init__(self, connector: str):
        """Raises KeyError when hummingbot has no such connector. Costs seconds the first time."""
        provider = MarketDataProvider({})
        if connector not in provider.conn_settings:
            raise KeyError(connector)
        self._connector = provider.get_non_trading_connector(connector)

    @staticmethod
    def names() -> list[str]:
        """Every connector of hummingbot's."""
        return sorted(MarketDataProvider({}).conn_settings)

    async def pairs(self) -> list[str]:
        """Trading pairs as hummingbot writes them; empty when the exchange does not say or cannot be reached."""
        try:
            with told_apart():
                return sorted(await self._connector.all_trading_pairs())
        except ExchangeTrouble:
            return []

    async def rules(self, traffic: Traffic) -> dict[str, JsonObject]:
        """Trading pair -> fields of its TradingRule that are not at their defaults, as JSON holds them.

        Raises ExchangeTrouble.
        """
        traffic.trouble = None
        with told_apart():
            await self._connector._update_trading_rules()
        rules = self._connector.trading_rules
        if not rules:  # most connectors log what failed and go on with nothing
            raise traffic.trouble or Unintelligible("its answer holds no trading rules")
        return {pair: plain_rule(rule) for pair, rule in sorted(rules.items())}


def plain_rule(rule: TradingRule) -> JsonObject:
    """The inverse of tasks.upstream.backtest.rules.trading_rules for one rule: numbers as text, defaults left out."""
    usual = TradingRule(rule.trading_pair)
    fields: JsonObject = {}
    for name in (*NUMBERS, *FLAGS, *TOKENS):
        value = getattr(rule, name)
        if value != getattr(usual, name):
            fields[name] = format(value.normalize(), "f") if isinstance(value, Decimal) else value
    return fields

"""How the stock engine names feeds and prices."""

from __future__ import annotations


def feed_key(connector: str, trading_pair: str, interval: str) -> str:
    """The engine's name of a feed, such as binance_perpetual_BTC-USDT_1m."""
    return f"{connector}_{trading_pair}_{interval}"


def price_key(connector: str, trading_pair: str) -> str:
    """The engine's name of a price, such as binance_perpetual_BTC-USDT."""
    return f"{connector}_{trading_pair}"


def feed_parts(key: str) -> tuple[str, str, str]:
    """Connector, trading pair and interval of a feed's name, the inverse of `feed_key`: a pair has no underscore."""
    market, _, interval = key.rpartition("_")
    connector, _, trading_pair = market.rpartition("_")
    return connector, trading_pair, interval

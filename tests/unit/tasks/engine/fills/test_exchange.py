"""What an exchange makes of orders: increments, smallest sizes, and what a row says of them."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from tasks.engine.fills.exchange import NO_LIMITS, ExchangeLimits, MarketLimits
from tasks.upstream.names import TradingRule

RULE = TradingRule(
    "BTC-USDT",
    min_order_size=Decimal("0.01"),
    min_price_increment=Decimal("0.5"),
    min_base_amount_increment=Decimal("0.01"),
    min_notional_size=Decimal(5),
)
LIMITS = ExchangeLimits(RULE)


def test_price_and_amount_are_rounded_down_to_the_increments() -> None:
    order = LIMITS.order(Decimal("100.9"), Decimal("0.129"))
    assert order == (Decimal("100.5"), Decimal("0.12"), "")


def test_a_market_order_keeps_its_price() -> None:
    assert LIMITS.order(Decimal("100.9"), Decimal("0.129"), at_market=True).price == Decimal("100.9")


@pytest.mark.parametrize(
    ("price", "amount", "why"),
    [
        ("1000", "0.009", "an order of 0.009 BTC is below the exchange's min_order_size 0.01"),
        ("100", "0.04", "an order worth 4 USDT is below the exchange's min_notional_size 5"),
        # 5.03 before it is rounded
        ("100.6", "0.05", ""),
        ("99.9", "0.0501", "an order worth 4.975 USDT is below the exchange's min_notional_size 5"),
    ],
)
def test_orders_that_are_too_small_after_rounding_are_refused_in_words(price: str, amount: str, why: str) -> None:
    assert LIMITS.order(Decimal(price), Decimal(amount)).refusal == why
    assert LIMITS.refusal(Decimal(price), Decimal(amount)) == why


def test_an_amount_below_the_increment_is_refused_where_there_is_no_smallest_size() -> None:
    limits = ExchangeLimits(TradingRule("BTC-USDT", min_base_amount_increment=Decimal("0.1")))
    assert "min_base_amount_increment 0.1" in limits.order(Decimal(100), Decimal("0.05")).refusal


def test_without_rules_nothing_is_rounded_or_refused() -> None:
    assert NO_LIMITS.order(Decimal("0.123"), Decimal("1e-9")) == (Decimal("0.123"), Decimal("1e-9"), "")


def executor(pair: str = "BTC-USDT") -> Any:
    return SimpleNamespace(connector_name="binance", trading_pair=pair)


def rules(connector: str, pair: str) -> Any:
    return {"binance": {"BTC-USDT": RULE, "ETH-USDT": TradingRule("ETH-USDT")}}[connector][pair]


def test_with_stock_fills_the_row_counts_what_the_exchange_would_refuse_and_says_why() -> None:
    limits = MarketLimits(rules)
    for amount in ("0.03", "0.02", "1"):
        limits.note(executor(), [(Decimal(100), Decimal(amount))])
    assert limits.warnings() == [
        "2 of 3 executors would be refused by the exchange, and trade here all the same: "
        "an order worth 3 USDT is below the exchange's min_notional_size 5"
    ]


def test_pairs_without_trading_rules_are_named() -> None:
    limits = MarketLimits(rules)
    limits.note(executor("DOGE-USDT"), [(Decimal(1), Decimal(1))])
    limits.note(executor("ETH-USDT"), [(Decimal(1), Decimal(1))])
    assert limits.warnings() == [
        "no trading rules of DOGE-USDT on binance: its orders are neither rounded nor refused as the exchange does; "
        "name them in trading_rules/binance.json",
        "the trading rules of ETH-USDT on binance hold no increments and no smallest order: its orders are neither "
        "rounded nor refused as the exchange does",
    ]

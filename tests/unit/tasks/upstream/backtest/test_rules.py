"""Trading rules from plain fields."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from tasks.errors import HummingsweepError
from tasks.upstream.backtest.rules import FLAGS, NUMBERS, TOKENS, trading_rules
from tasks.upstream.names import TradingRule


def test_fields_become_hummingbots_types():
    rules = trading_rules(
        {
            "kraken": {
                "BTC-USD": {
                    "min_order_size": "0.0001",
                    "min_price_increment": 0.1,
                    "max_order_size": None,
                    "supports_market_orders": False,
                    "buy_order_collateral_token": "USD",
                }
            }
        }
    )
    rule = rules["kraken"]["BTC-USD"]
    assert (rule.min_order_size, rule.min_price_increment) == (Decimal("0.0001"), Decimal("0.1"))
    assert rule.max_order_size == TradingRule("BTC-USD").max_order_size
    assert rule.supports_market_orders is False


def test_every_field_of_upstream_is_known():
    public = {name for name in dir(TradingRule("A-B")) if not name.startswith("_")} - {"trading_pair"}
    assert public == {*NUMBERS, *FLAGS, *TOKENS}


@pytest.mark.parametrize(
    ("pair", "fields", "said"),
    [
        (
            "BTC-USD",
            {"min_ordersize": 1},
            r"kraken, BTC-USD: unknown field 'min_ordersize' \(nearest: 'min_order_size'",
        ),
        ("BTC-USD", {"min_order_size": "small"}, "min_order_size = 'small' is not a number"),
        ("BTC-USD", {"min_order_size": -1}, "min_order_size = -1 is not a number of 0 or more"),
        ("BTC-USD", {"supports_limit_orders": "yes"}, "neither true nor false"),
        ("BTC-USD", ["0.1"], "not a set of fields"),
        ("BTCUSD", {}, "BASE-QUOTE"),
    ],
)
def test_what_is_no_rule_is_named(pair, fields, said):
    with pytest.raises(HummingsweepError, match=said):
        trading_rules({"kraken": {pair: fields}})


def test_the_shared_rules_can_be_read(shared_data):
    for file in (shared_data / "trading_rules").glob("*.json"):
        assert trading_rules({file.stem: json.loads(file.read_text())})[file.stem]

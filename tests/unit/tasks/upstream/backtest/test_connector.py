"""What a controller may ask of a connector in a back-test."""

from __future__ import annotations

import copy
import pickle

import pytest

from tasks.errors import ControllerError
from tasks.upstream.backtest.connector import OfflineConnectors
from tasks.upstream.backtest.provider import SweepDataProvider
from tasks.upstream.names import PositionMode

RULES = {"kraken": {"ADA-USD": object()}}


def test_a_perpetual_begins_as_upstreams_does_and_keeps_what_it_is_told():
    # without the exchange's own module: the class all perpetual connectors of upstream keep their state in
    from hummingbot.connector.perpetual_trading import PerpetualTrading

    upstream, ours = PerpetualTrading(["BTC-USDT"]), OfflineConnectors({})["binance_perpetual"]
    assert ours.position_mode == upstream.position_mode == PositionMode.ONEWAY
    assert ours.account_positions == upstream.account_positions == {}
    assert ours.get_leverage("BTC-USDT") == upstream.get_leverage("BTC-USDT") == 1
    for one in (upstream, ours):
        one.set_position_mode(PositionMode.HEDGE)
        one.set_leverage("BTC-USDT", 20)
    assert ours.position_mode == upstream.position_mode
    assert ours.get_leverage("BTC-USDT") == upstream.get_leverage("BTC-USDT") == 20


def test_a_spot_connector_has_rules_and_no_position_mode():
    spot = OfflineConnectors(RULES)["kraken"]
    assert (spot.name, spot.trading_pairs, spot.trading_rules) == ("kraken", ["ADA-USD"], RULES["kraken"])
    assert not hasattr(spot, "position_mode")
    assert getattr(spot, "get_balance", None) is None
    with pytest.raises(ControllerError, match="connector kraken: get_balance is asked for; a back-test has"):
        spot.get_balance("ADA")


def test_a_connector_is_made_once_and_is_an_object_like_others():
    connectors = OfflineConnectors(RULES)
    assert connectors["kraken"] is connectors.get("kraken")
    assert copy.deepcopy(connectors["kraken"]).trading_pairs == ["ADA-USD"]
    assert pickle.loads(pickle.dumps(OfflineConnectors({})["kraken"])).name == "kraken"


def test_every_way_to_a_connector_leads_to_the_same(make_market):
    provider = SweepDataProvider(make_market())
    connector = provider.get_connector("kraken_perpetual")
    connector.set_position_mode(PositionMode.HEDGE)
    for found in (
        provider.get_connector_with_fallback("kraken_perpetual"),
        provider.get_non_trading_connector("kraken_perpetual"),
        provider.connectors["kraken_perpetual"],
    ):
        assert found is connector
    # another point has its own
    assert SweepDataProvider(make_market()).get_connector("kraken_perpetual").position_mode == PositionMode.ONEWAY

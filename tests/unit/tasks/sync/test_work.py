"""An order before anything is asked of an exchange."""

from __future__ import annotations

import pytest

from tasks.errors import HummingsweepError
from tasks.sync.orders import FeedOrder
from tasks.sync.work import check, together


def order(pair="BTC-USDT", start=10, end: int | None = 20, connector="binance", interval="1m"):
    return FeedOrder(connector, pair, interval, start, end)


def test_a_feed_asked_for_twice_is_one_over_both_periods():
    assert together([order(), order("ETH-USDT"), order(start=5, end=12)]) == [order(start=5), order("ETH-USDT")]
    assert together([order(), order(end=None)]) == [order(end=None)]
    assert together([order(interval="3m"), order()]) == [order(interval="3m"), order()]


def test_unknown_connector_and_interval_name_the_nearest():
    known = ["binance", "binance_perpetual", "kucoin"]
    check(order(), known, lambda _: ["1m", "5m"])
    with pytest.raises(
        HummingsweepError, match=r"'binance_perp': .* the nearest is binance_perpetual, all are binance "
    ):
        check(order(connector="binance_perp"), known, lambda _: [])
    with pytest.raises(HummingsweepError, match=r"'3m': binance has no .* the nearest is 5m, all are 1s 5m 1h"):
        check(order(interval="3m"), known, lambda _: ["1s", "5m", "1h"])

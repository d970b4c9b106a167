"""A controller sees the same candles whichever way it asks for them."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from types import SimpleNamespace

import pandas as pd
import pytest

from tasks.errors import ControllerError
from tasks.isolation.notes import notes
from tasks.upstream.backtest.provider import SweepDataProvider
from tasks.upstream.backtest.wanted import wanted_feeds
from tasks.upstream.names import CandlesConfig, PriceType

FEED = ("binance_perpetual", "BTC-USDT")
KEY = "binance_perpetual_BTC-USDT_15m"
START = 1_704_067_200
CONFIG = CandlesConfig(connector=FEED[0], trading_pair=FEED[1], interval="15m", max_records=7)


def provider_of(market):
    provider = SweepDataProvider(market)
    provider.attach(SimpleNamespace(config=SimpleNamespace(), get_candles_config=lambda: [CONFIG]))
    return provider


async def awaited(provider):
    return await provider.get_candles_feed(CONFIG)


WAYS = {
    "candles_feeds": lambda provider: provider.candles_feeds[KEY],
    "candles_data": lambda provider: provider.candles_data.get(KEY),
    "values": lambda provider: next(feed for key, feed in provider.candles_feeds.items() if key == KEY),
    "candles_df": lambda provider: provider.get_candles_feed(CONFIG).candles_df,
    "awaited": lambda provider: asyncio.run(awaited(provider)),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize(("shift", "warmup"), [(1, True), (3, True), (1, False), (0, True)])
def test_every_way_gives_the_shifted_frame_and_while_stepping_the_past_only(make_market, way, shift, warmup):
    provider = provider_of(make_market(intervals=("1m", "15m"), shift=shift, warmup=warmup))
    pd.testing.assert_frame_equal(way(provider), provider.get_candles_df(*FEED, "15m"))
    provider.stepping, provider._time = True, START + 7261.0
    seen = way(provider)
    pd.testing.assert_frame_equal(seen, provider.get_candles_df(*FEED, "15m"))
    if shift:
        assert seen["timestamp"].iloc[-1] == START + 7200


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_without_shift_and_warmup_every_way_gives_upstreams_whole_feed(make_market, way):
    market = make_market(intervals=("1m", "15m"))
    provider = provider_of(market)
    provider.stepping, provider._time = True, START + 7260.0
    pd.testing.assert_frame_equal(way(provider), market.feeds[KEY])


def test_how_far_back_a_feed_reaches_does_not_depend_on_what_other_points_want(make_market):
    seen = [
        provider_of(make_market(intervals=("1m", "15m"), lead_hours=hours, shift=1, warmup=True)).candles_feeds[KEY]
        for hours in (4, 8)
    ]
    assert [len(feed) for feed in seen] == [len(seen[0])] * 2


def test_what_a_controller_puts_there_is_its_own_and_not_the_engines(make_market):
    market = make_market(intervals=("1m", "15m"), shift=1, warmup=True)
    provider = provider_of(market)
    made = provider.candles_feeds[KEY].assign(close=1.0)
    provider.candles_feeds[KEY] = made
    assert (provider.get_candles_df(*FEED, "15m")["close"] == 1.0).all()
    assert (provider.get_candles_df(*FEED, "15m")["timestamp"] == made["timestamp"]).all()
    assert (provider.resolution_candles(*FEED, "15m")["close"] != 1.0).all()
    provider.candles_feeds["binance_perpetual_BTC-USDT_1m"].loc[:, "close"] = 1.0
    assert (provider.resolution_candles(*FEED, "1m")["close"] != 1.0).all()


def test_a_feed_that_was_only_looked_at_counts_as_unchanged(make_market):
    provider = provider_of(make_market(intervals=("1m", "15m"), shift=1, warmup=True))
    before = provider.candles_feeds.held()
    taken = provider.candles_feeds[KEY]
    assert provider.candles_feeds.held() == before
    taken.loc[taken.index[0], "close"] = 0.0
    assert provider.candles_feeds.held() != before


def test_the_price_of_a_pair_with_candles_is_the_last_close_that_may_be_seen(make_market):
    provider = provider_of(make_market(intervals=("1m", "15m"), shift=1, warmup=True))
    notes.clear()
    minutes = provider.market.feeds["binance_perpetual_BTC-USDT_1m"].set_index("timestamp")
    provider._time = START + 600.0
    price = provider.get_price_by_type(*FEED, PriceType.MidPrice)
    assert price == Decimal(str(minutes.loc[START + 540, "close"]))
    provider.prices = {"_".join(FEED): Decimal(7)}
    assert provider.get_price_by_type(*FEED, PriceType.BestBid) == 7
    assert notes.warnings() == []


def test_a_price_that_nobody_knows_is_upstreams_1_and_said(make_market):
    provider = provider_of(make_market(shift=1))
    notes.clear()
    assert provider.get_price_by_type("kraken", "ADA-USD", PriceType.MidPrice) == 1
    assert "price of ADA-USD on kraken" in notes.warnings()[0]


def listing(entries, **others):
    return SimpleNamespace(config=SimpleNamespace(controller_name="old", candles_config=entries), **others)


def test_feeds_are_found_in_the_configs_candles_config():
    plain = {"connector": "kraken", "trading_pair": "ADA-USD", "interval": "5m", "max_records": 20}
    found = wanted_feeds(listing([CONFIG, plain]))
    assert [(one.connector, one.interval, one.max_records) for one in found] == [
        ("binance_perpetual", "15m", 7), ("kraken", "5m", 20),
    ]  # fmt: skip


def test_the_deepest_of_equal_feeds_counts():
    deeper = CONFIG.model_copy(update={"max_records": 70})
    found = wanted_feeds(listing([deeper], get_candles_config=lambda: [CONFIG]))
    assert [one.max_records for one in found] == [70]


def test_an_entry_that_is_no_feed_is_named():
    with pytest.raises(ControllerError, match=r"old: candles_config holds 'binance'; write each feed as"):
        wanted_feeds(listing(["binance"]))


def test_a_feed_asked_of_the_provider_while_the_controller_is_made_is_wanted(make_market):
    provider = SweepDataProvider(make_market(intervals=("1m", "15m")))
    provider.initialize_candles_feed(CONFIG)
    assert wanted_feeds(SimpleNamespace(config=SimpleNamespace(), market_data_provider=provider)) == [CONFIG]

"""What a controller sees, and what it is told when it asks for something a back-test does not have."""

from __future__ import annotations

import asyncio
import dataclasses
from decimal import Decimal
from types import SimpleNamespace

import pandas as pd
import pytest

from tasks.errors import CandlesMissing, CandlesNotCovering, ControllerError, TradingRulesMissing
from tasks.intervals import INTERVAL_SECONDS
from tasks.isolation.notes import notes
from tasks.upstream.backtest.provider import SweepDataProvider
from tasks.upstream.backtest.rules import trading_rules
from tasks.upstream.names import BacktestingDataProvider, CandlesConfig

FEED = ("binance_perpetual", "BTC-USDT")
START = 1_704_067_200


async def taken(provider, config):
    return await provider.get_candles_feed(config)


def attached(market, *wanted, **attributes):
    provider = SweepDataProvider(market)
    controller = SimpleNamespace(
        config=SimpleNamespace(),
        get_candles_config=lambda: [
            CandlesConfig(connector=FEED[0], trading_pair=FEED[1], interval=interval, max_records=records)
            for interval, records in wanted
        ],
        **attributes,
    )
    provider.attach(controller)
    return provider


@pytest.fixture
def stock(monkeypatch):
    """Upstream's own provider on a market's feeds, without the scan of all connectors."""
    monkeypatch.setattr(
        "hummingbot.client.settings.AllConnectorSettings.get_connector_settings", classmethod(lambda cls: {})
    )

    def make(market):
        provider = BacktestingDataProvider({})
        provider.candles_feeds = dict(market.feeds)
        provider.update_backtesting_time(market.start, market.end)
        return provider

    return make


def test_without_shift_and_warmup_the_frame_is_upstreams(make_market, stock):
    market = make_market(intervals=("1m", "3m"))
    for interval in ("1m", "3m"):
        ours = attached(market, (interval, 50)).get_candles_df(*FEED, interval, 50)
        theirs = stock(market).get_candles_df(*FEED, interval, 50)
        assert ours.equals(theirs)
        assert ours.index.equals(theirs.index)


def test_has_every_attribute_of_upstreams_provider(make_market, stock):
    market = make_market()
    assert set(vars(stock(market))) <= set(vars(SweepDataProvider(market)))


def test_warmup_reaches_back_as_far_as_the_controller_asks(make_market):
    provider = attached(make_market(intervals=("1m", "15m"), warmup=True), ("15m", 7))
    assert provider.get_candles_df(*FEED, "15m")["timestamp"].iloc[0] == START - 7 * 900
    assert provider.get_candles_df(*FEED, "1m")["timestamp"].iloc[0] == START


def test_warmup_takes_what_is_there(make_market):
    provider = attached(make_market(intervals=("1h",), lead_hours=4, warmup=True), ("1h", 100))
    assert provider.get_candles_df(*FEED, "1h")["timestamp"].iloc[0] == START - 4 * 3600


@pytest.mark.parametrize("shift", [1, 3])
def test_a_shifted_candle_is_stamped_when_it_closes(make_market, shift):
    market = make_market(intervals=("15m",), shift=shift, warmup=True)
    seen = attached(market, ("15m", 5)).get_candles_df(*FEED, "15m")
    raw = market.feeds["binance_perpetual_BTC-USDT_15m"].set_index("timestamp")
    assert (raw.loc[seen["timestamp"] - shift * 900, "close"].to_numpy() == seen["close"].to_numpy()).all()
    # all five candles that were closed (and held back long enough) at the start are there
    assert (seen["timestamp"] <= START).sum() == 5


def test_a_period_that_starts_inside_a_candle_still_gets_its_records(make_market):
    market = make_market(intervals=("1h",), shift=1, warmup=True)
    object.__setattr__(market, "start", START + 1800)
    seen = attached(market, ("1h", 3)).get_candles_df(*FEED, "1h")
    assert (seen["timestamp"] <= START + 1800).sum() == 3


def test_who_shifts_for_himself_is_not_shifted(make_market):
    market = make_market(shift=1)
    assert attached(market, ("1m", 5), shifts_itself=True).get_candles_df(*FEED, "1m")["timestamp"].iloc[0] == START
    assert attached(market, ("1m", 5)).get_candles_df(*FEED, "1m")["timestamp"].iloc[0] == START + 60


def test_while_stepping_a_shifted_controller_sees_the_past_only(make_market):
    market = make_market(shift=1)
    provider = attached(market, ("1m", 5))
    provider.stepping, provider._time = True, START + 600.0
    assert provider.get_candles_df(*FEED, "1m")["timestamp"].iloc[-1] == START + 600


def test_what_a_controller_writes_stays_with_it(make_market):
    market = make_market(intervals=("1m",), shift=1)
    before = market.feeds["binance_perpetual_BTC-USDT_1m"].copy()
    seen = attached(market, ("1m", 5)).get_candles_df(*FEED, "1m")
    seen["close"] = 0.0
    seen.loc[:, "open"] = 0.0
    assert market.feeds["binance_perpetual_BTC-USDT_1m"].equals(before)


def test_feeds_come_from_the_market_or_not_at_all(make_market):
    market = make_market(intervals=("1m", "3m"))
    provider = SweepDataProvider(market)
    assert provider.candles_data is provider.candles_feeds

    def wanted(interval):
        return taken(provider, CandlesConfig(connector=FEED[0], trading_pair=FEED[1], interval=interval))

    # the last full 3m candle opens before the end: upstream would download it again
    theirs = market.feeds["binance_perpetual_BTC-USDT_3m"]
    pd.testing.assert_frame_equal(asyncio.run(wanted("3m")), theirs)
    # another point's feed stays as it is, whatever a controller makes of its own
    asyncio.run(wanted("3m")).loc[0, "close"] = 0.0
    provider.candles_feeds["binance_perpetual_BTC-USDT_3m"]["more"] = 1
    assert theirs.loc[0, "close"] != 0.0
    assert "more" not in theirs
    with pytest.raises(CandlesMissing, match=r"binance_perpetual_BTC-USDT_1h .*get_candles_config"):
        asyncio.run(wanted("1h"))
    with pytest.raises(CandlesMissing, match="'7m' is none of Hummingbot's"):
        provider.candles_feeds["binance_perpetual_BTC-USDT_7m"] = market.feeds["binance_perpetual_BTC-USDT_1m"]
        asyncio.run(wanted("7m"))


def test_a_feed_outside_the_period_is_named(make_market):
    market = make_market(intervals=("1m",))
    key = "binance_perpetual_BTC-USDT_1m"
    config = CandlesConfig(connector=FEED[0], trading_pair=FEED[1], interval="1m")
    full = market.feeds[key]
    for cut in (full[full["timestamp"] < START - 60], full[full["timestamp"] > market.end], full.iloc[:0]):
        provider = SweepDataProvider(market)
        provider.candles_feeds[key] = cut
        with pytest.raises(CandlesNotCovering, match=f"{key} covers"):
            asyncio.run(taken(provider, config))


def test_the_intervals_are_upstreams():
    from hummingbot.data_feed.candles_feed.candles_base import CandlesBase

    assert dict(CandlesBase.interval_to_seconds) == INTERVAL_SECONDS


def test_missing_rules_say_what_to_write(make_market):
    provider = SweepDataProvider(make_market())
    asyncio.run(provider.initialize_trading_rules("kraken"))
    with pytest.raises(
        TradingRulesMissing, match=r"no trading rules for ADA-USD on kraken.*trading_rules/kraken\.json"
    ):
        provider.get_trading_rules("kraken", "ADA-USD")


@pytest.mark.parametrize(
    ("ask", "missing"),
    [
        (lambda provider: provider.get_order_book("kraken", "ADA-USD"), "get_order_book"),
        (lambda provider: provider.get_balance("kraken", "ADA"), "get_balance"),
        (lambda provider: provider.connectors["kraken"].get_mid_price("ADA-USD"), "get_mid_price"),
    ],
)
def test_what_only_an_exchange_knows_is_told(make_market, ask, missing):
    with pytest.raises(ControllerError, match=rf"connector kraken\w*: {missing} is asked for"):
        ask(SweepDataProvider(make_market()))


def test_nothing_is_started_and_nothing_stops(make_market):
    async def use():
        provider = SweepDataProvider(make_market())
        provider.initialize_rate_sources([object()])
        provider.remove_rate_sources([object()])
        provider.stop()
        return provider.ready, len(asyncio.all_tasks()), len(provider.candles_feeds)

    assert asyncio.run(use()) == (True, 1, 1)


def test_whichever_way_a_feed_is_taken_it_is_a_copy(make_market):
    market = make_market(intervals=("1m",))
    (key,) = market.feeds
    ways = [
        lambda feeds: feeds[key],
        lambda feeds: feeds.get(key),
        lambda feeds: feeds.pop(key),
        lambda feeds: feeds.setdefault(key, None),
        lambda feeds: dict(feeds)[key],
        lambda feeds: {**feeds}[key],
        lambda feeds: (feeds | {})[key],
        lambda feeds: feeds.copy()[key],
        lambda feeds: next(iter(feeds.values())),
        lambda feeds: next(iter(feeds.items()))[1],
    ]
    for way in ways:
        feeds = SweepDataProvider(market).candles_feeds
        before = feeds.held()
        taken = way(feeds)
        assert taken is not market.feeds[key]
        pd.testing.assert_frame_equal(taken, market.feeds[key])
        if key in feeds:
            assert feeds.held() == before
            taken["more"] = 1.0
            assert (feeds.held() != before) == (feeds.raw(key) is taken)


def test_a_controller_that_shifts_for_itself_is_held_back_by_a_delay(make_market):
    market = dataclasses.replace(make_market(shift=2), delay=1)
    frame = attached(market, ("1m", 5), shifts_itself=True).get_candles_df(*FEED, "1m")
    assert frame["timestamp"].iloc[0] == START + 60


def test_an_amount_that_is_rounded_down_to_nothing_is_said_once(make_market):
    quantum = Decimal("0.001")
    rule = {"min_order_size": "0.001", "min_price_increment": "0.1", "min_base_amount_increment": str(quantum)}
    rules = trading_rules({FEED[0]: {FEED[1]: rule}})
    provider = attached(dataclasses.replace(make_market(), trading_rules=rules))
    notes.clear()
    assert provider.quantize_order_amount(*FEED, quantum * Decimal("2.5")) == 2 * quantum
    assert notes.warnings() == []
    assert [provider.quantize_order_amount(*FEED, quantum / part) for part in (2, 3)] == [0, 0]
    (said,) = notes.warnings()
    assert said.endswith(
        f"BTC was rounded down to 0: binance_perpetual's min_base_amount_increment is {quantum}; give more, such as a "
        "larger total_amount_quote"
    )
    notes.clear()

"""Series and funding info as a controller sees them: never ahead of the back-test's time."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

import pandas as pd
import pytest

from tasks.errors import CandlesMissing, ControllerError
from tasks.upstream.backtest.provider import SweepDataProvider

START = 1_704_067_200
HOURS = pd.DataFrame(
    {"timestamp": [START + 3600.0 * hour for hour in range(-2, 9)], "rate": [0.1 * n for n in range(11)]}
)


@pytest.fixture
def market_of(make_market):
    def make(**fields):
        market = make_market(**{name: fields.pop(name) for name in ("shift", "warmup") if name in fields})
        return dataclasses.replace(market, **{"series": {"funding_BTC-USDT": HOURS, "oi": HOURS}, **fields})

    return make


def times(provider):
    return [(moment - START) / 3600 for moment in provider.get_series("oi")["timestamp"]]


def test_a_series_reaches_back_before_the_period_and_not_beyond_its_end(market_of):
    assert times(SweepDataProvider(market_of(shift=1))) == [-2, -1, 0, 1, 2, 3, 4]


def test_while_stepping_it_ends_now(market_of):
    provider = SweepDataProvider(market_of(shift=1))
    provider.stepping, provider._time = True, START + 7200.0
    assert times(provider) == [-2, -1, 0, 1, 2]
    provider = SweepDataProvider(market_of(shift=0))
    provider.stepping, provider._time = True, START + 7200.0
    assert times(provider)[-1] == 4  # as the stock engine: whole


def test_a_larger_shift_holds_it_back_as_candles_are(market_of):
    provider = SweepDataProvider(market_of(shift=3))
    provider.stepping, provider._time = True, START + 7200.0
    seen = provider.get_series("oi")["timestamp"]
    assert seen.iloc[-1] == START + 3600 + 120


def test_what_a_controller_writes_stays_with_it(market_of):
    provider = SweepDataProvider(market_of(shift=1))
    provider.get_series("oi")["rate"] = 9.0
    assert (HOURS["rate"] < 2).all()


def test_one_that_is_not_there_is_named(market_of):
    with pytest.raises(CandlesMissing, match=r"series sentiment is not in the sweep \(there: funding_BTC-USDT, oi\)"):
        SweepDataProvider(market_of(shift=1)).get_series("sentiment")


def test_funding_info_is_the_last_rate_that_is_known(market_of):
    provider = SweepDataProvider(market_of(shift=1))
    provider._time, provider.prices = START + 3601.0, {"binance_perpetual_BTC-USDT": Decimal(5)}
    info = provider.get_funding_info("binance_perpetual", "BTC-USDT")
    assert float(info.rate) == pytest.approx(0.3)
    assert (info.mark_price, info.next_funding_utc_timestamp) == (5, START + 7200)


def test_funding_of_the_sweep_file_will_do(market_of):
    provider = SweepDataProvider(market_of(series={}, funding={"BTC-USDT": [[START, 0.01], [START + 28800, 0.02]]}))
    info = provider.get_funding_info("binance_perpetual", "BTC-USDT")
    assert (info.rate, info.next_funding_utc_timestamp) == (Decimal("0.01"), START + 28800)
    with pytest.raises(ControllerError, match=r"series: \{funding_ETH-USDT: FILE\}"):
        provider.get_funding_info("binance_perpetual", "ETH-USDT")

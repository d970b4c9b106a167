"""Pairs out of symbols."""

import pytest

from tasks.candles.foreign.names import interval_in, symbols_in
from tasks.candles.symbols import ask_for_pair, readings, split_symbol


@pytest.mark.parametrize(
    ("symbol", "pair"),
    [
        ("BTCUSDT", "BTC-USDT"),
        ("btcusdt", "BTC-USDT"),
        ("ETHBTC", "ETH-BTC"),
        ("BTCFDUSD", "BTC-FDUSD"),
        ("XBTUSD", "BTC-USD"),
        ("XXBTZUSD", "BTC-USD"),
        ("XDGUSD", "DOGE-USD"),
        ("BTC/USDT:USDT", "BTC-USDT"),
        ("BTC-USDT-SWAP", "BTC-USDT"),
        ("1000PEPEUSDT", "1000PEPE-USDT"),
        ("ARBUSD", "ARB-USD"),
    ],
)
def test_the_longest_known_quote_ends_a_symbol(symbol, pair):
    assert split_symbol(symbol) == pair


@pytest.mark.parametrize("symbol", ["BTCAEUR", "BTCBUSD", "NONSENSE", "USDT", "BTC-USD-240329", ""])
def test_what_is_unknown_or_has_two_readings_is_not_guessed(symbol):
    assert split_symbol(symbol) == ""


def test_the_question_names_every_reading():
    assert "BTC-AEUR or BTCA-EUR" in ask_for_pair("BTCAEUR", readings("BTCAEUR"))
    assert "give the pair" in ask_for_pair("NONSENSE", [])


@pytest.mark.parametrize(
    ("stem", "pairs", "interval"),
    [
        ("Binance_BTCUSDT_1h", ["BTC-USDT"], "1h"),
        ("Kraken_BTCUSD_2024_minute", ["BTC-USD"], "1m"),
        ("Binance_BTCUSDT_d", ["BTC-USDT"], "1d"),
        ("XBTUSD_60", ["BTC-USD"], "1h"),
        ("BTC_USDT-1h", ["BTC-USDT"], "1h"),
        ("BTC_USDT_USDT-5m-futures", ["BTC-USDT"], "5m"),
        ("BTC-USDT 1h", ["BTC-USDT"], "1h"),
        ("ethusdt_15min", ["ETH-USDT"], "15m"),
        ("BTCUSD1", ["BTC-USD1", "BTC-USD"], ""),
        ("prices", [], ""),
    ],
)
def test_names_of_vendors_say_market_and_interval(stem, pairs, interval):
    assert (symbols_in(stem), interval_in(stem)) == (pairs, interval)

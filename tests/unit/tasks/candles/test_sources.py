"""What an import takes, what it leaves out, and what it says about that."""

import re
from pathlib import Path

import pytest

from tasks.candles.foreign.sheet import ENDINGS
from tasks.candles.sources import Given, sources
from tasks.errors import CandlesError, CandlesMissing

HERE = "candles_binance_BTC-USDT_1m.csv"
BINANCE = "BTCUSDT-1m-2024-01.csv"


def found(folder: Path, names: list[str], given: Given) -> tuple[list[str], list[str]]:
    """Keys of what is taken of these files, and what was said."""
    for name in names:
        (folder / name).write_text("")
    said: list[str] = []
    return [file.key for file in sources(folder, given, said.append)], said


def test_what_looks_like_a_table_and_is_left_out_is_said(tmp_path: Path) -> None:
    names = [HERE, "btc_2.csv", "candles_okx_BTC-USDT_1m.CSV", "prices.xlsx", "README.md", f"{BINANCE}.CHECKSUM"]
    keys, said = found(tmp_path, names, Given())
    assert keys == ["binance_BTC-USDT_1m"]
    assert said == [
        f"{tmp_path}/btc_2.csv: left out: its name does not say what it is; give --connector, --pair and --interval",
        f"{tmp_path}/candles_okx_BTC-USDT_1m.CSV: left out: its ending is not in small letters; rename it",
        f"{tmp_path}/prices.xlsx: left out: not one of {', '.join(ENDINGS)}; convert it first",
    ]


CONTRADICTIONS = [
    (BINANCE, Given("binance", "ETH-USDT"), "its name says BTCUSDT, --pair says ETH-USDT"),
    ("DOTUSD_PERP-1m-2024-01.csv", Given("binance", "DO-TUSD"), "its name says DOTUSD_PERP, --pair says DO-TUSD"),
    (BINANCE, Given("binance", "", "3m"), "its name says 1m, --interval says 3m"),
    ("BTCUSDT-1mo-2024-01.csv", Given("binance", "", "1m"), "its name says 1M, --interval says 1m"),
    (HERE, Given("okx"), "its name says binance, --connector says okx"),
    (HERE, Given("", "ETH-USDT"), "its name says BTC-USDT, --pair says ETH-USDT"),
    (HERE, Given("", "", "1M"), "its name says 1m, --interval says 1M"),
]


@pytest.mark.parametrize(("name", "given", "message"), CONTRADICTIONS)
def test_an_option_does_not_make_a_file_another_markets(tmp_path: Path, name: str, given: Given, message: str) -> None:
    path = tmp_path / name
    path.write_text("")
    with pytest.raises(CandlesError, match=message):
        sources(path, given, print)
    with pytest.raises(CandlesMissing, match="no candle files in it that can be taken"):
        sources(tmp_path, given, (said := []).append)
    assert said[0].startswith(f"{path}: left out: {message}; leave --")


def test_what_names_and_options_agree_on_is_taken(tmp_path: Path) -> None:
    names = [BINANCE, "ETHUSDT-1m-2024-01.csv", HERE, "candles_okx_BTC-USDT_1m.csv", "candles_binance_btc-usdt_1m.csv"]
    keys, said = found(tmp_path, names, Given("binance", "BTC-USDT", "1m"))
    assert (keys, len(said)) == (["binance_BTC-USDT_1m"] * 3, 2)


def test_futures_with_a_day_of_delivery_are_a_market_of_their_own(tmp_path: Path) -> None:
    dated = "BTCUSDT_240329-1m-2024-01.csv"
    keys, said = found(tmp_path, [BINANCE, dated], Given("binance_perpetual"))
    assert keys == ["binance_perpetual_BTC-USDT_1m"]
    assert "BTCUSDT_240329 is a future with a day of delivery" in said[0]
    assert found(tmp_path, [BINANCE, dated], Given("binance_perpetual", "BTC-USDT"))[0] == keys
    with pytest.raises(CandlesError, match="day of delivery"):
        sources(tmp_path / dated, Given("binance_perpetual"), print)
    (alone,) = sources(tmp_path / dated, Given("binance_perpetual", "BTC-USDT"), print)
    assert alone.pair == "BTC-USDT"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (Given(pair="BTC/USDT"), "--pair 'BTC/USDT' is no pair"),
        (Given(pair="BTCUSDT"), "--pair 'BTCUSDT' is no pair"),
        (Given(pair="btc-usdt"), "--pair 'btc-usdt' is no pair"),
        (Given(pair="BTC-USDT\n"), "--pair 'BTC-USDT\\n' is no pair"),
        (Given(connector="../evil"), "--connector '../evil' is no connector"),
        (Given(connector="Binance"), "--connector 'Binance' is no connector"),
        (Given(interval="60s"), "--interval '60s' is not how intervals are named; write 1m"),
        (Given(interval="24h"), "--interval '24h' is not how intervals are named; write 1d"),
        (Given(interval="01M"), "--interval '01M' is not how intervals are named; write 1M"),
        (Given(interval="1x"), "'1x' is not an interval"),
        (Given(interval="m"), "'m' is not an interval"),
        (Given(interval="٣m"), "--interval '٣m' is not how intervals are named; write 3m"),
    ],
)
def test_options_that_make_names_nothing_reads_again(given: Given, message: str) -> None:
    with pytest.raises(CandlesError, match=re.escape(message)):
        given.check()


@pytest.mark.parametrize("pair", ["BTC-USDT", "1000PEPE-USDC", "kPEPE-USD", "币安人生-USDT", "XYZ:AAPL-USD"])
def test_pairs_as_exchanges_have_them(pair: str) -> None:
    Given("binance_perpetual", pair, "1M").check()

"""Binance's klines as they lie about: every candle is read, into the column it belongs to, or the file is refused."""

from pathlib import Path

import pytest

from tasks.candles.binance import HEADER, binance_pair, klines
from tasks.candles.slices import Columns, to_table
from tasks.errors import CandlesBroken

from .conftest import candles


def lines_of(columns: Columns) -> list[str]:
    """Binance's twelve columns, without a header."""
    lines = []
    for row in zip(*columns.values(), strict=True):
        time, *prices = row[:6]
        fields = [int(time * 1e3), *prices, int((time + 60) * 1e3 - 1), *row[6:], 0]
        lines.append(",".join(str(field) for field in fields))
    return lines


def write(folder: Path, lines: list[str], before: str = "") -> Path:
    path = folder / "BTCUSDT-1m-2024-01.csv"
    path.write_text(before + "\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("header", [False, True])
@pytest.mark.parametrize("kind", ["plain", "byte order mark", "quoted", "both", "blank line"])
def test_no_candle_is_taken_for_a_header(tmp_path: Path, kind: str, header: bool) -> None:
    columns = candles(10, columns=10)
    lines = [*([",".join(HEADER)] if header else []), *lines_of(columns)]
    if kind in ("quoted", "both"):
        lines = [",".join(f'"{field}"' for field in line.split(",")) for line in lines]
    before = {"byte order mark": "\ufeff", "both": "\ufeff", "blank line": "\n"}
    path = write(tmp_path, lines, before.get(kind, ""))
    assert to_table(klines(path, "1m")).equals(to_table(columns))


@pytest.mark.parametrize("names", [HEADER, ("timestamp", *HEADER[1:7], "quote_asset_volume", "n_trades", *HEADER[9:])])
def test_columns_are_read_by_their_names(tmp_path: Path, names: tuple[str, ...]) -> None:
    columns = candles(10, columns=10)
    places = [4, 0, 2, 11, 3, 1, 5, 10, 9, 8, 7, 6]
    rows = [list(names), *(line.split(",") for line in lines_of(columns))]
    path = write(tmp_path, [",".join(row[place] for place in places) for row in rows])
    assert to_table(klines(path, "1m")).equals(to_table(columns))


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (",".join((*HEADER[:4], "last", *HEADER[5:])), "line 1: no column of klines is named 'last'; Binance names"),
        (",".join((*HEADER[:4], "ignore", *HEADER[5:])), "no column close"),
        (",".join((*HEADER[:6], "timestamp", *HEADER[7:])), "two columns are named timestamp"),
    ],
)
def test_a_header_that_is_not_understood_is_refused(tmp_path: Path, header: str, message: str) -> None:
    path = write(tmp_path, [header, *lines_of(candles(10, columns=10))])
    with pytest.raises(CandlesBroken, match=message):
        klines(path, "1m")


@pytest.mark.parametrize(
    ("symbol", "pair"),
    [
        ("BTCUSDT", "BTC-USDT"),
        ("1000PEPEUSDC", "1000PEPE-USDC"),
        ("ETHBTC", "ETH-BTC"),
        ("BTCBUSD", "BTC-BUSD"),
    ],
)
def test_symbols_are_taken_apart(symbol: str, pair: str) -> None:
    assert binance_pair(symbol) == pair


@pytest.mark.parametrize("base", ["BTC", "DOT", "BNB", "VET", "BAT"])
def test_what_is_margined_in_coin_is_quoted_in_dollars(base: str) -> None:
    assert binance_pair(f"{base}USD_PERP") == f"{base}-USD"


def test_bytes_in_a_line_are_escaped(tmp_path: Path) -> None:
    path = write(tmp_path, [*lines_of(candles(10, columns=10)), "\x1b[31m\x00"])
    with pytest.raises(CandlesBroken) as refused:
        klines(path, "1m")
    assert str(refused.value).isprintable()


def test_a_last_number_that_may_be_cut_off(tmp_path: Path) -> None:
    """The last column is ignored in Binance's own order, so nothing that is read can be cut off."""
    columns = candles(10, columns=10)
    path = write(tmp_path, lines_of(columns))
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    assert to_table(klines(path, "1m")).equals(to_table(columns))
    lines = [",".join(HEADER[:-1]), *(line.removesuffix(",0") for line in lines_of(columns))]
    path = write(tmp_path, lines)
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(CandlesBroken, match="last line: does not end in a newline"):
        klines(path, "1m")

"""Binance's public klines: what the name of a file says of its market, and the candles in it.

    <SYMBOL>-<interval>-<YYYY-MM>[-<DD>].zip | .csv

A CSV, or a zip of one. Without a header its twelve columns stand as `HEADER` has them, with one as the header says.
Times are milliseconds or (spot, since 2025) microseconds. A symbol with an underscore is a future: BTCUSD_PERP is
margined in coin, BTCUSDT_240329 is delivered on that day.
"""

from __future__ import annotations

import csv as text_csv
import io
import re
import zipfile
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
from pyarrow import csv

from tasks.candles.formats import COLUMNS, header_names, is_number, scale_of
from tasks.candles.slices import Columns
from tasks.candles.validation import broken, check_header, open_end, to_seconds
from tasks.errors import CandlesError

#: Binance's names of its columns, in its order.
HEADER = (
    "open_time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "close_time",
    "quote_volume",
    "count",
    "taker_buy_volume",
    "taker_buy_quote_volume",
    "ignore",
)
#: Those that Hummingbot calls otherwise.
_OUR_NAMES = {
    "open_time": "timestamp",
    "quote_volume": "quote_asset_volume",
    "count": "n_trades",
    "taker_buy_volume": "taker_buy_base_volume",
}
_NAME = re.compile(r"(?P<symbol>[A-Z0-9_]+)-(?P<interval>\d+(s|m|h|d|w|mo))-\d{4}-\d{2}(-\d{2})?\.(zip|csv)")
#: Quote assets of Binance's symbols, those that end in another one first.
_QUOTES = ("FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USDP", "DAI", "USD", "BTC", "ETH", "BNB", "EUR", "TRY", "BRL")
_DELIVERY = re.compile(r"\d{6}")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Named(NamedTuple):
    """What the name of a file says."""

    symbol: str
    #: as Hummingbot writes it
    interval: str

    @property
    def delivered(self) -> bool:
        """Is it a future with a day of delivery? Its prices are not those of the perpetual or of spot."""
        return _DELIVERY.fullmatch(self.symbol.partition("_")[2]) is not None

    def is_of(self, pair: str) -> bool:
        """Can the symbol be this pair's?"""
        coins, _, contract = self.symbol.partition("_")
        return pair.replace("-", "") == coins and (contract != "PERP" or pair.endswith("-USD"))


def named(path: Path) -> Named | None:
    """What the name of one of Binance's files says; None when it is not theirs."""
    match = _NAME.fullmatch(path.name)
    return Named(match["symbol"], match["interval"].replace("mo", "M")) if match else None


def binance_pair(symbol: str) -> str:
    """BTCUSDT as BTC-USDT. Raises CandlesError when the quote asset is not known."""
    coins, _, contract = symbol.partition("_")
    # what is margined in coin is quoted in dollars: DOTUSD_PERP is DOT-USD, not DO-TUSD
    quotes = ("USD",) if contract == "PERP" else _QUOTES
    for quote in quotes:
        if coins.endswith(quote) and coins != quote:
            return f"{coins[: -len(quote)]}-{quote}"
    raise CandlesError(f"{symbol}: cannot tell base and quote asset apart; give the pair, --pair BTC-USDT")


def klines(path: Path, interval: str) -> Columns:
    """The candles of one file. Raises CandlesBroken."""
    data = _unpacked(path).removeprefix(_BYTE_ORDER_MARK).lstrip()
    if not data:
        raise broken(path, "", "no candles in it")
    names, begin = _columns(path, data)
    present = check_header(path, names)
    try:
        table = csv.read_csv(
            io.BytesIO(data),
            csv.ReadOptions(column_names=names, skip_rows=begin, use_threads=False),
            convert_options=csv.ConvertOptions(
                include_columns=present, column_types=dict.fromkeys(present, pa.float64())
            ),
        )
    except pa.ArrowInvalid as error:
        raise broken(path, "", f"not Binance's twelve columns of klines ({error})", "fetch it again") from error
    # where the last column is one that nobody reads, all others of the last line are whole
    if names[-1] in COLUMNS and not data.endswith(b"\n"):
        raise open_end(path)
    if not table.num_rows:
        raise broken(path, "", "no candles in it")
    scale = scale_of(table["timestamp"][0].as_py() or 0.0)
    return to_seconds(path, table, scale, interval, lambda index: f"line {index + 1 + begin}")


def _unpacked(path: Path) -> bytes:
    try:
        if path.suffix != ".zip":
            return path.read_bytes()
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".csv")]
            if len(names) != 1:
                raise broken(path, "", f"holds {len(names)} CSV files, not one")
            return archive.read(names[0])
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise broken(path, "", f"cannot be unpacked ({error})", "fetch it again") from error


def _columns(path: Path, data: bytes) -> tuple[list[str], int]:
    """Hummingbot's names of the columns, others as they are, and the number of lines before the first candle."""
    first = data.partition(b"\n")[0].decode(errors="replace")
    fields = header_names(next(text_csv.reader([first]), []))
    header = not (fields and is_number(fields[0]))
    names = fields if header else list(HEADER)
    # a column that is passed over may be the volume under another name
    strange = [name for name in names if name and name not in HEADER and name not in COLUMNS]
    if strange:
        raise broken(
            path,
            "line 1",
            f"no column of klines is named {strange[0][:60]!a}",
            f"Binance names them {','.join(HEADER)}",
        )
    return [_OUR_NAMES.get(name, name) for name in names], int(header)

"""Import: candles of any layout into one Parquet file per feed that can be read by position.

Beside the layouts of formats.py these are understood:

    <SYMBOL>-<interval>-<YYYY-MM>[-<DD>].zip | .csv     Binance's public data: monthly and daily klines, with a header
                                                        or without, in milliseconds or (since 2025) microseconds
    any .csv, .csv.gz or .parquet                       when connector, pair and interval are given
"""

from __future__ import annotations

import io
import os
import re
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

from tasks.candles.cut import find_gaps, join, read
from tasks.candles.formats import COLUMNS, CandleFile, Layout, candle_file, file_name, interval_seconds, scale_of
from tasks.candles.rowgroups import GROUP_ROWS
from tasks.candles.slices import Columns, Gap, to_table
from tasks.candles.soundness import broken, to_seconds
from tasks.errors import CandlesError, CandlesMissing

_BINANCE = re.compile(r"(?P<symbol>[A-Z0-9_]+)-(?P<interval>\d+(s|m|h|d|w|mo))-\d{4}-\d{2}(-\d{2})?\.(zip|csv)")
#: Quote assets of Binance's symbols, those that end in another one first.
_QUOTES = ("FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USDP", "DAI", "USD", "BTC", "ETH", "BNB", "EUR", "TRY", "BRL")
#: Place of Hummingbot's columns among Binance's twelve (6 is the close time, 11 is unused).
_BINANCE_PLACES = dict(zip(COLUMNS, (0, 1, 2, 3, 4, 5, 7, 8, 9, 10), strict=True))


@dataclass(frozen=True)
class Taken:
    """A feed that was imported."""

    connector: str
    pair: str
    interval: str
    path: Path
    rows: int
    #: open times of the first and the last candle, seconds
    first: float
    last: float
    gaps: tuple[Gap, ...]


def take_in(
    source: Path,
    to: Path,
    *,
    connector: str = "",
    pair: str = "",
    interval: str = "",
    say: Callable[[str], None] = lambda _: None,
) -> list[Taken]:
    """Import a file, or every candle file of a folder, into `to`: one candles_*.parquet a feed.

    What connector, pair and interval are given here goes before what the names say. Candles that lie in `to` under the
    same name already are kept and joined. `say` hears of every file. Raises CandlesMissing (nothing to import),
    CandlesError (the name does not say what it is), CandlesBroken (faults, or files that contradict each other).
    """
    feeds: dict[str, list[CandleFile]] = {}
    for path in _paths(source):
        file = _identify(path, connector, pair, interval, alone=source.is_file())
        if file is not None:
            feeds.setdefault(file.key, []).append(file)
    if not feeds:
        raise CandlesMissing(f"{source}: no candle files in it; `hummingsweep candles import --help` lists the names")
    return [_take_feed(files, to, say) for files in feeds.values()]


def store(columns: Columns, path: Path) -> None:
    """Write candles as Parquet, whole or not at all; sorted columns, times in seconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=".parquet", dir=path.parent)
    os.close(handle)
    try:
        parquet.write_table(to_table(columns), beside, row_group_size=GROUP_ROWS, compression="zstd")
        Path(beside).chmod(0o644)
        Path(beside).replace(path)
    finally:
        Path(beside).unlink(missing_ok=True)


def binance_pair(symbol: str) -> str:
    """BTCUSDT as BTC-USDT. Raises CandlesError when the quote asset is not known."""
    symbol = symbol.split("_")[0]
    for quote in _QUOTES:
        if symbol.endswith(quote) and symbol != quote:
            return f"{symbol[: -len(quote)]}-{quote}"
    raise CandlesError(f"{symbol}: cannot tell base and quote asset apart; give the pair, --pair BTC-USDT")


def _paths(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise CandlesMissing(f"{source}: no such file or folder")
    found = sorted([*source.glob("*"), *source.glob("*/*")])
    return [path for path in found if path.is_file() and not path.name.startswith(".")]


def _identify(path: Path, connector: str, pair: str, interval: str, *, alone: bool) -> CandleFile | None:
    """What a file holds; None when it is no candle file and one of many. Raises CandlesError."""
    if match := _BINANCE.fullmatch(path.name):
        if not connector:
            raise CandlesError(
                f"{path.name}: Binance's files do not say their market; give it, --connector binance or "
                "--connector binance_perpetual"
            )
        named = match["interval"].replace("mo", "M")
        return CandleFile(connector, pair or binance_pair(match["symbol"]), interval or named, path, Layout.HUMMINGBOT)
    file = candle_file(path)
    if file is None:
        is_table = path.name.endswith((".csv", ".csv.gz", ".parquet", ".zip"))
        if not (is_table and connector and pair and interval):
            if not alone:
                return None
            raise CandlesError(f"{path}: its name does not say what it is; give --connector, --pair and --interval")
        file = CandleFile(connector, pair, interval, path, Layout.HUMMINGBOT)
    file = replace(
        file, connector=connector or file.connector, pair=pair or file.pair, interval=interval or file.interval
    )
    if not file.interval:
        raise CandlesError(f"{path}: cannot tell the interval from the distance of its candles; give --interval")
    interval_seconds(file.interval)
    return file


def _take_feed(files: Sequence[CandleFile], to: Path, say: Callable[[str], None]) -> Taken:
    first = files[0]
    target = to / file_name(first.connector, first.pair, first.interval)
    sources = [file for file in files if file.path.resolve() != target.resolve()]
    paths, pieces = [], []
    for file in [*([replace(first, path=target)] if target.is_file() else []), *sources]:
        columns = _whole(file, say)
        say(f"{file.path}: {len(columns['timestamp'])} candles of {file.connector} {file.pair} {file.interval}")
        paths.append(file.path)
        pieces.append(columns)
    joined = join(paths, pieces)
    store(joined, target)
    times = joined["timestamp"]
    gaps = tuple(find_gaps(joined, first.interval))
    return Taken(
        first.connector, first.pair, first.interval, target, len(times), float(times[0]), float(times[-1]), gaps
    )


def _whole(file: CandleFile, say: Callable[[str], None]) -> Columns:
    """Every candle of one file. Raises CandlesBroken, CandlesMissing."""
    if _BINANCE.fullmatch(file.path.name) or file.path.suffix == ".zip":
        return _binance(file)
    with tempfile.TemporaryDirectory() as cache:  # a compressed file is unpacked once and not again
        return read([file], -np.inf, np.inf, cache=Path(cache)).columns


def _binance(file: CandleFile) -> Columns:
    """The candles of one of Binance's kline files."""
    path = file.path
    try:
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                names = [name for name in archive.namelist() if name.endswith(".csv")]
                if len(names) != 1:
                    raise broken(path, "", f"holds {len(names)} CSV files, not one")
                data = archive.read(names[0])
        else:
            data = path.read_bytes()
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise broken(path, "", f"cannot be unpacked ({error})", "fetch it again") from error
    header = not data[:1].isdigit()
    names = [next((name for name, at in _BINANCE_PLACES.items() if at == place), f"_{place}") for place in range(12)]
    try:
        table = csv.read_csv(
            io.BytesIO(data),
            csv.ReadOptions(column_names=names, skip_rows=int(header), use_threads=False),
            convert_options=csv.ConvertOptions(
                include_columns=list(COLUMNS), column_types=dict.fromkeys(COLUMNS, pa.float64())
            ),
        )
    except pa.ArrowInvalid as error:
        raise broken(path, "", f"not Binance's twelve columns of klines ({error})", "fetch it again") from error
    if not table.num_rows:
        raise broken(path, "", "no candles in it")
    scale = scale_of(table["timestamp"][0].as_py() or 0.0)
    return to_seconds(path, table, scale, file.interval, lambda index: f"line {index + 1 + header}")

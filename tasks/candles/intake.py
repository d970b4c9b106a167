"""Import: candles of any layout into one Parquet file per feed that can be read by position.

Beside the layouts of formats.py these are understood:

    <SYMBOL>-<interval>-<YYYY-MM>[-<DD>].zip | .csv     Binance's public data: monthly and daily klines (binance.py)
    any .csv, .csv.gz or .parquet                       when connector, pair and interval are given
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pyarrow import parquet

from tasks.candles import binance
from tasks.candles.cut import find_gaps, join, read
from tasks.candles.formats import CandleFile, Layout, candle_file, file_name, interval_seconds
from tasks.candles.rowgroups import GROUP_ROWS
from tasks.candles.slices import Columns, Gap, to_table
from tasks.errors import CandlesError, CandlesMissing


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


def _paths(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise CandlesMissing(f"{source}: no such file or folder")
    found = sorted([*source.glob("*"), *source.glob("*/*")])
    return [path for path in found if path.is_file() and not path.name.startswith(".")]


def _identify(path: Path, connector: str, pair: str, interval: str, *, alone: bool) -> CandleFile | None:
    """What a file holds; None when it is no candle file and one of many. Raises CandlesError."""
    if klines := binance.named(path):
        if not connector:
            raise CandlesError(
                f"{path.name}: Binance's files do not say their market; give it, --connector binance or "
                "--connector binance_perpetual"
            )
        pair = pair or binance.binance_pair(klines.symbol)
        return CandleFile(connector, pair, interval or klines.interval, path, Layout.HUMMINGBOT)
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
    if binance.named(file.path) or file.path.suffix == ".zip":
        return binance.klines(file.path, file.interval)
    with tempfile.TemporaryDirectory() as cache:  # a compressed file is unpacked once and not again
        return read([file], -np.inf, np.inf, cache=Path(cache)).columns

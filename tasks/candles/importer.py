"""Import: candles of any layout into one Parquet file per feed that can be read by position.

Beside the layouts of formats.py these are understood:

    <SYMBOL>-<interval>-<YYYY-MM>[-<DD>].zip | .csv     Binance's public data: monthly and daily klines (binance.py)
    any text, JSON, Parquet or feather with candles     as exchanges and vendors write them (foreign)
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pyarrow import parquet

from tasks.candles import binance, foreign
from tasks.candles.formats import CandleFile, file_name
from tasks.candles.rowgroups import GROUP_ROWS
from tasks.candles.slicer import find_gaps, join, read
from tasks.candles.slices import Columns, Gap, to_table
from tasks.candles.sources import Given, sources
from tasks.candles.validation import broken, other_spacing, to_seconds
from tasks.errors import CandlesError
from tasks.files import written_beside


@dataclass(frozen=True)
class ImportedFeed:
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


def import_feeds(
    source: Path,
    to: Path,
    *,
    connector: str = "",
    pair: str = "",
    interval: str = "",
    say: Callable[[str], None] = lambda _: None,
) -> list[ImportedFeed]:
    """Import a file, or every candle file of a folder, into `to`: one candles_*.parquet a feed.

    Connector, pair and interval say what the names leave open. Candles that lie in `to` under the same name already are
    kept and joined. `say` is called with a sentence for every file.

    Raises CandlesMissing (nothing to import), CandlesError (the name does
    not say what it is, or an option contradicts it), CandlesBroken (faults, or files that contradict each other).
    """
    _demand_folder(to)
    feeds: dict[str, list[CandleFile]] = {}
    for file in sources(source, Given(connector, pair, interval), say):
        feeds.setdefault(file.key, []).append(file)
    return [_import_feed(files, to, say) for files in feeds.values()]


def store(columns: Columns, path: Path) -> None:
    """Write candles as Parquet, whole or not at all; sorted columns, times in seconds. Raises CandlesError."""
    try:
        with written_beside(path) as beside:
            parquet.write_table(to_table(columns), beside, row_group_size=GROUP_ROWS, compression="zstd")
    except OSError as error:
        raise CandlesError(
            f"{path}: cannot be written ({error.strerror or error}); give --to a folder you may write into"
        ) from error


def _demand_folder(to: Path) -> None:
    """Raises CandlesError, before anything is read, where `to` can be no folder."""
    try:
        nearest = next(path for path in (to, *to.absolute().parents) if path.exists())
        usable = nearest.is_dir()
    except OSError as error:
        raise CandlesError(f"{to}: cannot be looked into ({error.strerror}); give --to another folder") from error
    if not usable:
        raise CandlesError(f"{nearest}: is a file; give --to a folder")


def _import_feed(files: Sequence[CandleFile], to: Path, say: Callable[[str], None]) -> ImportedFeed:
    first = files[0]
    target = to / file_name(first.connector, first.pair, first.interval)
    others = [file for file in files if file.path.resolve() != target.resolve()]
    paths, pieces = [], []
    for file in [*([replace(first, path=target)] if target.is_file() else []), *others]:
        columns = _whole(file, say)
        say(f"{file.path}: {len(columns['timestamp'])} candles of {file.connector} {file.pair} {file.interval}")
        paths.append(file.path)
        pieces.append(columns)
    _demand_same_columns(paths, pieces)
    joined = join(paths, pieces)
    store(joined, target)
    times = joined["timestamp"]
    gaps = tuple(find_gaps(joined, first.interval))
    return ImportedFeed(
        first.connector, first.pair, first.interval, target, len(times), float(times[0]), float(times[-1]), gaps
    )


def _demand_same_columns(paths: Sequence[Path], pieces: Sequence[Columns]) -> None:
    """Raises CandlesError where joining would lose columns: a feed has those that all its files have."""
    for path, piece in zip(paths[1:], pieces[1:], strict=True):
        for rich, poor, more in (
            (paths[0], path, [name for name in pieces[0] if name not in piece]),
            (path, paths[0], [name for name in piece if name not in pieces[0]]),
        ):
            if more:
                raise CandlesError(
                    f"{poor}: has no {', '.join(more)} as {rich} has, and one feed of both would lose them; import "
                    "into another folder (--to), or get candles that have these columns"
                )


def _whole(file: CandleFile, say: Callable[[str], None]) -> Columns:
    """Every candle of one file. Raises CandlesBroken, CandlesMissing."""
    if binance.named(file.path):
        columns = binance.klines(file.path, file.interval)
    elif foreign.is_ours(file.path):
        with tempfile.TemporaryDirectory() as cache:  # a compressed file is unpacked once and not again
            columns = read([file], -np.inf, np.inf, cache=Path(cache)).columns
    else:
        found = foreign.read(file.path, base=file.pair.partition("-")[0])
        for note in found.notes:
            say(f"{file.path}: {note}")
        columns = to_seconds(
            file.path, to_table(found.columns), 1.0, file.interval, lambda index: f"candle {index + 1}"
        )
    if apart := other_spacing(columns["timestamp"], file.interval):
        remedy = "give it the name (or --interval) of what it holds, or fetch it again"
        raise broken(file.path, "", f"its candles open {apart} apart, not {file.interval}", remedy)
    return columns

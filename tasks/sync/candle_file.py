"""The file of one feed: what it holds, and how it is replaced.

    candles_<connector>_<PAIR>_<interval>.csv           the candles
    candles_<connector>_<PAIR>_<interval>.csv.part      pages on their way into it (journal.py)
    .candles_<connector>_<PAIR>_<interval>.absent.json  slots the exchange has no candle for, so that they are not asked
                                                        for by every command: {"absent": [[first, last], ...]}

A file is replaced whole: written beside, examined, flushed to the disk, renamed.
"""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import ujson
from pyarrow import csv, parquet

from tasks.candles.check import Finding, Severity, examine
from tasks.candles.formats import COLUMNS, CandleFile, Layout, file_name, find
from tasks.candles.rowgroups import GROUP_ROWS
from tasks.candles.slicer import find_gaps, join, read
from tasks.candles.slices import Columns, Gap, select, to_table
from tasks.errors import CandlesBroken, CandlesError
from tasks.files import written_beside
from tasks.intervals import interval_seconds
from tasks.sync.journal import Rows
from tasks.sync.orders import FeedOrder
from tasks.sync.slots import Slots, from_runs, runs, slots_of

#: What check.py calls an error and a venue may nevertheless have published: the file is written, with a warning.
_AS_PUBLISHED = ("high too low", "low too high")


@dataclass(frozen=True)
class StoredFeed:
    """What is there of a feed before the download."""

    #: empty when there is no file
    columns: Columns
    #: the file that is replaced, which need not exist yet
    path: Path
    #: files of other names that hold the feed, too; they stay as they are
    others: tuple[Path, ...] = ()
    warnings: tuple[str, ...] = ()

    def slots(self, interval: str) -> Slots:
        """The slots of its candles."""
        return slots_of(self.columns["timestamp"], interval) if self.columns else np.empty(0, np.int64)


def look(folder: Path, order: FeedOrder, encoding: str) -> StoredFeed:
    """What a folder holds of a feed. A last candle that was not finished when its file was written is left out.

    `encoding`: csv or parquet for the file; empty: as the one that is there, csv for a new one. Raises CandlesBroken
    (a file that is there has faults), CandlesError (it has another encoding).
    """
    there = [file for file in find(folder) if file.key == order.key] if folder.is_dir() else []
    own = [file for file in there if file.layout is Layout.HUMMINGBOT and file.path.parent == folder]
    if encoding:
        chosen = [file for file in own if file.encoding == encoding or file.encoding == f"{encoding}.gz"]
        if own and not chosen:
            raise CandlesError(
                f"{own[0].path}: holds this feed already and is no {encoding} file; leave --format away to continue "
                "it, or move it elsewhere"
            )
        own = chosen
    path = own[0].path if own else folder / file_name(order.connector, order.pair, order.interval, encoding or "csv")
    sources = own[:1] or there
    columns = _read(sources)
    warnings = []
    missing = [name for name in COLUMNS if columns and name not in columns]
    if missing:
        warnings.append(
            f"{sources[0].path} has no {', '.join(missing)}, so neither will its new candles; move it elsewhere to "
            "download all columns"
        )
    others = tuple(file.path for file in there if file.path != path)
    return StoredFeed(_finished(columns, sources, order.interval), path, others, tuple(warnings))


def replace(held: StoredFeed, order: FeedOrder, rows: Rows) -> tuple[Columns, list[str]]:
    """The held candles and the new rows into the file; what it holds now, and warnings.

    Raises CandlesBroken, and leaves everything as it was, when the file would not be sound.
    """
    columns = _merged(held.columns, rows, order.interval)
    with written_beside(held.path) as beside:
        _write(columns, beside)
        warnings = _sound(beside, held.path, order)
    return columns, warnings


def gaps_in(columns: Columns, interval: str) -> list[Gap]:
    """Where candles are missing between the first and the last one."""
    return find_gaps(columns, interval) if len(columns["timestamp"]) else []


def read_absent(path: Path, interval: str) -> Slots:
    """Slots known to have no candle at the exchange; none when the candle file is gone or the note unreadable."""
    try:
        note = ujson.loads(_note(path, interval).read_text()) if path.exists() else {}
        return from_runs((int(first), int(last)) for first, last in note.get("absent", []))
    except (OSError, ValueError, TypeError, AttributeError):
        return np.empty(0, np.int64)


def write_absent(path: Path, interval: str, absent: Slots) -> None:
    """Remember them beside the candle file."""
    note = _note(path, interval)
    if not len(absent):
        note.unlink(missing_ok=True)
        return
    beside = note.with_suffix(".new")
    beside.write_text(ujson.dumps({"absent": runs(absent)}))
    beside.replace(note)


def _note(path: Path, interval: str) -> Path:
    return path.with_name(f".{path.name.partition(f'_{interval}.')[0]}_{interval}.absent.json")


def _read(sources: Sequence[CandleFile]) -> Columns:
    if not sources:
        return {}
    with tempfile.TemporaryDirectory() as cache:  # a compressed file is unpacked here, once
        try:
            pieces = [read([source], -np.inf, np.inf, cache=Path(cache)).columns for source in sources]
            return join([source.path for source in sources], pieces)
        except CandlesBroken as error:
            raise CandlesBroken(f"{error}; nothing was downloaded: move it elsewhere to download all anew") from error


def _finished(columns: Columns, sources: Sequence[CandleFile], interval: str) -> Columns:
    """Without the last candle when its file was written before it ended."""
    if not columns or not len(columns["timestamp"]):
        return {}
    ends = columns["timestamp"][-1] + interval_seconds(interval)
    written = max(source.path.stat().st_mtime for source in sources)
    whole = select(columns, slice(None, -1)) if written < ends else columns
    return whole if len(whole["timestamp"]) else {}


def _merged(held: Columns, rows: Rows, interval: str) -> Columns:
    """Both by open time, each slot once; the columns the held candles have."""
    names = [name for name in COLUMNS if name in held] if held else list(COLUMNS)
    new = {name: rows[:, COLUMNS.index(name)] for name in names}
    both = {name: np.concatenate([new[name], held[name]]) if held else new[name] for name in names}
    # of a slot in both, the new candle: np.unique gives the first
    _, chosen = np.unique(slots_of(both["timestamp"], interval), return_index=True)
    return select(both, chosen)


def _write(columns: Columns, path: Path) -> None:
    if path.suffix == ".parquet":
        parquet.write_table(to_table(columns), path, row_group_size=GROUP_ROWS, compression="zstd")
        return
    times = columns["timestamp"]
    table = to_table(columns)
    if (times == np.floor(times)).all():
        table = table.set_column(0, "timestamp", pa.array(times.astype(np.int64)))
    with gzip.open(path, "wb", compresslevel=6) if path.suffix == ".gz" else path.open("wb") as file:
        # pyarrow would put the names into quotes
        file.write((",".join(table.column_names) + "\n").encode())
        csv.write_csv(table, file, csv.WriteOptions(include_header=False))


def _sound(beside: Path, path: Path, order: FeedOrder) -> list[str]:
    """Warnings about what was written. Raises CandlesBroken when a sweep would refuse it."""
    found = examine(CandleFile(order.connector, order.pair, order.interval, beside, Layout.HUMMINGBOT)).findings
    errors = [finding for finding in found if finding.severity is Severity.ERROR]
    worst = next((finding for finding in errors if finding.kind not in _AS_PUBLISHED), None)
    if worst is not None:
        raise CandlesBroken(
            f"{path}: not replaced, because with what the exchange sent it would be unsound: {_worded(worst)}"
        )
    return [f"{path}: as the exchange sent it: {_worded(finding)}" for finding in errors]


def _worded(finding: Finding) -> str:
    return f"{finding.kind}{f' ({finding.count} times)' if finding.count > 1 else ''}: {finding.first}"

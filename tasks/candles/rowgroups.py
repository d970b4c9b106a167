"""A sorted Parquet file read by its row groups: their statistics say which ones hold a stretch of time.

Compressed CSV cannot be read by position; it is converted once into such a file in a cache folder.
"""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import (
    Any,
    BinaryIO,
)

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv, parquet

from tasks.candles.formats import CandleFile, header_names, parse_time, scale_of, split_line
from tasks.candles.validation import broken, check_header, open_end, raw_times, times_fault, to_seconds
from tasks.errors import CandlesError, CandlesMissing

#: Rows of a group this project writes: a week of one-minute candles lies in at most two.
GROUP_ROWS = 1 << 14
#: Changes when something that was converted before would be refused now: older copies are not served any more.
_RULES = 2


class ParquetMap:
    """One Parquet file. Times it takes and gives are raw: in the file's own unit.

    Raises CandlesMissing, CandlesBroken for a file that is no Parquet or cut off, is missing a column, or whose row
    groups
    are not in order or mix units.
    """

    def __init__(self, path: Path):
        self.path = path
        try:
            self._file = parquet.ParquetFile(path, memory_map=True)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, UnicodeDecodeError) as error:
            raise broken(path, "", f"not a Parquet file, or cut off ({_first_line(error)})") from error
        except OSError as error:
            raise CandlesMissing(f"{path}: cannot be read ({error.strerror or error})") from error
        self.names = header_names(self._file.schema_arrow.names)
        self._as_written = dict(zip(self.names, self._file.schema_arrow.names, strict=True))
        self.columns = check_header(path, self.names)
        meta = self._file.metadata
        self._groups = [group for group in range(meta.num_row_groups) if meta.row_group(group).num_rows]
        if not self._groups:
            raise broken(path, "", "no candles in it")
        self._first_rows = np.cumsum([0, *(meta.row_group(group).num_rows for group in self._groups)])
        self._bounds = self._group_bounds()
        #: raw times of the first and the last candle
        self.first, self.last = float(self._bounds[0, 0]), float(self._bounds[-1, 1])
        self.scale = scale_of(self.first)
        if self._disordered():
            self.prove_sorted()
            raise broken(path, "", "the statistics of its row groups say that the candles are not sorted by time")

    def block(self, lower: float, upper: float) -> tuple[pa.Table, int]:
        """Candles of the groups that hold [lower, upper] and a candle on either side: (table, index of its first row).

        Raises CandlesBroken.
        """
        before = np.flatnonzero(self._bounds[:, 0] < lower)
        beyond = np.flatnonzero(self._bounds[:, 1] > upper)
        first = int(before[-1]) if len(before) else 0
        last = int(beyond[0]) if len(beyond) else len(self._groups) - 1
        table = self._read(self._groups[first : last + 1], self.columns)
        return table, int(self._first_rows[first])

    def prove_sorted(self) -> None:
        """Read all times and raise CandlesBroken for the first fault anywhere in the file."""
        times = self._times(self._groups)
        if fault := times_fault(times, scale_of(float(times[0]))):
            raise broken(self.path, f"row {fault[0] + 1}", fault[1])

    def _read(self, groups: list[int], columns: list[str]) -> pa.Table:
        try:
            names = [self._as_written[name] for name in columns]
            rows = sum(self._file.metadata.row_group(group).num_rows for group in groups)
            table = self._file.read_row_groups(groups, columns=names, use_threads=rows > 1 << 17)
            table = table.select(names).rename_columns(columns)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
            raise broken(self.path, "", f"a row group cannot be read ({_first_line(error)})") from error
        if what := damage(self._file.metadata, groups, dict(zip(columns, names, strict=True)), table):
            raise broken(self.path, "", what, "fetch it again with `hummingsweep sync`")
        return table

    def _times(self, groups: list[int]) -> Any:
        try:
            return raw_times(self._read(groups, ["timestamp"])["timestamp"])
        except ValueError as error:
            raise broken(self.path, "", f"timestamp: {error}") from error

    def _group_bounds(self) -> Any:
        """Least and greatest raw time of each group, shape (groups, 2), from statistics where they are numbers."""
        meta, bounds = self._file.metadata, []
        place = leaves(meta)[self._as_written["timestamp"]]
        for group in self._groups:
            statistics = plain_statistics(meta, group, place)
            if statistics is not None and not statistics.null_count:
                bounds.append((float(statistics.min), float(statistics.max)))
            else:
                times = self._times([group])
                if not np.isfinite(times).all():
                    index = int(np.argmax(~np.isfinite(times))) + int(self._first_rows[self._groups.index(group)])
                    raise broken(self.path, f"row {index + 1}", "no timestamp")
                bounds.append((float(times.min()), float(times.max())))
        return np.array(bounds)

    def _disordered(self) -> bool:
        least, greatest = self._bounds[:, 0], self._bounds[:, 1]
        mixed = any(scale_of(time) != self.scale for time in self._bounds.reshape(-1))
        return mixed or bool((least[1:] <= greatest[:-1]).any())


def leaves(meta: parquet.FileMetaData) -> dict[str, int]:
    """Column name -> its place in a row group; a nested column takes several places, under other names."""
    return {meta.schema.column(place).path: place for place in range(meta.num_columns)}


def plain_statistics(meta: parquet.FileMetaData, group: int, place: int) -> Any:
    """What a row group says of a column's least and greatest value, where that is said in plain numbers."""
    column = meta.row_group(group).column(place)
    if column.physical_type != meta.schema.column(place).physical_type:
        return None  # a damaged file; to ask for its statistics would end the process: pyarrow throws where none may
    statistics = column.statistics
    return statistics if statistics is not None and statistics.has_min_max and _is_plain(statistics) else None


def damage(meta: parquet.FileMetaData, groups: Sequence[int], as_written: Mapping[str, str], table: pa.Table) -> str:
    """A sentence when row groups hold values beyond their own statistics, so that their bytes are not as written.

    `table`: what was read of these groups, one after the other. Pages carry no checksum as a rule, and what a disk
    lost (zeros) may still unpack into numbers.
    """
    places, first = leaves(meta), 0
    for group in groups:
        rows = meta.row_group(group).num_rows
        for name, written in as_written.items():
            if written not in places or not _is_numeric(table[name].type):
                continue
            said = plain_statistics(meta, group, places[written])
            found = pc.min_max(table[name].slice(first, rows)).as_py() if said is not None else {"min": None}
            if found["min"] is not None and (found["min"] < said.min or found["max"] > said.max):
                return (
                    f"damaged: {name} of row group {group} goes from {found['min']} to {found['max']}, where the file "
                    f"itself says {said.min} to {said.max}"
                )
        first += rows
    return ""


def parquet_twin(file: CandleFile, cache: Path, say: Callable[[str], None]) -> Path:
    """The Parquet file a compressed CSV is converted into, once for each version of it (size and time of change).

    Raises CandlesMissing, CandlesBroken (cut off, unsorted, NaN, ...: every row is looked at), CandlesError (the cache
    cannot be written).
    """
    source = file.path.resolve()
    try:
        facts = source.stat()
    except OSError as error:
        raise CandlesMissing(f"{file.path}: cannot be read ({error.strerror})") from error
    name = hashlib.sha256(f"{source}|{file.interval}|{_RULES}".encode()).hexdigest()[:24]
    twin = cache / f"{name}-{facts.st_size}-{facts.st_mtime_ns}.parquet"
    try:
        if twin.exists():
            return twin
        cache.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(prefix=f".{name}-", suffix=".parquet", dir=cache)
    except OSError as error:
        raise CandlesError(
            f"{cache}: {file.path.name} cannot be converted into it ({error.strerror}); make the folder writable, set "
            "HUMMINGSWEEP_CACHE to one that is, or unpack the file: plain CSV is read as it is"
        ) from error
    os.close(handle)
    say(f"{file.path.name}: compressed CSV cannot be read by position, converting it once into {twin}")
    try:
        _convert(file, Path(beside))
        for older in cache.glob(f"{name}-*.parquet"):
            older.unlink(missing_ok=True)
        Path(beside).replace(twin)
    finally:
        Path(beside).unlink(missing_ok=True)
    return twin


def _convert(file: CandleFile, target: Path) -> None:
    """Stream a compressed CSV into Parquet, times in seconds; memory does not grow with the file."""
    path = file.path
    try:
        names, first = _head(path)
        present = check_header(path, names)
        text = not _is_float(first)
        types = dict.fromkeys(present, pa.float64()) | ({"timestamp": pa.string()} if text else {})
        scale = 1.0 if text else scale_of(float(first))
        writer = None
        row, last = 2, None
        with pa.input_stream(str(path), compression="gzip") as stream:
            text_stream = LastByte(stream)
            reader = csv.open_csv(
                text_stream,
                csv.ReadOptions(column_names=names, skip_rows=1, block_size=1 << 22, use_threads=False),
                convert_options=csv.ConvertOptions(include_columns=present, column_types=types),
            )
            try:
                for batch in reader:
                    table = pa.Table.from_batches([batch])
                    where = partial(_line, row)
                    columns = to_seconds(path, table, scale, file.interval, where, last)
                    last = float(columns["timestamp"][-1] * scale) if len(columns["timestamp"]) else last
                    seconds = pa.table(columns)
                    writer = writer or parquet.ParquetWriter(target, seconds.schema, compression="zstd")
                    writer.write_table(seconds, row_group_size=GROUP_ROWS)
                    row += len(seconds)
            finally:
                if writer:
                    writer.close()
        if not text_stream.ended:
            raise open_end(path)
        if writer is None or row == 2:
            raise broken(path, "", "no candles in it")
    except (pa.ArrowInvalid, OSError, EOFError, zlib.error, ValueError, UnicodeDecodeError) as error:
        raise broken(
            path, "", f"cannot be unpacked and read as CSV, it may be cut off ({_first_line(error)})"
        ) from error


#: What is no ASCII becomes a question mark: Arrow's reader of CSV prints a traceback where a bad line is not UTF-8.
_ASCII = bytes(byte if byte < 128 else ord("?") for byte in range(256))


class LastByte(io.RawIOBase):
    """A stream of ASCII text that, read through, knows whether its last line was ended."""

    def __init__(self, stream: BinaryIO):
        self._stream = stream
        #: does what was read so far end in a newline?
        self.ended = True

    def readable(self) -> bool:
        """It is read from."""
        return True

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, all with -1; empty at the end."""
        data = bytes(self._stream.read(size))
        if data:
            self.ended = data.endswith(b"\n")
        return data if data.isascii() else data.translate(_ASCII)


def _head(path: Path) -> tuple[list[str], str]:
    """Column names and the first raw time."""
    import gzip

    with gzip.open(path, "rt", encoding="utf-8", errors="replace") as lines:
        names = header_names(next(lines, "").split(","))
        fields = split_line(next((line for line in lines if line.strip()), ""))
    place = names.index("timestamp") if "timestamp" in names else -1
    if any(_is_float(name) for name in names):
        raise broken(path, "line 1", "no header", "let the first line name the columns: timestamp,open,high,...")
    first = fields[place].strip().strip('"') if 0 <= place < len(fields) else ""
    if place >= 0:
        parse_time(first)
    return names, first


def _line(first: int, index: int) -> str:
    return f"line {first + index}"


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_plain(statistics: parquet.Statistics) -> bool:
    """Are the bounds numbers as they are stored, not dates or text?"""
    return statistics.physical_type in ("INT64", "DOUBLE", "FLOAT", "INT32") and statistics.logical_type.type in (
        "NONE",
        "INT",
    )


def _is_numeric(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]

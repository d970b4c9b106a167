"""Rows out of the store: CSV, JSON and Parquet, ascending by point, at full precision, a part at a time.

csv      one line a row under a line of names. Floats are written so that they read back bit for bit (pandas:
         float_precision="round_trip"), NaN as nan, infinities as inf and -inf; a value that is not there is empty;
         lists and mappings are JSON text, as are all values of a column that mixes kinds. A text that a spreadsheet
         would run as a formula (it begins with = + - @, a tab or a line end, and is no number) has a ' before it;
         `raw` leaves it out.
json     a list of objects, one a line, every column in each. null is a value that is not there; NaN and infinities
         are the tokens NaN, Infinity and -Infinity, as Python's json module writes and reads them.
parquet  a table with the types of orchestrator.results.columns; JSON text where CSV has it.

Returns (`write_returns`), one row a point that is ok, ascending by point:

parquet  `point`, and one float32 column a period, named by the moment at which it ends, such as 2024-01-02T00:00:00Z
npy      a structured array for numpy.load: `point` (int64) and `returns` (float32, as many as there are periods)
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol, TextIO

import ujson

from orchestrator.results.columns import JSON_FIELD
from orchestrator.results.output_path import check_target, replacing
from tasks.errors import HummingsweepError, StoreError
from tasks.named_types import Row
from tasks.protocol.messages import Status
from tasks.times import iso

if TYPE_CHECKING:
    import pyarrow as pa

    from orchestrator.results.returns import StoredReturns
    from orchestrator.results.store_reader import StoreReader


#: With what a cell begins that spreadsheets take for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


class RowSource(Protocol):
    """What rows are written from: a Store, or the rows of a sweep's windows."""

    def pages(self, sweep: str, status: Status | None) -> tuple[pa.Schema, Iterator[dict[str, list[Any]]]]:
        """See StoreReader.pages."""
        ...

    def batches(self, sweep: str, status: Status | None) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """See StoreReader.batches."""
        ...

    def rows(self, sweep: str, *, status: Status | None) -> Iterator[Row]:
        """See StoreReader.rows."""
        ...


class Format(StrEnum):
    """What rows can be written as."""

    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def write(
    store: RowSource,
    sweep: str,
    format: Format | str,
    to: Path | IO[bytes],
    *,
    status: Status | str | None = None,
    raw: bool = False,
) -> int:
    """Write a sweep's rows into a file or a binary stream; how many there were.

    `raw`: texts of a CSV file are written as they are, see the module.

    A file is replaced when it is complete. Raises StoreError, also for a file of the store itself, and
    HummingsweepError for an unknown format or status.
    """
    try:
        write_as = _csv_raw if raw and format == Format.CSV else _WRITERS[Format(format)]
    except ValueError:
        raise HummingsweepError(f"format {format}: is none of {', '.join(Format)}") from None
    try:
        wanted = Status(status) if status else None
    except ValueError:
        raise HummingsweepError(f"status {status}: is none of {', '.join(Status)}") from None
    if not isinstance(to, Path):
        return write_as(store, sweep, to, wanted)
    check_target(to)
    with replacing(to) as stream:
        return write_as(store, sweep, stream, wanted)


def write_returns(store: StoreReader, sweep: str, format: str, to: Path | IO[bytes]) -> int:
    """Write the returns of a sweep's points; how many points there were.

    Raises StoreError where none are stored, HummingsweepError for another format.
    """
    writers = {"parquet": _returns_parquet, "npy": _returns_npy}
    if format not in writers:
        raise HummingsweepError(f"format {format}: returns are written as {' or '.join(writers)}")
    returns = store.returns(sweep)
    if returns is None:
        raise StoreError(
            f"{store.folder}: no returns are stored for {sweep}; it has no ok point yet, or an earlier version ran it "
            "(run it into another folder)"
        )
    if isinstance(to, Path):
        check_target(to)
        with replacing(to) as stream:
            writers[format](returns, stream)
    else:
        writers[format](returns, to)
    return len(returns.points)


def _returns_parquet(returns: StoredReturns, stream: IO[bytes]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = ["point", *(iso(float(end)) for end in returns.ends)]
    pq.write_table(pa.table([pa.array(returns.points), *map(pa.array, returns.values)], names=names), stream)


def _returns_npy(returns: StoredReturns, stream: IO[bytes]) -> None:
    import numpy as np

    kind = np.dtype([("point", "<i8"), ("returns", "<f4", (len(returns.ends),))])
    table = np.empty(len(returns.points), dtype=kind)
    table["point"], table["returns"] = returns.points, returns.values.T
    whole = io.BytesIO()  # numpy writes to real files by seeking in them, which a pipe cannot
    np.save(whole, table, allow_pickle=False)
    stream.write(whole.getbuffer())


def inert(value: Any) -> Any:
    """A cell that no spreadsheet runs as a formula: such a text gets a ' before it, anything else stays as it is."""
    if isinstance(value, str) and value.startswith(_FORMULA) and not _is_number(value):
        return f"'{value}"
    return value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _csv(store: RowSource, sweep: str, stream: IO[bytes], status: Status | None) -> int:
    return _csv_cells(store, sweep, stream, status, inert)


def _csv_raw(store: RowSource, sweep: str, stream: IO[bytes], status: Status | None) -> int:
    return _csv_cells(store, sweep, stream, status, lambda value: value)


def _csv_cells(
    store: RowSource, sweep: str, stream: IO[bytes], status: Status | None, cell: Callable[[Any], Any]
) -> int:
    schema, pages = store.pages(sweep, status)
    text = io.TextIOWrapper(stream, encoding="utf-8", errors="backslashreplace", newline="", write_through=True)
    writer = csv.writer(_UnixLines(text))
    count = 0
    try:
        writer.writerow([cell(name) for name in schema.names])
        texts = [field.name for field in schema if field.type == "string"]
        for page in pages:
            for field in schema:
                if field.metadata == JSON_FIELD:
                    page[field.name] = [None if value is None else ujson.dumps(value) for value in page[field.name]]
            for name in texts:
                page[name] = [cell(value) for value in page[name]]
            writer.writerows(zip(*(page[name] for name in schema.names), strict=True))
            count += len(page["point"])
    finally:
        text.detach()  # the stream stays open: it is the caller's
    return count


def _json(store: RowSource, sweep: str, stream: IO[bytes], status: Status | None) -> int:
    count = 0
    stream.write(b"[")
    for row in store.rows(sweep, status=status):
        stream.write(b",\n" if count else b"\n")
        stream.write(ujson.dumps(row, escape_forward_slashes=False).encode())
        count += 1
    stream.write(b"\n]\n")
    return count


def _parquet(store: RowSource, sweep: str, stream: IO[bytes], status: Status | None) -> int:
    import pyarrow.parquet as pq

    schema, batches = store.batches(sweep, status)
    count = 0
    with pq.ParquetWriter(stream, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
            count += batch.num_rows
    return count


_WRITERS = {Format.CSV: _csv, Format.JSON: _json, Format.PARQUET: _parquet}


class _UnixLines:
    """Ends lines with \\n. Not by `lineterminator`: csv then leaves a lone \\r in a value without quotes."""

    def __init__(self, stream: TextIO):
        self._stream = stream

    def write(self, line: str) -> None:
        self._stream.write(line.removesuffix("\r\n") + "\n")

"""A slice: the candles of one feed that a sweep needs, as a table that travels.

Columns are those of formats.COLUMNS that the source has, in that order, float64 without nulls; `timestamp` is the open
time in seconds. The same candles give the same bytes, and so the same digest, whatever file they came from.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasks.arrow import floats_of, numpy_of
from tasks.candles.formats import COLUMNS
from tasks.errors import CandlesError
from tasks.times import iso

#: Column name -> float64 values; every column equally long.
Columns = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Gap:
    """Candles that are not there."""

    #: open time of the last candle before them, seconds
    after: int
    #: how many
    missing: int

    def __str__(self) -> str:
        return f"{iso(self.after)} ({self.missing} missing)"


@dataclass(frozen=True)
class Slice:
    """Candles of one feed, sorted by time, each open time once, no NaN in the first six columns."""

    #: pyarrow Table of one chunk
    table: pa.Table
    interval: str
    #: candles that open before the period
    lead: int
    #: where candles are missing; empty when they were filled
    gaps: tuple[Gap, ...] = ()

    @classmethod
    def of(cls, columns: Columns, interval: str, start: float, gaps: tuple[Gap, ...] = ()) -> Slice:
        """From columns; `start` is the first moment of the period, in seconds."""
        lead = int(np.searchsorted(columns["timestamp"], start))
        return cls(to_table(columns), interval, lead, gaps)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def columns(self) -> Columns:
        """Read-only views of the table's columns."""
        return to_columns(self.table)

    @property
    def first(self) -> float:
        """Open time of the first candle, seconds."""
        return float(self.table["timestamp"][0].as_py())

    @property
    def last(self) -> float:
        """Open time of the last candle, seconds."""
        return float(self.table["timestamp"][-1].as_py())

    @cached_property
    def _ipc(self) -> bytes:
        return _write(self.table, None)

    def ipc(self) -> bytes:
        """Uncompressed Arrow IPC file: what the mirror stores and maps. Holds the candles only."""
        return self._ipc

    @cached_property
    def digest(self) -> str:
        """SHA-256 of `ipc()`, hex: the same for the same candles whatever the source's format, order or unit."""
        return hashlib.sha256(self._ipc).hexdigest()

    def compressed(self) -> bytes:
        """Arrow IPC file, zstd, with interval, lead and gaps in the schema's metadata."""
        gaps = ",".join(f"{gap.after}+{gap.missing}" for gap in self.gaps)
        facts = {"interval": self.interval, "lead": str(self.lead), "gaps": gaps}
        return _write(self.table.replace_schema_metadata(facts), "zstd")

    @classmethod
    def from_compressed(cls, data: bytes) -> Slice:
        """The inverse of `compressed`. Raises CandlesError."""
        try:
            table = pa.ipc.open_file(pa.py_buffer(data)).read_all()
            facts = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
            pairs = [gap.split("+") for gap in facts["gaps"].split(",") if gap]
            gaps = tuple(Gap(int(after), int(missing)) for after, missing in pairs)
            return cls(table.replace_schema_metadata(None), facts["interval"], int(facts["lead"]), gaps)
        except (pa.ArrowException, OSError, KeyError, ValueError, MemoryError) as error:
            raise CandlesError(f"not a compressed slice ({error})") from error


def to_table(columns: Columns) -> pa.Table:
    """One contiguous pyarrow Table, columns in the order of COLUMNS, no validity bitmaps."""
    names = [name for name in COLUMNS if name in columns]
    # one bit pattern for NaN, so that equal candles have equal bytes
    arrays = [np.where(np.isnan(columns[name]), np.nan, columns[name]) for name in names]
    return pa.table([floats_of(array) for array in arrays], names=names)


def to_columns(table: pa.Table) -> Columns:
    """Column views of a table of float64 columns."""
    return {name: numpy_of(table[name]) for name in table.column_names}


def select(columns: Columns, rows: slice | NDArray[np.bool_] | NDArray[np.intp]) -> Columns:
    """The same columns with these rows."""
    return {name: values[rows] for name, values in columns.items()}


def _write(table: pa.Table, codec: str | None) -> bytes:
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=codec)
    with pa.ipc.new_file(sink, table.schema, options=options) as writer:
        # an empty table still gets its one batch, so that there is always exactly one
        batches = table.combine_chunks().to_batches() or [pa.RecordBatch.from_pylist([], schema=table.schema)]
        for batch in batches:
            writer.write_batch(batch)
    return bytes(sink.getvalue().to_pybytes())

"""Series: data beside candles, such as funding rates, open interest or sentiment, from a CSV or Parquet file.

A file has a column `timestamp`: when the row's values became known, as seconds, milliseconds, microseconds or
nanoseconds since epoch, or as date and time (without a zone: UTC). The other columns are numbers or text. Rows are
sorted by time; of rows with one time all stay, in the file's order.

A series travels as slices do: by the hash of its content, in memory once per node, and in the sweep's id.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from tasks.errors import CandlesBroken, CandlesError, CandlesMissing

TIME = "timestamp"
#: Rows of a file at most: a series is no second candle store.
MAX_ROWS = 20_000_000

#: From how many on a number of this unit is meant, and how many make a second; 1e11 s are the year 5138.
_UNITS = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3), (0.0, 1.0))


def read_series(path: Path, end: float) -> bytes:
    """The rows of a file up to `end` (seconds since epoch) as an Arrow IPC file; `timestamp` first, float64 seconds.

    Raises CandlesMissing when there is no such file, CandlesBroken naming file and column for what cannot be used.
    """
    table = _read(path)
    if TIME not in table.column_names:
        raise CandlesBroken(f"{path}: has no column {TIME}; its columns are {', '.join(table.column_names[:10])}")
    if len(set(table.column_names)) < len(table.column_names):
        twice = next(name for name in table.column_names if table.column_names.count(name) > 1)
        raise CandlesBroken(f"{path}: has two columns {twice[:80]!r}; rename or remove one")
    if table.num_rows > MAX_ROWS:
        raise CandlesBroken(f"{path}: {table.num_rows:,} rows are more than {MAX_ROWS:,}; keep what the sweep needs")
    if not table.num_rows:
        raise CandlesBroken(f"{path}: has no rows; a series has at least one")
    seconds = _seconds(table.column(TIME), path)
    columns = {TIME: seconds} | {
        name: _plain(table.column(name), name, path) for name in table.column_names if name != TIME
    }
    made = pa.table(columns)
    made = made.take(pc.sort_indices(made.append_column("_row", pa.array(range(made.num_rows))), _ORDER))
    made = made.filter(pc.less_equal(made.column(TIME), float(end))).combine_chunks()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, made.schema) as writer:
        writer.write_table(made)
    return bytes(sink.getvalue().to_pybytes())


_ORDER = [(TIME, "ascending"), ("_row", "ascending")]


def _read(path: Path) -> pa.Table:
    if not path.is_file():
        raise CandlesMissing(f"{path}: no such file; `series:` names CSV or Parquet files with a column {TIME}")
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            import pyarrow.parquet as pq

            table = pq.read_table(path)
        else:
            import pyarrow.csv

            table = pyarrow.csv.read_csv(path)
        table.column_names  # noqa: B018  decoded here: names may be any bytes
        return table
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise CandlesBroken(f"{path}: is no CSV or Parquet file ({' '.join(str(error).split())[:200]})") from None


def _seconds(column: pa.ChunkedArray, path: Path, name: str = TIME) -> pa.ChunkedArray:
    """Times as float64 seconds. Raises CandlesError."""
    if column.null_count:
        raise CandlesBroken(f"{path}: {column.null_count} rows have no {name}")
    kind = column.type
    if pa.types.is_string(kind):
        try:
            column = pc.cast(column, pa.timestamp("ns"))
        except pa.ArrowInvalid as error:
            raise CandlesBroken(f"{path}: {name} is not a time: {str(error)[:120]}") from None
        kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        try:
            nanoseconds = pc.cast(pc.cast(column, pa.timestamp("ns", tz=getattr(kind, "tz", None))), pa.int64())
        except pa.ArrowInvalid as error:
            raise CandlesBroken(f"{path}: {name} is not between the years 1678 and 2261: {str(error)[:120]}") from None
        return pc.divide(pc.cast(nanoseconds, pa.float64(), safe=False), 1e9)
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise CandlesBroken(f"{path}: {name} holds {kind}; write seconds since epoch or date and time")
    numbers = pc.cast(column, pa.float64(), safe=False)
    if not len(numbers):
        return numbers
    if not pc.all(pc.is_finite(numbers)).as_py():
        raise CandlesBroken(f"{path}: some rows have no {name}, or an infinite one")
    ends = pc.min_max(numbers).as_py()
    units = {next(per_second for least, per_second in _UNITS if abs(value) >= least) for value in ends.values()}
    if len(units) > 1:
        raise CandlesBroken(f"{path}: {name} mixes units: from {ends['min']:.0f} to {ends['max']:.0f}")
    return pc.divide(numbers, units.pop())


def _plain(column: pa.ChunkedArray, name: str, path: Path) -> pa.ChunkedArray:
    """A column as float64, bool or text. Raises CandlesError."""
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind):
        return pc.cast(column, pa.float64(), safe=False)
    if pa.types.is_boolean(kind):
        return column
    if pa.types.is_dictionary(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return pc.cast(column, pa.string())
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return _seconds(column, path, name) if not column.null_count else pc.cast(column, pa.string())
    raise CandlesError(f"{path}: column {name} holds {kind}; a series has numbers and text")

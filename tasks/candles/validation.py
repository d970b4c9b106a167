"""What a stretch of candles must be like before anything is computed from it, and the sentence when it is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tasks.arrow import numpy_of
from tasks.candles.formats import COLUMNS, NEEDED, first_off_grid, parse_time, scale_name, scale_of, scales_of
from tasks.candles.slices import Columns
from tasks.errors import CandlesBroken
from tasks.intervals import interval_of, interval_seconds, is_regular
from tasks.times import iso

#: Columns that hold a price.
PRICES = COLUMNS[1:5]
_REMEDY = "mend the file or fetch it again with `hummingsweep sync`; `hummingsweep candles check` lists every fault"


def broken(path: Path, where: str, what: str, remedy: str = _REMEDY) -> CandlesBroken:
    """The error for one fault: file, place, what is wrong, what to do."""
    place = f"{path}, {where}" if where else str(path)
    return CandlesBroken(f"{place}: {shown(what)}; {remedy}")


def shown(text: str) -> str:
    """Words out of a file as a terminal can take them: escaped where they are no text."""
    return "".join(
        sign if sign.isprintable() or sign == "\n" else sign.encode("unicode_escape").decode() for sign in text
    )


def open_end(path: Path) -> CandlesBroken:
    """The error for a text that does not end in a newline: what was cut off in a number still leaves a number."""
    return broken(
        path,
        "last line",
        "does not end in a newline, so that its last number may be cut off",
        "end it with a newline when it is whole, delete it when it is not",
    )


def check_header(path: Path, names: list[str]) -> list[str]:
    """The candle columns a file has, in the order of COLUMNS. Raises CandlesBroken when a needed one is missing."""
    missing = [name for name in NEEDED if name not in names]
    if missing:
        if looks := packing(path):
            raise broken(path, "", f"its name says {path.suffix}, but it looks {looks}", "unpack or convert it")
        there = ", ".join(name or "(unnamed)" for name in names[:12])[:200]
        raise broken(
            path,
            "",
            f"no column {', '.join(missing)} (its first line says: {there})",
            f"a candle file begins with a header that names {', '.join(NEEDED)}",
        )
    present = [name for name in COLUMNS if name in names]
    twice = next((name for name in present if names.count(name) > 1), None)
    if twice:
        raise broken(path, "", f"two columns are named {twice}", "delete one of them")
    return present


def raw_times(column: pa.Array | pa.ChunkedArray) -> NDArray[np.float64]:
    """A pyarrow column of times as raw numbers (s, ms, us or ns); datetimes become seconds, nulls NaN.

    Raises ValueError for what is no time.
    """
    if pa.types.is_timestamp(column.type):
        seconds = pc.cast(pc.cast(column, pa.timestamp("us"), safe=False), pa.int64())
        return numpy_of(pc.cast(seconds, pa.float64(), safe=False)) / 1e6
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return np.array([np.nan if text is None else parse_time(text) for text in column.to_pylist()], np.float64)
    if pa.types.is_date(column.type):
        return raw_times(pc.cast(column, pa.timestamp("s")))
    try:
        return to_floats(column)
    except pa.ArrowNotImplementedError as error:
        raise ValueError(f"{column.type} is no time") from error


def to_floats(column: pa.Array | pa.ChunkedArray) -> NDArray[np.float64]:
    """A pyarrow column as float64, nulls NaN. Raises ArrowInvalid or ArrowNotImplementedError for what is no number."""
    if pa.types.is_dictionary(column.type):
        column = pc.cast(column, column.type.value_type)
    if pa.types.is_decimal(column.type):
        # Arrow divides by the power of ten and rounds twice: 41879.7 would become 41879.700000000004
        column = pc.cast(column, pa.string())
    return numpy_of(pc.cast(column, pa.float64(), safe=False))


def times_fault(raw: NDArray[np.float64], scale: float, before: float | None = None) -> tuple[int, str] | None:
    """The first fault of raw times: (index, sentence), None when they are finite, of one unit and strictly rising.

    `scale` is the file's unit, `before` the raw time of the candle before the first.
    """
    faults: list[tuple[int, str]] = []

    def first(bad: NDArray[np.bool_], what: Callable[[int], str]) -> None:
        if bad.any():
            index = int(np.argmax(bad))
            faults.append((index, what(index)))

    known = np.isfinite(raw)
    first(~known, lambda index: f"timestamp is {raw[index]}")
    first(
        known & (scales_of(raw) != scale),
        lambda index: (
            f"timestamp {raw[index]:.16g} is in {scale_name(scale_of(raw[index]))}, "
            f"the file began in {scale_name(scale)}: mixed units"
        ),
    )
    previous = np.concatenate(([-np.inf if before is None else before], raw[:-1]))
    first(raw == previous, lambda index: f"timestamp {raw[index]:.16g} ({iso(raw[index] / scale)}) is there twice")
    first(
        raw < previous,
        lambda index: (
            f"timestamp {raw[index]:.16g} ({iso(raw[index] / scale)}) comes after {previous[index]:.16g}: "
            "the candles are not sorted by time"
        ),
    )
    return min(faults, default=None)


#: Fewer steps than these say nothing about an interval.
FEW_STEPS = 10


def other_spacing(times: NDArray[np.float64], interval: str) -> str:
    """How far candles open apart, in words, when that is not the interval; empty when it is, or cannot be told.

    `times`: open times on the interval's grid, seconds, rising. A few missing candles are gaps; where no two candles
    are an interval apart and most are the same multiple of it, they are those of a longer interval.
    """
    steps = np.diff(times)
    if len(steps) < FEW_STEPS:
        return ""
    apart = float(np.min(steps))
    if not is_regular(interval):  # a calendar month
        shortest, longest = (interval_seconds(interval) // 30 * days for days in (28, 31))
        return _words(apart) if not shortest <= apart <= longest else ""
    alike = apart > interval_seconds(interval) and not (steps % apart).any() and (steps == apart).mean() > 0.5
    return _words(apart) if alike else ""


def to_seconds(
    path: Path, table: pa.Table, scale: float, interval: str, where: Callable[[int], str], before: float | None = None
) -> Columns:
    """A table of raw candles as columns with open times in seconds.

    `where` says in words where the row of an index lies. Raises CandlesBroken for the first fault: a value that is NaN
    or infinite in the first six columns, a price that is not above 0, mixed units, unsorted or duplicate times, times
    off the interval's grid.
    """
    try:
        raw = raw_times(table["timestamp"])
    except ValueError as error:
        raise broken(path, "", f"timestamp: {error}") from error
    if fault := times_fault(raw, scale, before):
        raise broken(path, where(fault[0]), fault[1])
    columns: Columns = {"timestamp": raw / scale}
    off = first_off_grid(columns["timestamp"], interval)
    if off is not None:
        time = columns["timestamp"][off]
        raise broken(path, where(off), f"timestamp {raw[off]:.16g} ({iso(time)}): no {interval} candle opens then")
    for name in table.column_names:
        if name == "timestamp":
            continue
        try:
            values = to_floats(table[name])
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise broken(path, "", f"column {name} does not hold numbers ({error})") from error
        if name in NEEDED and not np.isfinite(values).all():
            index = int(np.argmax(~np.isfinite(values)))
            raise broken(path, where(index), f"{name} is {values[index]}")
        columns[name] = values
        if name in PRICES and (values <= 0).any():
            index = int(np.argmax(values <= 0))
            raise broken(path, where(index), f"{name} is {values[index]:g}: no price")
    return {name: columns[name] for name in COLUMNS if name in columns}


#: How files begin that are no text.
_BEGINNINGS = {
    b"\x1f\x8b": "compressed (gzip)",
    b"PK\x03\x04": "compressed (zip)",
    b"BZh": "compressed (bzip2)",
    b"\xfd7zXZ": "compressed (xz)",
    b"\x28\xb5\x2f\xfd": "compressed (zstd)",
    b"PAR1": "like Parquet",
    b"\xff\xfe": "like UTF-16, not UTF-8",
    b"\xfe\xff": "like UTF-16, not UTF-8",
}


def packing(path: Path) -> str:
    """What a file named .csv looks like by its first bytes; empty when it looks like text."""
    if path.suffix != ".csv":
        return ""
    with path.open("rb") as file:
        begins = file.read(8)
    return next((what for bytes_, what in _BEGINNINGS.items() if begins.startswith(bytes_)), "")


def _words(seconds: float) -> str:
    return interval_of(seconds) or f"{seconds:g} s"


def contradiction(columns: Columns) -> str:
    """How many candles contradict themselves, and when the first does; empty when none does.

    Exchanges have sent such candles, so they are served, and said.
    """
    body = np.stack([columns["open"], columns["close"]])
    bad = (columns["high"] < body.max(axis=0)) | (columns["low"] > body.min(axis=0)) | (columns["volume"] < 0)
    if not bad.any():
        return ""
    return (
        f"{int(bad.sum())} candles contradict themselves (high below, low above open or close, or a volume below 0), "
        f"the first at {iso(float(columns['timestamp'][np.argmax(bad)]))}; `hummingsweep candles check` lists them"
    )

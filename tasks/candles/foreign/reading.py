"""From a foreign file to candles."""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from tasks.candles.foreign import columns as cols
from tasks.candles.foreign.numbers import decimal_sign, is_number, numbers_of
from tasks.candles.foreign.sheet import Sheet, read_sheet
from tasks.candles.foreign.times import seconds_of
from tasks.candles.formats import COLUMNS, NEEDED, header_names, parse_time
from tasks.candles.slices import Columns, select
from tasks.candles.validation import broken, packing
from tasks.errors import CandlesBroken
from tasks.intervals import interval_of
from tasks.times import iso

#: Bytes that show layout, symbol and interval of a text.
_PEEKED = 1 << 18
_REMEDY = "mend it, or convert it to timestamp,open,high,low,close,volume"


@dataclass(frozen=True)
class Foreign:
    """Candles sorted by time, and what is to be said of how they were read."""

    columns: Columns
    #: what a column of the file calls its market; empty where none does
    symbol: str
    #: the commonest distance between its candles; empty where that is no interval
    interval: str
    notes: tuple[str, ...]


def is_ours(path: Path) -> bool:
    """Whether a file is as sweeps read it: comma-separated or Parquet, our names, epoch or ISO times, oldest first."""
    try:
        if path.name.endswith(".parquet"):
            names = header_names(parquet.read_schema(path).names)
            head = next(parquet.ParquetFile(path).iter_batches(2), None)
            rows = [] if head is None else [[str(value) for value in row.values()] for row in head.to_pylist()]
        elif path.name.endswith((".csv", ".csv.gz")):
            with gzip.open(path, "rt") if path.name.endswith(".gz") else path.open(newline="") as lines:
                table = list(csv.reader(islice(lines, 3)))
            names, rows = header_names(table[0] if table else []), table[1:]
        else:
            return False
    except (OSError, EOFError, ValueError, pa.ArrowException, zlib.error):
        return True  # what is damaged is told by who reads it
    if not set(NEEDED) <= set(names):
        return not _like_text(path)
    place = names.index("timestamp")
    try:
        times = [parse_time(row[place]) for row in rows]
    except (ValueError, IndexError):
        return False
    return times == sorted(times)


def _like_text(path: Path) -> bool:
    """Whether a file that is no Parquet can be text; others are told as what they look like."""
    return path.suffix != ".parquet" and not packing(path)


def read(path: Path, base: str = "") -> Foreign:
    """Every candle of a file; `base`: the pair's base asset, where it is known. Raises CandlesBroken."""
    return _read(path, base, None)


def peek(path: Path) -> Foreign:
    """The candles at the beginning of a file, enough to tell its market and interval. Raises CandlesBroken."""
    try:
        return _read(path, "", _PEEKED)
    except CandlesBroken:  # the beginning may not show what the whole does
        return _read(path, "", None)


def _read(path: Path, base: str, most_bytes: int | None) -> Foreign:
    try:
        sheet = read_sheet(path, most_bytes)
        if not sheet.rows:
            raise ValueError("no candles in it")
        found = _columns(sheet, base)
        symbol = _symbol(sheet)
        tidy = _sorted(found, sheet.notes)
    except (ValueError, OSError, pa.ArrowException) as error:
        if isinstance(error, CandlesBroken):
            raise
        raise broken(path, "", str(error), _REMEDY) from error
    return Foreign(tidy, symbol, _interval(tidy), tuple(sheet.notes))


def _columns(sheet: Sheet, base: str) -> Columns:
    """The candle columns, as they stand. Raises ValueError."""
    if sheet.names is None:
        return _unnamed(sheet)
    places = cols.by_names(sheet.names, base)
    if missing := [name for name in NEEDED if name not in places]:
        there = ", ".join(sheet.names[:14])
        raise ValueError(f"no column is known for {', '.join(missing)} (there are: {there}); rename one of them")
    clock = _clock_column(sheet, places)
    times, notes = seconds_of(sheet.columns[places["timestamp"]], None if clock is None else sheet.columns[clock])
    sheet.notes += notes
    written = sheet.names[places["timestamp"]]
    if cols.normal(written) != "timestamp":
        sheet.notes.append(f"times taken from the column {written}")
    if cols.normal(sheet.names[places["volume"]]) != "volume":
        sheet.notes.append(f"volume taken from the column {sheet.names[places['volume']]}")
    return _numbers(sheet, places, times)


def _clock_column(sheet: Sheet, places: dict[str, int]) -> int | None:
    """The column of times of day beside one of dates, as MetaTrader has them; places the timestamp at the dates."""
    names = [cols.normal(name) for name in sheet.names or []]
    time, date = (names.index(name) if name in names else None for name in ("time", "date"))
    if time is None or date is None or not re.match(r"\d{1,2}:\d{2}", str(sheet.columns[time][0].as_py())):
        return None
    places["timestamp"] = date
    return time


def _unnamed(sheet: Sheet) -> Columns:
    first = [str(column[0].as_py()) for column in sheet.columns[:2]]
    # MetaTrader: date and time of day in two columns
    split = len(first) > 1 and not is_number(first[1]) and ":" in first[1]
    times, notes = seconds_of(sheet.columns[0], sheet.columns[1] if split else None)
    sheet.notes += notes
    rest = sheet.columns[2 if split else 1 :]
    sign = decimal_sign(rest)
    numbers = [times]
    for column in rest:
        try:
            numbers.append(numbers_of(column, sign))
        except ValueError:
            numbers.append(np.full(sheet.rows, np.nan))
    if len(numbers) == 5:
        raise ValueError("five columns: a time and four prices, but no volume, which candles need")
    places = cols.by_order(numbers)
    return {name: numbers[places[name]] for name in COLUMNS if name in places}


def _numbers(sheet: Sheet, places: dict[str, int], times: np.ndarray) -> Columns:  # type: ignore[type-arg]  # float64
    wanted = [name for name in COLUMNS[1:] if name in places]
    sign = decimal_sign([sheet.columns[places[name]] for name in wanted])
    if sign == ",":
        sheet.notes.append("decimals behind a comma")
    found: Columns = {"timestamp": times}
    for name in wanted:
        try:
            found[name] = numbers_of(sheet.columns[places[name]], sign)
        except ValueError as error:
            if name in NEEDED:
                assert sheet.names is not None
                raise ValueError(f"column {sheet.names[places[name]]}: {error}") from None
    return found


def _sorted(found: Columns, notes: list[str]) -> Columns:
    """By time, each candle once. Raises ValueError for two different candles of one time."""
    times = found["timestamp"]
    steps = np.diff(times)
    if not (steps > 0).all():
        if (steps < 0).all():
            notes.append("newest first: sorted")
        elif (steps < 0).any():
            notes.append("not in order: sorted by time")
        order = np.argsort(times, kind="stable")
        found = select(found, order)
        twice = np.flatnonzero(np.diff(found["timestamp"]) == 0)
        for place in twice:
            if any(not _same(found[name][place], found[name][place + 1]) for name in found):
                when = iso(float(found["timestamp"][place]))
                raise ValueError(f"two different candles at {when}; delete the one that is wrong")
        if len(twice):
            notes.append(f"{len(twice)} candles were there twice, alike: taken once")
            keep = np.ones(len(found["timestamp"]), bool)
            keep[twice + 1] = False
            found = select(found, np.flatnonzero(keep))
    return found


def _same(one: float, other: float) -> bool:
    return bool(one == other or (np.isnan(one) and np.isnan(other)))


def _symbol(sheet: Sheet) -> str:
    """The one market a column names; empty where there is no such column. Raises ValueError for several."""
    place = None if sheet.names is None else cols.symbol_column(sheet.names)
    if place is None:
        return ""
    names = sorted({str(value) for value in sheet.columns[place].unique().to_pylist() if value})
    if len(names) > 1:
        raise ValueError(f"candles of {len(names)} markets in one file ({', '.join(names[:4])}); split it by market")
    return names[0] if names else ""


def _interval(tidy: Columns) -> str:
    steps, counts = np.unique(np.diff(tidy["timestamp"]), return_counts=True)
    if not len(steps):
        return ""
    apart = float(steps[np.argmax(counts)])
    return "1M" if 28 * 86400 <= apart <= 31 * 86400 else interval_of(apart)

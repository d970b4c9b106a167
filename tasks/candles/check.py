"""Is a candle file sound? Every fault is listed, not only the first, and nothing is refused for being faulty.

An error is what a sweep would refuse, or prices that cannot be; a warning is what may be true of a market (gaps, flat
stretches, jumps) and deserves a look.
"""

from __future__ import annotations

import zlib
from collections.abc import (
    Callable,
    Iterator,
)
from dataclasses import dataclass
from enum import StrEnum
from typing import (
    Any,
    BinaryIO,
)

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv, parquet

from tasks.candles.csvmap import open_csv
from tasks.candles.formats import (
    COLUMNS,
    NEEDED,
    CandleFile,
    first_off_grid,
    header_names,
    parse_time,
    scale_name,
    scales_of,
)
from tasks.candles.rowgroups import LastByte, damage
from tasks.candles.slicer import find_gaps
from tasks.candles.slices import Columns, Gap, select
from tasks.candles.validation import check_header, other_spacing, raw_times, shown
from tasks.errors import CandlesBroken
from tasks.times import iso

#: So many equal candles in a row are a flat stretch.
FLAT_CANDLES = 240
#: A jump is a step between two closes, or a wick, of at least this fraction of the price ...
JUMP_FRACTION = 0.05
#: ... and of so many times the usual step (the median of the steps that are not 0).
JUMP_TIMES = 40.0


class Severity(StrEnum):
    """How bad a fault is."""

    #: a sweep would refuse the file, or should
    ERROR = "error"
    #: may be true; look at it
    WARNING = "warning"


@dataclass(frozen=True)
class Finding:
    """One kind of fault in one file."""

    severity: Severity
    #: one word or two: unsorted, duplicate, gap, NaN, ...
    kind: str
    #: how often
    count: int
    #: the first one: where and what
    first: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.kind}{f' ({self.count} times)' if self.count > 1 else ''}: {self.first}"


@dataclass(frozen=True)
class Examination:
    """What one file holds and what is wrong with it."""

    file: CandleFile
    rows: int
    #: open times of the first and the last candle, seconds; None when there is no readable candle
    first: float | None
    last: float | None
    gaps: tuple[Gap, ...]
    bytes: int
    findings: tuple[Finding, ...]

    @property
    def missing(self) -> int:
        """Candles missing in all gaps."""
        return sum(gap.missing for gap in self.gaps)

    @property
    def sound(self) -> bool:
        """Is there no error?"""
        return not any(finding.severity is Severity.ERROR for finding in self.findings)


def examine(file: CandleFile) -> Examination:
    """Look at every candle of a file."""
    findings: list[Finding] = []
    size = file.path.stat().st_size
    try:
        raw = _read(file, list(COLUMNS), findings)
    except (CandlesBroken, pa.ArrowException, OSError, EOFError, zlib.error, ValueError) as error:
        what = shown(" ".join(str(error).removeprefix(f"{file.path}: ").split()))
        findings.append(Finding(Severity.ERROR, "unreadable", 1, what[:300]))
        return Examination(file, 0, None, None, (), size, tuple(findings))
    rows = len(raw.columns["timestamp"])
    times = raw.columns["timestamp"]
    known = np.isfinite(times)
    if not known.any():
        if rows:
            what = "of no row can the timestamp be read; `hummingsweep candles import` takes other layouts"
            findings.append(Finding(Severity.ERROR, "no times", rows, what))
        else:
            findings.append(Finding(Severity.ERROR, "empty", 1, "no candles in it"))
        return Examination(file, rows, None, None, (), size, tuple(findings))
    findings += _time_faults(raw, file.interval)
    # the same candles as they should be, so that one fault does not show up as another
    seconds = times / scales_of(times)
    order = np.unique(np.where(known, seconds, np.nan), return_index=True)[1]
    order = order[known[order]]
    tidy = select(raw.columns | {"timestamp": seconds}, order)
    gaps = tuple(find_gaps(tidy, file.interval)) if file.interval else ()
    if first_off_grid(tidy["timestamp"], file.interval or "1s") is not None:
        gaps = ()  # steps that are no multiples of the interval say nothing about missing candles
    elif file.interval and (apart := other_spacing(tidy["timestamp"], file.interval)):
        gaps = ()  # nothing is missing, it is another interval's
        text = f"its candles open {apart} apart, its name says {file.interval}"
        findings.append(Finding(Severity.ERROR, "other interval", 1, text))
    if gaps:
        missing = sum(gap.missing for gap in gaps)
        findings.append(Finding(Severity.WARNING, "gap", len(gaps), f"after {gaps[0]}, {missing} missing in all"))
    findings += _value_faults(raw)
    findings += _price_faults(raw)
    findings += _market_oddities(tidy)
    if file.encoding == "csv" and not any(one.severity is Severity.ERROR for one in findings):
        findings += _opening_faults(file)
    first, last = float(tidy["timestamp"][0]), float(tidy["timestamp"][-1])
    return Examination(file, rows, first, last, gaps, size, tuple(findings))


@dataclass(frozen=True)
class _Raw:
    """A file's candles as they are; what is no number is NaN."""

    columns: Columns
    #: "line" of a text file, "row" otherwise, and the number of the first
    unit: str
    offset: int
    #: numbers of the lines that were left out for having a wrong number of fields, rising
    left_out: tuple[int, ...] = ()

    def where(self, index: int) -> str:
        number = index + self.offset
        for line in self.left_out:
            if line > number:
                break
            number += 1
        time = self.columns["timestamp"][index]
        stamp = f" ({iso(time / scales_of(np.array([time]))[0])})" if np.isfinite(time) else ""
        return f"{self.unit} {number}{stamp}"


def _read(file: CandleFile, wanted: list[str], findings: list[Finding]) -> _Raw:
    if file.encoding == "parquet":
        source = parquet.ParquetFile(file.path)
        names = header_names(source.schema_arrow.names)
        present = [name for name in check_header(file.path, names) if name in wanted]
        written = {name: source.schema_arrow.names[names.index(name)] for name in present}
        table = source.read(columns=list(written.values()))
        table = table.select(range(len(present))).rename_columns(
            [header_names([name])[0] for name in table.column_names]
        )
        if what := damage(source.metadata, range(source.num_row_groups), written, table):
            findings.append(Finding(Severity.ERROR, "damaged", 1, what))
        return _Raw({name: _numbers(name, table[name]) for name in present}, "row", 1)
    return _read_csv(file, wanted, findings)


def _read_csv(file: CandleFile, wanted: list[str], findings: list[Finding]) -> _Raw:
    compression = "gzip" if file.encoding == "csv.gz" else None
    with pa.input_stream(str(file.path), compression=compression) as stream:
        names = header_names(_first_line(stream).split(","))
    present = [name for name in check_header(file.path, names) if name in wanted]
    ragged: list[tuple[int, str]] = []
    text: Any = None  # a LastByte from the first `read` on

    def leave_out(row: csv.InvalidRow) -> str:
        ragged.append((int(row.number or 0), f"{row.actual_columns} of {row.expected_columns} fields: {row.text!r}"))
        return "skip"

    def read(kind: pa.DataType) -> pa.Table:
        ragged.clear()
        nonlocal text
        with pa.input_stream(str(file.path), compression=compression) as stream:
            text = LastByte(stream)
            return csv.read_csv(
                text,
                csv.ReadOptions(column_names=names, skip_rows=1, use_threads=False),
                csv.ParseOptions(invalid_row_handler=leave_out),
                csv.ConvertOptions(include_columns=present, column_types=dict.fromkeys(present, kind)),
            )

    try:
        table = read(pa.float64())
    except pa.ArrowInvalid:
        table = read(pa.string())  # some field is no number: slower, and it becomes NaN
    if ragged:
        # the header is the reader's row 1
        findings.append(Finding(Severity.ERROR, "cut line", len(ragged), f"line {ragged[0][0]}: {ragged[0][1][:80]}"))
    if not text.ended:
        findings.append(Finding(Severity.ERROR, "open end", 1, "no newline at its end: the last number may be cut off"))
    columns = {name: _numbers(name, table[name]) for name in present}
    return _Raw(columns, "line", 2, tuple(number for number, _ in ragged))


def _numbers(name: str, column: pa.Array | pa.ChunkedArray) -> NDArray[np.float64]:
    """A column as float64, NaN for what is no number (or, of the timestamp, no time)."""
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        parse = parse_time if name == "timestamp" else float
        return np.array([_or_nan(parse, text) for text in column.to_pylist()], np.float64)
    return raw_times(column)


def _or_nan(parse: Callable[[str], float], text: str | None) -> float:
    try:
        return float(parse(text)) if text else float("nan")
    except ValueError:
        return float("nan")


def _opening_faults(file: CandleFile) -> Iterator[Finding]:
    """What a sweep, which goes by lines and not by fields, refuses beside: a line break within quotes."""
    try:
        open_csv(file.path)
    except CandlesBroken as error:
        yield Finding(Severity.ERROR, "unreadable", 1, str(error).removeprefix(f"{file.path}, "))


def _time_faults(raw: _Raw, interval: str) -> Iterator[Finding]:
    times = raw.columns["timestamp"]
    known = np.isfinite(times)
    scales = scales_of(times)
    began = scales[np.argmax(known)]
    yield from _finding(
        raw, known & (scales != began), "mixed units", f"not in {scale_name(float(began))} as the first candle is"
    )
    seconds = np.where(known, times / scales, np.nan)
    steps = np.diff(seconds, prepend=-np.inf)
    yield from _finding(raw, steps < 0, "unsorted", "earlier than the candle before it")
    twice = np.ones(len(times), bool)
    twice[np.unique(seconds, return_index=True)[1]] = False
    yield from _finding(raw, twice & known, "duplicate", "this time is there already")
    if not interval:
        yield Finding(Severity.ERROR, "no interval", 1, "neither the name nor the spacing of its candles says it")
        return
    off = first_off_grid(seconds[known], interval)
    if off is not None:
        index = int(np.flatnonzero(known)[off])
        yield Finding(Severity.ERROR, "off the grid", 1, f"{raw.where(index)}: no {interval} candle opens then")


def _value_faults(raw: _Raw) -> Iterator[Finding]:
    for name, values in raw.columns.items():
        severity = Severity.ERROR if name in NEEDED else Severity.WARNING
        yield from _finding(raw, ~np.isfinite(values), "NaN", f"{name} is not a number", severity)


def _price_faults(raw: _Raw) -> Iterator[Finding]:
    columns = raw.columns
    for name in ("open", "high", "low", "close"):
        yield from _finding(raw, columns[name] <= 0, "not positive", f"{name} is not above 0")
    yield from _finding(raw, columns["volume"] < 0, "negative volume", "volume is below 0")
    top = np.fmax(columns["open"], columns["close"])
    bottom = np.fmin(columns["open"], columns["close"])
    yield from _finding(raw, columns["high"] < top, "high too low", "high is below open or close")
    yield from _finding(raw, columns["low"] > bottom, "low too high", "low is above open or close")


def _market_oddities(tidy: Columns) -> Iterator[Finding]:
    """Flat stretches and jumps, on sorted candles."""
    raw = _Raw(tidy, "candle", 1)
    close = tidy["close"]
    still = (tidy["high"] == tidy["low"]) & (np.diff(close, prepend=np.nan) == 0)
    edges = np.flatnonzero(np.diff(still.astype(np.int8), prepend=0, append=0))
    begins, lengths = edges[::2], edges[1::2] - edges[::2]
    long = lengths >= FLAT_CANDLES
    if long.any():
        longest = int(np.argmax(lengths))
        when = iso(tidy["timestamp"][begins[longest]])
        yield Finding(
            Severity.WARNING, "flat", int(long.sum()), f"the longest: {lengths[longest]} equal candles from {when}"
        )
    with np.errstate(all="ignore"):
        steps = np.abs(np.diff(np.log(close), prepend=np.nan))
        wicks = np.fmax(
            np.log(tidy["high"] / np.fmax(tidy["open"], close)), np.log(np.fmin(tidy["open"], close) / tidy["low"])
        )
        moved = steps[np.isfinite(steps) & (steps > 0)]
        if len(moved):
            least = max(JUMP_FRACTION, JUMP_TIMES * float(np.median(moved)))
            yield from _finding(raw, steps > least, "jump", "the close is far from the one before", Severity.WARNING)
            yield from _finding(raw, wicks > least, "spike", "high or low is far from open and close", Severity.WARNING)


def _finding(
    raw: _Raw, bad: NDArray[np.bool_], kind: str, what: str, severity: Severity = Severity.ERROR
) -> Iterator[Finding]:
    if bad.any():
        yield Finding(severity, kind, int(bad.sum()), f"{raw.where(int(np.argmax(bad)))}: {what}")


def _first_line(stream: BinaryIO) -> str:
    head = b""
    while b"\n" not in head and (more := stream.read(4096)):
        head += more
    return bytes(head).split(b"\n")[0].decode(errors="replace").strip()

"""A sorted CSV read by position: mapped into memory, bisected by byte offset, parsed only where it is needed.

    header \\n | line line line ... line ... line \\n | (blank)
               ^begin       ^offsets        ^         ^end

A probe looks at one line: the one that holds a byte offset. Sixteen probes spread over the file narrow the search and
would notice a file that is not sorted or mixes units; from there the next offset is interpolated (candles are spaced
evenly, lines are nearly equally long), so that locating takes about as many probes in a file of any size.
"""

from __future__ import annotations

import math
import mmap
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from pyarrow import csv

from tasks.candles.formats import header_names, is_number, parse_time, scale_name, scale_of, split_line
from tasks.candles.validation import broken, check_header, raw_times, times_fault
from tasks.errors import CandlesBroken, CandlesMissing
from tasks.times import iso

SPOTS = 16
#: Interpolating probes before the search falls back to halving, which ends for certain.
_INTERPOLATE = 16
_WHITESPACE = b" \t\r\n"


class CsvMap:
    """One mapped CSV. Times it takes and gives are raw: in the file's own unit. Made by `open_csv`.

    Raises CandlesBroken for a file that is empty, has no usable header, ends in the middle of a line, is not sorted or
    mixes units, as far as the probed lines show it.
    """

    def __init__(self, path: Path, data: mmap.mmap):
        self.path = path
        self._data = data
        #: lines looked at so far
        self.probes = 0
        head_end = data.find(b"\n")
        if head_end < 0:
            raise broken(path, "", "no candles in it, only one line")
        self.names = header_names(data[:head_end].decode(errors="replace").split(","))
        if any(is_number(name) for name in self.names):
            raise broken(path, "line 1", "no header", "let the first line name the columns: timestamp,open,high,...")
        self.columns = check_header(path, self.names)
        self._place = self.names.index("timestamp")
        self.begin = head_end + 1
        self.end = self._end()
        if self.end <= self.begin:
            raise broken(path, "", "no candles in it, only a header")
        #: does the last line end in a newline? One that does not may have lost digits.
        self.whole = data.find(b"\n", self.end) >= 0
        self._check_last_line()
        self._text = not is_number(self._field(self.begin, self._line_end(self.begin)))
        self.scale = 1.0 if self._text else scale_of(self._time(*self.line(self.begin)))
        self._look_around()

    def line(self, offset: int) -> tuple[int, int]:
        """Begin and end (its newline) of the line that holds a byte offset, or of the next one that is not blank."""
        start = self._data.rfind(b"\n", self.begin, offset) + 1 or self.begin
        stop = self._line_end(start)
        while stop < self.end and not self._data[start:stop].strip(_WHITESPACE):
            start, stop = stop + 1, self._line_end(stop + 1)
        return start, stop

    def locate(self, time: float) -> int:
        """Offset of the first line whose raw time is at least `time`; `end` when there is none."""
        if time <= self.first:
            return self.begin
        if time > self.last:
            return self.end
        spot = bisect_left(self._spot_times, time)
        # lines before `low` are earlier than `time`, the line at `high` is not
        low, before = self._spot_ends[spot - 1], self._spot_times[spot - 1]
        high, after = self._spot_starts[spot], self._spot_times[spot]
        step, low_moved = 0, True
        while low < high:
            if step < _INTERPOLATE:
                guess = low + int((high - low) * (time - before) / (after - before))
                if step % 2:
                    # one side is near now; step beyond `time`, so that the other comes near too
                    guess = 2 * guess - low + 128 if low_moved else 2 * guess - high - 128
            else:
                guess = (low + high) // 2
            start, stop = self.line(min(max(guess, low), high - 1))
            if start >= high:  # only blank lines before it
                return high
            at = self._time(start, stop)
            if not before < at < after:
                self._refuse_order(start, at, before, after)
            low_moved = at < time
            if low_moved:
                low, before = min(stop + 1, self.end), at
            else:
                high, after = start, at
            step += 1
        return high

    def block(self, begin: int, end: int) -> pa.Table:
        """The lines in [begin, end) as a pyarrow Table of the candle columns. Raises CandlesBroken."""
        types = dict.fromkeys(self.columns, pa.float64())
        if self._text:
            types["timestamp"] = pa.string()
        if begin >= end:
            return pa.table({name: pa.array([], type=types[name]) for name in self.columns})
        data = pa.py_buffer(memoryview(self._data)[begin:end])
        try:
            return csv.read_csv(
                pa.BufferReader(data),
                csv.ReadOptions(use_threads=end - begin > 1 << 24, column_names=self.names),
                convert_options=csv.ConvertOptions(include_columns=self.columns, column_types=types),
            )
        except pa.ArrowInvalid as error:
            raise self._first_bad_line(begin, end, error) from error

    def where(self, begin: int, index: int) -> str:
        """In words, where the row `index` of the block at `begin` lies. Counts lines: only for errors."""
        return f"line {self._line_number(begin) + index}"

    def prove_sorted(self) -> None:
        """Read all times, slowly, and raise CandlesBroken for the first fault anywhere in the file."""
        last: float | None = None
        row = 2
        try:
            for batch in time_batches(self.path, self.names, self._text):
                times = raw_times(batch)
                if fault := times_fault(times, self.scale, last):
                    raise broken(self.path, f"line {row + fault[0]}", fault[1])
                last = float(times[-1]) if len(times) else last
                row += len(times)
        except (pa.ArrowInvalid, ValueError) as error:
            raise self._first_bad_line(self.begin, self.end, error) from error

    def _end(self) -> int:
        end = len(self._data)
        while end > self.begin:
            tail = self._data[max(self.begin, end - 4096) : end]
            kept = len(tail.rstrip(_WHITESPACE))
            end -= len(tail) - kept
            if kept:
                break
        return end

    def _check_last_line(self) -> None:
        start = self._data.rfind(b"\n", self.begin, self.end) + 1 or self.begin
        last = self._data[start : self.end]
        fields = len(split_line(last.decode(errors="replace")))
        if fields != len(self.names):
            shown = last[:60].decode(errors="replace")
            raise broken(
                self.path,
                f"line {self._line_number(start)}",
                f"the last line is cut off: {fields} of {len(self.names)} fields ({shown!r})",
            )

    def _look_around(self) -> None:
        """Probe lines spread over the file; they must rise and have one unit."""
        self._spot_starts: list[int] = []
        self._spot_ends: list[int] = []
        self._spot_times: list[float] = []
        last_start = self._data.rfind(b"\n", self.begin, self.end) + 1 or self.begin
        for spot in range(SPOTS + 1):
            offset = self.begin + (last_start - self.begin) * spot // SPOTS
            start, stop = self.line(offset)
            if self._spot_starts and start <= self._spot_starts[-1]:
                continue
            time = self._time(start, stop)
            if self._spot_times and time <= self._spot_times[-1]:
                self._refuse_order(start, time, self._spot_times[-1], math.inf)
            self._spot_starts.append(start)
            self._spot_ends.append(min(stop + 1, self.end))
            self._spot_times.append(time)
        #: raw times of the first and the last candle
        self.first, self.last = self._spot_times[0], self._spot_times[-1]

    def _time(self, start: int, stop: int) -> float:
        self.probes += 1
        field = self._field(start, stop)
        try:
            time = parse_time(field)
        except ValueError:
            time = math.nan
        if not math.isfinite(time):
            shown = self._data[start : min(stop, start + 80)].decode(errors="replace")
            raise broken(self.path, f"line {self._line_number(start)}", f"no timestamp in {shown!r}")
        if hasattr(self, "scale") and scale_of(time) != self.scale:
            self.prove_sorted()
            raise broken(
                self.path,
                f"line {self._line_number(start)}",
                f"timestamp {field} is in {scale_name(scale_of(time))}, the file began in {scale_name(self.scale)}",
            )
        return time

    def _refuse_order(self, start: int, time: float, before: float, after: float) -> None:
        self.prove_sorted()
        when = iso(time / self.scale)
        raise broken(
            self.path,
            f"line {self._line_number(start)}",
            f"timestamp {when} does not lie between {iso(before / self.scale)} and {iso(after / self.scale)}: "
            "the candles are not sorted by time",
        )

    def _field(self, start: int, stop: int) -> str:
        line = self._data[start:stop]
        fields = line.split(b",", self._place + 1)
        if b'"' in line:
            fields = [field.encode() for field in split_line(line.decode(errors="replace"))]
        return fields[self._place].decode(errors="replace").strip().strip('"') if self._place < len(fields) else ""

    def _line_end(self, start: int) -> int:
        stop = self._data.find(b"\n", start, self.end)
        return self.end if stop < 0 else stop

    def _line_number(self, offset: int) -> int:
        """Line in which a byte offset lies, the header is line 1. Reads the file up to there."""
        step = 1 << 24
        return 1 + sum(self._data[at : min(at + step, offset)].count(b"\n") for at in range(0, offset, step))

    def _first_bad_line(self, begin: int, end: int, error: Exception) -> CandlesBroken:
        """The error for the first line from `begin` on that pyarrow cannot have liked."""
        places = [(name, self.names.index(name)) for name in self.columns]
        at = begin
        while at < end:
            start, stop = self.line(at)
            line = self._data[start:stop].decode(errors="replace")
            fields = [field.strip().strip('"') for field in split_line(line)]
            if len(fields) != len(self.names):
                what = f"{len(fields)} fields instead of {len(self.names)}: {line[:80]!r}"
                return broken(self.path, self.where(start, 0), what)
            for name, place in places:
                text = fields[place]
                if name == "timestamp" and self._text:
                    good = _is_time(text)
                else:
                    good = is_number(text) or text in csv.ConvertOptions().null_values
                if not good:
                    return broken(self.path, self.where(start, 0), f"{name} is {text!r}, not a number")
            at = stop + 1
        return broken(self.path, "", f"cannot be read as CSV ({error})")


def open_csv(path: Path) -> CsvMap:
    """Map a CSV; it is unmapped with the last object that points into it. Raises CandlesMissing, CandlesBroken."""
    try:
        with path.open("rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except ValueError as error:  # an empty file cannot be mapped
        raise broken(path, "", "the file is empty") from error
    except OSError as error:
        raise CandlesMissing(f"{path}: cannot be read ({error.strerror})") from error
    return CsvMap(path, data)


def time_batches(source: Path, names: list[str], text: bool) -> Iterator[pa.Array]:
    """The timestamp column of a whole CSV, batch by batch."""
    reader = csv.open_csv(
        source,
        csv.ReadOptions(column_names=names, skip_rows=1, block_size=1 << 22, use_threads=False),
        convert_options=csv.ConvertOptions(
            include_columns=["timestamp"], column_types={"timestamp": pa.string() if text else pa.float64()}
        ),
    )
    for batch in reader:
        yield batch.column(0)


def _is_time(text: str) -> bool:
    try:
        parse_time(text)
    except ValueError:
        return False
    return True

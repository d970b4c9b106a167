"""Times as exchanges and vendors write them, as seconds since epoch, UTC.

    1704067200, 1704067200000, ... 20240101, 20240101120000           numbers: s, ms, us or ns by their size; days
    2024-01-01 12:00:00, 2024.01.01 12:00, 2024/01/01T12:00Z, 20240101 120000, 2024-01-01 09-AM
    31.12.2024 23:59, 12/31/2024 11:59 PM, 5 Jan 2024, Jan 05, 2024   the order of day and month is found, or refused

UTC unless an offset is written. Times of a zone that is only named (EST) are refused: they jump with its clocks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tasks.arrow import numpy_of
from tasks.candles.formats import scale_name, scale_of, scales_of
from tasks.candles.validation import raw_times

Floats = NDArray[np.float64]
#: Text of a time -> date and the rest; Arrow reads them too, so they look neither ahead nor back.
_YEAR_FIRST = r"(?P<date>\d{4}[-./]\d{1,2}[-./]\d{1,2})[T ,;]*(?P<rest>.*)"
_COMPACT = r"(?P<date>(?:19|20)\d{2}[01]\d[0-3]\d)[T ,;]*(?P<rest>.*)"
_YEAR_LAST = r"(?P<date>\d{1,2}[-./]\d{1,2}[-./](?:\d{4}|\d{2}))(?:[T ,;]+(?P<rest>.*))?"
_MONTH_NAMED = r"(?P<date>\d{1,2}[- ][A-Za-z]{3,9}[-, ]+\d{4}|[A-Za-z]{3,9} \d{1,2},? \d{4})(?:[T ,;]+(?P<rest>.*))?"
_CLOCK = re.compile(
    r"(?:(\d{1,2})(?::?(\d{2})(?::?(\d{2})(?:[.,](\d+))?)?)?)?[- ]*([AaPp][Mm])?\s*"
    r"(Z|UTC|GMT|(?:UTC|GMT)?[+-]\d{1,2}:?(?:\d{2})?)?"
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
#: Smaller numbers are no seconds since epoch of a market (1973): row numbers, or a spreadsheet's days.
_LEAST_S = 1e8


def seconds_of(
    column: pa.Array | pa.ChunkedArray, clock: pa.Array | pa.ChunkedArray | None = None
) -> tuple[Floats, list[str]]:
    """Seconds of a column of times (with a second column of clock times), and what is to be said of how it was read.

    Raises ValueError with a sentence.
    """
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return _of_numbers(raw_times(column))
    stripped = pc.utf8_trim(column, characters=" \t\"'")
    if clock is not None:
        stripped = pc.binary_join_element_wise(stripped, pc.utf8_trim(clock, characters=" \t\"'"), " ")
    shown = [text or "" for text in stripped.slice(0, 100).to_pylist()]
    if shown and all(re.fullmatch(r"(19|20)\d{2}[01]\d[0-3]\d(\d{6}|\d{4})?", text) for text in shown):
        return _of_texts(stripped)
    try:
        return _of_numbers(numpy_of(pc.cast(stripped, pa.float64())))
    except pa.ArrowInvalid:
        return _of_texts(stripped)


def _of_numbers(raw: Floats) -> tuple[Floats, list[str]]:
    if not np.isfinite(raw).all():
        raise ValueError(f"the time in row {int(np.argmax(~np.isfinite(raw))) + 1} is empty")
    if not len(raw):
        return raw, []
    scales = scales_of(raw)
    notes = []
    if (scales != scales[0]).any():  # CryptoDataDownload's; their sizes leave no doubt
        other = raw[int(np.argmax(scales != scales[0]))]
        notes = [
            f"times in {scale_name(float(scales[0]))} and in {scale_name(scale_of(float(other)))}: all made seconds"
        ]
    if abs(raw[0]) < _LEAST_S:
        what = "a spreadsheet's days" if 20_000 < raw[0] < 80_000 else "row numbers"
        raise ValueError(
            f"{raw[0]:.10g} is no time since 1970 (it looks like {what}); write epoch seconds or ISO times"
        )
    return raw / scales, notes


def _of_texts(texts: pa.Array | pa.ChunkedArray) -> tuple[Floats, list[str]]:
    first = str(texts[0].as_py() or "")
    shape = next((one for one in (_YEAR_FIRST, _COMPACT, _YEAR_LAST, _MONTH_NAMED) if re.fullmatch(one, first)), None)
    if shape is None:
        raise ValueError(f"{first[:40]!r} is not a time; write ISO times (2024-01-31 12:00) or epoch seconds")
    split = pc.extract_regex(texts, f"^(?:{shape})$")
    if split.null_count:
        row = pc.index(pc.is_null(split), True).as_py()
        text = str(texts[row].as_py() or "")
        raise ValueError(f"the time in row {row + 1} is {text[:40]!r}, unlike that of the first row, {first[:40]!r}")
    # a year of minutes has 366 dates and 1,440 times of day: only those are read one by one
    dates, rests = (pc.struct_field(split, name).dictionary_encode() for name in ("date", "rest"))
    in_day = np.array([_clock(rest or "") for rest in rests.dictionary.to_pylist()])[rests.indices.to_numpy()]
    written: list[str] = dates.dictionary.to_pylist()
    places = dates.indices.to_numpy()

    def seconds(order: str) -> Floats:
        found: Floats = np.array([_day(date, order) for date in written], np.float64)[places] + in_day
        return found

    if shape is not _YEAR_LAST:
        return seconds(""), []
    order, note = _order(written, seconds)
    return seconds(order), [note]


def _order(dates: Sequence[str], seconds: Callable[[str], Floats]) -> tuple[str, str]:
    """Day or month first? By a number above 12, else by the reading under which candles follow each other."""
    parts = [re.split(r"[-./]", date) for date in dates]
    firsts, seconds_ = ({int(part[place]) for part in parts} for place in (0, 1))
    if max(firsts) > 12 and max(seconds_) > 12:
        raise ValueError("some dates have the day first and some the month; write ISO dates (2024-01-31)")
    if max(firsts) > 12:
        return "dm", f"dates read as day, month, year ({dates[0]})"
    if max(seconds_) > 12:
        return "md", f"dates read as month, day, year ({dates[0]})"
    even = {order: _evenness(seconds(order)) for order in ("dm", "md")}
    if even["dm"] == even["md"]:
        raise ValueError(f"{dates[0]} may be day and month or month and day; write ISO dates (2024-01-31)")
    order = max(even, key=lambda one: even[one])
    words = "day, month" if order == "dm" else "month, day"
    return order, f"dates read as {words}, year ({dates[0]}): so its candles follow each other"


def _evenness(times: Floats) -> int:
    """How many steps between candles are the commonest one."""
    steps, counts = np.unique(np.diff(np.sort(times)), return_counts=True)
    return int(counts[np.argmax(counts)]) if len(steps) else 0


def _day(date: str, order: str) -> float:
    named = re.search(r"[A-Za-z]+", date)
    if named is not None:
        month = _MONTHS.index(named[0][:3].lower()) + 1 if named[0][:3].lower() in _MONTHS else 0
        numbers = [int(part) for part in re.findall(r"\d+", date)]
        year, day = max(numbers), min(numbers)
    elif date.isdigit():
        year, month, day = int(date[:4]), int(date[4:6]), int(date[6:8])
    else:
        first, second, third = (int(part) for part in re.split(r"[-./]", date))
        if not order:
            year, month, day = first, second, third
        else:
            year = third + 2000 if third < 100 else third
            month, day = (second, first) if order == "dm" else (first, second)
    try:
        return datetime(year, month, day, tzinfo=UTC).timestamp()
    except ValueError:
        raise ValueError(f"{date!r} is not a date") from None


def _clock(text: str) -> float:
    found = _CLOCK.fullmatch(text.strip())
    if found is None:
        zone = re.search(r"[A-Za-z]{2,}$", text)
        what = f"a time of the zone {zone[0]}, whose clocks jump" if zone else f"{text[:40]!r} is not a time of day"
        raise ValueError(f"{what}; write UTC")
    hour, minute, second = (int(found[place] or 0) for place in (1, 2, 3))
    if found[5]:
        if not 1 <= hour <= 12:
            raise ValueError(f"{text!r} is not a time of day")
        hour = hour % 12 + (12 if found[5].lower() == "pm" else 0)
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError(f"{text!r} is not a time of day")
    fraction = float(f"0.{found[4]}") if found[4] else 0.0
    offset = 0
    if zone := re.search(r"([+-])(\d{1,2}):?(\d{2})?$", found[6] or ""):
        offset = (int(zone[2]) * 3600 + int(zone[3] or 0) * 60) * (-1 if zone[1] == "-" else 1)
    return hour * 3600 + minute * 60 + second + fraction - offset

"""The slice a feed needs, from its own file or derived from a finer one.

A derived candle is what the exchange would have sent for the interval: opens at a multiple of it (weeks on Monday),
open of the first candle in it, highest high, lowest low, close of the last, sums of the rest. Only full intervals are
derived: one that the source begins or ends inside of is left out. Where candles are missing inside an interval, the
ones that are there count.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tasks.candles.formats import CandleFile, file_name
from tasks.candles.slicer import Gaps, demand_cover, mend, read, slice_files
from tasks.candles.slices import Columns, Slice, select, to_columns, to_table
from tasks.errors import CandlesBroken, CandlesError, CandlesMissing, CandlesNotCovering
from tasks.intervals import grid_offset, interval_seconds, is_regular
from tasks.protocol.messages import FeedNeed
from tasks.suggest import command
from tasks.times import iso

if TYPE_CHECKING:
    import pyarrow as pa


#: Prices and volumes are decimal numbers; sums are exact for up to this many places.
_PLACES = 9
#: Whole numbers up to here are exact in a float64.
_EXACT = 2**53

Say = Callable[[str], None]


def slice_for(
    need: FeedNeed,
    files: Sequence[CandleFile],
    start: float,
    end: float,
    gaps: str = Gaps.WARN,
    *,
    cache: Path | None = None,
    say: Say | None = None,
) -> Slice:
    """The candles of one feed for the period [start, end] (seconds, UTC) with up to `need.max_records` before it.

    The feed's own file comes first; when it is not there or does not cover the period, the coarsest finer feed that
    does. `gaps`, `cache` and `say` as in `slice_file`. Raises CandlesMissing, CandlesNotCovering, CandlesBroken.
    """
    sources = sources_for(need, files)
    if not sources:
        raise _missing(need, files)
    too_short: list[CandlesNotCovering] = []
    for _, same_interval in groupby(sources, key=lambda parts: parts[0].interval):
        found: list[tuple[Sequence[CandleFile], Slice]] = []
        for parts in same_interval:
            try:
                found.append((parts, _from(parts, need, start, end, gaps, cache, say)))
            except CandlesNotCovering as error:
                too_short.append(error)
        if found:
            return _the_one(found, need)
    raise too_short[0]


def check_cover(need: FeedNeed, files: Sequence[CandleFile], start: float, end: float, say: Say | None = None) -> None:
    """That a feed is there for a period, told from the ends of its files alone. Raises as `slice_for`."""
    sources = sources_for(need, files)
    if not sources:
        raise _missing(need, files)
    too_short: list[CandlesNotCovering] = []
    for parts in sources:
        try:
            demand_cover(parts, read(parts, start, start, say=say), start, end)
        except CandlesNotCovering as error:
            too_short.append(error)
        else:
            return
    raise too_short[0]


def sources_for(need: FeedNeed, files: Sequence[CandleFile]) -> list[list[CandleFile]]:
    """Where a feed can come from, best first: its own files, then finer feeds that divide it, the coarsest first.

    Dated parts of one feed are one source together. Every source is a list of files of one interval.
    """
    usable = [
        file
        for file in files
        if (file.connector, file.pair) == (need.connector, need.trading_pair)
        and file.interval
        and (file.interval == need.interval or _divides(file.interval, need.interval))
    ]
    usable.sort(key=lambda file: (-interval_seconds(file.interval), file.interval, not file.dated, file.path))
    sources: list[list[CandleFile]] = []
    for (_, dated), group in groupby(usable, key=lambda file: (file.interval, file.dated)):
        together = list(group)
        sources += [together] if dated else [[file] for file in together]
    return sources


def resample(table: pa.Table, to: str, first: float = -np.inf, until: float = np.inf) -> pa.Table:
    """Coarser candles from finer ones, as a pyarrow Table with the same columns.

    `table` holds float64 columns, open times in seconds and rising. `first` and `until` say what the source covers
    (open of its first, close of its last candle): intervals not wholly inside are left out. Raises CandlesError for
    an interval that is none or has no fixed length (1M).
    """
    return to_table(_resample(to_columns(table), to, first, until))


def _from(
    parts: Sequence[CandleFile],
    need: FeedNeed,
    start: float,
    end: float,
    gaps: str,
    cache: Path | None,
    say: Say | None,
) -> Slice:
    finer = parts[0].interval
    if finer == need.interval:
        return slice_files(parts, start, end, need.max_records, gaps=gaps, cache=cache, say=say)
    long, short, offset = interval_seconds(need.interval), interval_seconds(finer), grid_offset(need.interval)
    # whole intervals: from the one that holds the first moment to the one that opens last at `end`
    lower = (start - need.max_records * long - offset) // long * long + offset
    upper = (end - offset) // long * long + offset + long - short
    stretch = read(parts, lower, upper, cache=cache, say=say)
    demand_cover(parts, stretch, start, end)
    columns, missing = mend(parts, stretch, lower, upper, gaps)
    derived = _resample(columns, need.interval, stretch.first, stretch.last + short)
    times = derived["timestamp"]
    earliest = start - need.max_records * long
    derived = select(derived, (times >= earliest) & (times <= end))
    if not len(derived["timestamp"]):
        raise CandlesNotCovering(
            f"{parts[0].path}: no full {need.interval} candle that opens between {iso(earliest)} and {iso(end)} can be "
            f"derived from its {finer} candles; let `period:` be longer or fetch the candles around it"
        )
    return Slice.of(derived, need.interval, start, missing)


def _resample(columns: Columns, to: str, first: float, until: float) -> Columns:
    if not is_regular(to):
        raise CandlesError(
            f"{to} candles are not equally long and cannot be derived; fetch them with `hummingsweep sync`"
        )
    seconds, offset = interval_seconds(to), grid_offset(to)
    times = columns["timestamp"]
    opens = (times - offset) // seconds * seconds + offset
    full = (opens >= first) & (opens + seconds <= until)
    columns, opens = select(columns, full), opens[full]
    if not len(opens):
        return select(columns, slice(0, 0))
    begins = np.flatnonzero(np.diff(opens, prepend=-np.inf))
    ends = np.append(begins[1:], len(opens)) - 1
    derived: Columns = {"timestamp": opens[begins]}
    for name, values in columns.items():
        if name == "timestamp":
            continue
        if name == "open":
            derived[name] = values[begins]
        elif name == "high":
            derived[name] = np.maximum.reduceat(values, begins)
        elif name == "low":
            derived[name] = np.minimum.reduceat(values, begins)
        elif name == "close":
            derived[name] = values[ends]
        else:
            derived[name] = decimal_sums(values, begins)
    return derived


def decimal_sums(values: NDArray[np.float64], begins: NDArray[np.intp]) -> NDArray[np.float64]:
    """Sums of the runs that begin at `begins`, as if the values were added as the decimal numbers they are written as.

    An exchange adds decimals: 0.1 + 0.2 is 0.3 there and not 0.30000000000000004. Values with more than nine places
    are added as floats.
    """
    finite = np.isfinite(values).all()
    for places in range(_PLACES + 1) if finite else ():
        factor = 10.0**places
        whole = np.rint(values * factor)
        if (np.abs(whole) >= _EXACT).any():
            break
        if (whole / factor == values).all():
            sums = np.add.reduceat(whole.astype(np.int64), begins)
            if (np.abs(sums) < _EXACT).all():
                return np.asarray(sums / factor)  # one rounding of the exact quotient
            return np.array([int(number) / 10**places for number in sums])
    return np.asarray(np.add.reduceat(values, begins))


def _divides(finer: str, coarser: str) -> bool:
    if not (is_regular(finer) and is_regular(coarser)):
        return False
    short, long = interval_seconds(finer), interval_seconds(coarser)
    return short < long and long % short == 0 and (grid_offset(coarser) - grid_offset(finer)) % short == 0


def _the_one(found: Sequence[tuple[Sequence[CandleFile], Slice]], need: FeedNeed) -> Slice:
    """The slice that holds most, when the others say nothing else. Raises CandlesBroken."""
    parts, best = max(found, key=lambda one: (len(one[1]), len(one[1].table.column_names)))
    for others, other in found:
        if not _within(other.columns, best.columns):
            raise CandlesBroken(
                f"{others[0].path} and {parts[0].path}: both hold {need.connector} {need.trading_pair} "
                f"{parts[0].interval} for this period and differ; keep one of them"
            )
    return best


def _within(less: Columns, more: Columns) -> bool:
    """Are all candles of `less` in `more`, with equal values in every column that both have?"""
    places = np.searchsorted(more["timestamp"], less["timestamp"])
    if places[-1] >= len(more["timestamp"]):
        return False
    return all(np.array_equal(less[name], more[name][places], equal_nan=True) for name in less if name in more)


def _missing(need: FeedNeed, files: Sequence[CandleFile]) -> CandlesMissing:
    there = sorted({f"{file.connector} {file.pair} {file.interval}" for file in files})
    known = f"there are {', '.join(there[:8])}{', ...' if len(there) > 8 else ''}" if there else "there are none at all"
    name = file_name(need.connector, need.trading_pair, need.interval, "csv")
    what = f"no candles for {need.connector} {need.trading_pair} {need.interval} (nor finer ones to derive them from)"
    if connectors_with_candles() and need.connector not in connectors_with_candles():
        return CandlesMissing(
            f"{what} in the candle folder, {known}; prices are those of connector_name, and Hummingbot has no candle "
            f"feed of {need.connector}: put {name} there, your own or those of another venue under this name"
        )
    return CandlesMissing(
        f"{what} in the candle folder, {known}; put {name} (or .csv.gz, .parquet) there, or fetch them with "
        f"`{command('sync', '--connector', need.connector, '--pair', need.trading_pair, '--interval', need.interval)}`"
    )


@cache
def connectors_with_candles() -> frozenset[str]:
    """Connectors that Hummingbot can fetch candles of, from its source; empty where that cannot be told."""
    spec = importlib.util.find_spec("hummingbot")
    for folder in spec.submodule_search_locations or () if spec is not None else ():
        with suppress(OSError):
            text = (Path(folder) / "data_feed" / "candles_feed" / "candles_factory.py").read_text()
            return frozenset(re.findall(r'"(\w+)": *\w+Candles\b', text))
    return frozenset()

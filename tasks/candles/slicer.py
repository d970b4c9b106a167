"""Smart slicing: the candles of a stretch of time out of a file of any size, without reading the file.

    locate      byte offsets in a mapped CSV (csvmap), row groups of a Parquet file (rowgroups)
    parse       only what lies between, and one candle on either side
    judge       sorted, each time once, one unit, no NaN, on the grid (validation); covers the period; gaps
    slice       trimmed to the stretch (slices)

Whatever looks as if candles were missing (a gap, a period that is not covered) first has the whole file's times read:
a file that is not sorted would look just so. Wrong data is never served.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from tasks.candles.csvmap import open_csv
from tasks.candles.formats import CandleFile
from tasks.candles.rowgroups import ParquetMap, parquet_twin
from tasks.candles.slices import Columns, Gap, Slice, select
from tasks.candles.validation import broken, open_end, other_spacing, to_seconds
from tasks.errors import CandlesBroken, CandlesMissing, CandlesNotCovering
from tasks.intervals import interval_seconds, is_regular
from tasks.times import iso


class Gaps(StrEnum):
    """What to do about candles that are missing inside a feed."""

    #: refuse the feed
    ERROR = "error"
    #: serve what is there and say where candles are missing
    WARN = "warn"
    #: put candles there: the previous close, volume 0
    FILL = "fill"


@dataclass(frozen=True)
class Stretch:
    """Candles around a stretch of time as a file holds them: with one neighbour on either side where there is one."""

    columns: Columns
    #: open times of the whole source's first and last candle, seconds
    first: float
    last: float
    #: reads all times of the source; raises CandlesBroken for a fault anywhere in it
    prove: Callable[[], None]


def slice_file(
    file: CandleFile,
    start: float,
    end: float,
    lead: int = 0,
    *,
    gaps: str = Gaps.WARN,
    cache: Path | None = None,
    say: Callable[[str], None] | None = None,
) -> Slice:
    """The candles of one file that open in [start - lead * interval, end] (seconds since the epoch, UTC).

    `lead` asks for candles before the period; those that are there are served and counted in `Slice.lead`. `cache` is
    the folder for converted copies of compressed files, `say` is told when one is made.

    Raises CandlesMissing (no such file), CandlesBroken (a fault in the file, or a gap and gaps="error"),
    CandlesNotCovering (first candle opens after `start`, or last one closes before `end`).
    """
    return slice_files([file], start, end, lead, gaps=gaps, cache=cache, say=say)


def slice_files(
    parts: Sequence[CandleFile],
    start: float,
    end: float,
    lead: int = 0,
    *,
    gaps: str = Gaps.WARN,
    cache: Path | None = None,
    say: Callable[[str], None] | None = None,
) -> Slice:
    """`slice_file` for one feed that lies in several files, each a stretch of time. Raises as `slice_file` does.

    Where parts overlap their candles must be equal, otherwise CandlesBroken.
    """
    interval = parts[0].interval
    lower = start - lead * interval_seconds(interval)
    stretch = read(parts, lower, end, cache=cache, say=say)
    demand_cover(parts, stretch, start, end)
    columns, missing = mend(parts, stretch, lower, end, gaps)
    return Slice.of(columns, interval, start, missing)


def read(
    parts: Sequence[CandleFile],
    lower: float,
    upper: float,
    *,
    cache: Path | None = None,
    say: Callable[[str], None] | None = None,
) -> Stretch:
    """Candles that open in [lower, upper] and their neighbours, joined from all parts. Raises as `slice_file` does."""
    read_ones = [_read_one(part, lower, upper, cache, say or _silent) for part in parts]
    if len(read_ones) == 1:
        return read_ones[0]

    def prove() -> None:
        for one in read_ones:
            one.prove()

    return Stretch(
        join([part.path for part in parts], [one.columns for one in read_ones]),
        min(one.first for one in read_ones),
        max(one.last for one in read_ones),
        prove,
    )


def demand_cover(parts: Sequence[CandleFile], stretch: Stretch, start: float, end: float) -> None:
    """Raises CandlesNotCovering (CandlesBroken where a fault explains it) unless the source covers [start, end].

    It does when its first candle opens at `start` or before and its last one closes at `end` or after.
    """
    closes = stretch.last + interval_seconds(parts[0].interval)
    if stretch.first <= start and closes >= end:
        return
    stretch.prove()
    raise CandlesNotCovering(
        f"{_named(parts)}: holds {parts[0].connector} {parts[0].pair} {parts[0].interval} from {iso(stretch.first)} to "
        f"{iso(closes)}, which does not cover the period {iso(start)} to {iso(end)}; change `period:` or fetch the "
        f"rest with `hummingsweep sync`"
    )


def mend(
    parts: Sequence[CandleFile], stretch: Stretch, lower: float, upper: float, policy: str
) -> tuple[Columns, tuple[Gap, ...]]:
    """The stretch trimmed to [lower, upper], gaps treated by `policy`, and the gaps that stay.

    Raises CandlesBroken (a gap and policy "error", candles of another interval), CandlesNotCovering (nothing is there
    at all).
    """
    columns, interval = stretch.columns, parts[0].interval
    seconds = interval_seconds(interval)
    found = find_gaps(columns, interval)
    if apart := other_spacing(columns["timestamp"], interval):
        raise broken(
            _named_path(parts),
            "",
            f"its candles open {apart} apart, its name says {interval}",
            "give it the name of what it holds, or fetch it again with `hummingsweep sync`",
        )
    # those whose missing candles would all open outside the stretch are of no interest
    found = [gap for gap in found if gap.after + seconds <= upper and gap.after + gap.missing * seconds >= lower]
    if found:
        stretch.prove()
        if policy == Gaps.ERROR:
            rest = f", and {len(found) - 1} more gaps" if len(found) > 1 else ""
            raise broken(
                _named_path(parts),
                "",
                f"{found[0].missing} candles of {interval} are missing after {iso(found[0].after)}{rest}",
                "set `gaps: warn` or `gaps: fill` in the sweep file, or fetch them with `hummingsweep sync`",
            )
        if policy == Gaps.FILL:
            columns, found = fill(columns, found, seconds), []
    times = columns["timestamp"]
    rows = slice(int(np.searchsorted(times, lower)), int(np.searchsorted(times, upper, side="right")))
    if rows.start == rows.stop:
        raise CandlesNotCovering(
            f"{_named(parts)}: no {interval} candle opens between {iso(lower)} and {iso(upper)}; change `period:` or "
            "fetch the candles with `hummingsweep sync`"
        )
    return select(columns, rows), tuple(found)


def find_gaps(columns: Columns, interval: str) -> list[Gap]:
    """Where candles are missing between the first and the last one; none for calendar months."""
    if not is_regular(interval):
        return []
    seconds = interval_seconds(interval)
    times = columns["timestamp"]
    steps = np.diff(times)
    return [Gap(int(times[at]), round(steps[at] / seconds) - 1) for at in np.flatnonzero(steps != seconds)]


def fill(columns: Columns, gaps: Sequence[Gap], seconds: int) -> Columns:
    """The columns with candles put into the gaps: the previous close for all four prices, 0 for the other columns."""
    after = [int(np.searchsorted(columns["timestamp"], gap.after)) for gap in gaps]
    counts = [gap.missing for gap in gaps]
    places = np.repeat(np.add(after, 1), counts)
    closes = np.repeat(columns["close"][after], counts)
    times = np.concatenate([gap.after + seconds * np.arange(1.0, gap.missing + 1) for gap in gaps])
    values = dict.fromkeys(("open", "high", "low", "close"), closes) | {"timestamp": times}
    return {name: np.insert(column, places, values.get(name, 0.0)) for name, column in columns.items()}


def join(paths: Sequence[Path], pieces: Sequence[Columns]) -> Columns:
    """All candles of several files, sorted, each open time once; the columns that every piece has.

    Raises CandlesBroken where two pieces hold different candles for one open time.
    """
    pieces = [piece for piece in pieces if len(piece["timestamp"])] or list(pieces[:1])
    names = [name for name in pieces[0] if all(name in piece for piece in pieces)]
    joined: Columns = {name: np.concatenate([piece[name] for piece in pieces]) for name in names}
    joined = select(joined, np.argsort(joined["timestamp"], kind="stable"))
    again = np.flatnonzero(np.diff(joined["timestamp"]) == 0)
    for name, values in joined.items():
        differs = (values[again] != values[again + 1]) & ~(np.isnan(values[again]) & np.isnan(values[again + 1]))
        if differs.any():
            when = iso(joined["timestamp"][again[np.argmax(differs)]])
            files = " and ".join(str(path) for path in paths[:2]) + (" ..." if len(paths) > 2 else "")
            raise CandlesBroken(f"{files}: they overlap and differ in {name} at {when}; delete the wrong one")
    return select(joined, np.diff(joined["timestamp"], append=np.inf) != 0)


def _read_one(file: CandleFile, lower: float, upper: float, cache: Path | None, say: Callable[[str], None]) -> Stretch:
    if file.encoding == "csv":
        return _read_csv(file, lower, upper)
    if file.encoding == "parquet":
        return _read_parquet(file, file.path, lower, upper)
    if file.encoding == "csv.gz":
        return _read_parquet(file, parquet_twin(file, cache or default_cache(), say), lower, upper)
    raise CandlesMissing(f"{file.path}: neither .csv, .csv.gz nor .parquet")


def _read_csv(file: CandleFile, lower: float, upper: float) -> Stretch:
    mapped = open_csv(file.path)
    scale = mapped.scale
    begin = mapped.locate(lower * scale)
    end = mapped.locate(math.nextafter(upper * scale, math.inf))
    if not mapped.whole and end == mapped.end and upper * scale >= mapped.last:
        raise open_end(file.path)
    if begin > mapped.begin:
        begin = mapped.line(begin - 1)[0]
    if end < mapped.end:
        following = mapped.line(end)[1]
        end = following if following < mapped.end or mapped.whole else end
    table = mapped.block(begin, end)
    columns = to_seconds(file.path, table, scale, file.interval, lambda index: mapped.where(begin, index))
    return Stretch(columns, mapped.first / scale, mapped.last / scale, mapped.prove_sorted)


def _read_parquet(file: CandleFile, path: Path, lower: float, upper: float) -> Stretch:
    mapped = ParquetMap(path)
    scale = mapped.scale
    table, first_row = mapped.block(lower * scale, upper * scale)
    columns = to_seconds(file.path, table, scale, file.interval, lambda index: f"row {first_row + index + 1}")
    times = columns["timestamp"]
    begin = max(0, int(np.searchsorted(times, lower)) - 1)
    columns = select(columns, slice(begin, int(np.searchsorted(times, upper, side="right")) + 1))
    return Stretch(columns, mapped.first / scale, mapped.last / scale, mapped.prove_sorted)


def default_cache() -> Path:
    """Where converted copies of compressed files are kept when nobody says otherwise."""
    from tasks.settings import Settings

    return Settings.read().cache_folder / "candles"


def _named(parts: Sequence[CandleFile]) -> str:
    return str(_named_path(parts))


def _named_path(parts: Sequence[CandleFile]) -> Path:
    """The file, or the first of several with a word that there are more."""
    if len(parts) == 1:
        return parts[0].path
    return parts[0].path.with_name(f"{parts[0].path.name} (and {len(parts) - 1} more parts)")


def _silent(_: str) -> None:
    pass

"""Candle files: where they lie, how they are named, what their columns and times mean.

    candles_<connector>_<PAIR>_<interval>.csv | .csv.gz | .parquet    Hummingbot's data folder
    <connector>|<PAIR>|<interval>.parquet                             quants-lab's cache
    quants_lab_<connector>_<PAIR>_<interval>.parquet                  the same where a bar in a name is a nuisance
    <connector>_<PAIR>_<YYYYMMDD>_<YYYYMMDD>.csv                      the dashboard; dated parts of one feed

A pair holds a dash and no underscore, a connector may hold underscores (binance_perpetual). The dashboard's names say
no interval: it is the spacing of the first candles.

A CSV has a header; its columns may stand in any order. The first six of COLUMNS are needed, the other four are served
when the file has them, anything else (an index column) is ignored. `timestamp` is the candle's OPEN time, UTC, in
seconds, milliseconds, microseconds or nanoseconds (its size tells which) or an ISO date and time.
"""

from __future__ import annotations

import csv
import gzip
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tasks.errors import CandlesMissing
from tasks.intervals import grid_offset, interval_of, interval_seconds, is_regular
from tasks.market_names import feed_key

#: Hummingbot's candle columns, in its order.
COLUMNS = (
    "timestamp",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "quote_asset_volume",
    "n_trades",
    "taker_buy_base_volume",
    "taker_buy_quote_volume",
)
#: Without these a file is no candle file.
NEEDED = COLUMNS[:6]

#: Longer candles follow a venue's own day (some open at 16:00 UTC), so only shorter ones must lie on the UTC grid.
_LONGEST_ON_UTC = 4 * 3600
#: A time of at least this size is in units of which so many make a second (1e11 s is the year 5138, 1e11 ms is 1973).
_SCALES = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))
_SCALE_NAMES = {1.0: "seconds", 1e3: "milliseconds", 1e6: "microseconds", 1e9: "nanoseconds"}


class Layout(StrEnum):
    """Whose naming a file follows."""

    #: candles_<connector>_<PAIR>_<interval>
    HUMMINGBOT = "hummingbot"
    #: <connector>|<PAIR>|<interval>
    QUANTS_LAB = "quants-lab"
    #: <connector>_<PAIR>_<first day>_<last day>, one part of a feed
    DASHBOARD = "dashboard"


@dataclass(frozen=True)
class CandleFile:
    """One file of one feed, as its name says."""

    connector: str
    pair: str
    #: as Hummingbot writes it; empty when it can neither be read from the name nor from the spacing
    interval: str
    path: Path
    layout: Layout

    @property
    def key(self) -> str:
        """The engine's name of the feed."""
        return feed_key(self.connector, self.pair, self.interval)

    @property
    def dated(self) -> bool:
        """Is it one of several parts that follow each other in time?"""
        return self.layout is Layout.DASHBOARD

    @property
    def encoding(self) -> str:
        """csv, csv.gz or parquet."""
        return "csv.gz" if self.path.name.endswith(".csv.gz") else self.path.suffix[1:]


_PAIR = r"(?P<pair>[^_|]+-[^_|]+)"
_INTERVAL = r"(?P<interval>\d+[smhdwM])"
_NAMES = (
    (Layout.HUMMINGBOT, re.compile(rf"candles_(?P<connector>.+?)_{_PAIR}_{_INTERVAL}\.(csv|csv\.gz|parquet)")),
    (Layout.QUANTS_LAB, re.compile(rf"(?P<connector>[^|]+)\|{_PAIR}\|{_INTERVAL}\.parquet")),
    (Layout.QUANTS_LAB, re.compile(rf"quants_lab_(?P<connector>.+?)_{_PAIR}_{_INTERVAL}\.parquet")),
    (Layout.DASHBOARD, re.compile(rf"(?P<connector>.+?)_{_PAIR}_(?P<interval>)\d{{8}}_\d{{8}}\.(csv|csv\.gz)")),
)


def file_name(connector: str, pair: str, interval: str, encoding: str = "parquet") -> str:
    """The name under which this project writes a feed."""
    return f"candles_{connector}_{pair}_{interval}.{encoding}"


def candle_file(path: Path) -> CandleFile | None:
    """What the name of a file says; None when it is not a candle file's. Only the dashboard's files are opened."""
    for layout, pattern in _NAMES:
        if match := pattern.fullmatch(path.name):
            interval = match["interval"] or spacing(path)
            return CandleFile(match["connector"], match["pair"], interval, path, layout)
    return None


def find(folder: Path) -> list[CandleFile]:
    """Every candle file in a folder and in the folders right below it, by name. Raises CandlesMissing."""
    demand_folder(folder)
    paths = [*folder.glob("*"), *folder.glob("*/*")]
    files = [candle_file(path) for path in sorted(paths) if not path.name.startswith(".") and path.is_file()]
    return [file for file in files if file is not None]


def demand_folder(folder: Path) -> None:
    """Raises CandlesMissing unless there is such a candle folder."""
    if folder.is_dir():
        return
    if folder.exists():
        raise CandlesMissing(f"{folder}: is a file; set `candles:` in the sweep file to the folder it lies in")
    raise CandlesMissing(
        f"{folder}: no such candle folder; set `candles:` in the sweep file, or fetch candles with `hummingsweep sync`"
    )


def first_off_grid(times: NDArray[np.float64], interval: str) -> int | None:
    """Index of the first open time (s) where no candle of this interval opens; None when all lie on the grid.

    Candles of up to four hours lie on multiples of their interval, longer ones at a constant distance from it.
    """
    if not is_regular(interval) or not len(times):
        return None
    seconds = interval_seconds(interval)
    phase = (times - grid_offset(interval)) % seconds
    off = phase != (0 if seconds <= _LONGEST_ON_UTC else phase[0])
    return int(np.argmax(off)) if off.any() else None


def scale_of(time: float) -> float:
    """Units of a raw time in a second, told from its size: 1, 1e3, 1e6 or 1e9."""
    return next((scale for least, scale in _SCALES if abs(time) >= least), 1.0)


def scale_name(scale: float) -> str:
    """The unit's name."""
    return _SCALE_NAMES[scale]


def scales_of(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """`scale_of` for every element."""
    sizes = np.abs(times)
    return np.select([sizes >= least for least, _ in _SCALES], [scale for _, scale in _SCALES], 1.0)


def parse_time(text: str) -> float:
    """A raw time: the number, or the seconds of an ISO date and time (UTC when it names no zone). Raises ValueError."""
    text = text.strip().strip('"')
    try:
        return float(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def is_number(text: str) -> bool:
    """Does a field hold a number, and not NaN?"""
    try:
        return not math.isnan(float(text))
    except ValueError:
        return False


def split_line(line: str) -> list[str]:
    """The fields of one line of a CSV, without the quotes around them."""
    return next(csv.reader([line]), []) if '"' in line else line.split(",")


def header_names(fields: Iterable[str]) -> list[str]:
    """Column names as COLUMNS writes them."""
    return [field.strip().lstrip("\ufeff").strip('"').strip().lower() for field in fields]


def spacing(path: Path) -> str:
    """The interval of a CSV, as the commonest distance between its first candles; empty when it cannot be told."""
    try:
        with gzip.open(path, "rt") if path.suffix == ".gz" else path.open(newline="") as lines:
            rows = csv.reader(islice(lines, 200))
            place = header_names(next(rows, [])).index("timestamp")
            raw = np.array([parse_time(row[place]) for row in rows if len(row) > place])
    except (OSError, EOFError, ValueError):
        return ""
    if len(raw) < 2:
        return ""
    steps, counts = np.unique(np.diff(raw / scales_of(raw)), return_counts=True)
    return interval_of(float(steps[np.argmax(counts)]))

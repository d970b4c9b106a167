"""What every feed shows on every row of a run: finished candles, and the unfinished one of a longer interval.

    base 1m     |-|-|-|-|-|-|-|      rows; the controller is asked at the end of each
    feed 3m     |-----|-----|--      two finished candles, and one that three base candles will fill, built from one

A candle counts as finished when its last second has passed. The unfinished candle of a longer interval is built from
the finished base candles of its pair: first open, highest high, lowest low, last close, sums of the rest. It is the
last row of the feed, as in a bot, until the next one opens. An unfinished candle of the base interval itself is not
shown: base candles are the finest that there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tasks.intervals import grid_offset, interval_seconds, is_regular

if TYPE_CHECKING:
    import pandas as pd

    from tasks.engine.live.provider import LiveFeed

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Columns of an unfinished candle that are not sums.
_AGGREGATES = {"open": "first", "high": "cummax", "low": "cummin", "close": "last"}


@dataclass(frozen=True)
class Tape:
    """A feed and what of it is shown on each of n rows. Not to be written to; shared by the points of a market."""

    columns: pd.Index
    #: all candles of the feed, float64, shape (columns, candles)
    candles: Floats
    #: how many of them are finished on each row, shape (n,)
    finished: Ints
    #: the feed's unfinished candle after each base candle, float64, shape (columns, base candles); None: not known
    unfinished: Floats | None
    #: which of those each row shows, shape (n,); -1: none
    shown: Ints

    def advance(self, feed: LiveFeed, row: int) -> None:
        """Give a feed the candles that a row shows and that it does not hold yet."""
        finished = int(self.finished[row])
        feed.append(self.candles, finished)
        place = int(self.shown[row])
        if place >= 0 and self.unfinished is not None:
            feed.show_unfinished(self.unfinished[:, place])


def tape(
    feed: pd.DataFrame, interval: str, base: pd.DataFrame | None, base_seconds: int, known: Floats, first: float
) -> Tape:
    """The tape of a feed.

    `base`: candles of the same pair in the interval the engine steps over (`base_seconds`), for the unfinished candle.
    `known`: seconds since epoch up to which candles are known on each row, ascending, shape (n,). `first`: candles
    that open before it are not shown.
    """
    begin = int(feed["timestamp"].searchsorted(first))
    candles = np.ascontiguousarray(feed.iloc[begin:].to_numpy(dtype=np.float64).T)
    opened = candles[feed.columns.get_loc("timestamp")]
    finished = closing_times(opened, interval).searchsorted(known, side="right").astype(np.int64)
    longer = interval_seconds(interval) > base_seconds
    if base is None or not longer or base.empty:
        return Tape(feed.columns, candles, finished, None, np.full(len(known), -1, dtype=np.int64))
    opened_base = base["timestamp"].to_numpy(dtype=np.float64)
    groups = _opening_of_candle(opened_base, interval)
    unfinished = _unfinished(base, groups, feed.columns)
    closed = opened_base + base_seconds
    shown = closed.searchsorted(known, side="right").astype(np.int64) - 1
    opens = groups[np.maximum(shown, 0)]
    # A candle that began before the first base candle would lack its own beginning.
    whole = (opens >= first) & (opens >= opened_base[0])
    is_open = (shown >= 0) & (closing_times(opens, interval) > known) & whole
    return Tape(feed.columns, candles, finished, unfinished, np.where(is_open, shown, -1))


def closing_times(opened: Floats, interval: str) -> Floats:
    """When candles that open at `opened` (seconds) close; a month ends where the next one begins."""
    if is_regular(interval):
        return opened + interval_seconds(interval)
    months = opened.astype("datetime64[s]").astype("datetime64[M]") + int(interval[:-1])
    return months.astype("datetime64[s]").astype(np.float64)


def _opening_of_candle(times: Floats, interval: str) -> Floats:
    """The open time of the candle of an interval that holds each moment (seconds)."""
    if not is_regular(interval):
        months = times.astype("datetime64[s]").astype("datetime64[M]")
        return months.astype("datetime64[s]").astype(np.float64)
    seconds, offset = interval_seconds(interval), grid_offset(interval)
    return (times - offset) // seconds * seconds + offset


def _unfinished(base: pd.DataFrame, groups: Floats, columns: pd.Index) -> Floats:
    """The candle of the longer interval after each base candle, shape (columns, base candles)."""
    import pandas as pd

    by = base.groupby(pd.Series(groups, index=base.index), sort=False)
    made = []
    for name in columns:
        if name == "timestamp":
            values = groups
        elif name not in base.columns:
            values = np.full(len(base), np.nan)
        elif _AGGREGATES.get(name) == "first":
            values = by[name].transform("first").to_numpy(dtype=np.float64)
        elif _AGGREGATES.get(name) == "last":
            values = base[name].to_numpy(dtype=np.float64)
        else:
            values = getattr(by[name], _AGGREGATES.get(name, "cumsum"))().to_numpy(dtype=np.float64)
        made.append(values)
    return np.array(made, dtype=np.float64)

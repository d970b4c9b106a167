"""What comes later, out of reach while a controller decides.

In one run with the future mask everything with a time that a controller holds ends at the current row during each
decision: the market's feeds, the features, and tables, arrays and lists it has put on itself. A decision that differs
from the run without it looked ahead, or was irritated by tables that grow; a cut behind it tells which. That way a
cheat on one decision of a thousand is found in one run, where random cuts would have to hit it.

What is held elsewhere (in closures, nested objects, modules) stays in reach: the cuts are there for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tasks.upstream.backtest.provider import interval_seconds

if TYPE_CHECKING:
    from tasks.engine._base import Market
    from tasks.upstream.names import ControllerBase

Floats = npt.NDArray[np.float64]

#: Numbers above it are taken for seconds since 1970.
EPOCH = 1e9


class FutureMask:
    """Hides what is later than a row from a controller, and puts it back."""

    def __init__(self, market: Market) -> None:
        self._seconds = interval_seconds(market.resolution)
        #: feed -> its open times and its interval, seconds
        self._feeds = {
            key: (feed["timestamp"].to_numpy(dtype=np.float64), interval_seconds(key.rpartition("_")[2]))
            for key, feed in market.feeds.items()
        }
        #: length of a table -> its times, for arrays and lists without any
        self._times_by_length: dict[int, Floats] = {len(times): times for times, _ in self._feeds.values()}
        #: place and name -> what the controller held there last, and that one's times
        self._known: dict[tuple[str, str], tuple[Any, Floats | None]] = {}
        #: whether a row was decided under it
        self._begun = False

    def learn(self, raw: Any) -> None:
        """Take the times of the features as the controller made them, before the engine merges them."""
        if isinstance(raw, pd.DataFrame) and "timestamp" in raw.columns:
            self._times_by_length.setdefault(len(raw), raw["timestamp"].to_numpy(dtype=np.float64))

    @contextmanager
    def on(self, controller: ControllerBase, now: float) -> Iterator[None]:
        """Hide, for the length of a `with`, what is later than the row that opens at `now` (seconds)."""
        hidden: list[tuple[dict[str, Any], str, Any, Any]] = []
        provider = controller.market_data_provider
        feeds = provider.candles_feeds
        # with a shift the provider itself shows no feed beyond the current candle
        for key, (_, seconds) in self._feeds.items() if not getattr(provider, "shift", 0) else ():
            opened = feeds[key]["timestamp"].to_numpy(dtype=np.float64)
            _hide(feeds, key, opened, now + self._seconds - seconds, hidden)
        for place, holder in (("processed_data", controller.processed_data), ("", vars(controller))):
            for name, value in list(holder.items()):
                times = self._times((place, name), value)
                if times is not None:
                    _hide(holder, name, times, now, hidden)
        self._begun = True
        try:
            yield
        finally:
            for holder, name, whole, part in hidden:
                if holder.get(name) is part:
                    holder[name] = whole

    def _times(self, name: tuple[str, str], value: Any) -> Floats | None:
        """The time of each row of something a controller holds, ascending; None where it has none.

        A list counts only where it is there from the first row on, and as long: others grow with the run, as the
        executors do.
        """
        if not isinstance(value, pd.DataFrame | pd.Series | np.ndarray | list):
            return None
        known, times = self._known.get(name, (None, None))
        if known is not value:
            if isinstance(value, list) and self._begun:
                return None
            times = self._find_times(value)
            self._known[name] = value, times
        return times if times is not None and len(times) == len(value) else None

    def _find_times(self, value: Any) -> Floats | None:
        own = _own_times(value)
        if own is not None:
            self._times_by_length.setdefault(len(own), own)
            return own
        return self._times_by_length.get(len(value)) if np.ndim(value) else None


def _own_times(value: Any) -> Floats | None:
    """The times a table brings along: its column `timestamp`, else its index where that holds times."""
    if not isinstance(value, pd.DataFrame | pd.Series) or value.empty:
        return None
    times: npt.NDArray[Any]
    if isinstance(value, pd.DataFrame) and "timestamp" in value.columns:
        times = value["timestamp"].to_numpy()
    elif isinstance(value.index, pd.DatetimeIndex):
        times = value.index.as_unit("ns").asi8 / 1e9
    else:
        times = value.index.to_numpy()
    if times.dtype.kind not in "iuf":
        return None
    seconds = times.astype(np.float64)
    return seconds if seconds[0] > EPOCH and (np.diff(seconds) >= 0).all() else None


def _hide(
    holder: dict[str, Any], name: str, times: Floats, last: float, hidden: list[tuple[dict[str, Any], str, Any, Any]]
) -> None:
    """Leave in `holder` only the rows of a table with times up to `last`, and note in `hidden` what was there."""
    rows = int(times.searchsorted(last, side="right"))
    if rows == len(times):
        return
    whole = holder[name]
    part = whole.iloc[:rows] if isinstance(whole, pd.DataFrame | pd.Series) else whole[:rows]
    holder[name] = part
    hidden.append((holder, name, whole, part))

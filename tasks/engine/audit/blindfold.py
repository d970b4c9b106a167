"""What comes later, out of reach while a controller decides.

In one run with the blindfold everything with a time that a controller holds ends at the current row during each
decision: the market's feeds, the features, and tables, arrays and lists it has put on itself. A decision that differs
from the run without it looked ahead, or was irritated by tables that grow; a cut behind it tells which. That way a
cheat on one decision of a thousand is found in one run, where cuts would have to meet it by chance.

What is held elsewhere (in closures, nested objects, modules) stays in reach: the cuts are there for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tasks.upstream.provider import interval_seconds

if TYPE_CHECKING:
    from tasks.engine._base import Market

Floats = npt.NDArray[np.float64]

#: Numbers above it are taken for seconds since 1970.
EPOCH = 1e9


class Blindfold:
    """Hides what is later than a row from a controller, and puts it back."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.seconds = interval_seconds(market.resolution)
        #: length of a table -> its times, for arrays without any
        self._times_by_length = {len(feed): _opened(feed) for feed in market.feeds.values()}
        #: id -> (the object, which keeps the id from being used again; its times)
        self._known: dict[int, tuple[Any, Floats | None]] = {}
        #: whether a row was decided under it
        self._begun = False

    def learn(self, raw: Any) -> None:
        """Take the times of the features as the controller made them, before the engine merges them."""
        if isinstance(raw, pd.DataFrame) and "timestamp" in raw.columns:
            self._times_by_length.setdefault(len(raw), raw["timestamp"].to_numpy(dtype=np.float64))

    @contextmanager
    def on(self, controller: Any, now: float) -> Iterator[None]:
        """Hide, for the length of a `with`, what is later than the row that opens at `now` (seconds)."""
        provider = controller.market_data_provider
        hidden: list[tuple[dict[Any, Any], Any, Any, Any]] = []
        for key, feed in self.market.feeds.items():
            closed_by = now + self.seconds - interval_seconds(key.rpartition("_")[2])
            self._hide(provider.candles_feeds, key, _opened(feed), closed_by, hidden)
        for holder in (controller.processed_data, vars(controller)):
            for name, value in list(holder.items()):
                times = self._times(value)
                if times is not None:
                    self._hide(holder, name, times, now, hidden)
        self._begun = True
        try:
            yield
        finally:
            for holder, name, whole, part in hidden:
                if holder.get(name) is part:
                    holder[name] = whole

    @staticmethod
    def _hide(
        holder: dict[Any, Any],
        name: Any,
        times: Floats,
        last: float,
        hidden: list[tuple[dict[Any, Any], Any, Any, Any]],
    ) -> None:
        whole = holder[name]
        rows = int(times.searchsorted(last, side="right"))
        if rows == len(times):
            return
        part = whole.iloc[:rows] if isinstance(whole, pd.DataFrame | pd.Series) else whole[:rows]
        holder[name] = part
        hidden.append((holder, name, whole, part))

    def _times(self, value: Any) -> Floats | None:
        """The time of each row of something a controller holds, ascending; None where it has none."""
        if isinstance(value, list | tuple):
            # one that was there from the first row on, and as long: others grow with the run, as the executors do
            known = self._known.get(id(value))
            if known is None and self._begun:
                return None
            if known is None:
                known = self._known[id(value)] = (value, self._times_by_length.get(len(value)))
            return known[1] if known[1] is not None and len(known[1]) == len(value) else None
        if not isinstance(value, pd.DataFrame | pd.Series | np.ndarray):
            return None
        known = self._known.get(id(value))
        if known is None:
            known = self._known[id(value)] = (value, self._find_times(value))
        return known[1]

    def _find_times(self, value: Any) -> Floats | None:
        if isinstance(value, np.ndarray):
            return self._times_by_length.get(len(value)) if value.ndim else None
        times: npt.NDArray[Any]
        if isinstance(value, pd.DataFrame) and "timestamp" in value.columns:
            times = value["timestamp"].to_numpy()
        elif isinstance(value.index, pd.DatetimeIndex):
            times = value.index.as_unit("ns").asi8 / 1e9
        else:
            times = value.index.to_numpy()
        if times.dtype.kind not in "iuf" or not len(times):
            return self._times_by_length.get(len(value))
        times = times.astype(np.float64)
        if not (times[0] > EPOCH and (np.diff(times) >= 0).all()):
            return self._times_by_length.get(len(value))
        self._times_by_length.setdefault(len(times), times)
        return times


def _opened(feed: pd.DataFrame) -> Floats:
    return feed["timestamp"].to_numpy(dtype=np.float64)

"""Series (data beside candles) on the live engine: a provider holds the rows that are known, and no later one."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd


class KnownSeries:
    """The rows of one series up to now. The engine appends to it; a controller gets copies."""

    def __init__(self, columns: pd.Index, dtypes: list[Any], capacity: int) -> None:
        """Empty, with room for `capacity` rows."""
        self._columns = columns
        self._values = [np.zeros(capacity, dtype=dtype) for dtype in dtypes]
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def append(self, values: list[npt.NDArray[Any]]) -> None:
        """More rows: an array per column, shape (rows,)."""
        end = self._length + len(values[0])
        for own, more in zip(self._values, values, strict=True):
            own[self._length : end] = more
        self._length = end

    def frame(self) -> pd.DataFrame:
        """The rows, as a frame of its own."""
        known = {name: values[: self._length].copy() for name, values in zip(self._columns, self._values, strict=True)}
        return pd.DataFrame(known, columns=self._columns)


class SeriesTape:
    """What of one series is known when; the engine's, out of a controller's reach."""

    def __init__(self, frame: pd.DataFrame) -> None:
        """`frame`: sorted by `timestamp`, seconds."""
        self._values = [frame[name].to_numpy() for name in frame.columns]
        self._columns = frame.columns
        self._times = memoryview(np.ascontiguousarray(frame["timestamp"].to_numpy(dtype=np.float64)))

    def known(self) -> KnownSeries:
        """An empty series for a run."""
        return KnownSeries(self._columns, [values.dtype for values in self._values], len(self._times))

    def advance(self, series: KnownSeries, until: float) -> None:
        """Append what `series` does not have yet of the rows up to a moment (seconds, included)."""
        first = len(series)
        last = bisect_right(self._times, until, lo=first)
        if last > first:
            series.append([values[first:last] for values in self._values])

"""The rows an engine steps over, as arrays, and the searches the simulators make in them."""

from __future__ import annotations

import copy
import math
from bisect import bisect_right
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tasks.engine import compiled

if TYPE_CHECKING:
    import pandas as pd

    from tasks.upstream.names import ExecutorConfigBase

#: Columns that upstream's simulators write into their copy of the features.
_UPSTREAM_COLUMNS = (
    "net_pnl_pct", "net_pnl_quote", "cum_fees_quote", "filled_amount_quote", "current_position_average_price",
    "ts_trigger_price",
)  # fmt: skip

Floats = npt.NDArray[np.float64]


class Candles:
    """The merged frame of a run (index `epoch_seconds`, ascending, no duplicate) as float64 arrays of shape (n,).

    A row is a position in them. Never written to by an engine. Prices are finite and above 0.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame
        self.timestamp: Floats = _plain_array(frame.index)  # a view: the frame's own is locked later
        self.open = self._column("open")
        self.high = self._column("high")
        self.low = self._column("low")
        self.close = self._column("close")
        self.volume = self._column("volume")
        #: base that takers bought; None where the candles do not say
        self.taker_buy_base_volume: Floats | None = None
        # with the suffix of the engine's own candles; the plain name is the controller's, held back by the shift
        if "taker_buy_base_volume_bt" in frame.columns:
            self.taker_buy_base_volume = self._column("taker_buy_base_volume_bt")

    @cached_property
    def times(self) -> memoryview[float]:
        """`timestamp`, for single rows and for `bisect`: its items are Python's floats, at a third of the time."""
        return memoryview(self.timestamp)

    @cached_property
    def close_minima(self) -> Floats:
        """The lowest close of every block of compiled.BLOCK rows."""
        return _per_block(np.minimum, self.close)

    @cached_property
    def close_maxima(self) -> Floats:
        """The highest close of every block."""
        return _per_block(np.maximum, self.close)

    @cached_property
    def low_minima(self) -> Floats:
        """The lowest low of every block."""
        return _per_block(np.minimum, self.low)

    @cached_property
    def high_maxima(self) -> Floats:
        """The highest high of every block."""
        return _per_block(np.maximum, self.high)

    def first_reached(self, first: int, last: int, level: Decimal, *, falling: bool) -> int:
        """The first row in first .. last whose close is at `level` or beyond it, below where falling; or -1."""
        if falling:
            at = compiled.first_at_or_below(self.close, self.close_minima, first, last, float_at_or_below(level))
        else:
            at = compiled.first_at_or_above(self.close, self.close_maxima, first, last, float_at_or_above(level))
        return int(at)

    def first_touched(self, first: int, last: int, level: Decimal | float, *, falling: bool) -> int:
        """The first row in first .. last whose low (where falling) or high is at `level` or beyond it; or -1."""
        if falling:
            at = compiled.first_at_or_below(self.low, self.low_minima, first, last, float_at_or_below(level))
        else:
            at = compiled.first_at_or_above(self.high, self.high_maxima, first, last, float_at_or_above(level))
        return int(at)

    def again(self, frame: pd.DataFrame) -> Candles:
        """The same rows in another frame that holds the same: these arrays, and what was found in them so far."""
        other = copy.copy(self)
        other.frame = frame
        return other

    @cached_property
    def oddity(self) -> str:
        """Why the frame cannot be stepped over as arrays, in words; "" when it can."""
        columns = list(self.frame.columns)
        if self.frame.index.dtype != np.float64 or not (np.diff(self.timestamp) > 0).all():
            return "the candles' timestamps are no ascending floats without duplicates"
        if len(set(columns)) < len(columns):
            return "two columns of the features share a name"
        clashing = [name for name in columns if str(name).startswith(_UPSTREAM_COLUMNS) or name == "ts"]
        if clashing:
            return f"the features hold a column {clashing[0]!r}, a name upstream's simulators use"
        for name in ("open", "high", "low", "close"):
            values = getattr(self, name)
            if not (values.min() > 0 and values.max() < math.inf):
                return f"{name} holds a price that is no number above 0"
        return ""

    def __len__(self) -> int:
        return len(self.timestamp)

    @cached_property
    def growth(self) -> Floats:
        """close / close of the row before, by upstream's operations: 1 + (close / previous - 1); 1 on row 0."""
        growth = np.ones(len(self))
        growth[1:] = 1 + (self.close[1:] / self.close[:-1] - 1)
        return growth

    def row_at(self, timestamp: float) -> int:
        """The last row that opens at `timestamp` or before; -1 when there is none."""
        return bisect_right(self.times, timestamp) - 1

    def last_row(self, config: ExecutorConfigBase, time_limit: float | None) -> int:
        """The last row of an executor's window: its time limit counted from its own timestamp, or the end."""
        if not time_limit:
            return len(self) - 1
        return self.row_at(config.timestamp + time_limit)

    def _column(self, name: str) -> Floats:
        return _plain_array(self.frame[name])


def _plain_array(values: pd.Series | pd.Index) -> Floats:
    """The values as a contiguous array that is not marked read-only, without a copy where that can be had.

    Under pandas' copy-on-write, which importing pandas_ta turns on for the process, pandas marks what it hands out. To
    numba a marked array is another type, for which it would compile every loop again in the middle of a point.
    """
    array = np.ascontiguousarray(values.to_numpy(dtype=np.float64)).view()
    if not array.flags.writeable:
        try:
            array.flags.writeable = True
        except ValueError:  # its memory may not be written to
            return array.copy()
    return array


def float_at_or_below(level: Decimal | float) -> float:
    """The largest float <= level: a float price is <= a Decimal level exactly when it is <= this float."""
    near = float(level)
    return near if not isinstance(level, Decimal) or Decimal(near) <= level else math.nextafter(near, -math.inf)


def float_at_or_above(level: Decimal | float) -> float:
    """The smallest float >= level."""
    near = float(level)
    return near if not isinstance(level, Decimal) or Decimal(near) >= level else math.nextafter(near, math.inf)


def _per_block(pick: np.ufunc, values: Floats) -> Floats:
    return np.asarray(pick.reduceat(values, np.arange(0, len(values), compiled.BLOCK)), dtype=np.float64)

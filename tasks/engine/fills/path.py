"""The candles that orders are filled in: the engine's own rows, or finer candles inside them.

    rows of the engine   |      r      |    r + 1    |    r + 2    |
    path, 1s inside 1m   |.............|.............|             |     where the finer feed has candles
    path, where not      |             |             |      .      |     the row itself

What a fill is worth, and when the controller sees it, is a matter of rows; whether and at which price an order fills
is looked for on the path.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tasks.engine import compiled
from tasks.engine.candles import Candles, Floats
from tasks.intervals import interval_seconds
from tasks.market_names import feed_key

if TYPE_CHECKING:
    import pandas as pd

    from tasks.engine._base import Market

Integers = npt.NDArray[np.int64]


class Path:
    """Float64 arrays of shape (m,), in order of time."""

    def __init__(self, columns: dict[str, Floats], row: Integers, rows: int) -> None:
        self.open, self.high = columns["open"], columns["high"]
        self.low, self.close = columns["low"], columns["close"]
        self.time = columns["timestamp"]
        self._volume = columns["volume"]
        self._bought = columns.get("taker_buy_base_volume")
        #: the engine's row that each candle lies in, int64
        self.row = row
        #: the first candle of each row and, last, m: int64, shape (rows + 1,)
        self.first: Integers = row.searchsorted(np.arange(rows + 1))

    @classmethod
    def of_rows(cls, candles: Candles) -> Path:
        """The engine's own rows."""
        return cls(_columns_of(candles), np.arange(len(candles)), len(candles))

    @classmethod
    def inside(cls, candles: Candles, finer: pd.DataFrame, resolution_s: float) -> Path:
        """Finer candles where there are some in a row; the row itself where there are none."""
        opened = finer["timestamp"].to_numpy(dtype=np.float64)
        row = candles.timestamp.searchsorted(opened, side="right") - 1
        is_inside = (row >= 0) & (opened < candles.timestamp[row] + resolution_s)
        own = np.ones(len(candles), dtype=bool)
        own[row[is_inside]] = False
        all_rows = np.concatenate([row[is_inside], np.flatnonzero(own)])
        order = np.argsort(all_rows, kind="stable")
        columns = {}
        for name, values in _columns_of(candles).items():
            fine = np.zeros(len(finer))
            if name in finer.columns:
                fine = finer[name].to_numpy(dtype=np.float64)
            columns[name] = np.concatenate([fine[is_inside], values[own]])[order]
        return cls(columns, all_rows[order], len(candles))

    @property
    def has_volume(self) -> bool:
        """Whether any candle says that something was traded."""
        return bool(np.nanmax(self._volume, initial=0.0) > 0)

    def room(self, share: float | None) -> Floats:
        """Base that resting buy orders (first row) and resting sell orders (second) may get in each candle.

        Buy orders get a share of what takers sold, sell orders of what takers bought; where the candles do not say who
        took, each is half the volume. Shape (2, m); infinite where `share` is None or no candle has a volume.
        """
        if share is None or not self.has_volume:
            return np.full((2, len(self.row)), np.inf)
        volume = np.nan_to_num(self._volume)
        bought = volume / 2
        if self._bought is not None and np.nanmax(self._bought, initial=0.0) > 0:
            bought = np.clip(np.nan_to_num(self._bought), 0.0, volume)
        return np.stack([share * (volume - bought), share * bought])

    def first_touched(self, first: int, last: int, level: float, *, falling: bool) -> int:
        """The first candle in first .. last whose low (where falling) or high is at `level` or beyond it; or -1."""
        if falling:
            return int(compiled.first_at_or_below(self.low, self._low_minima, first, last, level))
        return int(compiled.first_at_or_above(self.high, self._high_maxima, first, last, level))

    @cached_property
    def _low_minima(self) -> Floats:
        return _per_block(np.minimum, self.low)

    @cached_property
    def _high_maxima(self) -> Floats:
        return _per_block(np.maximum, self.high)


class FinerPaths:
    """The finer paths of a market, made once for the points that step over the same rows. One per engine."""

    def __init__(self, detail: str) -> None:
        """`detail`: interval of the finer candles; "" for none."""
        self._detail = detail
        self._known: dict[str, tuple[pd.DataFrame, Floats, Path]] = {}

    def of(self, candles: Candles, market: Market, connector: str, trading_pair: str) -> Path | None:
        """The path of a pair; None where the market has no finer candles of it."""
        key = feed_key(connector, trading_pair, self._detail)
        finer = market.feeds.get(key) if self._detail else None
        if finer is None:
            return None
        known = self._known.get(key)
        if known is not None and known[0] is finer and np.array_equal(known[1], candles.timestamp):
            return known[2]
        path = Path.inside(candles, finer, float(interval_seconds(market.resolution)))
        self._known[key] = finer, candles.timestamp, path
        return path


def _columns_of(candles: Candles) -> dict[str, Floats]:
    columns = {name: getattr(candles, name) for name in ("timestamp", "open", "high", "low", "close", "volume")}
    if candles.taker_buy_base_volume is not None:
        columns["taker_buy_base_volume"] = candles.taker_buy_base_volume
    return columns


def _per_block(pick: np.ufunc, values: Floats) -> Floats:
    return np.asarray(pick.reduceat(values, np.arange(0, len(values), compiled.BLOCK)), dtype=np.float64)

"""Does a controller decide alike with the history that it asks for and with more of it?

A bot's feed holds as many candles as the controller asks for (`max_records`). An expanding mean, an EMA or Wilder's
smoothing begins anew from the first of them, so that the bot decides on other values than a back-test, whose indicators
have run since the beginning of the candles.

At random moments of the second half of the period the controller is called as the bot calls it, on the live engine,
once with the candles that it asks for and once with every candle there is. Where the newest values of its features, or
the entries of `processed_data`, differ by more than TOLERANCE, the factor on all its `max_records` is searched from
which on they do not.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tasks.engine.fills import STOCK
from tasks.engine.fills.costs import Funding
from tasks.engine.live.engine import LiveOptions, Point
from tasks.engine.live.prepared import Prepared
from tasks.isolation.seeding import seed_rng
from tasks.times import utc_minute

if TYPE_CHECKING:
    from tasks.engine._base import Market
    from tasks.upstream.names import ControllerConfigBase

#: Moments that are tried.
MOMENTS = 12
#: A number differs where it does by more than this share of the column's own standard deviation.
TOLERANCE = 1e-3
#: Largest factor on max_records that is tried.
MAX_FACTOR = 64
#: Columns of a feed; what a controller derives stands beside them.
_OWN = frozenset({
    "timestamp", "open", "high", "low", "close", "volume", "quote_asset_volume", "n_trades", "taker_buy_base_volume",
    "taker_buy_quote_volume",
})  # fmt: skip

#: name -> (newest value, its scale: the column's standard deviation, or None where it is no column of numbers)
Values = dict[str, tuple[Any, float | None]]


@dataclass
class Drift:
    """One column that differs with more history."""

    #: moments at which it does
    moments: int
    #: largest difference, in the column's own unit; None for what is not a number
    size: float | None
    #: the same as a share of the column's standard deviation
    share: float | None
    #: seconds since epoch of the first such moment, and the values with the history asked for and with all of it
    time: float
    asked: str
    whole: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON."""
        return dict(vars(self))


@dataclass
class HistoryReport:
    """The answer for one point."""

    #: how many moments were tried
    moments: int = 0
    #: largest number of rows that was there, as a multiple of what was asked for; the comparison is worth so much
    depth: float = 0.0
    columns: dict[str, Drift] = field(default_factory=dict)
    #: feed -> smallest max_records with which nothing differs; {} where that was not found
    smallest: dict[str, int] = field(default_factory=dict)
    #: why nothing was tried; ""
    not_tested: str = ""

    @property
    def sentence(self) -> str:
        """The answer in words."""
        if self.not_tested:
            return f"history not tested: {self.not_tested}"
        if not self.columns:
            return (
                f"history: nothing differs with up to {self.depth:.0f} times as many candles, at {self.moments} moments"
            )
        name, worst = max(self.columns.items(), key=lambda of: (of[1].share or math.inf, of[1].moments))
        by = f"by up to {worst.size:.4g} ({worst.share:.1%} of its deviation)" if worst.size is not None else (
            f"({worst.asked} against {worst.whole})")  # fmt: skip
        others = f" and {len(self.columns) - 1} more" if len(self.columns) > 1 else ""
        needs = ", ".join(f"{feed} max_records: {records}" for feed, records in self.smallest.items())
        cure = f"; enough is {needs}" if needs else "; no number of candles that is there is enough"
        return (
            f"history: with the candles it asks for, {name}{others} differs {by} from what all candles give, at "
            f"{worst.moments} of {self.moments} moments (first {utc_minute(worst.time)}){cure}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON."""
        return {
            "sentence": self.sentence,
            "moments": self.moments,
            "depth": self.depth,
            "columns": {name: drift.to_dict() for name, drift in self.columns.items()},
            "smallest": self.smallest,
            "not_tested": self.not_tested,
        }


async def audit_history(
    config_factory: Callable[[], ControllerConfigBase], market: Market, seed: int = 0
) -> HistoryReport:
    """Compare one point with the history it asks for and with all of it.

    `config_factory` builds a fresh controller config, the random generators seeded, each time. To be called inside the
    event loop. What the controller raises is in the report.
    """
    audit = _HistoryAudit(config_factory, market)
    try:
        return await audit.report(seed)
    except Exception as error:  # a controller may raise anything
        return HistoryReport(not_tested=f"{type(error).__name__}: {error}")


class _HistoryAudit:
    """The calls of one report."""

    def __init__(self, config_factory: Callable[[], ControllerConfigBase], market: Market) -> None:
        self._config_factory = config_factory
        self._prepared = Prepared(market)
        self._rows: list[int] = []

    async def report(self, seed: int) -> HistoryReport:
        """See audit_history. Raises what the controller raises."""
        point = self._point(1.0)
        point.make()
        half = point.rows // 2
        self._rows = sorted(random.Random(seed).sample(range(half, point.rows), min(MOMENTS, point.rows - half)))
        asked = await self._values(1.0)
        whole = await self._values(math.inf)
        records, depth = self._asked, self._depth
        if not records:
            return HistoryReport(not_tested="it asks for no candles")
        found = HistoryReport(len(self._rows), depth, _drifts(asked, whole, self._times()))
        if found.columns and depth > 1:
            factor = await self._smallest_factor(whole, min(depth, MAX_FACTOR))
            if factor is not None:
                found.smallest = {feed: math.ceil(count * factor) for feed, count in records.items()}
        return found

    async def _smallest_factor(self, whole: list[Values], most: float) -> float | None:
        """The smallest factor on max_records with which nothing differs; None where there is none up to `most`."""
        low, high = 1.0, 2.0
        while high <= most and _drifts(await self._values(high), whole, self._times()):
            low, high = high, high * 2
        if high > most:
            return None
        for _ in range(4):
            middle = (low + high) / 2
            if _drifts(await self._values(middle), whole, self._times()):
                low = middle
            else:
                high = middle
        return high

    async def _values(self, history: float) -> list[Values]:
        """What the controller derives at every moment, each time made anew."""
        found = []
        for row in self._rows:
            point = self._point(history)
            controller = point.make()
            point.present(controller, row)
            seed_rng(0, row)
            await controller.update_processed_data()
            found.append(_newest(controller.processed_data))
            self._note_feeds(point)
        return found

    def _note_feeds(self, point: Point) -> None:
        """What it asked of which feed, and how much more there was."""
        assert point.provider is not None
        feeds: Mapping[str, Any] = point.provider.candles_feeds
        self._asked = {key: feed.max_records for key, feed in feeds.items() if feed.max_records}
        self._depth = max((feed.rows / feed.max_records for feed in feeds.values() if feed.max_records), default=0.0)

    def _point(self, history: float) -> Point:
        options = LiveOptions(history=history)
        return Point(self._prepared, STOCK, Funding(None), options, self._config_factory(), curves=False)

    def _times(self) -> list[float]:
        books = next(iter(self._prepared.known_books()))
        return [float(books.rows[row]) for row in self._rows]


def _newest(data: Mapping[str, Any]) -> Values:
    """The newest values that a controller derived."""
    found: Values = {}
    features = data.get("features")
    if isinstance(features, pd.DataFrame) and len(features):
        for name in features.columns:
            if name not in _OWN:
                column = features[name]
                scale = float(column.std()) if column.dtype.kind in "if" else None
                found[str(name)] = column.iloc[-1], scale
    for name, value in data.items():
        if isinstance(value, int | float | str | bool | Decimal | np.number) and name not in found and name not in _OWN:
            found[str(name)] = value, None
    return found


def _drifts(asked: list[Values], whole: list[Values], times: list[float]) -> dict[str, Drift]:
    """The values that differ by more than TOLERANCE."""
    found: dict[str, Drift] = {}
    for one, other, time in zip(asked, whole, times, strict=True):
        for name in one.keys() & other.keys():
            (a, _), (b, scale) = one[name], other[name]
            size, share = _size(a, b, scale)
            if share == 0.0:
                continue
            drift = found.setdefault(name, Drift(0, size, share, time, str(a), str(b)))
            drift.moments += 1
            if size is not None and share is not None:
                drift.size, drift.share = max(drift.size or 0.0, size), max(drift.share or 0.0, share)
    return found


def _size(a: Any, b: Any, scale: float | None) -> tuple[float | None, float | None]:
    """(difference, as a share of the scale); a share of 0 where they are the same, None where they are no numbers."""
    if isinstance(a, int | float | Decimal | np.number) and isinstance(b, int | float | Decimal | np.number):
        x, y = float(a), float(b)
        if x == y or (x != x and y != y):
            return 0.0, 0.0
        size = abs(x - y)
        share = size / (scale or max(abs(x), abs(y)))
        return size, share if not share <= TOLERANCE else 0.0
    return None, 0.0 if a == b else None

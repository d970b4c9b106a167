"""The rows the live engine steps over, and the candles of every traded pair on them.

A controller with one `connector_name` and one `trading_pair` is stepped over that pair's candles. One that trades
several pairs, or names its pairs in fields of its own, is stepped over every moment at which one of them has a candle.
Where a pair has no candle at a moment it is flat at its last close, with no volume: nothing fills there.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.engine.candles import Candles
from tasks.errors import CandlesMissing, CandlesNotCovering, ControllerError
from tasks.market_names import feed_key
from tasks.times import utc_second
from tasks.upstream.backtest.markets import markets_of

if TYPE_CHECKING:
    import pandas as pd

    from tasks.engine._base import Market
    from tasks.upstream.names import ControllerConfigBase

Floats = npt.NDArray[np.float64]

#: Quote currencies that are counted 1:1 where a controller trades in several of them.
DOLLARS = frozenset({"USD", "USDT", "USDC", "FDUSD", "BUSD", "TUSD", "DAI", "USDD", "PYUSD", "USDE"})

_PRICES = ("open", "high", "low", "close")
#: base that takers bought, where a feed says it
TAKEN = "taker_buy_base_volume"


class Pair(NamedTuple):
    """A trading pair on a connector."""

    connector: str
    trading_pair: str

    def __str__(self) -> str:
        return f"{self.trading_pair} on {self.connector}"

    @property
    def quote(self) -> str:
        """Its quote currency."""
        return self.trading_pair.rpartition("-")[2]


class Book:
    """The candles of one pair on the rows of a run."""

    def __init__(self, pair: Pair, feed: pd.DataFrame, rows: Floats, own_rows: bool) -> None:
        """`own_rows`: the rows are this pair's own candles."""
        import pandas as pd

        self.pair = pair
        opened = feed["timestamp"].to_numpy(dtype=np.float64)
        places = opened.searchsorted(rows, side="right") - 1
        #: the first row on which the pair has a price
        self.first_row = int((places < 0).sum())
        if self.first_row == len(rows):
            raise CandlesNotCovering(f"{pair}: no candle before the end of the period {utc_second(int(rows[-1]))}")
        there = np.maximum(places, 0)
        columns = {name: feed[name].to_numpy(dtype=np.float64)[there] for name in (*_PRICES, "volume")}
        if TAKEN in feed.columns:  # under the name that the rows of a back-test have it by, see Candles
            columns[f"{TAKEN}_bt"] = feed[TAKEN].to_numpy(dtype=np.float64)[there]
        if not own_rows:
            flat = opened[there] != rows
            for name in _PRICES:
                columns[name][flat] = columns["close"][flat]
            for name in columns.keys() - set(_PRICES):
                columns[name][flat] = 0.0
        index = pd.Index(rows, name="epoch_seconds")
        self.candles = Candles(pd.DataFrame({"timestamp": rows, **columns}, index=index))
        if self.candles.oddity:
            raise ControllerError(f"{pair}: {self.candles.oddity}")

    @cached_property
    def closes(self) -> memoryview[float]:
        """Closes, for single rows: its items are Python's floats."""
        return memoryview(self.candles.close)


class Books:
    """All pairs of one controller."""

    def __init__(self, market: Market, pairs: Iterable[Pair]) -> None:
        """The first of `pairs` is the main one. Raises CandlesMissing, CandlesNotCovering, ControllerError."""
        feeds = {pair: _base_feed(market, pair) for pair in pairs}
        if not feeds:
            raise ControllerError("no pair to trade on")
        mixed = {pair.quote for pair in feeds}
        if len(mixed) > 1 and not mixed <= DOLLARS:
            raise ControllerError(
                f"the pairs {', '.join(map(str, feeds))} are quoted in {', '.join(sorted(mixed))}: one equity curve "
                "needs one quote currency"
            )
        inside = [_within(feed, market.start, market.end) for feed in feeds.values()]
        #: open times of the rows, seconds, float64, shape (n,)
        self.rows: Floats = inside[0] if len(inside) == 1 else np.unique(np.concatenate(inside))
        if not len(self.rows):
            names = ", ".join(feed_key(*pair, market.resolution) for pair in feeds)
            raise CandlesNotCovering(
                f"feed {names} has no candle between {utc_second(market.start)} and {utc_second(market.end)}"
            )
        self.by_pair = {pair: Book(pair, feed, self.rows, len(feeds) == 1) for pair, feed in feeds.items()}
        self.main = next(iter(self.by_pair.values()))
        self._resolution = market.resolution

    def of(self, connector: str, trading_pair: str, row: int) -> Book:
        """The candles of a pair that has a price on a row. Raises CandlesMissing, CandlesNotCovering."""
        pair = Pair(connector, trading_pair)
        book = self.by_pair.get(pair)
        if book is None:
            there = ", ".join(map(str, self.by_pair))
            raise CandlesMissing(
                f"an order for {pair}, which has no {self._resolution} candles here (there: {there}): name the pair in "
                "the config's update_markets or its candles in get_candles_config"
            )
        if row < book.first_row:
            raise CandlesNotCovering(f"an order for {pair} before its first candle")
        return book


def traded_pairs(config: ControllerConfigBase) -> list[Pair]:
    """The pairs of a config, the main one first.

    Its own `connector_name` and `trading_pair`, and what its `update_markets` tells a bot to connect to; where a
    controller's candles are of other pairs too, those are there for signals only.
    """
    return [Pair(*market) for market in markets_of(config)]


def _base_feed(market: Market, pair: Pair) -> pd.DataFrame:
    key = feed_key(*pair, market.resolution)
    try:
        return market.feeds[key]
    except KeyError:
        there = ", ".join(sorted(market.feeds)) or "none"
        raise CandlesMissing(f"feed {key} is not in the sweep's candles (there: {there})") from None


def _within(feed: pd.DataFrame, start: float, end: float) -> Floats:
    opened = feed["timestamp"].to_numpy(dtype=np.float64)
    return opened[opened.searchsorted(start) : opened.searchsorted(end, side="right")]

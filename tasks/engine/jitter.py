"""Noise on candles: what a result would have been had prices been a little different.

With r = high - low of a candle and u four numbers drawn evenly from -1 to 1, at a noise of f:

    open, close    + f r u, each with a u of its own
    high, low      + f r u, then moved so that open and close lie between them
    volumes        as they were

Every trading pair draws from its own generator, made of the sweep's seed and its name: the same for every point, and
larger noise is the same noise times a factor. The finest feed of a pair gets the noise and its coarser feeds are made
of it again; candles of a coarser feed that the finest does not cover whole get noise of their own.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from tasks.intervals import interval_seconds, is_regular

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    Floats = npt.NDArray[np.float64]

PRICES = ("open", "high", "low", "close")


def jittered(frames: Mapping[str, pd.DataFrame], share: float, seed: int) -> dict[str, pd.DataFrame]:
    """The frames with noise of `share` of every candle's range; those given are not changed."""
    by_pair: dict[str, list[str]] = {}
    for feed in sorted(frames):
        by_pair.setdefault(feed.rpartition("_")[0], []).append(feed)
    changed: dict[str, pd.DataFrame] = {}
    for pair, feeds in by_pair.items():
        feeds.sort(key=_seconds)
        rng = np.random.default_rng([abs(seed), zlib.crc32(pair.encode())])
        finest = _noisy(frames[feeds[0]], share, rng)
        changed[feeds[0]] = finest
        for feed in feeds[1:]:
            coarse = _noisy(frames[feed], share, rng)
            changed[feed] = _rebuilt(coarse, finest, feed, feeds[0])
    return {feed: changed[feed] for feed in frames}


def _noisy(frame: pd.DataFrame, share: float, rng: np.random.Generator) -> pd.DataFrame:
    drawn = rng.uniform(-1.0, 1.0, (4, len(frame)))
    old = {name: frame[name].to_numpy(dtype=np.float64) for name in PRICES}
    moves = share * (old["high"] - old["low"]) * drawn
    # a price stays above 0 whatever the noise
    opened, high, low, close = (
        np.maximum(old[name] + move, old[name] / 2) for name, move in zip(PRICES, moves, strict=True)
    )
    high = np.maximum.reduce([high, opened, close, low])
    low = np.minimum.reduce([low, opened, close])
    return frame.assign(open=opened, high=high, low=low, close=close)


def _rebuilt(coarse: pd.DataFrame, finest: pd.DataFrame, feed: str, fine_feed: str) -> pd.DataFrame:
    """The coarse candles with the prices of the fine ones in them, where these cover a candle whole."""
    long, short = _seconds(feed), _seconds(fine_feed)
    if not is_regular(feed) or long % short or not len(finest) or not len(coarse):
        return coarse
    times = finest["timestamp"].to_numpy()
    opens = coarse["timestamp"].to_numpy()
    first = np.searchsorted(times, opens)
    after = np.searchsorted(times, opens + long)
    whole = np.flatnonzero(after - first == long // short)
    if not len(whole):
        return coarse
    rows = first[whole][:, None] + np.arange(long // short)
    new = {name: coarse[name].to_numpy(dtype=np.float64).copy() for name in PRICES}
    new["open"][whole] = finest["open"].to_numpy()[rows[:, 0]]
    new["high"][whole] = finest["high"].to_numpy()[rows].max(axis=1)
    new["low"][whole] = finest["low"].to_numpy()[rows].min(axis=1)
    new["close"][whole] = finest["close"].to_numpy()[rows[:, -1]]
    return coarse.assign(**new)


def _seconds(feed: str) -> int:
    return interval_seconds(feed.rpartition("_")[2])

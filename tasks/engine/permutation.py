"""Worlds of permuted candles: markets with the same candles in another order, in which nothing can be foreseen.

After Masters, "Testing and tuning market trading systems" (2018). In logarithms, a candle is its gap from the close
before and its high, low and close relative to its open. In a world

    days         come in another order, so quiet and wild days stay what they are
    candles      of a day come in another order, and the gaps in an order of their own
    ends         stay: the first open and the last close of the period, so what holding earned is the same

Whole days moved as blocks would leave everything that happens within a day as it is, and a strategy that trades within
the day would do as well in every world as in reality: only the candles' own order is what such a strategy can know.

The warm-up and the period are permuted apart, and nothing after the period's end is looked at. Of a market (connector
and pair) the finest feed is permuted; its other feeds are built from it, and where it does not reach, permuted by
themselves. Feeds with the same candles get the same order, so that markets go on moving together.

Data beside candles (series, funding rates) come in another order, too: their days move as the candles' days do, and the
rows of a day come in another order. So a row still stands among the days it stood among, but says nothing about the
candles that follow. Prices in such rows are moved as they are: they do not follow the level of the permuted candles.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

from tasks.errors import CandlesError
from tasks.intervals import grid_offset, interval_seconds, is_regular

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

DAY_S = 86400
PRICES = ["open", "high", "low", "close"]
#: A column of funding rates which holds a time of the future: it stays as far ahead of its row as it was.
NEXT_FUNDING = "next_funding_utc_timestamp"


def permuted(
    frames: Mapping[str, pd.DataFrame], world: int, seed: int, start: int, end: int
) -> dict[str, pd.DataFrame]:
    """The frames of a world; new ones, of the same length and times as those given.

    `frames`: as Market.feeds. `world`: its number, from 1 on. `start`, `end`: first and last moment of the period,
    seconds since epoch. The same for the same arguments. Raises CandlesError for prices that are not above 0.
    """
    made: dict[str, pd.DataFrame] = {}
    for feeds in _markets(frames).values():
        base, *others = sorted(feeds, key=lambda feed: interval_seconds(feed.rpartition("_")[2]))
        made[base] = _own_order(frames[base], base, world, seed, start, end)
        for feed in others:
            alone = _own_order(frames[feed], feed, world, seed, start, end)
            made[feed] = _built(alone, feed, made[base], interval_seconds(base.rpartition("_")[2]), end)
    return {feed: made[feed] for feed in frames}


def permuted_rows(frame: pd.DataFrame, world: int, seed: int, start: int, end: int) -> pd.DataFrame:
    """A series of a world: the same rows in another order; the moments at which there are rows stay.

    `frame`: `timestamp` (seconds, ascending) and other columns. Rows of one moment stay together. `world`, `seed`,
    `start`, `end` as for `permuted`.
    """
    times = frame["timestamp"].to_numpy(dtype=np.float64)
    moments, first, count = np.unique(times, return_index=True, return_counts=True)
    order = np.arange(len(moments))
    for rng, begin, stop in _parts(moments, world, seed, start, end):
        order[begin:stop] = begin + _order(moments[begin:stop], rng, _days(moments[begin:stop], start, end))
    count = count[order]
    rows = np.repeat(first[order] - np.append(0, np.cumsum(count)[:-1]), count) + np.arange(len(frame))
    made = frame.take(rows).reset_index(drop=True)
    made["timestamp"] = np.repeat(moments, count)
    if NEXT_FUNDING in made.columns and pd.api.types.is_numeric_dtype(made[NEXT_FUNDING]):
        made[NEXT_FUNDING] += made["timestamp"].to_numpy() - times[rows]
    return made


def permuted_rates(rates: Sequence[Sequence[float]], world: int, seed: int, start: int, end: int) -> list[list[float]]:
    """Funding rates of a world: [[seconds, rate as a fraction], ...]; arguments and order as for `permuted_rows`."""
    frame = pd.DataFrame(sorted(map(tuple, rates)), columns=["timestamp", "rate"], dtype="float64")
    made: list[list[float]] = permuted_rows(frame, world, seed, start, end).to_numpy().tolist()
    return made


def _markets(frames: Mapping[str, pd.DataFrame]) -> dict[str, list[str]]:
    """connector_PAIR -> its feeds."""
    markets: dict[str, list[str]] = {}
    for feed in frames:
        markets.setdefault(feed.rpartition("_")[0], []).append(feed)
    return markets


def _own_order(frame: pd.DataFrame, feed: str, world: int, seed: int, start: int, end: int) -> pd.DataFrame:
    """A feed with its own candles in another order."""
    times = frame["timestamp"].to_numpy(dtype=np.float64)
    prices = frame[PRICES].to_numpy(dtype=np.float64)
    if not (prices[: times.searchsorted(end, side="right")] > 0).all():
        raise CandlesError(
            f"feed {feed} has prices that are not above 0: no world of permuted candles can be made of it"
        )
    columns = {name: frame[name].to_numpy(dtype=np.float64).copy() for name in frame.columns}
    for rng, first, last in _parts(times, world, seed, start, end):
        days = _days(times[first:last], start, end)
        order, gap_order = (_order(times[first:last], rng, days) for _ in range(2))
        moved = _prices(np.log(prices[first:last]), order, gap_order)
        for name in columns:
            if name in PRICES:
                columns[name][first:last] = np.exp(moved[:, PRICES.index(name)])
            elif name != "timestamp":
                columns[name][first:last] = columns[name][first + order]
    return pd.DataFrame(columns, columns=frame.columns)


def _parts(
    times: Floats, world: int, seed: int, start: int, end: int
) -> Iterator[tuple[np.random.Generator, int, int]]:
    """Warm-up and period of ascending times: the generator of each, its first row and the one after its last.

    The generator depends on world and seed alone, so that all feeds and series draw the same. A part of fewer than two
    rows has no other order and is left out.
    """
    edges = [0, int(times.searchsorted(start)), int(times.searchsorted(end, side="right"))]
    for part, (first, last) in enumerate(pairwise(edges)):
        if last - first > 1:
            yield np.random.default_rng([seed % 2**32, world, part]), first, last


def _days(times: Floats, start: int, end: int) -> range:
    """The days that change places: those of the whole period, with rows or without; before it those of the rows."""
    first, last = (start, end) if times[0] >= start else (times[0], times[-1])
    return range(int(first // DAY_S), int(last // DAY_S) + 1)


def _order(times: Floats, rng: np.random.Generator, days: range) -> Integers:
    """Positions of the rows in their new order: days shuffled, and the rows of each day."""
    place = rng.permutation(len(days))[(times // DAY_S).astype(np.int64) - days.start]
    order: Integers = np.lexsort((rng.random(len(times)), place))
    return order


def _prices(logs: Floats, order: Integers, gap_order: Integers) -> Floats:
    """Logarithms of open, high, low, close with the candles and the gaps in another order; shape (n, 4).

    The first candle has no gap, so the gaps that are permuted are those of the others.
    """
    gaps = logs[1:, 0] - logs[:-1, 3]
    gaps = gaps[gap_order[gap_order > 0] - 1]
    shape = (logs - logs[:, :1])[order]
    opens = logs[0, 0] + np.append(0.0, np.cumsum(shape[:-1, 3] + gaps))
    moved: Floats = opens[:, None] + shape
    return moved


def _built(frame: pd.DataFrame, feed: str, base: pd.DataFrame, base_s: int, end: int) -> pd.DataFrame:
    """A longer feed with the candles that the base covers built from it.

    The candles before them stay as they are in `frame`, moved so that they lead to the base's first open.
    """
    interval = feed.rpartition("_")[2]
    seconds = interval_seconds(interval)
    if not is_regular(interval) or seconds % base_s or seconds == base_s:
        return frame
    times = frame["timestamp"].to_numpy(dtype=np.float64)
    fine = base["timestamp"].to_numpy(dtype=np.float64)
    known = int(np.searchsorted(fine, end, side="right"))
    offset = grid_offset(interval)
    bucket = (fine[:known] - offset) // seconds * seconds + offset
    starts = np.flatnonzero(np.append(True, bucket[1:] != bucket[:-1])) if known else np.zeros(0, dtype=np.int64)
    whole = starts[bucket[starts] >= fine[0]] if known else starts
    if not len(whole):
        return frame
    places = np.searchsorted(times, bucket[whole])
    there = (places < len(times)) & (times[np.minimum(places, len(times) - 1)] == bucket[whole])
    places = places[there]
    columns = {name: frame[name].to_numpy(dtype=np.float64).copy() for name in frame.columns}
    first = int(places[0]) if len(places) else 0
    if first:
        scale = base["open"].to_numpy()[whole[0]] / columns["close"][first - 1]
        for name in PRICES:
            columns[name][:first] *= scale
    for name in frame.columns:
        if name != "timestamp" and name in base.columns:
            values = base[name].to_numpy(dtype=np.float64)[:known]
            columns[name][places] = _together(values, whole, name)[there]
    return pd.DataFrame(columns, columns=frame.columns)


def _together(values: Floats, starts: Integers, name: str) -> Floats:
    """One column of candles made of finer ones; `starts`: the first of each."""
    if name == "open":
        return np.asarray(values[starts])
    if name == "close":
        return np.asarray(values[np.append(starts[1:], len(values)) - 1])
    how = {"high": np.maximum, "low": np.minimum}.get(name, np.add)
    made: Floats = how.reduceat(values, starts)
    return made

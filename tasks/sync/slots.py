"""Slots: the stretches of time that hold one candle each, numbered, so that what is missing is a set of integers.

    1m   slot k is [60 k, 60 k + 60)                       seconds since the epoch
    1w   weeks from Monday 1970-01-05 on
    1M   calendar months, 0 is January 1970

A candle belongs to the slot in which it opens. Candles of some venues open later than their slot begins (days that
start at 16:00 UTC): every slot still holds exactly one, so nothing below needs to know.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.intervals import grid_offset, interval_seconds, is_regular

Slots = NDArray[np.int64]

#: Holes are close when no more than this part of a request lies between them.
_CLOSE = 10


@dataclass(frozen=True)
class Window:
    """A run of slots that one request asks for, both ends included."""

    first: int
    last: int

    def holds(self, slots: Slots) -> NDArray[np.bool_]:
        """Which of the slots lie in it."""
        return np.asarray((slots >= self.first) & (slots <= self.last))


def slots_of(times: Any, interval: str) -> Slots:
    """The slots of open times (s)."""
    seconds = np.floor(np.asarray(times, dtype=np.float64)).astype(np.int64)
    if not is_regular(interval):
        return np.asarray(seconds.astype("datetime64[s]").astype("datetime64[M]").astype(np.int64))
    return np.asarray((seconds - grid_offset(interval)) // interval_seconds(interval))


def slot_of(time: float, interval: str) -> int:
    """The slot that holds a moment (s)."""
    return int(slots_of([time], interval)[0])


def begin_of(slot: int, interval: str) -> int:
    """When a slot begins, seconds since the epoch."""
    if not is_regular(interval):
        return int(np.datetime64(slot, "M").astype("datetime64[s]").astype(np.int64))
    return slot * interval_seconds(interval) + grid_offset(interval)


def ends_of(times: Any, interval: str) -> NDArray[np.float64]:
    """When candles that open at these times (s) are finished, seconds since the epoch."""
    opens = np.asarray(times, dtype=np.float64)
    if is_regular(interval):
        return opens + interval_seconds(interval)
    return np.array([begin_of(slot + 1, interval) for slot in slots_of(opens, interval).tolist()], np.float64)


def wanted(start: float, end: float, interval: str, now: float) -> Slots:
    """Every slot from the one that holds `start` to the one that holds `end`, as far as they have ended by `now`."""
    first, last = slot_of(start, interval), min(slot_of(end, interval), slot_of(now, interval) - 1)
    return np.arange(first, last + 1, dtype=np.int64)


def without(slots: Slots, *taken: Slots) -> Slots:
    """The slots that are in none of the others, rising."""
    for one in taken:
        slots = np.setdiff1d(slots, one)
    return slots


def windows(missing: Slots, longest: int) -> list[Window]:
    """Windows of at most `longest` slots that hold all missing ones; rising, each begins and ends with one.

    Holes close to each other share a request, others do not: what is there is not asked for again.
    """
    far = np.flatnonzero(np.diff(missing) > longest // _CLOSE + 1) + 1
    found, at = [], 0
    while at < len(missing):
        first = int(missing[at])
        after = int(np.searchsorted(missing, first + longest))
        if (next_hole := int(np.searchsorted(far, at, side="right"))) < len(far):
            after = min(after, int(far[next_hole]))
        found.append(Window(first, int(missing[after - 1])))
        at = after
    return found


def page_slots(longest_page: int) -> int:
    """Slots a request may ask for when an answer holds at most so many candles.

    Three less: one more candle is asked for at the end (some exchanges leave the last one out), and feeds put one
    interval before and one after for exchanges that leave out either.
    """
    return max(1, longest_page - 3)


def request(window: Window, interval: str, now: float) -> tuple[int, int]:
    """A window as Hummingbot's feeds are asked: (open time of the last candle in seconds, intervals back).

    One slot further than the window, but never into the future.
    """
    begin = begin_of(window.first, interval)
    end = begin_of(min(window.last + 1, slot_of(now, interval)), interval)
    return end, max(1, -(-(end - begin) // interval_seconds(interval)))


def runs(slots: Slots) -> list[tuple[int, int]]:
    """Sorted slots as (first, last) of each run without a hole."""
    if not len(slots):
        return []
    breaks = np.flatnonzero(np.diff(slots) != 1)
    firsts = slots[np.concatenate(([0], breaks + 1))]
    lasts = slots[np.concatenate((breaks, [len(slots) - 1]))]
    return [(int(first), int(last)) for first, last in zip(firsts, lasts, strict=True)]


def from_runs(pairs: Iterable[tuple[int, int]]) -> Slots:
    """The inverse of `runs`, whatever the order and overlap."""
    pieces = [np.arange(first, last + 1, dtype=np.int64) for first, last in pairs]
    return np.unique(np.concatenate(pieces)) if pieces else np.empty(0, np.int64)

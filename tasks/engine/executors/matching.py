"""The rules by which a resting order fills, compiled; shared by the loops of all kinds of executors.

Both sides run on one set of comparisons: prices are multiplied by `side` (1 bought, -1 sold), so that "down" is always
against the position: `bottom`, `top`, `opened` and `closed` are the mirrored low, high, open and close of a candle.

Events are rows of a float64 array: candle of the path (-1: the close of the row that created the executor), level,
base (entries positive, exits negative), price (slippage included), 1 for maker and 0 for taker, what the base given up
by an exit had cost (quote).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from tasks.engine.compiled import compiled

#: Columns of an event.
CANDLE, LEVEL, BASE, PRICE, MAKER, COST = range(6)
#: An order with less than this share of it left is filled.
DUST = 1e-9


class Matching(NamedTuple):
    """What the compiled loops need to know of the fill rules; a NamedTuple, because compiled code takes it whole."""

    #: an order fills where the candle's extreme is at least so far beyond its price (quote); strict: beyond it at all
    depth: float
    strict: bool
    #: price increment that targets are rounded down to (quote); 0: none
    tick: float
    #: in a candle that reaches both, stops and entries come before targets
    adverse_first: bool
    #: in the candle of an entry, the favourable extreme came after it
    favourable_after: bool
    #: whether the nearer extreme to the open came first, which then replaces the two above
    nearest: bool
    #: how much worse than its price a taker fill is, as a fraction
    slippage: float


@compiled
def reaches(extreme, level, depth, strict):  # type: ignore[no-untyped-def]  # compiled
    """Whether a candle's extreme, mirrored so that it is the higher the further, fills an order at `level`."""
    return extreme > level if strict else extreme >= level + depth


@compiled
def allowance(room, used, extreme, other, level):  # type: ignore[no-untyped-def]  # compiled
    """Base that an order at `level` may get of a candle: its part of the room beyond the level, less what others got.

    The candle's volume is taken as spread evenly from `other` to `extreme`, mirrored as for `reaches`.
    """
    if math.isinf(room):
        return room
    span = extreme - other
    part = 1.0 if span <= 0 else min(1.0, max(0.0, (extreme - level) / span))
    return max(0.0, room * part - used)


@compiled
def rounded_down(value, increment):  # type: ignore[no-untyped-def]  # compiled
    """A price or an amount as the exchange takes it; `increment` 0: as it is."""
    if increment <= 0:
        return value
    return math.floor(value / increment + 1e-6) * increment


@compiled
def order_of_extremes(matching, opened, bottom, top):  # type: ignore[no-untyped-def]  # compiled
    """(whether what is against the position comes first in a candle, whether its favourable extreme comes after)."""
    if not matching.nearest:
        return matching.adverse_first, matching.favourable_after
    low_first = opened - bottom <= top - opened
    return low_first, low_first


@compiled
def noted(events, count, candle, level, base, price, maker, cost):  # type: ignore[no-untyped-def]  # compiled
    """The events with one more; the array grows as needed."""
    if count == len(events):
        grown = np.empty((2 * count, 6))
        grown[:count] = events
        events = grown
    events[count, 0], events[count, 1], events[count, 2] = candle, level, base
    events[count, 3], events[count, 4], events[count, 5] = price, maker, cost
    return events

"""What a point earned in which market.

Everything is counted per candle of a curve: the change of equity over it belongs to the regime it lies in. A regime of
a day is that of its UTC day; a first or last day that is not whole counts like the others.

month        the calendar month, UTC
volatility   the day's realised volatility, sqrt(sum of squared log returns of the candles); the days' terciles: low,
             middle, high
trend        the day's log return against the deviation of all days: up above +TREND of it, down below -TREND, else flat
hour         of the day, UTC
weekday      UTC, Monday first

Where the period has fewer than MIN_DAYS days, volatility and trend are taken per hour in place of per day.

A point is said to earn in one regime only where it has earned over the period and everything outside the best regime
of volatility or trend together lost or earned nothing, or where one month of at least MIN_MONTHS earned more than all.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from tasks.named_types import JsonObject

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Integers = npt.NDArray[np.int64]

DAY_S, HOUR_S = 86400, 3600
#: Share of the deviation of the days' returns that a day has to move to be up or down.
TREND = 0.5
#: Below so many days, volatility and trend are those of hours.
MIN_DAYS = 9
#: Fewer months say nothing of one.
MIN_MONTHS = 3
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class Regime:
    """A part of the period that is alike in one respect."""

    #: month, volatility, trend, hour or weekday
    kind: str
    name: str
    #: share of the candles that lie in it
    share: float
    #: change of equity over its candles, quote
    earned: float
    #: share of its days (hours, where the kind is one of hours) over which equity rose; None without one
    winning: float | None


def regimes(time: Floats, close: Floats, equity: Floats) -> list[Regime]:
    """Every regime of a curve, in the order of the module's table.

    `time`: open times of the candles, seconds, ascending; `close`: prices; `equity`: change since the start in quote at
    every close; float64, shape (n,) each. Empty for fewer than two candles.
    """
    if len(time) < 2:
        return []
    change = np.diff(equity, prepend=0.0)
    unit = DAY_S if (time[-1] - time[0]) / DAY_S >= MIN_DAYS else HOUR_S
    block, names = _blocks(time, close, unit)
    found = [_part("month", name, labels, change, time) for name, labels in _months(time)]
    for kind, order in (("volatility", ("low", "middle", "high")), ("trend", ("up", "down", "flat"))):
        of_candle = names[kind][block]
        found += [_part(kind, name, of_candle == name, change, time) for name in order]
    hour = (time % DAY_S // HOUR_S).astype(np.int64)
    found += [_part("hour", f"{each:02d}", hour == each, change, time) for each in range(24)]
    weekday = ((time // DAY_S + 3) % 7).astype(np.int64)  # the epoch began on a Thursday
    found += [_part("weekday", name, weekday == number, change, time) for number, name in enumerate(WEEKDAYS)]
    return [each for each in found if each.share > 0]


def one_sided(found: list[Regime]) -> str:
    """What is said of a point that earns in one regime only; "" for the others."""
    for kind in ("trend", "volatility"):
        parts = [each for each in found if each.kind == kind]
        total = sum(each.earned for each in parts)
        best = max(parts, key=lambda each: each.earned, default=None)
        if best is not None and len(parts) > 1 and total > 0 and total - best.earned <= 0:
            return (
                f"it earned only where {kind} was {best.name} ({best.share:.0%} of the candles: {best.earned:+.2f}, "
                f"all others together {total - best.earned:+.2f})"
            )
    months = [each for each in found if each.kind == "month"]
    total = sum(each.earned for each in months)
    if len(months) >= MIN_MONTHS and total > 0:
        best = max(months, key=lambda each: each.earned)
        if total - best.earned <= 0:
            return f"it earned in {best.name} only ({best.earned:+.2f}, all other months {total - best.earned:+.2f})"
    return ""


def table(time: Floats, close: Floats, equity: Floats) -> JsonObject:
    """The regimes of a curve as plain data, and the sentence on them."""
    found = regimes(time, close, equity)
    rows = [
        {"kind": each.kind, "name": each.name, "share": each.share, "earned": each.earned, "winning": each.winning}
        for each in found
    ]
    return {"regimes": rows, "note": one_sided(found)}


def _part(kind: str, name: str, inside: npt.NDArray[np.bool_], change: Floats, time: Floats) -> Regime:
    """One regime from the candles that lie in it."""
    unit = HOUR_S if kind == "hour" else DAY_S
    units, places = np.unique(time[inside] // unit, return_inverse=True)
    sums = np.bincount(places, weights=change[inside], minlength=len(units)) if len(units) else np.zeros(0)
    moved = sums[sums != 0]
    winning = float((moved > 0).mean()) if len(moved) else None
    return Regime(kind, name, float(inside.mean()), float(change[inside].sum()), winning)


def _months(time: Floats) -> list[tuple[str, npt.NDArray[np.bool_]]]:
    days, places = np.unique(time // DAY_S, return_inverse=True)
    names = np.array([f"{datetime.fromtimestamp(day * DAY_S, UTC):%Y-%m}" for day in days])[places]
    return [(str(name), names == name) for name in np.unique(names)]


def _blocks(time: Floats, close: Floats, unit: int) -> tuple[Integers, dict[str, npt.NDArray[np.str_]]]:
    """The block (day or hour) of every candle, and per block the names of its volatility and trend."""
    _, block = np.unique(time // unit, return_inverse=True)
    count = int(block.max()) + 1
    moved = np.diff(np.log(close), prepend=np.log(close[0]))
    volatility = np.sqrt(np.bincount(block, weights=moved**2, minlength=count))
    net = np.bincount(block, weights=moved, minlength=count)
    low, high = np.quantile(volatility, [1 / 3, 2 / 3])
    names = {
        "volatility": np.where(volatility <= low, "low", np.where(volatility <= high, "middle", "high")),
        "trend": np.where(net > TREND * net.std(), "up", np.where(net < -TREND * net.std(), "down", "flat")),
    }
    return block.astype(np.int64), names

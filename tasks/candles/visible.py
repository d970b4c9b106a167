"""Which candles of a sweep the points of one of its windows see."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tasks.intervals import interval_seconds
from tasks.protocol.messages import SweepDefinition


def visible_rows(
    times: npt.NDArray[np.float64], seconds: int, warmup: int | None, definition: SweepDefinition, ends: int
) -> slice:
    """Places of the candles of one feed from the warm-up before the period to its end.

    `times`: open times of all its candles, ascending, seconds; `seconds`: of its interval. `warmup`: candles before the
    period that the points want; None: all there are. `definition`: the sweep's, as Scenario.applied changed it. `ends`:
    last moment of which there are candles; where the period ends before it, a candle that has not closed by then is
    left out.
    """
    first = 0 if warmup is None else int(np.searchsorted(times, definition.start - warmup * seconds, side="left"))
    if definition.end >= ends:
        return slice(first, len(times))
    closed = definition.end + interval_seconds(definition.resolution) - seconds
    return slice(first, int(np.searchsorted(times, min(definition.end, closed), side="right")))

"""The returns of one back-test, from its equity curve."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tasks.engine.equity import Floats


def period_returns(
    timestamps: Floats, account: Floats, start_value: float, ends: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32]:
    """Returns of the periods that end at `ends` (tasks.protocol.returns.period_ends); float32, shape (periods,).

    `timestamps`: open times of the candles, seconds, ascending; `account`: value at every candle's close, quote, shape
    (n,); `start_value`: before the first candle, above 0. A period without candles returns 0.

    The last return that is not 0 takes up what rounding took from the others: the product of (1 + return) is the end
    value over the start value to the precision of that one return. Where the account ends a period at or below 0 the
    return is -1 or less, and NaN in every period after it.
    """
    last = np.searchsorted(timestamps, ends, side="left") - 1
    marks = np.where(last >= 0, account[np.maximum(last, 0)], start_value)
    before = np.append(start_value, marks[:-1])
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        returns: npt.NDArray[np.float32] = (marks / before - 1).astype(np.float32)
    ruined = np.flatnonzero(marks <= 0)
    moved = np.flatnonzero(returns)
    if len(ruined):
        returns[ruined[0] + 1 :] = np.nan
    elif len(moved):
        place = moved[-1]
        reached = start_value * np.prod(1.0 + returns[:place].astype(np.float64))
        returns[place] = marks[place] / reached - 1
    return returns

"""Whether the candles of a sweep cover its windows: one without candles, or with holes, tests nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from orchestrator.sweepfile.validate import length_text
from tasks.errors import CandlesMissing

if TYPE_CHECKING:
    import numpy.typing as npt

    from orchestrator.validation.folds import Window, Windows

    Floats = npt.NDArray[np.float64]

#: Share of a window's candles that may be missing.
MAX_MISSING = 0.01


def check_coverage(windows: Windows, feed: str, seconds: int, opened: Floats) -> None:
    """Raises CandlesMissing when a feed leaves more than MAX_MISSING of a window's candles out.

    `seconds`: of the feed's interval; `opened`: open times of all its candles, ascending, seconds.
    """
    for fold in windows.folds:
        _check(f"test window {fold.number + 1}", fold.test, feed, seconds, opened)
        _check(f"training window {fold.number + 1}", fold.train, feed, seconds, opened)
    if windows.holdout:
        _check("the hold-out", windows.holdout, feed, seconds, opened)


def _check(name: str, window: Window, feed: str, seconds: int, opened: Floats) -> None:
    expected = (window.end - window.start) // seconds + 1
    there = int(np.searchsorted(opened, window.end, side="right") - np.searchsorted(opened, window.start))
    missing = expected - there
    # one may lie on either end of a window that is no multiple of the interval
    if there and (missing <= 1 or missing <= MAX_MISSING * expected):
        return
    what = "no candle" if not there else f"{there:,} of {expected:,} candles ({missing:,} are missing)"
    raise CandlesMissing(
        f"{feed}: {name} ({window}, {length_text(window.end - window.start)}) has {what}; fetch them with "
        "`hummingsweep sync`, set `gaps: fill`, or write windows that leave the hole out"
    )

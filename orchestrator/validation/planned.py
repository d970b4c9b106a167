"""What the tests of `validate` will cost, in candles that points are stepped over; known before anything is run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.sweepfile.in_sample import resolution_s
from orchestrator.sweepfile.skip import points_of
from orchestrator.validation.answer import cost
from orchestrator.validation.folds import windows_of
from orchestrator.validation.robustness import checks_of
from orchestrator.validation.walk import CONTROLS, PLACES

if TYPE_CHECKING:
    from orchestrator.sweepfile.sweep import Sweep


def planned_candles(sweep: Sweep) -> dict[str, int] | None:
    """Candles of the plain sweep (`plain_candles`) and of every test beside it; None where none is asked for.

    `train_candles`, `test_candles`: the walk-forward. `holdout_candles`, `robustness_candles`, `noise_candles`: where
    the sweep file asks for them. Raises SweepFileError.
    """
    windows, asked = windows_of(sweep), sweep.validation
    size = points_of(sweep.definition())
    tested = [min(PLACES + CONTROLS, size)] * len(windows.folds)
    found = cost(windows, sweep, size, tested)
    resolution = resolution_s(sweep)
    if windows.holdout:
        candles = (windows.holdout.end - windows.holdout.start) // resolution + 1
        found["holdout_candles"] = min(2 * asked.holdout_points, size) * candles
    if asked.robustness:
        starts = [check.changes.get("start", sweep.start) for check in checks_of(sweep, asked.robustness)]
        candles = sum((sweep.end - start) // resolution + 1 for start in starts)
        found["robustness_candles"] = min(asked.robustness.points, size) * candles
    if asked.noise_worlds:
        each = found["plain_candles"] // size
        found["noise_candles"] = asked.noise_worlds * min(asked.noise_points, size) * each
    return found if windows.folds or len(found) > 3 else None

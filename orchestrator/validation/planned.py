"""What the tests of `validate` will cost, in candles that points are stepped over; known before anything is run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from orchestrator.analysis.noise import world
from orchestrator.sweepfile.in_sample import resolution_s
from orchestrator.sweepfile.skip import points_of
from orchestrator.validation.folds import windows_of
from orchestrator.validation.robustness import checks_of
from orchestrator.validation.walk import CONTROLS, PLACES
from tasks.protocol.scenario import Scenario

if TYPE_CHECKING:
    from orchestrator.sweepfile.sweep import Sweep


def planned_candles(sweep: Sweep, there: Callable[[Scenario], int] = lambda _: 0) -> dict[str, int] | None:
    """Candles of the plain sweep (`plain_candles`) and of every test beside it that is still to be computed.

    `train_candles`, `test_candles`: the walk-forward. `holdout_candles`, `robustness_candles`, `noise_candles`: where
    the sweep file asks for them. None where no test is asked for. `there`: scenario -> points that have their rows, so
    that nothing is computed for them. Raises SweepFileError.
    """
    windows, asked = windows_of(sweep), sweep.validation
    walk, size = asked.walk_forward, points_of(sweep.definition())
    resolution = resolution_s(sweep)

    def candles(scenario: Scenario, points: int) -> int:
        start, end = scenario.start or sweep.start, scenario.end or sweep.end
        return max(0, min(points, size) - there(scenario)) * ((end - start) // resolution + 1)

    every = walk is not None and walk.all
    training = {fold.train.scenario for fold in windows.folds}
    found = {
        "plain_candles": size * ((sweep.end - sweep.start) // resolution + 1),
        "train_candles": sum(candles(scenario, size) for scenario in training),
        "test_candles": sum(
            candles(fold.test.scenario, size if every else PLACES + CONTROLS) for fold in windows.folds
        ),
    }
    if windows.holdout:
        found["holdout_candles"] = candles(windows.holdout.scenario, 2 * asked.holdout_points)
    if asked.robustness:
        checks = checks_of(sweep, asked.robustness)
        found["robustness_candles"] = sum(
            candles(Scenario(**check.changes), asked.robustness.points) for check in checks
        )
    if asked.noise_worlds:
        worlds = range(1, asked.noise_worlds + 1)
        found["noise_candles"] = sum(candles(world(number), asked.noise_points) for number in worlds)
    return found if windows.folds or len(found) > 3 else None

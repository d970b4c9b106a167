"""The windows of a sweep: folds of training and test, and the hold-out. Pure arithmetic.

    period    |------------------------------------------------------------|
    fold 0    |==== train ====|e|- test -|                       |e|hold-out|      e: embargo
    fold 1               |==== train ====|e|- test -|
    anchored  |========== train =========|e|- test -|

A window is closed on both ends, as a sweep's period: its last moment is the open of its last candle, which closes where
the next window may begin. Windows begin and end at multiples of `orchestrator.sweepfile.in_sample.grain_s`, so that no
candle of a longer interval lies half in one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.sweepfile.in_sample import embargo_s, grain_s, holdout_start, resolution_s
from orchestrator.sweepfile.validate import length_text
from tasks.errors import SweepFileError
from tasks.protocol.scenario import PLAIN, Scenario
from tasks.times import utc_minute

if TYPE_CHECKING:
    from orchestrator.sweepfile.sweep import Sweep
    from orchestrator.sweepfile.validate import WalkForward

#: A walk-forward of more folds is a mistake in the file.
MAX_FOLDS = 1000


@dataclass(frozen=True)
class Window:
    """A part of the period: first and last moment, both included, seconds since epoch, UTC."""

    start: int
    end: int

    @property
    def scenario(self) -> Scenario:
        """What points are run under to see this window only."""
        return Scenario(start=self.start, end=self.end)

    def __str__(self) -> str:
        return f"{utc_minute(self.start)} to {utc_minute(self.end)}"


@dataclass(frozen=True)
class Fold:
    """A training window and the test window after it."""

    number: int
    train: Window
    test: Window


@dataclass(frozen=True)
class Windows:
    """Every window of a sweep."""

    #: what ranking, search and statistics see
    in_sample: Window
    folds: tuple[Fold, ...]
    holdout: Window | None
    #: seconds between training and test, and before the hold-out
    embargo_s: int
    #: seconds at the end of what is in sample that no test window covers
    left_over_s: int


def windows_of(sweep: Sweep) -> Windows:
    """The windows a sweep file asks for. Raises SweepFileError with the numbers when they do not fit the period."""
    in_sample = Window(sweep.start, sweep.end)
    first = holdout_start(sweep)
    holdout = None if first is None else Window(first, sweep.period.end)
    embargo = embargo_s(sweep)
    walk = sweep.validation.walk_forward
    if walk is None:
        return Windows(in_sample, (), holdout, embargo, 0)
    # without a hold-out the last moment of the period is where the last test window may end
    end = sweep.period.end if first is None else sweep.end + resolution_s(sweep)
    _check(sweep, walk, end - sweep.start, embargo)
    folds = _folds(sweep, walk, end, embargo)
    if not folds:
        raise _too_short(sweep, walk, end - sweep.start, embargo)
    left_over = end - folds[-1].test.end - resolution_s(sweep)
    return Windows(in_sample, tuple(folds), holdout, embargo, max(0, left_over))


def whole_scenarios(sweep: Sweep) -> list[Scenario]:
    """What every point of the grid is run under: the plain sweep, and the windows that are not for chosen points only.

    Raises SweepFileError.
    """
    walk, found = sweep.validation.walk_forward, [PLAIN]
    for fold in windows_of(sweep).folds:
        found.append(fold.train.scenario)
        if walk is not None and walk.all:
            found.append(fold.test.scenario)
    return list(dict.fromkeys(found))


def _folds(sweep: Sweep, walk: WalkForward, end: int, embargo: int) -> list[Fold]:
    """As many whole folds as fit before `end`."""
    grain, resolution = grain_s(sweep), resolution_s(sweep)
    step = walk.step or walk.test
    folds: list[Fold] = []
    while len(folds) <= MAX_FOLDS:
        begin = sweep.start + len(folds) * step
        train_end = _floor(begin + walk.train, grain)
        test_start = train_end + _ceil(embargo, grain)
        test_end = _floor(test_start + walk.test, grain)
        if test_end > end:
            return folds
        # the first window begins with the period, whatever multiple that is of; the grain aligns the others
        train_start = sweep.start if walk.anchored or not folds else _floor(begin, grain)
        folds.append(
            Fold(len(folds), Window(train_start, train_end - resolution), Window(test_start, test_end - resolution))
        )
    raise SweepFileError(
        f"{sweep.place('validate', 'walk_forward', 'step')}: {length_text(step)} gives more than {MAX_FOLDS:,} folds "
        f"in a period of {length_text(end - sweep.start)}; write a longer step"
    )


def _check(sweep: Sweep, walk: WalkForward, length: int, embargo: int) -> None:
    """What does not fit, whatever the period's moments. Raises SweepFileError."""
    grain, step = grain_s(sweep), walk.step or walk.test

    def wrong(key: str, text: str) -> SweepFileError:
        return SweepFileError(f"{sweep.place('validate', 'walk_forward', key)}: {text}")

    for key, seconds in (("train", walk.train), ("test", walk.test)):
        if seconds > length:
            raise wrong(
                key,
                f"{length_text(seconds)} is longer than the {length_text(length)} of the period that are left for it; "
                "write a shorter window, or a longer `period:`",
            )
        if seconds < grain:
            raise wrong(
                key,
                f"{length_text(seconds)} is shorter than the longest candle that the sweep names "
                f"({length_text(grain)}); write a longer window",
            )
    if step < walk.test:
        raise wrong(
            "step",
            f"{length_text(step)} is shorter than the test of {length_text(walk.test)}: test windows would overlap and "
            "count their candles twice; write a step as long as the test, or longer",
        )
    if embargo > walk.test:
        raise SweepFileError(
            f"{sweep.place('validate', 'embargo')}: {length_text(embargo)} is longer than the test of "
            f"{length_text(walk.test)}; write a shorter embargo (`auto` is the longest time_limit of the sweep), or a "
            "longer test"
        )
    name, number = walk.choice
    if name == "point" and number >= sweep.grid.size:
        raise wrong(
            "choice",
            f"point {number} is outside the grid of {sweep.grid.size:,} points; write 0 to {sweep.grid.size - 1}",
        )


def _too_short(sweep: Sweep, walk: WalkForward, length: int, embargo: int) -> SweepFileError:
    total = walk.train + embargo + walk.test
    return SweepFileError(
        f"{sweep.place('validate', 'walk_forward')}: train {length_text(walk.train)}, embargo {length_text(embargo)} "
        f"and test {length_text(walk.test)} are {length_text(total)} together, and {length_text(length)} of the period "
        "are left for them: not one fold fits; write shorter windows, or a longer `period:`"
    )


def _floor(seconds: int, grain: int) -> int:
    return seconds // grain * grain


def _ceil(seconds: int, grain: int) -> int:
    return -(-seconds // grain) * grain

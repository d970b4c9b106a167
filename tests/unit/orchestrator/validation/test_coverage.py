"""Whether candles cover the windows."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrator.validation.coverage import check_coverage
from orchestrator.validation.folds import Fold, Window, Windows
from tasks.errors import CandlesMissing

DAY = 86400
FOLD = Fold(0, Window(0, 2 * DAY - 60), Window(2 * DAY, 3 * DAY - 60))
WINDOWS = Windows(Window(0, 3 * DAY - 60), (FOLD,), Window(3 * DAY, 4 * DAY), 0, 0)


def minutes(*without: range) -> np.ndarray:
    gone = {minute for hole in without for minute in hole}
    return np.array([60.0 * minute for minute in range(4 * 1440 + 1) if minute not in gone])


def test_whole_candles_pass() -> None:
    check_coverage(WINDOWS, "x", 60, minutes())


def test_a_few_missing_candles_pass() -> None:
    check_coverage(WINDOWS, "x", 60, minutes(range(2 * 1440 + 5, 2 * 1440 + 15)))


@pytest.mark.parametrize(
    ("hole", "said"),
    [
        (range(2 * 1440, 3 * 1440), r"x: test window 1 .* has no candle"),
        (range(2 * 1440 + 60, 2 * 1440 + 120), r"test window 1 .* has 1,380 of 1,440 candles \(60 are missing\)"),
        (range(500), r"training window 1"),
        (range(3 * 1440 + 100, 3 * 1440 + 200), r"the hold-out"),
    ],
)
def test_a_hole_is_said_with_its_numbers(hole: range, said: str) -> None:
    with pytest.raises(CandlesMissing, match=said):
        check_coverage(WINDOWS, "x", 60, minutes(hole))


def test_a_window_that_is_no_multiple_of_the_interval_passes() -> None:
    odd = Windows(Window(0, 3 * DAY), (Fold(0, Window(0, 7200 + 60), Window(7260, 18060)),), None, 0, 0)
    check_coverage(odd, "x", 3600, np.arange(0.0, 4 * DAY, 3600))

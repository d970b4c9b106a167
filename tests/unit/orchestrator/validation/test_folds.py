"""The windows of a sweep: where they lie, and what is said when they do not fit."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.sweepfile.sweep import Sweep
from orchestrator.validation.folds import windows_of
from tasks.errors import SweepFileError
from tests.unit.orchestrator.sweepfile.test_validate import DAY, START, SWEEP, sweep


def walk(**keys: Any) -> Sweep:
    outer = {key: keys.pop(key) for key in ("holdout", "embargo") if key in keys}
    return sweep(validate={"embargo": 0, **outer, "walk_forward": {"train": "60d", "test": "10d", **keys}})


class TestWhereTheyLie:
    def test_folds_move_on_by_the_step_and_end_with_the_period(self) -> None:
        found = windows_of(walk())
        assert [fold.train.start for fold in found.folds] == [START, START + 10 * DAY, START + 20 * DAY]
        assert [fold.test.start for fold in found.folds] == [START + 60 * DAY, START + 70 * DAY, START + 80 * DAY]
        assert found.folds[0].train.end == START + 60 * DAY - 60
        assert found.folds[-1].test.end == START + 90 * DAY - 60
        assert found.left_over_s == 0

    def test_anchored_training_begins_with_the_period(self) -> None:
        found = windows_of(walk(anchored=True))
        assert {fold.train.start for fold in found.folds} == {START}
        assert found.folds[2].train.end == START + 80 * DAY - 60

    def test_the_embargo_lies_between_training_and_test(self) -> None:
        found = windows_of(walk(embargo="2d"))
        for fold in found.folds:
            assert fold.test.start - fold.train.end == 2 * DAY + 60
        assert found.left_over_s == 8 * DAY

    def test_no_window_reaches_into_the_embargo_before_the_holdout(self) -> None:
        found = windows_of(walk(holdout="15d", embargo="1d"))
        assert found.holdout is not None
        assert found.holdout.start == START + 75 * DAY
        assert found.holdout.end == START + 90 * DAY
        assert found.in_sample.end == START + 74 * DAY - 60
        assert all(fold.test.end <= found.in_sample.end for fold in found.folds)

    @given(
        train=st.integers(1, 60),
        test=st.integers(1, 20),
        more=st.integers(0, 20),
        embargo=st.integers(0, 24),
        holdout=st.integers(0, 20),
        anchored=st.booleans(),
        interval=st.sampled_from(["1m", "1h", "4h", "1d"]),
    )
    def test_training_is_before_its_test_and_tests_do_not_overlap(
        self, train: int, test: int, more: int, embargo: int, holdout: int, anchored: bool, interval: str
    ) -> None:
        keys: dict[str, Any] = {"embargo": f"{embargo}h"}
        if holdout:
            keys["holdout"] = f"{holdout}d"
        keys["walk_forward"] = {
            "train": f"{train}d",
            "test": f"{test}d",
            "step": f"{test + more}d",
            "anchored": anchored,
        }
        controller = {**SWEEP["controller"], "interval": interval}
        try:
            found = windows_of(sweep(controller=controller, validate=keys))
        except SweepFileError as error:
            assert "\n" not in str(error)
            return
        seconds = {"1m": 60, "1h": 3600, "4h": 4 * 3600, "1d": DAY}[interval]
        before = 0
        for fold in found.folds:
            assert START <= fold.train.start < fold.train.end
            assert fold.train.end + 60 + embargo * 3600 <= fold.test.start < fold.test.end
            assert fold.test.start > before
            for window in (fold.train, fold.test):
                assert window.start % seconds == 0
                assert (window.end + 60) % seconds == 0
            before = fold.test.end
        if found.holdout:
            assert before + 60 + embargo * 3600 <= found.holdout.start


class TestWhatDoesNotFit:
    @pytest.mark.parametrize(
        ("keys", "said"),
        [
            ({"train": "91d"}, "walk_forward.train: 91d is longer than the 90d of the period"),
            ({"test": "100d"}, "walk_forward.test: 100d is longer than the 90d"),
            ({"train": "85d"}, "train 85d, embargo 0s and test 10d are 95d together, and 90d of the period are left"),
            ({"step": "5d"}, "5d is shorter than the test of 10d: test windows would overlap"),
            ({"embargo": "11d"}, "validate.embargo: 11d is longer than the test of 10d"),
            ({"choice": {"point": 3}}, "point 3 is outside the grid of 3 points"),
            ({"train": "1m", "test": "1m"}, "gives more than 1,000 folds"),
            ({"holdout": "40d"}, "walk_forward.train: 60d is longer than the 50d"),
        ],
    )
    def test_one_sentence_with_the_numbers(self, keys: dict[str, Any], said: str) -> None:
        with pytest.raises(SweepFileError) as error:
            windows_of(walk(**keys))
        assert said in str(error.value)
        assert "\n" not in str(error.value)

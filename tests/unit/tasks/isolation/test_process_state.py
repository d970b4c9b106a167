"""Settings of the process are as they were when the next point begins."""

from __future__ import annotations

import decimal
import logging
import os
import resource
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.isolation.process_state import ProcessState


def _folder_that_is_gone() -> None:
    Path("gone").mkdir()
    os.chdir("gone")
    Path("../gone").rmdir()


CHANGES: dict[str, Callable[[], Any]] = {
    "precision": lambda: setattr(decimal.getcontext(), "prec", 9),
    "rounding": lambda: setattr(decimal.getcontext(), "rounding", decimal.ROUND_UP),
    "traps": lambda: decimal.getcontext().traps.update({decimal.Inexact: True}),
    "another context": lambda: decimal.setcontext(decimal.Context(prec=3)),
    "warnings": lambda: warnings.simplefilter("error"),
    "numpy": lambda: np.seterr(all="raise"),
    "logging": lambda: logging.disable(logging.CRITICAL),
    "a new variable": lambda: os.environ.update(HUMMINGSWEEP_TEST="1"),
    "a changed variable": lambda: os.environ.update(PATH="/nowhere"),
    "a missing variable": lambda: os.environ.pop("PATH"),
    "folder": lambda: os.chdir(".."),
    "a folder that is gone": _folder_that_is_gone,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_change_is_seen_and_taken_back(
    change: Callable[[], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = ProcessState.now()
    path = os.environ["PATH"]
    assert before.same()
    change()
    try:
        assert not before.same()
    finally:
        before.put_back()
    assert before.same()
    assert decimal.Decimal(1) / 3 == decimal.Decimal("0.3333333333333333333333333333")
    assert os.environ["PATH"] == path
    assert Path.cwd() == tmp_path


def test_flags_that_a_computation_raises_are_no_change() -> None:
    before = ProcessState.now()
    decimal.Decimal(1) / 3
    assert before.same()


def test_a_filter_that_hides_warnings_decides_nothing() -> None:
    before = ProcessState.now()
    warnings.filterwarnings("ignore", message="nothing like this")
    assert before.decide_the_same()
    assert not before.same()
    warnings.simplefilter("error")
    assert not before.decide_the_same()
    before.put_back()


def test_a_resource_limit_that_a_point_lowers_is_raised_again_for_the_next() -> None:
    """Every later point of the child that wrote a file was an error: `File too large`."""
    before = ProcessState.now()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 30, hard))
        assert not before.same()
        before.put_back()
        assert resource.getrlimit(resource.RLIMIT_FSIZE) == (soft, hard)
        assert before.same()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

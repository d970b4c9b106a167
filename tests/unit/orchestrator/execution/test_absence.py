"""When the last node leaves, the command says so at once, names no rate, and ends after a while."""

from __future__ import annotations

import pytest

from orchestrator.execution.absence import Absence
from orchestrator.progress.watcher import Progress
from tasks.errors import BrokerError


def test_the_last_node_that_left_is_said_once_and_its_return_too() -> None:
    said: list[str] = []
    clock = [0.0]
    absence = Absence(said.append, 180.0, lambda: clock[0])
    absence.observe(2)
    assert said == []
    for clock[0] in (1.0, 2.0, 100.0):
        absence.observe(0)
    assert len(said) == 1
    assert said[0].startswith("no node is left; `hummingsweep worker` starts one (waiting up to 3 min")
    absence.observe(4)
    assert said[1] == "a node is there again, with 4 children"
    clock[0] = 500.0
    absence.observe(0)
    clock[0] = 679.0
    absence.observe(0)
    clock[0] = 680.0
    with pytest.raises(BrokerError, match="start one with `hummingsweep worker`"):
        absence.observe(0)


def test_who_gives_up_after_0_seconds_waits_for_ever() -> None:
    clock = [0.0]
    absence = Absence(lambda _: None, 0.0, lambda: clock[0])
    for clock[0] in (1.0, 1e9):
        absence.observe(0)


def test_nobody_has_no_speed() -> None:
    assert "points/s" not in Progress(10, 5, 0, 0.0, None, 0).line()
    assert "no node computes" in Progress(10, 5, 0, 0.0, None, 0).line()
    assert "2.0 points/s" in Progress(10, 5, 0, 2.0, None, 1).line()

"""Whatever is killed, frozen, cut off or filled up at random moments, the rows are those of a quiet run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.long.chaos import compare, once

POINTS, EVENTS = 5_000, 12


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", [1, 2])
def test_rows_after_faults_at_random_moments_are_those_of_a_quiet_run(tmp_path: Path, seed: int) -> None:
    quiet = once(tmp_path / "quiet", POINTS, 0, 0)
    assert quiet.rows == POINTS
    outcome = once(tmp_path / "chaos", POINTS, EVENTS, seed)
    assert len(outcome.events) == EVENTS
    compare(outcome, quiet)

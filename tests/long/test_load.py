"""Memory under load is flat."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.long.load import measure

#: A child that loses a row's results at every point grows by gigabytes an hour.
MAX_SLOPE_MB_PER_H = 600.0


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_no_process_grows_with_the_points_it_has_seen(tmp_path: Path) -> None:
    found, rows = measure(tmp_path / "load", minutes=5)
    assert rows > 1000
    slopes = {name: memory.slope_mb_per_h for name, memory in found.items()}
    assert all(slope < MAX_SLOPE_MB_PER_H for slope in slopes.values()), slopes

"""`noise` on a sweep that has nothing to compare."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.execution.trust import noise
from orchestrator.progress.watcher import Silent
from tasks.errors import StoreError
from tasks.settings import Settings
from tests import made


@pytest.mark.parametrize(
    ("meta", "said"),
    [
        ({"rank_by": "net_pnl * (0 / 0)", "where": None}, "is empty in all .* rows"),
        ({"rank_by": "net_pnl", "where": "net_pnl > 1e9"}, "none of the .* points that ran to their end meets where"),
    ],
)
def test_without_a_ranked_point_no_world_is_computed(tmp_path: Path, meta: dict[str, str], said: str) -> None:
    made.store(tmp_path, points=range(40), meta=meta)
    with pytest.raises(StoreError, match=f"nothing to rank: .*{said}"):
        noise(tmp_path, Settings.read(), Silent(), 3, 2)

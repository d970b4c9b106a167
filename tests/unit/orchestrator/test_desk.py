"""What the desk refuses before it starts anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator import desk
from orchestrator.store import Store
from orchestrator.watcher import Silent
from tasks.errors import StoreError
from tasks.settings import Settings
from tests.unit.orchestrator.stores import fill, ok


@pytest.mark.parametrize("point", [12, 9999, -1])
def test_a_report_of_a_point_beyond_the_grid_is_one_sentence(tmp_path: Path, point: int) -> None:
    with Store.create(tmp_path) as store:
        fill(store, [ok(0)])
        store.set_meta(store.latest(), "rank_by", "point")
        store.set_meta(store.latest(), "where", None)
    with pytest.raises(StoreError, match=rf"there is no point {point}; the grid has points 0 to 11"):
        desk.report(tmp_path, Settings(), Silent(), points=[point])


def test_a_report_onto_the_store_is_refused_before_anything_is_computed(tmp_path: Path) -> None:
    with Store.create(tmp_path) as store:
        fill(store, [ok(0)])
    with pytest.raises(StoreError, match="is a file of the result store"):
        desk.report(tmp_path, Settings(), Silent(), to=tmp_path / "results.sqlite")

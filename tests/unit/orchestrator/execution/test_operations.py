"""What the orchestrator refuses before it starts anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.execution import operations
from orchestrator.progress.watcher import Silent
from orchestrator.results.store import Store
from tasks.errors import StoreError, SweepFileError
from tasks.settings import Settings
from tests.unit.orchestrator.stores import failed, fill, ok
from tests.unit.orchestrator.sweepfile.test_sweep import sweep


@pytest.mark.parametrize("point", [12, 9999, -1])
def test_a_report_of_a_point_beyond_the_grid_is_one_sentence(tmp_path: Path, point: int) -> None:
    with Store.create(tmp_path) as store:
        fill(store, [ok(0)])
        store.set_meta(store.latest(), "rank_by", "point")
        store.set_meta(store.latest(), "where", None)
    with pytest.raises(StoreError, match=rf"there is no point {point}; the grid has points 0 to 11"):
        operations.report(tmp_path, Settings(), Silent(), points=[point])


def test_a_report_onto_the_store_is_refused_before_anything_is_computed(tmp_path: Path) -> None:
    with Store.create(tmp_path) as store:
        fill(store, [ok(0)])
    with pytest.raises(StoreError, match="is a file of the result store"):
        operations.report(tmp_path, Settings(), Silent(), to=tmp_path / "results.sqlite")


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"rank_by": "net_pnll"}, r"my sweep\.yml, line \d+: rank_by: `net_pnll`: there is no column .*`net_pnl`"),
        ({"rank_by": "engine"}, r"my sweep\.yml, line \d+: rank_by: `engine`: is text, not a number"),
        ({"where": "status > 3"}, r"my sweep\.yml, line \d+: where: `status > 3`: .*text with a number"),
        ({"where": "positions > 3"}, r"my sweep\.yml, line \d+: where: `positions > 3`: there is no column"),
        ({}, r"my sweep\.yml: rank_by: `net_pnl`: there is no column"),
    ],
)
def test_a_ranking_that_cannot_be_made_names_file_line_and_key(
    tmp_path: Path, keys: dict[str, str], words: str
) -> None:
    with Store.create(tmp_path) as store:
        name = fill(store, [ok(0, net_pnl=1.0) if keys else ok(0), failed(1)])
        with pytest.raises(SweepFileError, match=words):
            operations._check_ranking(sweep(**keys), store.first(name))

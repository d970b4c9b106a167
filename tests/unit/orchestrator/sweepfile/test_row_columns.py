"""The columns that are known before there is a row are those that rows have."""

from types import SimpleNamespace

from orchestrator.results import columns
from orchestrator.sweepfile.row_columns import LEADING, row_columns
from tasks.grid import Grid
from tasks.metrics import METRICS


def test_the_list_has_every_metric_so_that_no_right_column_is_taken_for_a_slip():
    sweep = SimpleNamespace(grid=Grid.from_mapping({"length": [1, 2]}), fills="both", fill_path="worst")
    found = set(row_columns(sweep))
    assert found >= {*METRICS, *columns.STOCK, "length"}
    assert found >= {f"honest_{name}" for name in METRICS}
    assert set(LEADING) >= set(columns.LEADING)

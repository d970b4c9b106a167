"""The columns that are known before there is a row are those that rows have."""

from orchestrator.results import columns
from orchestrator.sweepfile.row_columns import LEADING, OWN, STOCK
from tasks.metrics import METRICS


def test_the_list_has_every_metric_so_that_no_right_column_is_taken_for_a_slip():
    assert set(OWN) == set(METRICS)
    assert set(STOCK) == set(columns.STOCK)
    assert set(LEADING) >= set(columns.LEADING)

"""Every column of a row is described."""

from orchestrator.results.layout import decided_by
from orchestrator.sweepfile.row_columns import LEADING
from tasks.metrics.catalogue import CATALOGUE
from tasks.metrics.columns import OTHER_COLUMNS, Source, column
from tests import made


def test_every_column_that_a_row_always_has_is_in_the_catalogue() -> None:
    names = [*LEADING, "rank", "equal_points", *decided_by(made.definition("x", {})), *(one.name for one in CATALOGUE)]
    for name in names:
        found = column(name)
        assert found.source is not Source.CONTROLLER, name
        assert found.sentence.endswith("."), name


def test_sentences_of_what_is_no_metric_end_and_begin_as_sentences_do() -> None:
    assert all(one.sentence[0].isupper() or one.name == "status" for one in OTHER_COLUMNS)


def test_a_prefix_repeats_the_metric_with_its_unit_and_direction() -> None:
    found = column("honest_best_path_max_drawdown")
    assert (found.unit, found.better) == ("fraction", column("max_drawdown").better)
    assert found.sentence.startswith("With honest fills: with the better of the two ways")


def test_an_axis_is_an_axis_even_where_a_metric_has_its_name() -> None:
    assert column("axis_sharpe", ["sharpe"]).source is Source.SWEEP
    assert column("own_figure").source is Source.CONTROLLER

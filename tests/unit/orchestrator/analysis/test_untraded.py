"""What never traded is no answer, and an empty objective ranks nothing."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from orchestrator.analysis.untraded import unranked, untraded

NAN = float("nan")


def table(**columns: list[Any]) -> pa.Table:
    size = len(next(iter(columns.values())))
    return pa.table({"point": range(size), "status": ["ok"] * size, **columns})


def test_a_sweep_without_any_executor_is_said_with_what_the_controller_swallowed() -> None:
    log = ["caught FileNotFoundError: a | WARNING: b", "caught FileNotFoundError: a", None]
    found = untraded(table(total_executors=[0, 0, 0], controller_log=log))
    assert found is not None
    assert found.points == 3
    assert found.log == [("caught FileNotFoundError: a", 2), ("WARNING: b", 1)]
    assert found.lines()[0].startswith("no point opened an executor (3 points")
    assert "2 x caught FileNotFoundError: a" in found.lines()[1]


def test_a_controller_that_said_nothing_is_told_to_be_looked_at() -> None:
    found = untraded(table(total_executors=[0]))
    assert found is not None
    assert "logged no warning" in found.lines()[1]


@pytest.mark.parametrize(
    "columns",
    [
        {"total_executors": [0, 1]},
        {"total_executors": [0, 0], "honest_total_executors": [0, 3]},
        {"net_pnl": [0.0, 0.0]},
        {"total_executors": [0, 0], "status": ["error", "timeout"]},
    ],
)
def test_one_executor_is_enough_and_failed_points_say_nothing(columns: dict[str, list[Any]]) -> None:
    assert untraded(table(**columns)) is None


def test_an_objective_that_is_empty_everywhere_ranks_nothing() -> None:
    sentence, nothing = unranked(table(sharpe=[NAN, None, NAN]), "sharpe", None)
    assert nothing
    assert sentence.startswith("nothing to rank: sharpe is empty in all 3 rows")


def test_where_the_period_is_too_short_for_an_annual_figure_its_length_is_said() -> None:
    why = "nothing is annualised (sharpe is empty): the period has 8 returns of 1h, it takes 30 returns"
    sentence, nothing = unranked(table(sharpe=[NAN, NAN], warning=[None, f"liquidated; {why}"]), "sharpe", None)
    assert nothing
    assert sentence.startswith(f"nothing to rank: sharpe is empty in all 2 rows ({why})")


def test_one_that_is_partly_empty_says_in_how_many() -> None:
    assert unranked(table(sharpe=[NAN, 1.0, 2.0]), "-sharpe", None) == (
        "-sharpe is empty in 1 of 3 rows; they are ranked last", False,
    )  # fmt: skip
    assert unranked(table(sharpe=[1.0, 2.0]), "sharpe", None) == ("", False)


def test_a_condition_that_no_point_meets_ranks_nothing() -> None:
    sentence, nothing = unranked(table(sharpe=[1.0, 2.0]), "sharpe", "sharpe > 5")
    assert nothing
    assert sentence == "nothing to rank: none of the 2 points that ran to their end meets where: sharpe > 5"

"""Warnings of rows as the ranking says them: each once."""

from __future__ import annotations

from typing import Any

from orchestrator.analysis.row_warnings import warning_lines

SHORT = "nothing is annualised (sharpe is empty): the period has 8 returns of 1h, it takes 30 returns"


def row(point: int, *warnings: str) -> dict[str, Any]:
    return {"point": point, "warning": "; ".join(warnings)}


def test_a_warning_that_every_row_carries_is_one_line() -> None:
    assert warning_lines([row(3, SHORT), row(1, SHORT), row(2, SHORT)]) == [f"warning (all 3 rows shown): {SHORT}"]


def test_a_warning_of_some_rows_names_their_points() -> None:
    lines = warning_lines([row(3, SHORT), row(1, SHORT, "liquidated"), row(2, SHORT), {"point": 9, "warning": None}])
    assert lines == [f"warning (points 3, 1, 2): {SHORT}", "warning (point 1): liquidated"]


def test_warnings_that_differ_in_figures_only_are_said_once_and_whose_figures_they_are() -> None:
    def refused(count: int) -> str:
        return f"{count} of 40 executors were refused by the exchange: an order worth {count}.5 USDT is below 5"

    assert warning_lines([row(7, refused(3)), row(8, refused(4))]) == [
        f"warning (all 2 rows shown; figures of point 7): {refused(3)}"
    ]


def test_parts_of_one_text_stay_together_and_many_points_are_counted() -> None:
    lines = warning_lines([row(point, "one thing", "another") for point in range(8)] + [row(9)])
    assert lines == ["warning (points 0, 1, 2, 3, 4 and 3 more): one thing; another"]


def test_rows_without_warnings_give_no_line() -> None:
    assert warning_lines([row(1), {"point": 2}]) == []

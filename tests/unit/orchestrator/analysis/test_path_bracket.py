"""Whether the winner hangs on the path inside the candles."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from orchestrator.analysis.path_bracket import winner_hangs_on_path


def table(**columns: list[Any]) -> pa.Table:
    rows = len(next(iter(columns.values())))
    return pa.table({"point": list(range(rows)), "status": ["ok"] * rows, **columns})


WORST, BEST = [0.1, 0.3, 0.2], [0.5, 0.35, 0.4]


@pytest.mark.parametrize(
    ("rank_by", "columns"),
    [
        ("net_pnl", {"net_pnl": WORST, "best_path_net_pnl": BEST}),
        ("-net_pnl", {"net_pnl": [-one for one in WORST], "best_path_net_pnl": [-one for one in BEST]}),
        ("net_pnl * 2", {"net_pnl": WORST, "best_path_net_pnl": BEST}),
        ("honest_net_pnl", {"net_pnl": BEST, "honest_net_pnl": WORST, "honest_best_path_net_pnl": BEST}),
    ],
)
def test_another_winner_on_the_best_path_is_said(rank_by: str, columns: dict[str, list[float]]) -> None:
    said = winner_hangs_on_path(table(**columns), rank_by, None)
    assert f"by {rank_by} it is point 1 at worst and point 0 at best" in said


@pytest.mark.parametrize(
    ("rank_by", "where", "columns"),
    [
        ("net_pnl", None, {"net_pnl": WORST, "best_path_net_pnl": [0.2, 0.5, 0.4]}),  # the same point
        ("net_pnl", None, {"net_pnl": [0.3, 0.3, 0.2], "best_path_net_pnl": [0.4, 0.5, 0.4]}),  # one of two equal ones
        ("net_pnl", "point > 0", {"net_pnl": WORST, "best_path_net_pnl": [0.9, 0.5, 0.4]}),  # the other is not ranked
        ("net_pnl", None, {"net_pnl": WORST}),  # no bracket
        ("turnover", None, {"turnover": WORST, "net_pnl": WORST, "best_path_net_pnl": BEST}),  # no twin
    ],
)
def test_where_the_winner_stays_or_nothing_is_known_nothing_is_said(
    rank_by: str, where: str | None, columns: dict[str, list[float]]
) -> None:
    assert winner_hangs_on_path(table(**columns), rank_by, where) == ""

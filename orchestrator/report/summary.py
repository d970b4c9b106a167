"""The head of the page: the verdict and the winner, before everything else."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING

from orchestrator.report.checks import Check
from orchestrator.report.text import Objective, plural, result_text, shown
from orchestrator.results.readable import percent
from tasks.named_types import JsonObject

if TYPE_CHECKING:
    from orchestrator.analysis.rank import Ranking
    from tasks.grid import Grid

#: Results of the winner beside its objective, where the row has them.
SHOWN = (
    "net_pnl",
    "honest_net_pnl",
    "net_pnl_quote",
    "max_drawdown",
    "honest_max_drawdown",
    "sharpe",
    "total_positions",
    "accuracy",
    "trades_per_day",
)
#: Findings of the checks that are repeated beside the winner.
MAX_FINDINGS = 3


def summary(
    ranking: Ranking,
    objective: Objective,
    grid: Grid,
    checks: Sequence[Check],
    details: Sequence[JsonObject],
    currency: str,
) -> SimpleNamespace | None:
    """The winner with its values, figures and what speaks against it; None without a ranked point."""
    if not ranking.rows:
        return None
    best = ranking.rows[0]
    point = int(best["point"])
    figures = [SimpleNamespace(name=objective.name, value=objective.text(best["objective"]), unit="")]
    for name in SHOWN:
        if name != objective.name and best.get(name) is not None:
            unit = currency if name.endswith("_quote") else ""
            figures.append(SimpleNamespace(name=name, value=result_text(name, best[name]), unit=unit))
    held = _held(point, details)
    if held is not None:
        figures.append(SimpleNamespace(name="price over the period", value=percent(held), unit=""))
    members = best.get("across") or {}
    return SimpleNamespace(
        title=f"Point {point}",
        values=[SimpleNamespace(name=name, value=shown(value)) for name, value in grid.values(point).items()],
        figures=figures,
        members=[SimpleNamespace(name=name, value=objective.text(value)) for name, value in members.items()],
        against=[check for check in checks if check.level == "bad"][:MAX_FINDINGS],
        equal=f"{plural(len(best['equal_points']), 'other point')} with the same results"
        if best["equal_points"]
        else "",
    )


def _held(point: int, details: Sequence[JsonObject]) -> float | None:
    """Change of the price over the period, a fraction; None where the winner's curve is not in the page."""
    for row in details:
        if row["point"] == point and row.get("detail"):
            close = row["detail"]["curve"]["close"]
            if len(close) > 1 and close[0]:
                return float(close[-1] / close[0] - 1)
    return None

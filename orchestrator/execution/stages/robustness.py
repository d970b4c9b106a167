"""Robustness: the best points run again with one condition changed at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from orchestrator.analysis.rank import rank, scored
from orchestrator.validation.robustness import checks_of, left_out, matrix, neighbours
from orchestrator.validation.rows import table_of
from tasks.named_types import JsonObject
from tasks.protocol.scenario import Scenario

if TYPE_CHECKING:
    import pyarrow as pa

    from orchestrator.analysis.rank import Ranking
    from orchestrator.execution.session import SweepSession
    from orchestrator.sweepfile.validate import Robustness


def robustness(session: SweepSession, ranking: Ranking) -> JsonObject | None:
    """The matrix of the best points under what the sweep file asks for; None where it asks for nothing.

    Raises BrokerError, StoreError.
    """
    asked = session.sweep.validation.robustness
    return None if asked is None else under_changed_conditions(session, asked)


def under_changed_conditions(session: SweepSession, asked: Robustness, points: Sequence[int] = ()) -> JsonObject | None:
    """The matrix of `points`, or of the best ones; None when no point is ranked, or after an interrupt."""
    store, name, sweep = session.store, session.definition.sweep, session.sweep
    table = store.table(name)
    best_first = rank(table, sweep.rank_by, sweep.where, grid=sweep.grid, across=sweep.across, top=asked.points)
    chosen = list(points) or [int(row["point"]) for row in best_first.rows]
    if not chosen:
        return None
    checks = checks_of(sweep, asked)
    scenarios = [Scenario(**check.changes) for check in checks]
    session.compute(dict.fromkeys(scenarios, chosen), "robustness")
    if session.interrupted:
        return None
    plain = _objectives(table, sweep.rank_by)
    changed: dict[tuple[str, int], float] = {}
    for check, scenario in zip(checks, scenarios, strict=True):
        found = _objectives(table_of(store, name, scenario), sweep.rank_by)
        changed |= {(check.label, point): found[point] for point in chosen if point in found}
    around = {
        point: [(what, other, plain.get(other, float("nan"))) for what, other in neighbours(sweep.grid, point)]
        for point in (chosen if asked.neighbours else [])
    }
    found_matrix = matrix(chosen, checks, plain, changed, around, ascending=best_first.ascending)
    return {"rank_by": sweep.rank_by, **found_matrix, "left_out": left_out(sweep, asked)}


def _objectives(table: pa.Table, rank_by: str) -> dict[int, float]:
    """Point -> `rank_by`, of the points that are ok."""
    found = scored(table, rank_by)
    return dict(zip(found.points.tolist(), found.objective.tolist(), strict=True))

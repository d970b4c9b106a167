"""From stored rows to what a walk-forward reads: tables of windows, and results of points on them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.analysis.rank import scored
from orchestrator.validation.joined import Piece, piece_of
from orchestrator.validation.walk import WindowResult
from tasks.protocol.scenario import Scenario

if TYPE_CHECKING:
    import pyarrow as pa

    from orchestrator.results.store import Store
    from orchestrator.validation.folds import Window, Windows

#: What a window is for.
TRAIN, TEST, HOLDOUT = "train", "test", "holdout"


def table_of(store: Store, sweep: str, scenario: Scenario) -> pa.Table:
    """All rows of a sweep under a scenario, see Store.table."""
    return store.table(sweep, scenario=str(scenario))


def results_of(
    store: Store, sweep: str, window: Window, rank_by: str, points: Iterable[int] | None = None
) -> dict[int, WindowResult]:
    """Point -> what it did on a window, for those (of `points`; None: all) that have a row there.

    A point that failed has no returns and no objective. Raises ExpressionError.
    """
    table = table_of(store, sweep, window.scenario)
    found = scored(table, rank_by)
    objective = dict(zip(found.points.tolist(), found.objective.tolist(), strict=True))
    returns = store.returns(sweep, str(window.scenario))
    column = {} if returns is None else {int(point): place for place, point in enumerate(returns.points)}
    wanted = None if points is None else set(points)
    trades = _trades(table)
    results: dict[int, WindowResult] = {}
    for point, status in zip(table.column("point").to_pylist(), table.column("status").to_pylist(), strict=True):
        if wanted is not None and point not in wanted:
            continue
        piece = Piece(window, 1, np.empty(0), np.empty(0))
        if returns is not None:
            piece = Piece(window, returns.interval_s, np.empty(0), np.empty(0))
            if point in column:
                piece = piece_of(
                    window,
                    returns.interval_s,
                    returns.values[:, column[point]].astype(np.float64),
                    returns.ends.astype(np.float64),
                )
        results[point] = WindowResult(piece, objective.get(point, float("nan")), status, trades.get(point))
    return results


def _trades(table: pa.Table) -> dict[int, float]:
    """Point -> positions that traded, where the rows say it."""
    if "total_positions" not in table.column_names:
        return {}
    pairs = zip(table.column("point").to_pylist(), table.column("total_positions").to_pylist(), strict=True)
    return {point: float(count) for point, count in pairs if count is not None}


def roles(windows: Windows) -> dict[str, list[tuple[str, str, Window]]]:
    """Scenario -> the (name, role, window) it stands for; two folds may share one."""
    found: dict[str, list[tuple[str, str, Window]]] = {}
    for fold in windows.folds:
        for role, window in ((TRAIN, fold.train), (TEST, fold.test)):
            found.setdefault(str(window.scenario), []).append((f"{role} {fold.number + 1}", role, window))
    if windows.holdout:
        found.setdefault(str(windows.holdout.scenario), []).append((HOLDOUT, HOLDOUT, windows.holdout))
    return found

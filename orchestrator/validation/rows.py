"""From stored rows to what a walk-forward reads: tables of windows, and results of points on them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.analysis.rank import scored
from orchestrator.validation.folds import windows_of
from orchestrator.validation.joined import Piece, common_interval_s, in_longer_intervals, piece_of
from orchestrator.validation.walk import WindowResult
from tasks.intervals import interval_seconds
from tasks.protocol.returns import period_ends
from tasks.protocol.scenario import Scenario

if TYPE_CHECKING:
    import pyarrow as pa

    from orchestrator.results.returns import StoredReturns
    from orchestrator.results.store_reader import StoreReader
    from orchestrator.sweepfile.sweep import Sweep
    from orchestrator.validation.folds import Window, Windows

#: What a window is for.
TRAIN, TEST, HOLDOUT = "train", "test", "holdout"


def table_of(store: StoreReader, sweep: str, scenario: Scenario) -> pa.Table:
    """All rows of a sweep under a scenario, see StoreReader.table."""
    return store.table(sweep, scenario=str(scenario))


def results_of(
    store: StoreReader, sweep: str, about: Sweep, window: Window, points: Iterable[int] | None = None
) -> dict[int, WindowResult]:
    """Point -> what it did on a window, for those (of `points`; None: all) that have a row there.

    `sweep`: its id; `about`: its file. Returns are at the interval at which those of all its windows can be set side by
    side. A point that failed has no returns and no objective. Raises ExpressionError.
    """
    table = table_of(store, sweep, window.scenario)
    found = scored(table, about.rank_by)
    objective = dict(zip(found.points.tolist(), found.objective.tolist(), strict=True))
    wanted = None if points is None else set(points)
    pieces = _Pieces(store.returns(sweep, str(window.scenario)), window, about)
    trades = _trades(table)
    results: dict[int, WindowResult] = {}
    for point, status in zip(table.column("point").to_pylist(), table.column("status").to_pylist(), strict=True):
        if wanted is not None and point not in wanted:
            continue
        value = objective.get(point, float("nan"))
        results[point] = WindowResult(pieces.of(point), value, status, trades.get(point))
    return results


class _Pieces:
    """The stored returns of a window, a piece a point."""

    def __init__(self, returns: StoredReturns | None, window: Window, about: Sweep):
        self._returns, self._window = returns, window
        self._column = {} if returns is None else {int(point): place for place, point in enumerate(returns.points)}
        windows = windows_of(about)
        # a hold-out may be longer than what was ranked; its length is not to change the joined curve of the tests
        others = [windows.holdout] if window == windows.holdout else [*_unique(windows), window]
        resolution_s = interval_seconds(about.resolution)
        wanted_s = common_interval_s((windows.in_sample, *filter(None, others)), resolution_s)
        own_s = 1 if returns is None else returns.interval_s
        self._interval_s = wanted_s if wanted_s % own_s == 0 else own_s
        self._ends = period_ends(window.start, window.end, resolution_s, self._interval_s).astype(np.float64)

    def of(self, point: int) -> Piece:
        """Of one point; without returns where none are stored of it."""
        if self._returns is None or point not in self._column:
            return Piece(self._window, self._interval_s, np.empty(0), np.empty(0))
        values = self._returns.values[:, self._column[point]].astype(np.float64)
        piece = piece_of(self._window, self._returns.interval_s, values, self._returns.ends.astype(np.float64))
        if piece.interval_s == self._interval_s:
            return piece
        return in_longer_intervals(piece, self._interval_s, self._ends)


def _unique(windows: Windows) -> list[Window]:
    """The windows of all folds, each once, in order."""
    return list(dict.fromkeys(window for fold in windows.folds for window in (fold.train, fold.test)))


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

"""Live replay of points of a stored sweep: the command `live`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orchestrator.analysis.across import of_meta
from orchestrator.analysis.rank import rank
from orchestrator.execution.planner import check_points
from orchestrator.execution.session import reopened
from orchestrator.execution.stages.live import replayed
from orchestrator.progress.watcher import Watcher
from orchestrator.results.store_reader import StoreReader
from tasks.errors import HummingsweepError
from tasks.named_types import Row
from tasks.settings import Settings


def live_replay(
    folder: Path, settings: Settings, watcher: Watcher, points: Sequence[int], best: int, budget_s: float = 0.0
) -> Row:
    """Replay points of the latest sweep of an output folder, or its best ones where `points` is empty.

    `budget_s`: seconds a replay may take; 0: the whole period, as far as point_timeout allows. Returns what
    orchestrator.execution.stages.live.summary gives; it is stored too. Raises StoreError, BrokerError, and
    HummingsweepError where no point is ranked.
    """
    with StoreReader.open(folder) as store:
        name = store.latest()
        check_points(name, points, store.sweep(name).grid.size)
        meta = store.meta(name)
        ranking = rank(
            store.table(name),
            meta["rank_by"],
            meta["where"],
            grid=store.sweep(name).grid,
            top=best,
            across=of_meta(meta),
        )
    chosen = list(points) or [int(row["point"]) for row in ranking.rows[:best]]
    if not chosen:
        raise HummingsweepError(f"{folder}: no point is ranked; name one with --point")
    with reopened(folder, settings, watcher) as session:
        found = replayed(session, chosen, budget_s)
        session.store.set_meta(session.definition.sweep, "live", found)
        return found

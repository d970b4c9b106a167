"""The stage `noise_worlds`: the sweep again on permuted candles (orchestrator.analysis.noise)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.analysis.noise import noise_answer, world
from orchestrator.sweepfile.skip import points_of, skip_of, spread_kept
from tasks.grid import Grid
from tasks.named_types import JsonObject

if TYPE_CHECKING:
    from orchestrator.analysis.rank import Ranking
    from orchestrator.execution.session import SweepSession


def noise_worlds(session: SweepSession, ranking: Ranking) -> JsonObject | None:
    """As `validate: {noise_worlds, noise_points}` asks; None where it does not. Raises BrokerError, StoreError."""
    asked = session.sweep.validation
    if not asked.noise_worlds or ranking.best is None:
        return None
    return run_worlds(session, asked.noise_worlds, asked.noise_points)


def run_worlds(session: SweepSession, worlds: int, points: int) -> JsonObject | None:
    """Compute `points` points, spread over the grid, in each of so many worlds, and compare.

    Rows that are there already are not computed again: asking for more worlds later goes on where it stopped. None
    after an interrupt. Raises BrokerError, StoreError.
    """
    definition, sweep = session.definition, session.sweep
    grid = Grid.from_mapping(definition.grid)
    kept = points_of(definition)
    chosen = None if points >= kept else list(spread_kept(grid, points, skip_of(definition)))
    numbers = range(1, worlds + 1)
    session.watcher.say(
        f"noise worlds: {len(chosen) if chosen else kept:,} points on each of {worlds} markets of permuted candles"
    )
    summary = session.compute({world(number): chosen for number in numbers}, "noise worlds")
    if summary.interrupted:
        return None
    there = chosen or [int(point) for point in session.store.table(definition.sweep).column("point").to_pylist()]
    return noise_answer(session.store, definition.sweep, numbers, there, sweep.rank_by, sweep.where)

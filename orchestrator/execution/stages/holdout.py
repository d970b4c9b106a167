"""The hold-out: the best points of the final ranking and as many random ones, on the part that nothing has seen."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from orchestrator.analysis.rank import rank, scored
from orchestrator.validation import holdout as held
from orchestrator.validation.folds import windows_of
from orchestrator.validation.rows import results_of
from orchestrator.validation.window_order import returns_of
from tasks.named_types import JsonObject

if TYPE_CHECKING:
    from orchestrator.analysis.rank import Ranking
    from orchestrator.execution.session import SweepSession
    from orchestrator.results.store_reader import StoreReader
    from orchestrator.validation.folds import Window
    from tasks.protocol.messages import SweepDefinition

#: Where a sweep's notes keep its looks.
LOOKS = "holdout_looks"


def holdout(session: SweepSession, ranking: Ranking) -> JsonObject | None:
    """The answer of `orchestrator.validation.holdout.answer`, and `rank_by`; None without a hold-out or a ranked point.

    Raises BrokerError, StoreError.
    """
    sweep, store, name = session.sweep, session.store, session.definition.sweep
    window = windows_of(sweep).holdout
    if window is None:
        return None
    table = store.table(name)
    count = sweep.validation.holdout_points
    best_first = rank(table, sweep.rank_by, sweep.where, grid=sweep.grid, across=sweep.across, top=count)
    best, drawn = held.points_to_look_at(best_first, table, sweep.rank_by, sweep.where, count, sweep.seed)
    if not best:
        return None
    points = sorted({*best, *drawn})
    mine = list(store.meta(name).get(LOOKS) or [])
    if held.is_new(mine, window, points):
        # noted before the rows are there: whoever stops the run in between may have seen them
        store.set_meta(name, LOOKS, [*mine, held.look(window, points, time.time())])
    session.compute({window.scenario: points}, "hold-out")
    if session.interrupted:
        return None
    found = scored(table, sweep.rank_by)
    inside = dict(zip(found.points.tolist(), found.objective.tolist(), strict=True))
    results = results_of(store, name, sweep, window, points)
    looks = held.count_looks(looks_of(store, session.definition), window) + _ranked_on(
        store, session.definition, window
    )
    found_there = held.answer(window, best, drawn, inside, results, looks, ascending=ranking.ascending)
    return {"rank_by": sweep.rank_by, "returns_of": returns_of(sweep), **found_there}


def looks_of(store: StoreReader, definition: SweepDefinition) -> list[JsonObject]:
    """Every noted look at a hold-out by sweeps of this folder with the same controller on the same market."""
    about = _about(definition)
    return [
        look for stored in store.sweeps() if _about(stored.definition) == about for look in stored.meta.get(LOOKS) or []
    ]


def _ranked_on(store: StoreReader, definition: SweepDefinition, window: Window) -> int:
    """Sweeps of this folder with the same controller on the same market that have rows of a period with a part of the
    hold-out in it: their ranking showed it, and they are a look each, but for those whose own look is noted."""
    return sum(
        _about(stored.definition) == _about(definition)
        and stored.definition.start <= window.end
        and window.start <= stored.definition.end
        and not held.count_looks(stored.meta.get(LOOKS) or [], window)
        and bool(store.counts(stored.sweep))
        for stored in store.sweeps()
    )


def _about(definition: SweepDefinition) -> tuple[str, ...]:
    keys = ("controller_type", "controller_name", "connector_name", "trading_pair")
    return tuple(str(definition.grid.get(key) or definition.controller.get(key)) for key in keys)

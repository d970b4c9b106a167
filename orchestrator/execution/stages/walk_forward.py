"""The walk-forward: every point on the training windows, the chosen ones and the control on the tests.

    training    every point on a training window
    choosing    from its rows; nothing is run
    testing     the chosen points and the control on the test window (`all: true`: every point)

The test of a fold runs beside the training of the next one, so that folds appear one after the other and no child waits
for the last points of a window. What has a row already is not run again: an interrupted walk-forward goes on where it
stopped, and a window is run once for all folds and sweep files that share it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from orchestrator.validation.answer import answer_of, chosen_points, filled, points_to_test, walk_answer
from orchestrator.validation.folds import windows_of
from tasks.named_types import JsonObject
from tasks.protocol.scenario import Scenario

if TYPE_CHECKING:
    from orchestrator.analysis.rank import Ranking
    from orchestrator.execution.session import SweepSession
    from orchestrator.validation.folds import Fold
    from orchestrator.validation.walk import Chosen


def walk_forward(session: SweepSession, ranking: Ranking) -> JsonObject | None:
    """The answer of `orchestrator.validation.answer.walk_answer`; None where the sweep file has no walk_forward.

    Raises BrokerError, StoreError.
    """
    asked = session.sweep.validation.walk_forward
    if asked is None:
        return None
    store, name, sweep = session.store, session.definition.sweep, session.sweep
    folds = windows_of(sweep).folds
    started = time.monotonic()
    done: list[Chosen] = []
    tested: Fold | None = None
    for fold in (*folds, None):
        work: dict[Scenario, Iterable[int] | None] = {}
        if fold is not None:
            work[fold.train.scenario] = None
        if tested is not None and (points := _to_test(session, tested)) != []:
            work[tested.test.scenario] = points
        if work:
            number = len(folds) if fold is None else fold.number + 1
            session.compute(work, f"walk-forward, fold {number} of {len(folds)}")
        if session.interrupted:
            return None
        if tested is not None:
            done.append(filled(store, name, sweep, tested))
            if fold is not None:  # for who watches: the whole answer comes at the end
                store.set_meta(name, "walk_forward", answer_of(sweep, done))
        tested = fold
    answer = walk_answer(store, name, sweep)
    return None if answer is None else {**answer, "seconds": time.monotonic() - started}


def _to_test(session: SweepSession, fold: Fold) -> list[int] | None:
    """The points that a test window wants; None: all."""
    walk_forward = session.sweep.validation.walk_forward
    if walk_forward is not None and walk_forward.all:
        return None
    return points_to_test(chosen_points(session.store, session.definition.sweep, session.sweep, fold))

"""The walk-forward: every point on the training windows, the chosen ones and the control on the tests.

    training    every point on every training window
    choosing    from the training rows; nothing is run
    testing     the chosen points and the control on their test windows (`all: true`: every point)

Every step is a set of points under scenarios: what has a row already is not run again, so that an interrupted
walk-forward goes on where it stopped, and a window is run once for all folds and sweep files that share it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from orchestrator.validation.answer import chosen_points, points_to_test, walk_answer
from orchestrator.validation.folds import windows_of
from tasks.protocol.scenario import Scenario

if TYPE_CHECKING:
    from orchestrator.analysis.rank import Ranking
    from orchestrator.execution.session import SweepSession


def walk_forward(session: SweepSession, ranking: Ranking) -> dict[str, Any] | None:
    """The answer of `orchestrator.validation.answer.walk_answer`; None where the sweep file has no walk_forward.

    Raises BrokerError, StoreError.
    """
    asked = session.sweep.validation.walk_forward
    if asked is None:
        return None
    store, name, sweep = session.store, session.definition.sweep, session.sweep
    folds = windows_of(sweep).folds
    started = time.monotonic()
    training: dict[Scenario, Iterable[int] | None] = {fold.train.scenario: None for fold in folds}
    if asked.all:
        training |= {fold.test.scenario: None for fold in folds}
    session.compute(training, f"walk-forward, {len(folds)} folds, training")
    if session.interrupted:
        return None
    if not asked.all:
        chosen = {fold.test.scenario: points_to_test(chosen_points(store, name, sweep, fold)) for fold in folds}
        tests: dict[Scenario, Iterable[int] | None] = {each: points for each, points in chosen.items() if points}
        if tests:
            session.compute(tests, f"walk-forward, {len(folds)} folds, tests")
        if session.interrupted:
            return None
    answer = walk_answer(store, name, sweep)
    return None if answer is None else {**answer, "seconds": time.monotonic() - started}

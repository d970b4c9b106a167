"""What is asked of a stored sweep's windows: the walk-forward, the rows, the points under changed conditions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.execution.planner import check_points
from orchestrator.execution.session import reopened, stored_sweep
from orchestrator.execution.stages.robustness import under_changed_conditions
from orchestrator.results.store_reader import StoreReader
from orchestrator.validation.answer import walk_answer
from orchestrator.validation.folds import windows_of
from orchestrator.validation.window_rows import WindowRows
from tasks.errors import StoreError
from tasks.named_types import JsonObject

if TYPE_CHECKING:
    from orchestrator.progress.watcher import Watcher
    from orchestrator.sweepfile.validate import Robustness
    from tasks.settings import Settings


def walk_forward(folder: Path) -> JsonObject:
    """What the latest sweep of a folder says of its windows: `sweep`, `walk_forward`, `robustness` and `holdout`.

    The walk-forward is worked out from the rows that are there, also while the sweep runs; None where the sweep file
    has none. Raises StoreError for a sweep without windows.
    """
    with StoreReader.open(folder) as store:
        name = store.latest()
        sweep = _with_windows(store)
        meta = store.meta(name)
        answer = walk_answer(store, name, sweep)
    return {
        "sweep": name,
        "walk_forward": answer,
        "robustness": meta.get("robustness"),
        "holdout": meta.get("holdout"),
    }


def window_rows(store: StoreReader) -> WindowRows:
    """The rows of the windows of a store's latest sweep. Raises StoreError for a sweep without windows."""
    return WindowRows(store, store.latest(), windows_of(_with_windows(store)))


def robustness(
    folder: Path, settings: Settings, watcher: Watcher, asked: Robustness, points: Sequence[int] = ()
) -> JsonObject | None:
    """The best points of a stored sweep (or `points`) under changed conditions; None when no point is ranked.

    Raises HummingsweepError for whatever the user can mend.
    """
    with StoreReader.open(folder) as store:
        check_points(store.latest(), points, store.sweep(store.latest()).grid.size)
    with reopened(folder, settings, watcher) as session:
        answer = under_changed_conditions(session, asked, points)
        if session.interrupted:
            raise KeyboardInterrupt
        if answer is not None and not points:
            session.store.set_meta(session.definition.sweep, "robustness", answer)
        return answer


def _with_windows(store: StoreReader) -> Any:
    """The latest sweep's file. Raises StoreError where it asks for no windows."""
    sweep = stored_sweep(store)
    windows = windows_of(sweep)
    if not windows.folds and windows.holdout is None:
        raise StoreError(
            f"{store.folder}: its sweep file asks for no windows; add "
            "`validate: {walk_forward: {train: 60d, test: 14d}, holdout: 30d}` and run it again"
        )
    return sweep

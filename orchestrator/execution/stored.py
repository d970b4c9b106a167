"""How the sweeps of output folders stand when no broker knows of them: for `watch` and `list` on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from orchestrator.progress.standing import Standing
from orchestrator.results.database import FILE
from orchestrator.results.layout import StoredSweep
from orchestrator.results.store_reader import StoreReader
from orchestrator.results.sweep_ref import resolve
from orchestrator.sweepfile.skip import points_of
from tasks.errors import HummingsweepError, StoreError
from tasks.protocol.messages import Status
from tasks.protocol.records import SweepState, SweepStatus


def stored_standing(reference: str) -> Standing | None:
    """The latest sweep of an output folder, or of its name under `runs`; None where there is no such folder."""
    try:
        folder = resolve(reference)
        with StoreReader.open(folder) as store:
            return _standing(store, store.sweeps()[0])
    except (StoreError, IndexError):
        return None


def stored_standings(runs: Path = Path("runs")) -> Iterator[Standing]:
    """Every sweep of the output folders in a folder, the folders by name; what cannot be read is left out."""
    for folder in sorted(runs.iterdir()) if runs.is_dir() else []:
        if not (folder / FILE).is_file():
            continue
        try:
            with StoreReader.open(folder) as store:
                yield from [_standing(store, stored) for stored in store.sweeps()]
        except HummingsweepError:
            continue


def _standing(store: StoreReader, stored: StoredSweep) -> Standing:
    counts = store.counts(stored.sweep)
    points, done = points_of(stored.definition), sum(counts.values())
    status = SweepStatus(
        points=points,
        done=done,
        failed=done - counts.get(Status.OK, 0),
        state=SweepState.DONE if done >= points else SweepState.STOPPED,
        at=stored.created,
    )
    return Standing(stored.sweep, status, None, 0, 0, 0, ())

"""Tests of a finished sweep that are asked for afterwards, and the verdict with them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestrator.analysis.untraded import unranked
from orchestrator.execution.operations import judged
from orchestrator.execution.session import reopened
from orchestrator.execution.stages.noise import run_worlds
from orchestrator.progress.watcher import Watcher
from orchestrator.results.store_reader import StoreReader
from tasks.errors import StoreError
from tasks.named_types import JsonObject
from tasks.settings import Settings


@dataclass(frozen=True)
class NoiseAnswer:
    """What `noise` found."""

    #: None after an interrupt
    noise: JsonObject | None
    #: the verdict with it
    trust: JsonObject


def noise(folder: Path, settings: Settings, watcher: Watcher, worlds: int, points: int) -> NoiseAnswer:
    """Run the latest sweep of a folder on worlds of permuted candles.

    Raises StoreError, also where no point of the sweep is ranked, so that there is nothing to compare; BrokerError.
    """
    with StoreReader.open(folder) as store:
        name = store.latest()
        meta = store.meta(name)
        sentence, is_nothing = unranked(store.table(name), meta["rank_by"], meta["where"])
    if is_nothing:
        raise StoreError(f"{folder}: {sentence}")
    with reopened(folder, settings, watcher) as session:
        found = run_worlds(session, worlds, points)
        if found is not None:
            session.store.set_meta(name, "noise_worlds", found)
        return NoiseAnswer(found, judged(session.store, name, session.sweep))

"""Tests of a finished sweep that are asked for afterwards, and the verdict with them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestrator.execution.operations import judged
from orchestrator.execution.session import reopened
from orchestrator.execution.stages.noise import run_worlds
from orchestrator.progress.watcher import Watcher
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
    """Run the latest sweep of a folder on worlds of permuted candles. Raises StoreError, BrokerError."""
    with reopened(folder, settings, watcher) as session:
        name = session.definition.sweep
        found = run_worlds(session, worlds, points)
        if found is not None:
            session.store.set_meta(name, "noise_worlds", found)
        return NoiseAnswer(found, judged(session.store, name, session.sweep))

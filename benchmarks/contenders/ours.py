"""This project, through the same calls as `hummingsweep run` without ranking and report."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from contenders.others import Sweep
from contenders.work import COMPARED, WARMING, Row

from orchestrator.cluster import broker
from orchestrator.cluster.broker import Cluster
from orchestrator.execution import publish
from orchestrator.execution.run import RunContext, run
from orchestrator.progress.watcher import Silent
from orchestrator.results.store import Store
from orchestrator.sweepfile.sweep import Sweep as SweepFile
from orchestrator.sweepfile.sweep import read
from tasks.protocol.messages import Rows, SweepDefinition
from tasks.settings import Settings


class Heard:
    """A store that remembers when what came in."""

    def __init__(self, store: Store):
        self._store = store
        self.taken: list[Rows] = []
        #: time.monotonic() when a chunk was stored, as `taken`
        self.moments: list[float] = []

    def insert(self, sweep: str, rows: Rows) -> int:
        stored = self._store.insert(sweep, rows)
        self.taken.append(rows)
        self.moments.append(time.monotonic())
        return stored

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


@contextlib.contextmanager
def ours(folder: Path, workers: int) -> Iterator[Sweep]:
    """An embedded cluster; publishing and the output folders are part of the start, as the others' candles are."""
    sweep = read(folder / "sweep.yml")
    with cluster(workers) as running, contextlib.ExitStack() as folders:
        definitions = {
            one.grid.size: publish.publish(one, running, Silent()) for one in (warming(sweep), sweep)
        }  # fmt: skip
        ready = {size: folders.enter_context(empty_store(definition)) for size, definition in definitions.items()}

        def rows(points: list[int]) -> Iterator[Row]:
            definition = definitions[len(points)]
            heard = collected(running, definition, ready[len(points)])
            for moment, chunk in zip(heard.moments, heard.taken, strict=True):
                pid = int(chunk.node.rpartition("/")[2])
                for row in chunk.to_dicts():
                    found = {name: row.get(name) for name in COMPARED} if row["status"] == "ok" else {"": row["error"]}
                    yield row["point"], found, pid, row["seconds"], moment
            ready[len(points)] = folders.enter_context(empty_store(definition))  # for the next time

        yield rows


def warming(sweep: SweepFile) -> SweepFile:
    """The first WARMING points of a sweep whose last axis has more values."""
    name, values = list(sweep.grid.to_mapping().items())[-1]
    firsts = {axis: given[:1] for axis, given in sweep.grid.to_mapping().items()}
    return sweep.changed(name="warming", grid={**firsts, name: (values * WARMING)[:WARMING]})


@contextlib.contextmanager
def cluster(workers: int, **changes: Any) -> Iterator[Cluster]:
    """An embedded cluster with settings and a cache of its own."""
    with tempfile.TemporaryDirectory() as cache:
        settings = dataclasses.replace(Settings(), children=workers, cache=cache, mirror=f"{cache}/mirror", **changes)
        with broker.session(settings) as running:
            yield running


@contextlib.contextmanager
def empty_store(definition: SweepDefinition) -> Iterator[Store]:
    """A store that waits for the rows of a sweep, and is seeded away."""
    with tempfile.TemporaryDirectory() as out, Store.create(Path(out)) as store:
        store.add_sweep(definition, "", {"rank_by": "net_pnl", "where": None})
        yield store


def collected(running: Cluster, definition: SweepDefinition, store: Store) -> Heard:
    """A whole sweep into a store."""
    heard = Heard(store)
    context = RunContext(running, heard, definition, Silent())  # type: ignore[arg-type]
    run(context, target_s=running.settings.chunk_seconds)
    return heard

"""A sweep in steps, against a cluster: submit, watch, cancel, list.

`submit` leaves after the last chunk was sent; the rows wait in the broker's stream until somebody collects them into
the output folder.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import batched
from pathlib import Path
from statistics import mean, median

from orchestrator.cluster import bookkeeping, broker
from orchestrator.cluster.bookkeeping import known_sweeps, read_sweep
from orchestrator.cluster.collect import Stream
from orchestrator.cluster.lease import collector_lease
from orchestrator.execution import publish
from orchestrator.execution.agenda import missing_runs
from orchestrator.execution.follow import Follower
from orchestrator.execution.gather import gather
from orchestrator.execution.planner import Planner
from orchestrator.execution.reconcile import collect_waiting
from orchestrator.execution.run import write_status
from orchestrator.execution.session import opened
from orchestrator.execution.source import GridSource
from orchestrator.execution.stored import stored_standing, stored_standings
from orchestrator.progress.standing import Standing, facts, standing_of, sweeps_on
from orchestrator.progress.watcher import Watcher
from orchestrator.results.store_reader import StoreReader
from orchestrator.results.sweep_ref import resolve
from orchestrator.sweepfile.skip import points_of, skip_of, spread_kept
from orchestrator.sweepfile.sweep import Sweep
from tasks.errors import BrokerError, StoreError
from tasks.grid import Grid
from tasks.named_types import (
    JsonObject,
)
from tasks.protocol.chunks import Chunk
from tasks.protocol.keys import Keys
from tasks.protocol.messages import Kind, Status, SweepDefinition
from tasks.protocol.records import SweepState
from tasks.protocol.scenario import PLAIN
from tasks.settings import Settings

#: Points timed before a submitted sweep is cut into chunks; where they seem to take less than CHEAP_S, which may be a
#: child's first steps, so many neighbours more.
TIMED_POINTS = 4
CHEAP_S = 2.0
NEIGHBOURS = 16
#: Chunks that a submitted sweep sends at a time.
BATCH = 500


@dataclass(frozen=True)
class Sent:
    """What `submit` did."""

    sweep: str
    points: int
    chunks: int
    out: str


def submit(sweep: Sweep, out: Path, settings: Settings, watcher: Watcher) -> Sent:
    """Publish and send everything that has no row yet. Raises BrokerError without a broker address."""
    if not settings.broker:
        raise BrokerError("submit needs a cluster: give --broker or set HUMMINGSWEEP_BROKER (`run` needs none)")
    with opened(sweep, out, settings, watcher) as session:
        store, cluster, definition = session.store, session.cluster, session.definition
        keys = Keys(definition.sweep)
        redis = cluster.redis
        bookkeeping.put_away_foreign(redis, keys, watcher.say)
        with collector_lease(redis, keys, watcher.say):
            generation = int(redis.incr(keys.generation))
            redis.delete(keys.cancelled)
            session.take_whole([PLAIN])
            stored = sum(collect_waiting(Stream(redis, definition, out), store, definition.sweep).values())
            size = points_of(definition)
            missing = missing_runs(store, definition)
            source = GridSource(missing, size - stored, sweep.grid)
            planner = Planner(source, target_s=settings.chunk_seconds)
            _time_points(cluster, definition, planner, source, watcher)
            chunks = 0
            for chunk_id in _send_all(cluster, definition, planner, generation):
                chunks += 1
                if chunks % 1000 == 0:
                    watcher.say(f"{chunks} chunks sent (up to {chunk_id})")
            write_status(cluster, keys, size, Counter({Status.OK: stored}), SweepState.SUBMITTED)
    return Sent(definition.sweep, size - stored, chunks, str(out))


def watch(reference: str, settings: Settings, watcher: Watcher) -> None:
    """Follow until every point has a row, collecting the rows when nobody else does. Raises BrokerError.

    Ends with a word when nothing can come any more: the sweep was stopped, or its command is gone.
    """
    if (known := _without_broker(reference, settings)) is not None:
        watcher.say(next(known.lines()))
        return
    with broker.session(_cluster_settings(settings), say=watcher.say) as cluster:
        Follower(cluster, *_name(reference, cluster), watcher).follow()


def standing(reference: str, settings: Settings) -> Standing:
    """How a sweep stands now: points, done, failed, state, nodes with speed, chunks running. Raises BrokerError."""
    if (known := _without_broker(reference, settings)) is not None:
        return known
    with broker.session(_cluster_settings(settings)) as cluster:
        return standing_of(cluster, _name(reference, cluster)[0])


def cancel(reference: str, settings: Settings) -> tuple[str, str]:
    """Mark a sweep as cancelled unless every point has a row; its id and its state then.

    Raises BrokerError when the broker does not know it.
    """
    with broker.session(_cluster_settings(settings)) as cluster:
        name, _ = _name(reference, cluster)
        status = read_sweep(cluster.redis, name).status
        if status is not None and status.done >= status.points:
            return name, SweepState.DONE.value
        bookkeeping.cancel(cluster.redis, name)
        return name, SweepState.CANCELLED.value


def sweeps(settings: Settings, say: Callable[[str], object] = lambda _: None) -> list[JsonObject]:
    """The sweeps on the broker, the newest first; without one, those that this machine runs and those in `runs`."""
    running: list[JsonObject] = []
    if _any_broker(settings):
        with broker.session(_cluster_settings(settings), say=say) as cluster:
            running = list(sweeps_on(cluster))
    if settings.broker:
        return running
    named = {one["sweep"] for one in running}
    return running + [facts(one.sweep, one.status) for one in stored_standings() if one.sweep not in named]


def _without_broker(reference: str, settings: Settings) -> Standing | None:
    """How a sweep stands that no broker needs to be asked for: a finished one, or where none runs here; else None."""
    known = stored_standing(reference)
    if known is not None and (known.status.state == SweepState.DONE or not _any_broker(settings)):
        return known
    return None


def _any_broker(settings: Settings) -> bool:
    return bool(settings.broker) or broker.embedded_is_running(settings)


def _cluster_settings(settings: Settings) -> Settings:
    """With the address of this machine's running embedded server when none is given. Raises BrokerError."""
    if settings.broker:
        return settings
    return broker.running_embedded(settings)


def _name(reference: str, cluster: broker.Cluster) -> tuple[str, Path | None]:
    """The sweep id and, where it is known here, the output folder."""
    try:
        folder = resolve(reference)
        with StoreReader.open(folder) as store:
            return store.latest(), folder
    except StoreError:
        known = known_sweeps(cluster.redis)
        for name in known:
            if name == reference or name.rpartition("-")[0] == reference:
                return name, None
        there = ", ".join(known) or "none"
        raise BrokerError(
            f"{reference}: neither an output folder nor a sweep on this broker (there are: {there})"
        ) from None


def _time_points(
    cluster: broker.Cluster, definition: SweepDefinition, planner: Planner, source: GridSource, watcher: Watcher
) -> None:
    """Tell the planner how long a point takes in a child that has run some, from a few that are run for it."""
    timed = publish.with_kind(definition, Kind.RUN, cluster)
    grid, skip = Grid.from_mapping(definition.grid), skip_of(definition)
    size = grid.size
    first = max(0, size - NEIGHBOURS) // 2
    neighbours = [point for point in range(first, min(size, first + NEIGHBOURS)) if skip is None or not skip(point)]
    try:
        took = _seconds(gather(cluster, timed, spread_kept(grid, TIMED_POINTS, skip), watcher, learn=source.learn))
        each = mean(took) if took else CHEAP_S
        if each <= CHEAP_S and neighbours:
            took = _seconds(gather(cluster, timed, neighbours, watcher, within_s=CHEAP_S, learn=source.learn))
            each = median(took) if took else each
    finally:
        publish.forget(timed, cluster)
    planner.speeds.add("probe", each, 1)


def _seconds(rows: list[JsonObject]) -> list[float]:
    """Of the points that ran: one that is refused takes no time, and one that kills its child has none."""
    return [row["seconds"] for row in rows if row["status"] == Status.OK]


def _send_all(cluster: broker.Cluster, definition: SweepDefinition, planner: Planner, generation: int) -> Iterator[str]:
    children, keys = max(1, cluster.children()), Keys(definition.sweep)
    chunks = (Chunk.of(generation, points) for points in iter(lambda: planner.next(children), []))
    with cluster.batches() as producer:
        for batch in batched(chunks, BATCH):
            cluster.redis.sadd(keys.sent, *(chunk.id for chunk in batch))
            with producer.batch():  # type: ignore[no-untyped-call]  # kombu has no type information
                for chunk in batch:
                    cluster.send(definition.sweep, chunk, producer=producer)
            yield from (chunk.id for chunk in batch)

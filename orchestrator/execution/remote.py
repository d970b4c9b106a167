"""A sweep in steps, against a cluster: submit, watch, cancel, list.

`submit` leaves after the last chunk was sent; the rows wait in the broker's stream until somebody collects them into
the output folder.
"""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import batched
from pathlib import Path
from statistics import mean, median
from typing import Any

from orchestrator.cluster import broker
from orchestrator.cluster.collect import Stream
from orchestrator.cluster.lease import CLAIM_S, collector_lease
from orchestrator.execution import publish
from orchestrator.execution.agenda import missing_runs
from orchestrator.execution.gather import gather
from orchestrator.execution.planner import Planner
from orchestrator.execution.run import collect_waiting, write_status
from orchestrator.execution.session import opened
from orchestrator.execution.source import GridSource
from orchestrator.progress.watcher import NodeProgress, Progress, Watcher
from orchestrator.results.store import Store, resolve
from orchestrator.sweepfile.skip import points_of, skip_of, spread_kept
from orchestrator.sweepfile.sweep import Sweep
from tasks.errors import BrokerError, HummingsweepError, StoreError
from tasks.grid import Grid
from tasks.protocol.keys import SWEEPS_KEY, Keys
from tasks.protocol.messages import Chunk, Kind, Status, SweepDefinition
from tasks.settings import Settings
from tasks.suggest import command
from tasks.times import span

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
        redis: Any = cluster.redis
        with collector_lease(redis, keys, watcher.say):
            generation = int(redis.incr(keys.generation))
            redis.delete(keys.cancelled)
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
            write_status(cluster, keys, size, Counter({Status.OK: stored}), "submitted")
    return Sent(definition.sweep, size - stored, chunks, str(out))


def watch(reference: str, settings: Settings, watcher: Watcher) -> None:
    """Follow until every point has a row, collecting the rows when nobody else does. Raises BrokerError.

    Ends with a word when nothing can come any more: the sweep was stopped, or its command is gone.
    """
    with broker.session(_cluster_settings(settings)) as cluster:
        name, folder = _name(reference, cluster)
        keys = Keys(name)
        redis: Any = cluster.redis
        started, first, tended = time.monotonic(), None, time.monotonic()
        while True:
            if folder and not redis.exists(keys.collector) and redis.xlen(keys.rows):
                with collector_lease(redis, keys, watcher.say), Store.create(folder) as store:
                    stream = Stream(redis, store.definition(name), folder)
                    counts = collect_waiting(stream, store, name)
                    for aside in stream.take_set_aside():
                        watcher.say(str(aside))
                    done = sum(counts.values())
                    redis.hset(keys.status, mapping={"done": done, "failed": done - counts.get(Status.OK, 0)})
            standing = _standing(cluster, name)
            first = standing["done"] if first is None else first
            seconds = time.monotonic() - started
            speed = (standing["done"] - first) / seconds if seconds > 0 else 0.0
            left = (standing["points"] - standing["done"]) / speed if speed else standing["left_s"]
            nodes = tuple(NodeProgress(**node) for node in standing["nodes"])
            children = sum(node.children for node in nodes)
            watcher.update(
                Progress(standing["points"], standing["done"], standing["failed"], speed, left, children, nodes)
            )
            if standing["done"] >= standing["points"] or standing["state"] in ("stopped", "cancelled"):
                watcher.say(f"sweep {name}: {standing['state']}, {standing['done']}/{standing['points']} points")
                return
            if standing["state"] != "running" or standing["collector"] or standing["chunks_running"]:
                tended = time.monotonic()
            elif time.monotonic() - tended > CLAIM_S:
                watcher.say(
                    f"sweep {name}: {standing['done']}/{standing['points']} points, and the command that ran it is "
                    f"gone; go on with: {command('resume', folder or name)}"
                )
                return
            time.sleep(0.5)


def standing(reference: str, settings: Settings) -> dict[str, Any]:
    """How a sweep stands now: points, done, failed, state, nodes with speed, chunks running."""
    with broker.session(_cluster_settings(settings)) as cluster:
        return _standing(cluster, _name(reference, cluster)[0])


def lines(standing: dict[str, Any]) -> Iterator[str]:
    """`standing` for a person."""
    yield (
        f"sweep {standing['sweep']}: {standing['state']}, {standing['done']}/{standing['points']} points, "
        f"{standing['failed']} failed, {standing['chunks_running']} chunks running, "
        f"{standing['chunks_lost']} lost, {standing['chunks_tried_again']} tried again"
        + (f", {span(standing['left_s'])} left" if standing["left_s"] else "")
    )
    for facts in standing["nodes"]:
        node = NodeProgress(**facts)
        yield f"  node {node.name}: {node.points} points, {node.facts()}"


def cancel(reference: str, settings: Settings) -> tuple[str, str]:
    """Mark a sweep as cancelled unless every point has a row; its id and its state then.

    Raises BrokerError when the broker does not know it.
    """
    with broker.session(_cluster_settings(settings)) as cluster:
        name, _ = _name(reference, cluster)
        keys = Keys(name)
        redis: Any = cluster.redis
        if redis.exists(keys.status):
            facts = _facts(cluster, name)
            if facts["done"] >= facts["points"]:
                return name, "done"
        redis.set(keys.cancelled, "cancelled")
        redis.hset(keys.status, "state", "cancelled")
        return name, "cancelled"


def sweeps(settings: Settings) -> list[dict[str, Any]]:
    """The sweeps on the broker, the newest first."""
    with broker.session(_cluster_settings(settings)) as cluster:
        return [_facts(cluster, name) for name in _known(cluster) if cluster.redis.exists(Keys(name).status)]


def _cluster_settings(settings: Settings) -> Settings:
    """With the address of this machine's running embedded server when none is given. Raises BrokerError."""
    if settings.broker:
        return settings
    return broker.running_embedded(settings)


def _name(reference: str, cluster: broker.Cluster) -> tuple[str, Path | None]:
    """The sweep id and, where it is known here, the output folder."""
    try:
        folder = resolve(reference)
        with Store.open(folder) as store:
            return store.latest(), folder
    except StoreError:
        known = _known(cluster)
        for name in known:
            if name == reference or name.rpartition("-")[0] == reference:
                return name, None
        there = ", ".join(known) or "none"
        raise BrokerError(
            f"{reference}: neither an output folder nor a sweep on this broker (there are: {there})"
        ) from None


def _known(cluster: broker.Cluster) -> list[str]:
    """Ids of the sweeps on the broker, the newest first."""
    redis: Any = cluster.redis
    return [name.decode() for name in redis.zrevrange(SWEEPS_KEY, 0, -1)]


def _facts(cluster: broker.Cluster, name: str) -> dict[str, Any]:
    redis: Any = cluster.redis
    raw: dict[bytes, bytes] = redis.hgetall(Keys(name).status)
    if not raw:
        raise HummingsweepError(f"sweep {name} is not on this broker any more")
    facts = {key.decode(): value.decode() for key, value in raw.items()}
    return {
        "sweep": name,
        "points": int(facts["points"]),
        "done": int(facts["done"]),
        "failed": int(facts["failed"]),
        "state": facts["state"],
        "at": float(facts["at"]),
    }


def _standing(cluster: broker.Cluster, name: str) -> dict[str, Any]:
    keys = Keys(name)
    redis: Any = cluster.redis
    facts = _facts(cluster, name)
    tries: dict[bytes, bytes] = redis.hgetall(keys.attempts)
    collector: bytes | None = redis.get(keys.collector)
    nodes = _nodes(cluster, keys)
    speed = sum(node.points_per_s or 0.0 for node in nodes)
    return {
        **facts,
        "collector": collector.decode() if collector else None,
        "chunks_running": sum(node.running for node in nodes),
        "chunks_lost": sum(node.lost for node in nodes),
        "chunks_tried_again": sum(int(count) > 1 for count in tries.values()),
        "points_per_s": speed or None,
        "left_s": (facts["points"] - facts["done"]) / speed if speed else None,
        "nodes": [dataclasses.asdict(node) for node in nodes],
    }


def _nodes(cluster: broker.Cluster, keys: Keys) -> list[NodeProgress]:
    """Every node that is there, and those that went away with chunks in their hands."""
    redis: Any = cluster.redis
    tally = {name.decode(): float(value) for name, value in redis.hgetall(keys.tally).items()}
    began: dict[str, list[float]] = {}
    for value in redis.hvals(keys.running):
        who, _, since = value.decode().partition(" ")
        began.setdefault(who.partition("/")[0], []).append(float(since))
    alive = {node.name: node.children for node in cluster.nodes()}
    now = time.time()
    found = []
    for name in {**alive, **began}:
        points, seconds = tally.get(f"{name} points", 0.0), tally.get(f"{name} seconds", 0.0)
        under_way = began.get(name, [])
        found.append(
            NodeProgress(
                name=name,
                children=alive.get(name, 0),
                points=int(points),
                points_per_s=points / seconds * alive.get(name, 0) if seconds else None,
                running=len(under_way) if name in alive else 0,
                lost=0 if name in alive else len(under_way),
                oldest_s=max((now - since for since in under_way), default=0.0),
            )
        )
    return found


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


def _seconds(rows: list[dict[str, Any]]) -> list[float]:
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

"""A sweep in steps, against a cluster: submit, watch, cancel, list.

`submit` leaves after the last chunk was sent; the rows wait in the broker's stream until somebody collects them into
the output folder.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator import broker, publish
from orchestrator.collect import Stream
from orchestrator.desk import remember
from orchestrator.plan import Planner, spread
from orchestrator.run import claim, collect_waiting, gather
from orchestrator.store import Store, resolve
from orchestrator.sweep import Sweep
from orchestrator.watcher import Progress, Watcher, span
from tasks.errors import BrokerError, HummingsweepError, StoreError
from tasks.grid import Grid
from tasks.messages import SWEEPS_KEY, Chunk, Keys, Kind, Status, SweepDefinition
from tasks.settings import Settings, queue_name

#: Points timed before a submitted sweep is cut into chunks.
TIMED_POINTS = 4


@dataclass(frozen=True)
class Sent:
    """What `submit` did."""

    sweep: str
    points: int
    chunks: int
    out: str


def submit(sweep: Sweep, out: Path, settings: Settings, watcher: Watcher) -> Sent:
    """Publish and send everything that has no row yet. Raises BrokerError without a broker address."""
    publish.precheck(sweep)
    if not settings.broker:
        raise BrokerError("submit needs a cluster: give --broker or set HUMMINGSWEEP_BROKER (`run` needs none)")
    with Store.create(out) as store, broker.session(settings) as cluster:
        definition = publish.publish(sweep, cluster, watcher)
        remember(store, definition, sweep)
        keys = Keys(definition.sweep)
        redis: Any = cluster.redis
        with claim(redis, keys):
            generation = int(redis.incr(keys.generation))
            redis.delete(keys.cancelled)
            stored = sum(collect_waiting(Stream(redis, keys), store, definition.sweep).values())
            size = sweep.grid.size
            planner = Planner(
                store.missing_runs(definition.sweep, size), size - stored, target_s=settings.chunk_seconds
            )
            each = _time_points(cluster, definition, watcher)
            planner.speeds.add("probe", each, 1)
            chunks = 0
            for chunk_id in _send_all(cluster, definition, planner, generation):
                chunks += 1
                if chunks % 1000 == 0:
                    watcher.say(f"{chunks} chunks sent (up to {chunk_id})")
            facts = {"points": size, "done": stored, "failed": 0, "state": "submitted", "at": time.time()}
            redis.hset(keys.status, mapping=facts)
            redis.zadd(SWEEPS_KEY, {keys.sweep: time.time()})
    return Sent(definition.sweep, size - stored, chunks, str(out))


def watch(reference: str, settings: Settings, watcher: Watcher) -> None:
    """Follow until every point has a row, collecting the rows when nobody else does. Raises BrokerError."""
    with broker.session(_cluster_settings(settings)) as cluster:
        name, folder = _name(reference, cluster)
        keys = Keys(name)
        redis: Any = cluster.redis
        started, first = time.monotonic(), None
        while True:
            if folder and not redis.exists(keys.collector) and redis.xlen(keys.rows):
                with claim(redis, keys), Store.create(folder) as store:
                    counts = collect_waiting(Stream(redis, keys), store, name)
                    done = sum(counts.values())
                    redis.hset(keys.status, mapping={"done": done, "failed": done - counts.get(Status.OK, 0)})
            standing = _standing(cluster, name)
            first = standing["done"] if first is None else first
            seconds = time.monotonic() - started
            speed = (standing["done"] - first) / seconds if seconds > 0 else 0.0
            left = (standing["points"] - standing["done"]) / speed if speed else None
            children = sum(node["children"] for node in standing["nodes"])
            watcher.update(Progress(standing["points"], standing["done"], standing["failed"], speed, left, children))
            if standing["done"] >= standing["points"] or standing["state"] in ("stopped", "cancelled"):
                watcher.say(f"sweep {name}: {standing['state']}, {standing['done']}/{standing['points']} points")
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
        f"{standing['chunks_tried_again']} tried again"
    )
    for node in standing["nodes"]:
        yield (
            f"  node {node['name']}: {node['children']} children, {node['running']} chunks running, "
            f"oldest {span(node['oldest_s'])}"
        )


def cancel(reference: str, settings: Settings) -> str:
    """Mark a sweep as cancelled; its id. Raises BrokerError when the broker does not know it."""
    with broker.session(_cluster_settings(settings)) as cluster:
        name, _ = _name(reference, cluster)
        keys = Keys(name)
        cluster.redis.set(keys.cancelled, "cancelled")
        cluster.redis.hset(keys.status, "state", "cancelled")
        return name


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
    running: dict[bytes, bytes] = redis.hgetall(keys.running)
    tries: dict[bytes, bytes] = redis.hgetall(keys.attempts)
    now = time.time()
    nodes: dict[str, dict[str, Any]] = {
        node.name: {"name": node.name, "children": node.children, "running": 0, "oldest_s": 0.0}
        for node in cluster.nodes()
    }
    for value in running.values():
        who, _, since = value.decode().partition(" ")
        node = nodes.setdefault(
            who.partition("/")[0], {"name": who.partition("/")[0], "children": 0, "running": 0, "oldest_s": 0.0}
        )
        node["running"] += 1
        node["oldest_s"] = max(node["oldest_s"], now - float(since or now))
    return {
        **_facts(cluster, name),
        "chunks_running": len(running),
        "chunks_tried_again": sum(int(count) > 1 for count in tries.values()),
        "nodes": list(nodes.values()),
    }


def _time_points(cluster: broker.Cluster, definition: SweepDefinition, watcher: Watcher) -> float:
    """Seconds a point takes, from a few that are run for it."""
    timed = publish.with_kind(definition, Kind.RUN, cluster)
    try:
        rows = gather(cluster, timed, spread(Grid.from_mapping(definition.grid).size, TIMED_POINTS), watcher)
    finally:
        publish.forget(timed, cluster)
    return float(sum(row["seconds"] for row in rows)) / len(rows)


def _send_all(cluster: broker.Cluster, definition: SweepDefinition, planner: Planner, generation: int) -> Iterator[str]:
    children = max(1, cluster.children())
    keys = Keys(definition.sweep)
    while points := planner.next(children):
        chunk = Chunk.of(generation, points)
        cluster.redis.sadd(keys.sent, chunk.id)
        cluster.send(definition.sweep, chunk, queue_name(definition.versions))
        yield chunk.id

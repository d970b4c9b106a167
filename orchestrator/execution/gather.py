"""The rows of a few points for a command that waits for them: probe, verify, audit, detail. The same road, no store."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from orchestrator.cluster.bookkeeping import keep, nodes_at_work, put_away_foreign
from orchestrator.cluster.collect import Stream
from orchestrator.execution.in_flight import DEPTH, InFlight, send_again, send_refused
from orchestrator.progress.watcher import Progress, Watcher
from tasks.errors import BrokerError
from tasks.named_types import Row
from tasks.protocol.chunks import Chunk
from tasks.protocol.keys import Keys
from tasks.protocol.messages import Kind, SweepDefinition
from tasks.protocol.scenario import PLAIN, Scenario

if TYPE_CHECKING:
    from orchestrator.cluster.broker import Cluster

#: What progress calls such work.
STAGES = {
    Kind.VERIFY: "verify",
    Kind.AUDIT: "look-ahead audit",
    Kind.DETAIL: "curves",
    Kind.LIVE: "live replay",
    Kind.TRADES: "trades",
}
#: Seconds without a row after which `gather` says why, when its chunks wait behind those of other sweeps.
BUSY_S = 5.0


def why_waiting(cluster: Cluster) -> str:
    """Why no child has begun a chunk that was sent some seconds ago."""
    if nodes_at_work(cluster.redis) & {node.name for node in cluster.nodes()}:
        return "waiting for the children: they are busy with other sweeps, whose running chunks come first"
    return (
        "waiting for the children: they are starting (the first start on a machine takes up to a minute; where it "
        "takes longer, the node's log says why)"
    )


def gather(
    cluster: Cluster,
    definition: SweepDefinition,
    points: list[int],
    watcher: Watcher,
    *,
    within_s: float = 0.0,
    learn: Callable[[Sequence[str]], object] = lambda feature_axes: None,
    scenario: Scenario = PLAIN,
) -> list[Row]:
    """The rows of some points, for probe, verify, audit and detail: the same road, without a store.

    Points travel one a chunk, or in equal parts when there are many; with `within_s` in one chunk, which is stopped
    after so many seconds. `learn` hears which axes their features depend on. Raises BrokerError.
    """
    keys = Keys(definition.sweep)
    redis: Any = cluster.redis
    put_away_foreign(redis, keys, cluster.say)
    generation = int(redis.incr(keys.generation))
    part = len(points) if within_s else max(1, min(32, -(-len(points) // max(1, DEPTH * cluster.children()))))
    in_flight = InFlight()
    for start in range(0, len(points), part):
        chunk = Chunk.of(generation, points[start : start + part], scenario)
        cluster.send(definition.sweep, chunk, in_flight.add(chunk), within_s)
    stream = Stream(redis, definition)
    rows: dict[int, Row] = {}
    started, explained = time.monotonic(), False
    while in_flight.chunks:
        cluster.check_alive(cluster.say)
        if not (rows or explained) and time.monotonic() - started > BUSY_S and not redis.exists(keys.running):
            explained = True
            cluster.say(why_waiting(cluster))
        for entry, came in stream.read(0.25):
            rows |= {row["point"]: row for row in came.to_dicts()}
            stream.forget([entry])
            learn(came.feature_axes)
            in_flight.complete(came.chunk)
            in_flight.rows_came()
        for aside in stream.take_set_aside():
            cluster.say(str(aside))
            if refused := in_flight.chunks.get(aside.chunk):
                send_refused(cluster, keys, in_flight, refused, str(aside))
        if lost := in_flight.lost(cluster):
            if not keep(redis, keys, definition):
                raise BrokerError("the broker lost what this command had sent to it: give the same command again")
            cluster.say(f"the broker lost {len(lost)} chunks: they are sent again")
            generation = send_again(cluster, keys, in_flight, lost, generation, within_s)
            in_flight.rows_came()
        seconds = time.monotonic() - started
        speed, stage = len(rows) / seconds, STAGES.get(definition.kind, "")
        watcher.update(Progress(len(points), len(rows), 0, speed, None, cluster.children(), stage=stage))
    return [rows[point] for point in sorted(rows)]

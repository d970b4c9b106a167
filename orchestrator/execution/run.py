"""The main story: publish, send, collect.

    publish   controllers, slices and the definition lie on the broker (orchestrator.execution.publish)
    send      never more chunks than the children can chew: two each, so that none waits and the last ones fit
    collect   rows into the store, a transaction per chunk; their seconds tell the planner how large the next may be
    end       every point of the grid has a row

Resuming is a subtraction: the grid minus the stored points. Every start is a new generation, and chunks that an
earlier one left on the queue are passed over by the children.
"""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.cluster.collect import Stream
from orchestrator.cluster.lease import collector_lease
from orchestrator.execution.estimate import ENOUGH_S, LEAST, Sampler
from orchestrator.execution.in_flight import DEPTH, InFlight, fill, give_up_waiting, send_again
from orchestrator.execution.planner import Planner
from orchestrator.progress.watcher import Progress, Watcher
from tasks.errors import BrokerError
from tasks.grid import Grid, spread
from tasks.protocol.blobs import EXPIRY_S
from tasks.protocol.keys import SWEEPS_KEY, Keys, blob_key
from tasks.protocol.messages import Chunk, Rows, Status, SweepDefinition

if TYPE_CHECKING:
    from orchestrator.cluster.broker import Cluster
    from orchestrator.results.store import Store

#: Seconds between two tellings of how far the sweep is, for `watch` and `serve`, while rows come in.
TELL_S = 0.25
#: The same while none do.
TELL_AGAIN_S = 2.0
#: Seconds to wait for rows: each time costs orchestrator and broker a millisecond that a child on this machine could
#: use.
WAIT_S = 0.5
#: Seconds between two signs to the broker that the sweep's blobs are still needed.
NEEDED_S = 3600.0
#: Points that go first and alone, spread over the grid: at most so many, and not more than one in PROBED of a sweep
#: that goes on after them.
PROBES = 8
PROBED = 125
#: Seconds without a row after which `gather` says why, when its chunks lie behind those of other sweeps.
BUSY_S = 5.0


@dataclass
class Summary:
    """How a run ended."""

    sweep: str
    points: int
    done: int
    failed: int
    seconds: float
    #: points whose rows came in during this run
    computed: int
    interrupted: bool = False
    #: wall-clock seconds per point of one child, as measured; None when nothing was computed
    seconds_per_point: float | None = None
    children: int = 0
    #: most memory a child ever held, resident; 0 when nothing was computed
    memory_bytes: int = 0


def run(
    cluster: Cluster,
    store: Store,
    definition: SweepDefinition,
    watcher: Watcher,
    *,
    target_s: float,
    estimate: bool = False,
    on_first_rows: Callable[[], None] = lambda: None,
    lay_down: Callable[[], object] = lambda: None,
) -> Summary:
    """Compute every point of the definition's grid that has no row yet, and store its row.

    `estimate`: stop as soon as points from all over the grid have said how expensive they are. `on_first_rows` is
    called
    when the first good row is stored; what it raises ends the run. `lay_down` puts definition and blobs onto a broker
    that lost them. Raises BrokerError, StoreError.
    """
    sweep = definition.sweep
    keys = Keys(sweep)
    grid = Grid.from_mapping(definition.grid)
    size = grid.size
    redis: Any = cluster.redis
    started = time.monotonic()
    with collector_lease(redis, keys, watcher.say) as held, _interrupts() as interrupted:
        generation = int(redis.incr(keys.generation))
        redis.delete(keys.cancelled)
        stream = Stream(redis, keys)
        counts = collect_waiting(stream, store, sweep)
        stored = sum(counts.values())
        missing = store.missing_runs(sweep, size)
        if estimate:
            planner: Planner = Sampler(missing, grid)
        else:
            probes = [] if stored else spread(size, min(PROBES, size // PROBED))
            planner = Planner(missing, size - stored, target_s=target_s, probes=probes, grid=grid)
        in_flight = InFlight()
        computed, children, memory_bytes, told_of = 0, 0, 0, -1
        seen: set[str] = set()
        looked, told, needed = -10.0, -10.0, time.monotonic()
        first: float | None = None
        checked = False
        while True:
            now = time.monotonic()
            if now - looked > 1.0:
                looked, children = now, cluster.children()
                cluster.check_alive(cluster.say)
                held.check()
                if now - needed > NEEDED_S:
                    needed = now
                    keep(redis, keys, definition)
            enough = first is not None and now - first > ENOUGH_S and computed + len(in_flight.chunks) >= LEAST
            if not (interrupted() or (estimate and enough)):
                progress = f"{sum(counts.values()):,} of {size:,} points done"
                fill(cluster, keys, planner, in_flight, generation, children, progress)
            if not in_flight.chunks:
                break
            if interrupted() and not redis.exists(keys.cancelled):
                watcher.say("interrupted: finishing the running chunks (Ctrl-C again stops now)")
                redis.set(keys.cancelled, "interrupted")
            came = False
            for entry, rows in stream.read(WAIT_S):
                new = store.insert(sweep, rows)
                computed += new
                stream.forget([entry])
                unreached = in_flight.land(rows.chunk, rows.columns.get("point", ()))
                planner.hear(rows, unreached, cold=rows.node not in seen)
                seen.add(rows.node)
                memory_bytes = max(memory_bytes, rows.memory_bytes)
                # a chunk of an earlier start may hold points that have their rows
                counts = _counted(counts, rows) if new == len(rows) else store.counts(sweep)
                came = True
            if came:
                in_flight.heard()
                first = first or time.monotonic()
                if not checked and counts.get(Status.OK):
                    checked = True
                    on_first_rows()
            elif interrupted():
                give_up_waiting(cluster, keys, in_flight)
            elif lost := in_flight.lost(cluster):
                watcher.say(f"the broker lost {len(lost)} chunks: they are sent again")
                if not keep(redis, keys, definition):
                    lay_down()
                generation = send_again(cluster, keys, in_flight, lost, generation)
                in_flight.heard()
            watcher.update(_progress(size, counts, computed, time.monotonic() - started, planner, children))
            if now - told > (TELL_AGAIN_S if computed == told_of else TELL_S):
                told, told_of = now, computed
                _tell(cluster, keys, size, counts, "running")
        _tell(cluster, keys, size, counts, "done" if sum(counts.values()) >= size else "stopped")
        redis.delete(keys.cancelled)
        for key in (
            keys.sent,
            keys.done,
            keys.rows,
            keys.attempts,
            keys.running,
            keys.status,
            keys.generation,
            keys.tally,
        ):
            redis.expire(key, EXPIRY_S)
    return Summary(
        sweep=sweep,
        points=size,
        done=sum(counts.values()),
        failed=sum(number for status, number in counts.items() if status is not Status.OK),
        seconds=time.monotonic() - started,
        computed=computed,
        interrupted=interrupted(),
        seconds_per_point=planner.speeds.seconds_per_point(),
        children=children,
        memory_bytes=memory_bytes,
    )


def gather(
    cluster: Cluster,
    definition: SweepDefinition,
    points: list[int],
    watcher: Watcher,
    *,
    within_s: float = 0.0,
    learn: Callable[[Sequence[str]], object] = lambda feature_axes: None,
) -> list[dict[str, Any]]:
    """The rows of some points, for probe, verify, audit and detail: the same road, without a store.

    Points travel one a chunk, or in equal parts when there are many; with `within_s` in one chunk, which is stopped
    after so many seconds. `learn` hears which axes their features depend on. Raises BrokerError.
    """
    keys = Keys(definition.sweep)
    redis: Any = cluster.redis
    generation = int(redis.incr(keys.generation))
    part = len(points) if within_s else max(1, min(32, -(-len(points) // max(1, DEPTH * cluster.children()))))
    in_flight = InFlight()
    for start in range(0, len(points), part):
        chunk = Chunk.of(generation, points[start : start + part])
        cluster.send(definition.sweep, chunk, in_flight.add(chunk), within_s)
    stream = Stream(redis, keys)
    rows: dict[int, dict[str, Any]] = {}
    started, told = time.monotonic(), False
    while in_flight.chunks:
        cluster.check_alive(cluster.say)
        if not (rows or told) and time.monotonic() - started > BUSY_S and not redis.exists(keys.running):
            told = True
            cluster.say("waiting for the children: they are busy with other sweeps, whose running chunks come first")
        for entry, came in stream.read(0.25):
            rows |= {row["point"]: row for row in came.to_dicts()}
            stream.forget([entry])
            learn(came.feature_axes)
            in_flight.land(came.chunk)
            in_flight.heard()
        if in_flight.lost(cluster):
            raise BrokerError("the broker lost the messages of this command: start it again")
        seconds = time.monotonic() - started
        speed = len(rows) / seconds
        watcher.update(Progress(len(points), len(rows), 0, speed, None, cluster.children()))
    return [rows[point] for point in sorted(rows)]


def collect_waiting(stream: Stream, store: Store, sweep: str) -> dict[Status, int]:
    """Store what an earlier orchestrator left in the stream; the counts of stored rows per status."""
    while entries := list(stream.read(0)):
        for entry, rows in entries:
            store.insert(sweep, rows)
            stream.forget([entry])
    return store.counts(sweep)


def keep(redis: Any, keys: Keys, definition: SweepDefinition) -> bool:
    """Put off the expiry of what the sweep's children fetch; False when something of it is not there."""
    blobs = [blob_key(address) for address in (*definition.slices.values(), definition.controllers)]
    there = [redis.expire(name, EXPIRY_S) for name in (keys.definition, *blobs)]
    address = redis.get(keys.definition)
    there.append(address is not None and redis.expire(blob_key(address.decode()), EXPIRY_S))
    return all(there)


def _counted(counts: dict[Status, int], rows: Rows) -> dict[Status, int]:
    """With these rows."""
    return dict(Counter(counts) + Counter(Status(text) for text in rows.columns.get("status", ())))


def _progress(
    size: int, counts: dict[Status, int], computed: int, seconds: float, planner: Planner, children: int
) -> Progress:
    done = sum(counts.values())
    each = planner.speeds.seconds_per_point()
    left = each * (size - done) / children if each is not None and children else None
    failed = done - counts.get(Status.OK, 0)
    return Progress(size, done, failed, computed / seconds if seconds else 0.0, left, children)


def _tell(cluster: Cluster, keys: Keys, size: int, counts: dict[Status, int], state: str) -> None:
    """What `watch`, `list` and the exporter show."""
    from redis.exceptions import OutOfMemoryError

    redis: Any = cluster.redis
    done = sum(counts.values())
    facts = {
        "points": size,
        "done": done,
        "failed": done - counts.get(Status.OK, 0),
        "state": state,
        "at": time.time(),
        "queue": cluster.settings.queue,
    }
    with suppress(OutOfMemoryError):  # nothing hangs on it, and collecting makes room
        redis.hset(keys.status, mapping=facts)
        redis.zadd(SWEEPS_KEY, {keys.sweep: time.time()})


@contextmanager
def _interrupts() -> Iterator[Callable[[], bool]]:
    """The first Ctrl-C is a wish, the second one an order (KeyboardInterrupt)."""
    seen = False

    def note(number: int, frame: object) -> None:
        nonlocal seen
        if seen:
            raise KeyboardInterrupt
        seen = True

    try:
        before = signal.signal(signal.SIGINT, note)
    except ValueError:  # not the main thread (a notebook's executor): the caller's handling stays
        yield lambda: False
        return
    try:
        yield lambda: seen
    finally:
        signal.signal(signal.SIGINT, before)

"""Where does a cluster stop growing? A simulation of 1 to 64 nodes of 48 children, with costs measured in the same run.

python benchmarks/scale.py [--quick] [--json] [--rtt-ms 0.3]

Measured first, on a real embedded server with a real node, desk and store: what sending, taking, committing and
collecting a chunk cost the desk, the node and the broker, per chunk and per row; bytes of a row; start of a child.
Then a discrete-event simulation of orchestrator.run's loop with those costs: one desk, one single-threaded broker,
one Celery process per node, children that compute. Chunks aim at chunk_seconds, as the planner's do.

use      share of the children's time spent on points, in the steady middle of a sweep
limit    what is busy when use falls under 95%: the desk, the broker, or a node's main process
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import heapq
import json
import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from orchestrator import guardian, publish
from orchestrator.broker import Cluster
from orchestrator.collect import BATCH, Stream
from orchestrator.plan import MOST_POINTS
from orchestrator.run import DEPTH, gather
from orchestrator.store import Store
from orchestrator.sweep import read
from orchestrator.watcher import Silent
from tasks.app import connect
from tasks.attempts import Attempts
from tasks.messages import Chunk, Keys, Rows, SweepDefinition
from tasks.settings import Settings

REPOSITORY = Path(__file__).resolve().parent.parent
#: Sizes of chunks whose costs are measured; between them costs grow with the rows.
SMALL, LARGE = 10, 1000
NODES = (1, 2, 4, 8, 16, 32, 64)
CHILDREN = 48
#: Seconds a point takes: a cheap one, one as the examples', one of a year of candles.
POINT_S = (0.005, 0.1, 2.0)
CHUNK_S = (1.0, 5.0, 20.0)
#: Use under which a cluster is said to be limited.
GOOD = 0.95


@dataclass(frozen=True)
class Cost:
    """Seconds per chunk: fixed + rows * per_row."""

    fixed: float
    per_row: float = 0.0

    def __call__(self, rows: int) -> float:
        return self.fixed + rows * self.per_row

    @classmethod
    def through(cls, small: float, large: float) -> Cost:
        """The line through the costs of SMALL and LARGE chunks."""
        per_row = max(0.0, (large - small) / (LARGE - SMALL))
        return cls(max(0.0, small - SMALL * per_row), per_row)


@dataclass(frozen=True)
class Costs:
    """Seconds a step takes when nobody is in its way: CPU of its process and of the broker, one after the other.

    Not wall clock, which on a machine with other work says more about that. `broker_...` is the broker's share.
    """

    #: desk: note and send one chunk
    send: Cost
    broker_send: Cost
    #: desk: read, decode, store and delete the rows of one chunk
    collect: Cost
    broker_collect: Cost
    #: child: encode the rows and hand them in
    commit: Cost
    broker_commit: Cost
    #: child: from one chunk to the next, without computing anything
    turn: Cost
    #: CPU of the node's main process per chunk
    node: Cost
    broker_turn: Cost
    #: bytes of a row in a message and in the store
    row_message_bytes: float
    row_store_bytes: float
    #: from starting a node to its first row: CPU seconds of one child (imports), and wall clock as it was here
    start_cpu_s: float
    start_wall_s: float
    #: seconds a point of the quickstart took
    example_point_s: float


# measuring


def cpu_s(*processes: psutil.Process) -> float:
    """CPU seconds these have used, in ticks of 10 ms."""
    return float(sum(sum(process.cpu_times()[:2]) for process in processes))


class Meter:
    """Seconds per item of this process and the server together, and of the server alone, the least of the batches."""

    def __init__(self, server: psutil.Process):
        self._server = server

    def __call__(self, work: Callable[[int], Any], items: int, batches: int) -> tuple[float, float]:
        """`work(batch)` handles `items` items."""
        mine, its = [], []
        for batch in range(batches):
            before, began = cpu_s(self._server), time.process_time()
            work(batch)
            mine.append((time.process_time() - began) / items)
            its.append((cpu_s(self._server) - before) / items)
        server = sum(its) / batches  # the mean is finer than its ticks
        return min(mine) + server, server


@contextlib.contextmanager
def real_node(environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A node of two children."""
    with log.open("wb") as file:
        node = subprocess.Popen(
            [sys.executable, "-m", "tasks.node"],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield node
    finally:
        os.killpg(node.pid, signal.SIGKILL)
        node.wait()


def measure(scale: int) -> Costs:
    """All costs; `scale` times 100 chunks a batch."""
    if not (REPOSITORY / "examples" / "data").is_dir():
        command = [sys.executable, "examples/synthetic.py", "--to", "examples/data"]
        subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory(prefix="scale-") as place:
        folder = Path(place)
        (folder / "server").mkdir()
        server, broker = guardian.start_server(folder / "server")
        try:
            settings = Settings(broker=broker, key="scale", children=2, mirror_mb=256)
            settings = dataclasses.replace(settings, mirror=str(folder / "mirror"), cache=str(folder / "cache"))
            return _measure(Cluster(settings), psutil.Process(server.pid), folder, scale)
        finally:
            server.kill()
            server.wait()


def _measure(cluster: Cluster, server: psutil.Process, folder: Path, scale: int) -> Costs:
    meter = Meter(server)
    batch, batches = 100 * scale, 3
    began = time.monotonic()
    with real_node(cluster.settings.to_environment(), folder / "node.log") as node:
        definition = publish.publish(read(REPOSITORY / "examples" / "quickstart.yml"), cluster, Silent())
        rows = gather(cluster, definition, [0], Silent())
        start_wall_s = time.monotonic() - began
        start_cpu_s = max(cpu_s(child) for child in psutil.Process(node.pid).children())
        rows += gather(cluster, definition, list(range(1, 40)), Silent())
        turn, node_cpu, broker_turn = _turns(cluster, definition, node, server, batch * batches)
    send, broker_send = _sending(cluster, definition, meter, batch, batches)
    costs: dict[str, dict[int, float]] = {"commit": {}, "broker_commit": {}, "collect": {}, "broker_collect": {}}
    row_bytes = 0.0
    with Store.create(folder / "out") as store:
        store.add_sweep(definition, "", {})
        for size, count in ((SMALL, batch), (LARGE, max(10, batch // 20))):
            handed, collected, row_bytes = _rows(cluster, definition, meter, store, rows, size, count, batches)
            (costs["commit"][size], costs["broker_commit"][size]) = handed
            (costs["collect"][size], costs["broker_collect"][size]) = collected
        stored = sum(store.counts(definition.sweep).values())
    store_bytes = sum(file.stat().st_size for file in (folder / "out").iterdir()) / stored
    lines = {name: Cost.through(cost[SMALL], cost[LARGE]) for name, cost in costs.items()}
    return Costs(
        send=Cost(send),
        broker_send=Cost(broker_send),
        turn=Cost(turn),
        node=Cost(node_cpu),
        broker_turn=Cost(broker_turn),
        row_message_bytes=row_bytes,
        row_store_bytes=store_bytes,
        start_cpu_s=start_cpu_s,
        start_wall_s=start_wall_s,
        example_point_s=sum(row["seconds"] for row in rows) / len(rows),
        **lines,
    )


def _turns(
    cluster: Cluster, definition: SweepDefinition, node: subprocess.Popen[bytes], server: psutil.Process, count: int
) -> tuple[float, float, float]:
    """Chunks that are done already pass through the node and compute nothing.

    Seconds from one to the next, of them CPU seconds of the node's main process, and of the broker.
    """
    keys = Keys(definition.sweep)
    redis: Any = cluster.redis
    chunks = [Chunk.of(99, [point]) for point in range(count)]
    redis.sadd(keys.done, *(chunk.id for chunk in chunks))
    main = psutil.Process(node.pid)
    children = main.children()
    # held back while they are sent, so that sending is not measured
    main.suspend()
    for chunk in chunks:
        cluster.send(keys.sweep, chunk)
    before = [cpu_s(main), cpu_s(*children), cpu_s(server)]
    main.resume()
    while redis.llen(cluster.settings.queue) or redis.hlen("unacked"):
        time.sleep(0.05)
    after = [cpu_s(main), cpu_s(*children), cpu_s(server)]
    redis.delete(keys.done)
    each = [(end - start) / count for start, end in zip(before, after, strict=True)]
    return sum(each), each[0], each[2]


def _sending(
    cluster: Cluster, definition: SweepDefinition, meter: Meter, batch: int, batches: int
) -> tuple[float, float]:
    redis: Any = cluster.redis
    keys = Keys(definition.sweep)

    def work(number: int) -> None:
        for point in range(batch):
            chunk = Chunk.of(number, [point])
            redis.sadd(keys.sent, chunk.id)
            cluster.send(keys.sweep, chunk)

    found = meter(work, batch, batches)
    redis.delete(cluster.settings.queue)
    return found


def _rows(
    cluster: Cluster,
    definition: SweepDefinition,
    meter: Meter,
    store: Store,
    real: list[dict[str, Any]],
    size: int,
    count: int,
    batches: int,
) -> tuple[tuple[float, float], tuple[float, float], float]:
    """(commit, its broker CPU), (collect, its broker CPU) of chunks of `size` rows; bytes of a row in the message."""
    keys = Keys(definition.sweep)
    attempts = Attempts(connect(cluster.settings, patient=True), keys)
    stream = Stream(cluster.redis, keys)
    chance = random.Random(size)
    row_bytes = 0.0

    def a_chunk(first: int) -> tuple[str, list[dict[str, Any]]]:
        made = []
        for point in range(first, first + size):
            row = dict(chance.choice(real), point=point)
            # floats with all their digits, none like the other, as in a real grid
            made.append({k: v * chance.uniform(0.5, 2) if isinstance(v, float) else v for k, v in row.items()})
        return Chunk.of(size, range(first, first + size)).id, made

    chunks = [
        [a_chunk((batch * count + one) * size + size * 10**6) for one in range(count)] for batch in range(batches)
    ]

    def commit(batch: int) -> None:
        nonlocal row_bytes
        for chunk_id, rows in chunks[batch]:
            message = Rows.from_dicts(chunk_id, "node-1@host/2", 5.0, rows)
            attempts.commit(chunk_id, message)
            row_bytes = len(message.encode()) / size

    def collect(_: int) -> None:
        taken = 0
        while taken < count:
            for entry, rows in stream.read(0.25):
                store.insert(keys.sweep, rows)
                stream.forget([entry])
                taken += 1

    handed, collected = [], []
    for batch in range(batches):
        handed.append(meter(lambda _, batch=batch: commit(batch), count, 1))  # type: ignore[misc]
        collected.append(meter(collect, count, 1))

    def least(found: list[tuple[float, float]]) -> tuple[float, float]:
        return min(wall for wall, _ in found), sum(cpu for _, cpu in found) / len(found)

    return least(handed), least(collected), row_bytes


# simulating


@dataclass(frozen=True)
class Case:
    """One cluster and one kind of sweep."""

    nodes: int
    children: int
    point_s: float
    chunk_s: float
    rtt_s: float = 0.0003

    @property
    def rows(self) -> int:
        """Points of a chunk."""
        return max(1, min(MOST_POINTS, int(self.chunk_s / self.point_s)))


@dataclass(frozen=True)
class Outcome:
    """The steady middle of a sweep."""

    use: float
    points_per_s: float
    desk_busy: float
    broker_busy: float
    node_busy: float

    @property
    def limit(self) -> str:
        """What holds the children back; empty when nothing does."""
        if self.use >= GOOD:
            return ""
        busy = {"desk": self.desk_busy, "broker": self.broker_busy, "node": self.node_busy}
        name, share = max(busy.items(), key=lambda one: one[1])
        return name if share > 0.6 else "turns"


class _Server:
    """Serves one request after the other."""

    def __init__(self) -> None:
        self.free_at = 0.0
        self.busy = 0.0

    def serve(self, now: float, seconds: float) -> float:
        """How long a request of `seconds` that comes now must wait before it is served."""
        begins = max(now, self.free_at)
        self.free_at = begins + seconds
        self.busy += seconds
        return begins - now


class Simulation:
    """Chunks from the desk to the children and back. Events are (time, number, what, whose)."""

    def __init__(self, case: Case, costs: Costs, *, rounds: int = 6, seed: int = 1):
        self.case, self.costs = case, costs
        self._chance = random.Random(seed)
        self._events: list[tuple[float, int, Callable[[float, int], None], int]] = []
        self._number = 0
        self._broker = _Server()
        self._mains = [_Server() for _ in range(case.nodes)]
        self._children = case.nodes * case.children
        self._left = self._total = rounds * self._children
        self._flight = 0
        self._queue = 0
        self._idle = deque(range(self._children))
        self._ready = 0
        self._batch = 0
        self._desk_waits = False
        self._desk_busy = 0.0
        self._done = 0
        self._marks: list[tuple[float, float, float, float, float]] = []
        self._busy = 0
        self._busy_since = 0.0
        self._busy_s = 0.0

    def run(self) -> Outcome:
        """To the end; what is reported is the middle, without start and tail."""
        self._at(0.0, self._desk, 0)
        while self._events:
            now, _, what, whose = heapq.heappop(self._events)
            what(now, whose)
        (t0, c0, d0, b0, n0), (t1, c1, d1, b1, n1) = self._marks
        seconds = t1 - t0
        points = (self._total * 3 // 4 - self._total // 4) * self.case.rows
        return Outcome(
            use=(c1 - c0) / (seconds * self._children),
            points_per_s=points / seconds,
            desk_busy=(d1 - d0) / seconds,
            broker_busy=(b1 - b0) / seconds,
            node_busy=(n1 - n0) / seconds / self.case.nodes,
        )

    def _at(self, when: float, what: Callable[[float, int], None], whose: int) -> None:
        self._number += 1
        heapq.heappush(self._events, (when, self._number, what, whose))

    def _desk(self, now: float, _: int) -> None:
        """One step of orchestrator.run: at most BATCH chunks of rows, then as many chunks out as are missing."""
        costs, rtt = self.costs, self.case.rtt_s
        wanted = self._left and self._flight < DEPTH * self._children
        if self._ready and (self._batch < BATCH or not wanted):
            self._batch += 1
            self._ready -= 1
            self._flight -= 1
            wait = self._broker.serve(now, costs.broker_collect(self.case.rows))
            # reading is shared by a batch, deleting is a round trip of its own
            seconds = costs.collect(self.case.rows) + rtt
        elif wanted:
            self._batch = 0
            self._left -= 1
            self._flight += 1
            wait = self._broker.serve(now, costs.broker_send(0))
            seconds = costs.send(0) + 3 * rtt
            self._at(now + seconds + wait, self._sent, 0)
        elif self._ready:
            self._batch = 0
            self._at(now, self._desk, 0)
            return
        else:
            self._desk_waits = True
            return
        self._desk_busy += seconds  # without what it waits for others
        self._at(now + seconds + wait, self._desk, 0)

    def _sent(self, now: float, _: int) -> None:
        if self._idle:
            self._take(now, self._idle.popleft())
        else:
            self._queue += 1

    def _take(self, now: float, child: int) -> None:
        """The node's main process takes the message, the child begins."""
        main = self._mains[child // self.case.children]
        self._at(now + main.serve(now, self.costs.node(0)), self._taken, child)

    def _taken(self, now: float, child: int) -> None:
        costs = self.costs
        wait = self._broker.serve(now, costs.broker_turn(0))
        seconds = self.case.rows * self.case.point_s * self._spread()
        begins = now + wait + costs.turn(0) + 4 * self.case.rtt_s
        self._at(begins, self._begun, child)
        self._at(begins + seconds, self._computed, child)

    def _begun(self, now: float, _: int) -> None:
        self._count_busy(now, 1)

    def _computed(self, now: float, child: int) -> None:
        """Hand the rows in; then the next chunk."""
        self._count_busy(now, -1)
        wait = self._broker.serve(now, self.costs.broker_commit(self.case.rows))
        self._at(now + self.costs.commit(self.case.rows) + wait + self.case.rtt_s, self._committed, child)

    def _committed(self, now: float, child: int) -> None:
        self._done += 1
        if self._done in (self._total // 4, self._total * 3 // 4):
            node = sum(main.busy for main in self._mains)
            self._count_busy(now, 0)
            self._marks.append((now, self._busy_s, self._desk_busy, self._broker.busy, node))
        self._ready += 1
        if self._desk_waits:
            self._desk_waits = False
            self._at(now, self._desk, 0)
        if self._queue:
            self._queue -= 1
            self._take(now, child)
        else:
            self._idle.append(child)

    def _count_busy(self, now: float, change: int) -> None:
        self._busy_s += self._busy * (now - self._busy_since)
        self._busy_since = now
        self._busy += change

    def _spread(self) -> float:
        """Points differ: lognormal with mean 1 and a fifth of it as deviation, for a whole chunk."""
        sigma = 0.2
        return math.exp(self._chance.gauss(-sigma * sigma / 2, sigma))


def simulate(costs: Costs, nodes: tuple[int, ...], rtt_s: float) -> list[tuple[Case, Outcome]]:
    """Every combination."""
    cases = [
        Case(count, CHILDREN, point_s, chunk_s, rtt_s) for point_s in POINT_S for chunk_s in CHUNK_S for count in nodes
    ]
    return [(case, Simulation(case, costs).run()) for case in cases]


# telling


def conclusions(costs: Costs, found: list[tuple[Case, Outcome]], rtt_s: float) -> list[dict[str, Any]]:
    """Per kind of sweep: how many nodes work well, and what the next ones wait for."""
    told = []
    for point_s in POINT_S:
        for chunk_s in CHUNK_S:
            here = [(case, outcome) for case, outcome in found if (case.point_s, case.chunk_s) == (point_s, chunk_s)]
            good = [case.nodes for case, outcome in here if outcome.use >= GOOD]
            limited = [outcome.limit for _, outcome in here if outcome.limit]
            rows = here[0][0].rows
            desk_s = costs.send(0) + 3 * rtt_s + costs.collect(rows) + rtt_s
            broker_s = (
                costs.broker_send(0) + costs.broker_turn(0) + costs.broker_commit(rows) + costs.broker_collect(rows)
            )
            told.append(
                {
                    "point_s": point_s,
                    "chunk_s": chunk_s,
                    "rows_per_chunk": rows,
                    "nodes_at_95_percent": max(good, default=0),
                    "limit": limited[0] if limited else "",
                    # what the desk and the broker could do alone, in children kept busy
                    "desk_feeds_children": rows * point_s / desk_s,
                    "broker_feeds_children": rows * point_s / broker_s,
                }
            )
    return told


def text(costs: Costs, found: list[tuple[Case, Outcome]], told: list[dict[str, Any]], rtt_s: float) -> str:
    """For a terminal."""
    us = 1e6
    lines = [
        f"measured, us a chunk + us a row (a round trip of {rtt_s * 1e3:g} ms for each message comes on top)",
        f"{'':<32}{'in all':>18}{'of it the broker':>22}",
    ]
    for name, cost, broker in (
        ("desk: send a chunk", costs.send, costs.broker_send),
        ("node: from chunk to chunk", costs.turn, costs.broker_turn),
        ("child: hand in rows", costs.commit, costs.broker_commit),
        ("desk: collect and store rows", costs.collect, costs.broker_collect),
    ):
        lines.append(
            f"  {name:<30}{cost.fixed * us:>10.0f} +{cost.per_row * us:>6.1f}"
            f"{broker.fixed * us:>14.0f} +{broker.per_row * us:>6.2f}"
        )
    lines += [
        f"  of a node's turn, its main process: {costs.node.fixed * us:.0f} us",
        f"  a row: {costs.row_message_bytes:.0f} bytes in a message, {costs.row_store_bytes:.0f} in the store",
        f"  a child's start: {costs.start_cpu_s:.1f} s of CPU; a point of the quickstart: "
        f"{costs.example_point_s * 1e3:.0f} ms",
        "",
        f"share of the children's time spent on points, nodes of {CHILDREN} children",
    ]
    nodes = sorted({case.nodes for case, _ in found})
    counts = "".join(f"{count:>6}" for count in nodes)
    lines.append(f"{'point':>8}{'chunk':>7}{'rows':>6} |{counts} | nodes >= 95%  then limited by  desk can feed")
    for one in told:
        here = {
            case.nodes: outcome
            for case, outcome in found
            if (case.point_s, case.chunk_s) == (one["point_s"], one["chunk_s"])
        }
        uses = "".join(f"{here[count].use:>6.0%}" for count in nodes)
        lines.append(
            f"{one['point_s'] * 1e3:>6g}ms{one['chunk_s']:>6g}s{one['rows_per_chunk']:>6} |{uses} |"
            f"{one['nodes_at_95_percent']:>13}  {one['limit'] or '-':<15}{one['desk_feeds_children']:>8.0f} children"
        )
    chunks_s = 1 / (costs.send(0) + 4 * rtt_s + costs.collect(1))
    rows_s = 1 / costs.collect.per_row if costs.collect.per_row else math.inf
    lines += [
        "",
        f"One desk handles at most {chunks_s:,.0f} chunks a second, and {rows_s:,.0f} rows a second whatever the size.",
        "Few rows a chunk: HUMMINGSWEEP_CHUNK_SECONDS moves the limit in proportion. Cheap points, hundreds of rows a",
        f"chunk (at most {MOST_POINTS}): rows a second are the limit, which no setting moves; a second desk with",
        "a part of the grid, in an output folder of its own, doubles it.",
    ]
    return "\n".join(lines)


def main() -> int:
    """Measure, simulate, tell."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer chunks measured, fewer sizes of clusters")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rtt-ms", type=float, default=0.3, help="a round trip between machines, milliseconds")
    chosen = parser.parse_args()
    costs = measure(1 if chosen.quick else 3)
    rtt_s = chosen.rtt_ms / 1e3
    found = simulate(costs, (1, 8, 64) if chosen.quick else NODES, rtt_s)
    told = conclusions(costs, found, rtt_s)
    if chosen.json:
        cases = [
            {**dataclasses.asdict(case), **dataclasses.asdict(outcome), "limit": outcome.limit}
            for case, outcome in found
        ]
        document = {"costs": dataclasses.asdict(costs), "cases": cases, "conclusions": told}
        print(json.dumps(document, indent=2))
    else:
        print(text(costs, found, told, rtt_s))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What a chunk costs orchestrator, node, child and broker: measured on a real server with a real node,
orchestrator and store.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from orchestrator.cluster import guardian
from orchestrator.cluster.broker import Cluster
from orchestrator.cluster.collect import Stream
from orchestrator.execution import publish
from orchestrator.execution.gather import gather
from orchestrator.progress.watcher import Silent
from orchestrator.results.store import Store
from orchestrator.sweepfile.sweep import read
from tasks.broker.connect import connect
from tasks.child.attempts import Attempts
from tasks.protocol.chunks import Chunk
from tasks.protocol.keys import Keys
from tasks.protocol.messages import Rows, SweepDefinition
from tasks.settings import Settings

REPOSITORY = Path(__file__).resolve().parent.parent.parent
#: Sizes of chunks whose costs are measured; between them costs grow with the rows.
SMALL, LARGE = 10, 1000


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

    #: orchestrator: note and send one chunk
    send: Cost
    broker_send: Cost
    #: orchestrator: read, decode, store and delete the rows of one chunk
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
            [sys.executable, "-m", "tasks.node.worker"],
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
    stream = Stream(cluster.redis, definition)
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

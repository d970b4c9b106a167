"""What Prometheus may ask: sweeps, nodes and the broker, and the mirror of this machine.

Nothing is kept here. Every scrape reads the broker anew (one round trip for all sweeps), so that the exporter may be
restarted at any time: the counters are the nodes' own tallies on the broker. Flower's /metrics tells the rest (runtimes
as a histogram, tasks by state); ops/grafana/dashboard.json draws both.

Names follow Prometheus: base units, `_total` for what only grows. Points per second is
`rate(hummingsweep_points_computed_total[1m])`, the mean seconds of a chunk
`rate(hummingsweep_chunk_seconds_sum[5m]) / rate(hummingsweep_chunk_seconds_count[5m])`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry

from orchestrator.cluster.broker import Cluster, Node
from tasks.errors import HummingsweepError
from tasks.protocol.keys import SWEEPS_KEY, Keys
from tasks.settings import Settings

if TYPE_CHECKING:
    from tasks.candles.mirror import Mirror

#: Sweeps that are told of: those published last.
MAX_SWEEPS = 20


@dataclass
class Tally:
    """What one node committed of one sweep, and what it runs now."""

    chunks: int = 0
    points: int = 0
    failed: int = 0
    #: seconds of wall clock in its children
    seconds: float = 0.0
    running: int = 0
    #: seconds since its oldest running chunk began
    oldest_s: float = 0.0


@dataclass
class Sweep:
    """One sweep as the broker has it."""

    sweep: str
    state: str
    points: int
    #: points whose rows the orchestrator has stored, as it said last
    stored: int
    #: chunks whose rows wait for an orchestrator
    uncollected: int
    tried_again: int
    #: where its chunks wait
    queue: str
    nodes: dict[str, Tally] = field(default_factory=dict)


@dataclass
class Broker:
    """The broker and the nodes on it."""

    memory_bytes: int
    memory_limit_bytes: int
    clients: int
    waiting: dict[str, int]
    handed_out: int
    nodes: list[Node]
    sweeps: list[Sweep]


def read(cluster: Cluster) -> Broker:
    """Everything the broker knows now. Raises RedisError when it is away."""
    redis: Any = cluster.redis
    memory = redis.info("memory")
    nodes = cluster.nodes()
    sweeps = _sweeps(redis, [name.decode() for name in redis.zrevrange(SWEEPS_KEY, 0, MAX_SWEEPS - 1)])
    queues = sorted({*(node.queue for node in nodes), *(sweep.queue for sweep in sweeps if sweep.queue)})
    with redis.pipeline(transaction=False) as pipeline:
        pipeline.hlen("unacked")
        for queue in queues:
            pipeline.llen(queue)
        handed_out, *lengths = pipeline.execute()
    return Broker(
        memory_bytes=int(memory["used_memory"]),
        memory_limit_bytes=int(memory["maxmemory"]),
        clients=int(redis.info("clients")["connected_clients"]),
        waiting=dict(zip(queues, map(int, lengths), strict=True)),
        handed_out=int(handed_out),
        nodes=nodes,
        sweeps=sweeps,
    )


def _sweeps(redis: Any, names: list[str]) -> list[Sweep]:
    with redis.pipeline(transaction=False) as pipeline:
        for name in names:
            keys = Keys(name)
            pipeline.hgetall(keys.status)
            pipeline.hgetall(keys.tally)
            pipeline.hgetall(keys.running)
            pipeline.hvals(keys.attempts)
            pipeline.xlen(keys.rows)
        answers = iter(pipeline.execute())
    now = time.time()
    sweeps = []
    for sweep_id, status, tally, running, attempts, uncollected in zip(names, *[answers] * 5, strict=True):
        if not status:
            continue  # its keys are gone, its name is not yet
        sweep = Sweep(
            sweep=sweep_id,
            state=status[b"state"].decode(),
            points=int(status[b"points"]),
            stored=int(status[b"done"]),
            uncollected=int(uncollected),
            tried_again=sum(int(count) > 1 for count in attempts),
            queue=status.get(b"queue", b"").decode(),
        )
        for key, value in tally.items():
            name, _, what = key.decode().rpartition(" ")
            setattr(_of(sweep, name), what, float(value) if what == "seconds" else int(value))
        for value in running.values():
            who, _, since = value.decode().partition(" ")
            node = _of(sweep, who.partition("/")[0])
            node.running += 1
            node.oldest_s = max(node.oldest_s, now - float(since or now))
        sweeps.append(sweep)
    return sweeps


def _of(sweep: Sweep, node: str) -> Tally:
    return sweep.nodes.setdefault(node, Tally())


class ClusterCollector(Collector):
    """The broker, its sweeps and its nodes. `hummingsweep_broker_up` is 0 when the broker does not answer."""

    def __init__(self, settings: Settings):
        self._cluster = Cluster(settings, patient=False)

    def collect(self) -> Iterator[Metric]:
        """One scrape."""
        from redis.exceptions import RedisError

        try:
            broker = read(self._cluster)
        except (RedisError, OSError):
            yield _gauge("broker_up", "1 when the broker answers.", 0)
            return
        yield _gauge("broker_up", "1 when the broker answers.", 1)
        yield _gauge("broker_memory_bytes", "Memory the broker uses.", broker.memory_bytes)
        yield _gauge("broker_memory_limit_bytes", "The broker's maxmemory; 0: none.", broker.memory_limit_bytes)
        yield _gauge("broker_clients", "Connections to the broker.", broker.clients)
        yield _gauge("chunks_handed_out", "Chunks that nodes hold, not acknowledged yet.", broker.handed_out)
        waiting = GaugeMetricFamily("hummingsweep_chunks_waiting", "Chunks on a queue.", labels=["queue"])
        for queue, length in broker.waiting.items():
            waiting.add_metric([queue], length)
        yield waiting
        children = GaugeMetricFamily(
            "hummingsweep_node_children", "Children of a node that is alive.", labels=["node", "queue"]
        )
        for node in broker.nodes:
            children.add_metric([node.name, node.queue], node.children)
        yield children
        yield from _of_sweeps(broker.sweeps)


def _of_sweeps(sweeps: list[Sweep]) -> Iterator[Metric]:
    def gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
        return GaugeMetricFamily(f"hummingsweep_{name}", text, labels=["sweep", *labels])

    def counter(name: str, text: str) -> CounterMetricFamily:
        return CounterMetricFamily(f"hummingsweep_{name}", text, labels=["sweep", "node"])

    points = gauge("sweep_points", "Points of the sweep's grid.")
    stored = gauge("sweep_points_stored", "Points whose rows the orchestrator has stored.")
    state = gauge("sweep_state", "1 for the state the sweep is in: submitted, running, stopped, done.", "state")
    uncollected = gauge("sweep_chunks_uncollected", "Chunks whose rows wait on the broker for an orchestrator.")
    again = gauge("sweep_chunks_tried_again", "Chunks under way that a child began before and did not finish.")
    running = gauge("chunks_running", "Chunks that children run now.", "node")
    oldest = gauge("chunk_oldest_seconds", "Seconds since the oldest running chunk began.", "node")
    computed = counter("points_computed", "Points whose rows were committed.")
    failed = counter("points_failed", "Points whose row has another status than ok.")
    seconds = SummaryMetricFamily(
        "hummingsweep_chunk_seconds", "Wall clock of committed chunks, in the child.", labels=["sweep", "node"]
    )
    for sweep in sweeps:
        points.add_metric([sweep.sweep], sweep.points)
        stored.add_metric([sweep.sweep], sweep.stored)
        state.add_metric([sweep.sweep, sweep.state], 1)
        uncollected.add_metric([sweep.sweep], sweep.uncollected)
        again.add_metric([sweep.sweep], sweep.tried_again)
        for name, node in sweep.nodes.items():
            labels = [sweep.sweep, name]
            running.add_metric(labels, node.running)
            oldest.add_metric(labels, node.oldest_s)
            computed.add_metric(labels, node.points)
            failed.add_metric(labels, node.failed)
            seconds.add_metric(labels, count_value=node.chunks, sum_value=node.seconds)
    yield from (points, stored, state, uncollected, again, running, oldest, computed, failed, seconds)


class MachineCollector(Collector):
    """The mirror of this machine."""

    def __init__(self, mirror: Mirror):
        self._mirror = mirror

    def collect(self) -> Iterator[Metric]:
        """One scrape."""
        held = self._mirror.status()
        yield _gauge("mirror_bytes", "Slices in this machine's memory mirror.", held.bytes)
        yield _gauge("mirror_limit_bytes", "What the mirror may hold.", held.limit_bytes)
        yield _gauge("mirror_slices", "Number of slices in the mirror.", len(held.held))


def registry(settings: Settings) -> CollectorRegistry:
    """What this machine can tell; without a broker address the mirror alone."""
    from orchestrator.data.catalogue import mirror

    collectors = CollectorRegistry(auto_describe=False)
    collectors.register(MachineCollector(mirror(settings)))
    if settings.broker:
        collectors.register(ClusterCollector(settings))
    return collectors


def serve(settings: Settings, address: str, port: int) -> tuple[Any, Any]:
    """Answer on http://address:port/metrics; the server and its thread. Raises HummingsweepError."""
    from prometheus_client import start_http_server

    try:
        return start_http_server(port, address, registry(settings))
    except OSError as error:
        raise HummingsweepError(
            f"cannot listen on {address}:{port} ({error.strerror}); choose another --port or --address"
        ) from error


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"hummingsweep_{name}", text, value=value)

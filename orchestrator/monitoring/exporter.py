"""What Prometheus may ask: sweeps, nodes and the broker, and the mirror of this machine.

Nothing is kept here. Every scrape reads the broker anew (one round trip for all sweeps), so that the exporter may be
restarted at any time: the counters are the nodes' own tallies on the broker. Flower's /metrics tells the rest (runtimes
as a histogram, tasks by state); ops/grafana/dashboard.json draws both.

Names follow Prometheus: base units, `_total` for what only grows. Points per second is
`rate(hummingsweep_points_computed_total[1m])`, the mean seconds of a chunk
`rate(hummingsweep_chunk_seconds_sum[5m]) / rate(hummingsweep_chunk_seconds_count[5m])`.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry

from orchestrator.cluster.bookkeeping import SweepRecords, known_sweeps, read_sweeps
from orchestrator.cluster.broker import Cluster
from orchestrator.report.hosts import asks_loopback, is_loopback
from tasks.errors import HummingsweepError
from tasks.protocol.keys import UNACKED_KEY
from tasks.protocol.records import NodeRecord, NodeTally
from tasks.settings import Settings

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from tasks.candles.mirror import Mirror

#: Sweeps that are told of: those published last.
MAX_SWEEPS = 20


@dataclass(frozen=True)
class Running:
    """The chunks that one node runs of one sweep."""

    chunks: int = 0
    #: seconds since the oldest of them began
    oldest_s: float = 0.0


@dataclass(frozen=True)
class BrokerFacts:
    """The broker and the nodes on it."""

    memory_bytes: int
    memory_limit_bytes: int
    clients: int
    waiting: dict[str, int]
    handed_out: int
    nodes: list[NodeRecord]
    sweeps: list[SweepRecords]


def read(cluster: Cluster) -> BrokerFacts:
    """Everything the broker knows now. Raises RedisError when it is away, BrokerError when it holds something else."""
    redis = cluster.redis
    memory = redis.info("memory")
    nodes = cluster.nodes()
    # a sweep whose status is gone is none: its keys run out one after another
    found = read_sweeps(redis, known_sweeps(redis, MAX_SWEEPS))
    sweeps = [records for records in found if records.status is not None or records.unreadable]
    queues = sorted({*(node.queue for node in nodes), *(each.status.queue for each in sweeps if each.status)} - {""})
    with redis.pipeline(transaction=False) as pipeline:
        pipeline.hlen(UNACKED_KEY)
        for queue in queues:
            pipeline.llen(queue)
        lengths = [answer if isinstance(answer, int) else 0 for answer in pipeline.execute(raise_on_error=False)]
    return BrokerFacts(
        memory_bytes=int(memory["used_memory"]),
        memory_limit_bytes=int(memory["maxmemory"]),
        clients=int(redis.info("clients")["connected_clients"]),
        waiting=dict(zip(queues, lengths[1:], strict=True)),
        handed_out=lengths[0],
        nodes=nodes,
        sweeps=sweeps,
    )


def running_by_node(records: SweepRecords, now: float) -> dict[str, Running]:
    """Node -> what it runs of a sweep."""
    found: dict[str, Running] = {}
    for chunk in records.running:
        before = found.get(chunk.child.node, Running())
        oldest_s = max(before.oldest_s, now - chunk.since)
        found[chunk.child.node] = Running(before.chunks + 1, oldest_s)
    return found


class ClusterCollector(Collector):
    """The broker, its sweeps and its nodes. `hummingsweep_broker_up` is 0 when the broker does not answer."""

    def __init__(self, settings: Settings):
        self._cluster = Cluster(settings, patient=False)

    def collect(self) -> Iterator[Metric]:
        """One scrape."""
        from redis.exceptions import RedisError

        try:
            broker = read(self._cluster)
        except (RedisError, OSError, HummingsweepError):
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


def _of_sweeps(sweeps: list[SweepRecords]) -> Iterator[Metric]:
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
    unreadable = gauge("sweep_records_unreadable", "Records of the sweep on the broker that cannot be read.")
    seconds = SummaryMetricFamily(
        "hummingsweep_chunk_seconds", "Wall clock of committed chunks, in the child.", labels=["sweep", "node"]
    )
    now = time.time()
    for sweep in sweeps:
        unreadable.add_metric([sweep.sweep], sweep.unreadable)
        if sweep.status is None:
            continue
        points.add_metric([sweep.sweep], sweep.status.points)
        stored.add_metric([sweep.sweep], sweep.status.done)
        state.add_metric([sweep.sweep, sweep.status.state.value], 1)
        uncollected.add_metric([sweep.sweep], sweep.uncollected)
        again.add_metric([sweep.sweep], sweep.tried_again)
        runs = running_by_node(sweep, now)
        for name in {**sweep.tallies, **runs}:
            labels, tally, at_work = (
                [sweep.sweep, name],
                sweep.tallies.get(name, NodeTally()),
                runs.get(name, Running()),
            )
            running.add_metric(labels, at_work.chunks)
            oldest.add_metric(labels, at_work.oldest_s)
            computed.add_metric(labels, tally.points)
            failed.add_metric(labels, tally.failed)
            seconds.add_metric(labels, count_value=tally.chunks, sum_value=tally.seconds)
    yield from (points, stored, state, uncollected, again, running, oldest, computed, failed, seconds, unreadable)


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


class MetricsServer(ThreadingMixIn, WSGIServer):
    """Answers every path with the metrics, each request on a thread of its own."""

    daemon_threads = True

    def __init__(self, address: str, port: int, collectors: CollectorRegistry):
        """Listens. Raises OSError."""
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        super().__init__((address, port), _Silent)
        application = make_wsgi_app(collectors)
        self.set_app(only_for_loopback(application) if is_loopback(address) else application)


class _Silent(WSGIRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: Prometheus asks every few seconds."""


def only_for_loopback(application: WSGIApplication) -> WSGIApplication:
    """The application, for requests whose Host header names this machine; others are answered with 403."""

    def checked(environment: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # wsgiref joins two Host lines with a comma, and leaves a whole address as the path
        if asks_loopback([str(environment.get("HTTP_HOST", ""))], str(environment.get("PATH_INFO", ""))):
            return application(environment, start_response)
        start_response("403 Forbidden", [("Content-Type", "text/plain; charset=utf-8")])
        return [b"this server answers on loopback only\n"]

    return checked


def serve(settings: Settings, address: str, port: int) -> tuple[MetricsServer, threading.Thread]:
    """Answer on http://address:port/metrics; the server and its thread. Raises HummingsweepError."""
    try:
        server = MetricsServer(address, port, registry(settings))
    except OverflowError:
        raise HummingsweepError(f"--port {port}: give a port from 1 to 65535, or 0 for any that is free") from None
    except OSError as error:
        raise HummingsweepError(
            f"cannot listen on {address}:{port} ({error.strerror}); choose another --port or --address"
        ) from error
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    return server, thread


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"hummingsweep_{name}", text, value=value)

"""How a sweep stands, from what the broker knows of it: for `watch`, `list` and notebooks."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from orchestrator.cluster.bookkeeping import SweepRecords, known_sweeps, read_sweep, read_sweeps
from orchestrator.progress.watcher import NodeProgress
from tasks.errors import BrokerError
from tasks.named_types import JsonObject
from tasks.protocol.records import NodeTally, SweepState, SweepStatus
from tasks.times import span

if TYPE_CHECKING:
    from orchestrator.cluster.broker import Cluster


@dataclasses.dataclass(frozen=True)
class Standing:
    """One sweep as of one moment."""

    sweep: str
    status: SweepStatus
    #: the orchestrator that collects; None: nobody does
    collector: str | None
    #: chunks that a child began before and did not finish
    chunks_tried_again: int
    #: messages of rows that wait for an orchestrator
    uncollected: int
    #: records on the broker that cannot be read
    unreadable: int
    nodes: tuple[NodeProgress, ...]

    @property
    def chunks_running(self) -> int:
        """Chunks that children of living nodes run."""
        return sum(node.running for node in self.nodes)

    @property
    def points_per_s(self) -> float:
        """Points per second of all nodes together, as measured; 0: not known."""
        return sum(node.points_per_s or 0.0 for node in self.nodes)

    @property
    def left_s(self) -> float | None:
        """Seconds to the end at this speed; None: not known."""
        return (self.status.points - self.status.done) / self.points_per_s if self.points_per_s else None

    @property
    def ended(self) -> bool:
        """Whether no more rows are to come."""
        over = self.status.state in (SweepState.STOPPED, SweepState.CANCELLED)
        return over or self.status.done >= self.status.points

    def document(self) -> JsonObject:
        """For --json."""
        return {
            **facts(self.sweep, self.status),
            "collector": self.collector,
            "chunks_running": self.chunks_running,
            "chunks_lost": sum(node.lost for node in self.nodes),
            "chunks_tried_again": self.chunks_tried_again,
            "points_per_s": self.points_per_s or None,
            "left_s": self.left_s,
            "nodes": [dataclasses.asdict(node) for node in self.nodes],
        }

    def lines(self) -> Iterator[str]:
        """For a person."""
        status = self.status
        yield (
            f"sweep {self.sweep}: {status.state}, {status.done}/{status.points} points, "
            f"{status.failed} failed, {self.chunks_running} chunks running, "
            f"{sum(node.lost for node in self.nodes)} lost, {self.chunks_tried_again} tried again"
            + (f", {span(self.left_s)} left" if self.left_s else "")
        )
        for node in self.nodes:
            yield f"  node {node.name}: {node.points} points, {node.facts()}"
        if self.unreadable:
            yield f"  {self.unreadable} records of this sweep on the broker cannot be read and are passed over"


def standing_of(cluster: Cluster, sweep: str) -> Standing:
    """How a sweep stands now. Raises BrokerError when the broker knows nothing of it, or nothing that can be read."""
    records = read_sweep(cluster.redis, sweep)
    if records.status is None:
        why = "cannot be read" if records.unreadable else "is not on this broker any more"
        raise BrokerError(f"sweep {sweep}: its status {why}; `hummingsweep run` with its file and folder goes on")
    return Standing(
        sweep=sweep,
        status=records.status,
        collector=records.collector,
        chunks_tried_again=records.tried_again,
        uncollected=records.uncollected,
        unreadable=records.unreadable,
        nodes=tuple(_nodes(cluster, records)),
    )


def sweeps_on(cluster: Cluster) -> Iterator[JsonObject]:
    """The sweeps on the broker, the newest first, as `list` shows them."""
    for records in read_sweeps(cluster.redis, known_sweeps(cluster.redis)):
        if records.status is not None:
            yield facts(records.sweep, records.status)
        elif records.unreadable:
            cluster.say(f"sweep {records.sweep}: its status on the broker cannot be read and is passed over")


def facts(sweep: str, status: SweepStatus) -> JsonObject:
    """A sweep's status for --json."""
    return {
        "sweep": sweep,
        "points": status.points,
        "done": status.done,
        "failed": status.failed,
        "state": status.state.value,
        "at": status.at,
    }


def _nodes(cluster: Cluster, records: SweepRecords) -> Iterator[NodeProgress]:
    """Every node that is there, and those that went away with chunks in their hands."""
    began: dict[str, list[float]] = {}
    for chunk in records.running:
        began.setdefault(chunk.child.node, []).append(chunk.since)
    alive = {node.name: node.children for node in cluster.nodes()}
    now = time.time()
    for name in {**alive, **began}:
        tally = records.tallies.get(name, NodeTally())
        under_way = began.get(name, [])
        yield NodeProgress(
            name=name,
            children=alive.get(name, 0),
            points=tally.points,
            points_per_s=tally.points / tally.seconds * alive.get(name, 0) if tally.seconds else None,
            running=len(under_way) if name in alive else 0,
            lost=0 if name in alive else len(under_way),
            oldest_s=max((now - since for since in under_way), default=0.0),
        )

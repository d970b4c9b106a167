"""Chunks in flight: what was sent and has not come back.

Never more than DEPTH a child, so that no child waits for work and the last chunks are small enough. What the broker
lost is sent again under a new id; after an interrupt, what no child runs is given up.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from orchestrator.cluster.bookkeeping import running_chunks
from orchestrator.cluster.broker import message_id
from orchestrator.execution.agenda import Agenda
from tasks.errors import BrokerError
from tasks.protocol.chunks import Chunk, Run
from tasks.protocol.keys import Keys
from tasks.protocol.scenario import Scenario

if TYPE_CHECKING:
    from orchestrator.cluster.broker import Cluster

#: Chunks on the way per child: one that runs, one that waits.
DEPTH = 2
#: Seconds without rows after which the broker is asked whether it holds what is on the way, and between two looks.
LOST_AFTER_S = 20.0
LOOK_EVERY_S = 3.0
#: Times that the same points may be lost before the command gives up: a node that takes chunks and answers nothing
#: would be sent them for ever.
LOSSES = 5


@dataclass
class InFlight:
    """The chunks of one run that are on the way."""

    chunks: dict[str, Chunk] = field(default_factory=dict)
    #: chunk id -> id of the message that carries it
    _messages: dict[str, str] = field(default_factory=dict)
    _quiet_since: float = field(default_factory=time.monotonic)
    _looked: float = 0.0
    #: messages that were missing at the last look
    _missing: set[str] = field(default_factory=set)
    #: how often these points were lost under this scenario
    _losses: Counter[tuple[Scenario, tuple[Run, ...]]] = field(default_factory=Counter)

    def add(self, chunk: Chunk) -> str:
        """Under way from now on; the id for its message."""
        self.chunks[chunk.id] = chunk
        self._messages[chunk.id] = message_id()
        return self._messages[chunk.id]

    def complete(self, chunk_id: str, points: Sequence[int] = ()) -> list[int]:
        """A chunk has come back with rows of these points; those that it was stopped before."""
        chunk = self.chunks.pop(chunk_id, None)
        self._messages.pop(chunk_id, None)
        there = set(points)
        return [point for point in chunk.points if point not in there] if chunk and there else []

    def rows_came(self) -> None:
        """Rows came in."""
        self._quiet_since, self._missing = time.monotonic(), set()

    def lose(self, chunk: Chunk, why: str = "") -> None:
        """This chunk is lost and its points are to be sent again. `why`: what was wrong with its rows.

        Raises BrokerError when that happened too often.
        """
        self.complete(chunk.id)
        points = chunk.scenario, chunk.runs
        self._losses[points] += 1
        if self._losses[points] >= LOSSES and why:
            raise BrokerError(
                f"{why} (chunk {chunk.id}, {LOSSES} times): look into that node, or take it off the cluster; the same "
                "command goes on"
            )
        if self._losses[points] >= LOSSES:
            raise BrokerError(
                f"the broker lost the points of chunk {chunk.id} {LOSSES} times, and no node handed in rows for them: "
                "look into the nodes' logs for why; the same command goes on"
            )

    def lost(self, cluster: Cluster) -> list[Chunk]:
        """The chunks whose messages the broker holds no more although no rows came for long.

        A message is nowhere for a moment on its way to a node, and the last rows may have come between two looks: it
        is lost when it was missing twice.
        """
        now = time.monotonic()
        if now - self._quiet_since < LOST_AFTER_S or now - self._looked < LOOK_EVERY_S:
            return []
        self._looked = now
        missing, before = cluster.missing(self._messages.values()), self._missing
        self._missing = missing
        return [self.chunks[chunk] for chunk, message in self._messages.items() if message in missing & before]


def fill(
    cluster: Cluster,
    keys: Keys,
    agenda: Agenda,
    in_flight: InFlight,
    generation: int,
    children: int,
    progress: str,
) -> None:
    """Send chunks until every child has one to run and one that waits."""
    while len(in_flight.chunks) < DEPTH * max(1, children):
        following = agenda.next(generation, children)
        if following is None:
            return
        chunk, limit_s = following
        if not _send(cluster, keys, in_flight, chunk, limit_s, progress):
            return


def send_again(
    cluster: Cluster, keys: Keys, in_flight: InFlight, lost: list[Chunk], generation: int, limit_s: float = 0.0
) -> int:
    """Send these once more under new names. The others stay on the way, so the generation is that of this start.

    Raises BrokerError when the same points were lost too often.
    """
    from redis.exceptions import OutOfMemoryError

    redis = cluster.redis
    try:
        # a broker that lost its data counts from nothing
        generation = max(generation + 1, int(redis.incr(keys.generation)))
        redis.set(keys.generation, generation)
    except OutOfMemoryError:
        return generation
    for chunk in lost:
        in_flight.lose(chunk)
        _send(cluster, keys, in_flight, replace(chunk, generation=generation), limit_s)
    return generation


def send_refused(cluster: Cluster, keys: Keys, in_flight: InFlight, chunk: Chunk, why: str) -> None:
    """Send a chunk once more whose rows did not fit, under its own name: the broker forgets that it was done."""
    in_flight.lose(chunk, why)
    cluster.redis.srem(keys.done, chunk.id)
    _send(cluster, keys, in_flight, chunk)


def give_up_waiting(cluster: Cluster, keys: Keys, in_flight: InFlight) -> None:
    """After an interrupt: chunks that no child of a living node runs will not come back."""
    redis = cluster.redis
    alive = {node.name for node in cluster.nodes()}
    running = running_chunks(redis, keys.sweep)
    running = {chunk_id: chunk for chunk_id, chunk in running.items() if chunk.child.node in alive}
    for chunk_id in [chunk_id for chunk_id in in_flight.chunks if chunk_id not in running]:
        if not redis.sismember(keys.done, chunk_id):
            in_flight.complete(chunk_id)


def _send(
    cluster: Cluster, keys: Keys, in_flight: InFlight, chunk: Chunk, limit_s: float = 0.0, progress: str = ""
) -> bool:
    """False when the broker has no room for it, or goes away in this moment.

    The chunk counts as in flight all the same: collecting goes on and makes room, and what is lost is sent again.
    """
    from kombu.exceptions import OperationalError
    from redis.exceptions import OutOfMemoryError

    message = in_flight.add(chunk)
    try:
        cluster.redis.sadd(keys.sent, chunk.id)
        cluster.send(keys.sweep, chunk, message, limit_s, progress)
    except (OperationalError, OutOfMemoryError):
        return False
    return True

"""A discrete-event simulation of orchestrator.execution.run's loop: one orchestrator, one single-threaded broker, one
Celery process per
node, children that compute."""

from __future__ import annotations

import heapq
import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from scaling.costs import Costs

from orchestrator.cluster.collect import BATCH
from orchestrator.execution.in_flight import DEPTH
from orchestrator.execution.planner import MAX_POINTS

#: Use under which a cluster is said to be limited.
GOOD = 0.95


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
        return max(1, min(MAX_POINTS, int(self.chunk_s / self.point_s)))


@dataclass(frozen=True)
class Outcome:
    """The steady middle of a sweep."""

    use: float
    points_per_s: float
    orchestrator_busy: float
    broker_busy: float
    node_busy: float

    @property
    def limit(self) -> str:
        """What holds the children back; empty when nothing does."""
        if self.use >= GOOD:
            return ""
        busy = {"orchestrator": self.orchestrator_busy, "broker": self.broker_busy, "node": self.node_busy}
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
    """Chunks from the orchestrator to the children and back. Events are (time, number, what, whose)."""

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
        self._orchestrator_waits = False
        self._orchestrator_busy = 0.0
        self._done = 0
        self._marks: list[tuple[float, float, float, float, float]] = []
        self._busy = 0
        self._busy_since = 0.0
        self._busy_s = 0.0

    def run(self) -> Outcome:
        """To the end; what is reported is the middle, without start and tail."""
        self._at(0.0, self._orchestrator, 0)
        while self._events:
            now, _, what, whose = heapq.heappop(self._events)
            what(now, whose)
        (t0, c0, d0, b0, n0), (t1, c1, d1, b1, n1) = self._marks
        seconds = t1 - t0
        points = (self._total * 3 // 4 - self._total // 4) * self.case.rows
        return Outcome(
            use=(c1 - c0) / (seconds * self._children),
            points_per_s=points / seconds,
            orchestrator_busy=(d1 - d0) / seconds,
            broker_busy=(b1 - b0) / seconds,
            node_busy=(n1 - n0) / seconds / self.case.nodes,
        )

    def _at(self, when: float, what: Callable[[float, int], None], whose: int) -> None:
        self._number += 1
        heapq.heappush(self._events, (when, self._number, what, whose))

    def _orchestrator(self, now: float, _: int) -> None:
        """One step of orchestrator.execution.run: at most BATCH chunks of rows, then as many chunks out as are
        missing.
        """
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
            self._at(now, self._orchestrator, 0)
            return
        else:
            self._orchestrator_waits = True
            return
        self._orchestrator_busy += seconds  # without what it waits for others
        self._at(now + seconds + wait, self._orchestrator, 0)

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
            self._marks.append((now, self._busy_s, self._orchestrator_busy, self._broker.busy, node))
        self._ready += 1
        if self._orchestrator_waits:
            self._orchestrator_waits = False
            self._at(now, self._orchestrator, 0)
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

"""How many points go into the next chunk. Pure: no clock, no broker.

Which points come next is the source's (orchestrator.execution.source). A sweep begins with probes: single points spread
over the grid, whose time says how expensive a point is. Until the first of them is back, children get as many points as
fit into FIRST_S seconds. Then chunks of points that take about `target_s` seconds, and towards the end smaller ones, so
that all children finish together (guided self-scheduling: never more than a share of what remains; a larger share where
one chunk was like the other).

Where points are more expensive than was known, a chunk would take many times what was planned while other children
wait. So each is sent with a limit: the child stops there, and the points it did not reach are handed out anew.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from orchestrator.execution.source import PointSource
from tasks.errors import StoreError
from tasks.protocol.chunks import runs_of
from tasks.protocol.messages import Rows

#: No chunk has more points: its rows are one message.
MAX_POINTS = 2000
#: The runs of a chunk are its id, and a message stays under 1 KB: characters they may take, one run in any case.
ID_CHARACTERS = 80
#: Points whose names are looked at first, when a chunk is planned.
LOOKED_AT = 64
#: Of what remains, a chunk takes at most one part in SHARES per child; in STEADY_SHARES where the last STEADY_CHUNKS
#: took about as long per point as was known before, give or take a fraction of STEADY.
SHARES = 2.0
STEADY_SHARES = 1.25
STEADY_CHUNKS = 4
STEADY = 0.15
#: But no chunk of cheap points takes less than these seconds: to hand it out costs a tenth of them.
MIN_S = 0.08
#: Nor these, where the children share out the last points: better a third spent on handing out than children that wait.
LAST_S = 0.02
#: Seconds of a chunk that is sent before it is known how expensive a point is, and the most points it holds.
FIRST_S = 0.2
FIRST_POINTS = 100
#: Where so few points per child are left, the first go alone: one of them may be as long as all the others, whose rows
#: would wait for it.
ALONE = 4
#: A child stops a chunk that takes so many times the planned seconds, but not before MIN_LIMIT_S.
OVERRUN = 2.0
MIN_LIMIT_S = 1.0


@dataclass
class Speeds:
    """Seconds per point as measured, per node."""

    seconds: dict[str, float] = field(default_factory=dict)
    #: as many as weigh: no whole number, or single points would weigh nothing beside their seconds
    points: dict[str, float] = field(default_factory=dict)
    #: nodes of which only first chunks have come back
    _cold: set[str] = field(default_factory=set)
    #: of the last chunks: how far off they were what was known of their node, as a fraction of it
    _off: deque[float] = field(default_factory=partial(deque, maxlen=STEADY_CHUNKS))

    def add(self, node: str, seconds: float, points: int, *, cold: bool = False) -> None:
        """A chunk came back. Older chunks weigh less: a sweep's points may differ along an axis.

        `cold`: the first of its child, which fetched and imported what the others find there; it counts until a
        better one comes.
        """
        if cold and node in self.seconds and node not in self._cold:
            return
        if cold:
            self._cold.add(node)
        elif node in self._cold:
            self._cold.discard(node)
            self.seconds[node], self.points[node] = 0.0, 0.0
        known = self._of(node)
        if known:
            self._off.append(abs(seconds / max(points, 1) / known - 1))
        self.seconds[node] = self.seconds.get(node, 0.0) * 0.8 + seconds
        self.points[node] = self.points.get(node, 0.0) * 0.8 + points

    def seconds_per_point(self) -> float | None:
        """Over all nodes; None before the first chunk came back."""
        points = sum(self.points.values())
        return sum(self.seconds.values()) / points if points else None

    def slowest(self) -> float | None:
        """Of the slowest node: the last chunks are measured for it."""
        return max(filter(None, map(self._of, self.seconds)), default=None)

    def steady(self) -> bool:
        """Whether the last chunks took about the time that was expected of them."""
        return len(self._off) == STEADY_CHUNKS and max(self._off) < STEADY

    def _of(self, node: str) -> float | None:
        points = self.points.get(node, 0.0)
        return self.seconds[node] / points if points else None


class Planner:
    """Hands out the points of a source, chunk by chunk, each point once."""

    def __init__(self, source: PointSource, *, target_s: float, probes: Sequence[int] = ()):
        """`target_s`: seconds that a chunk is to take. `probes`: points of the source that go first and alone."""
        self._source = source
        self._target_s = target_s
        self._probes = list(dict.fromkeys(probes))
        #: points that went, or will go, as probes: the source hands them out as well
        self._probed = set(self._probes)
        #: points handed out and not given back
        self._handed = 0
        self.speeds = Speeds()

    @property
    def left(self) -> int:
        """Points not handed out yet, as far as that is known."""
        return self._source.total - self._handed

    def next(self, children: int) -> list[int]:
        """The points of the next chunk; empty when all are handed out, or when the source waits for rows."""
        if (self.speeds.seconds_per_point() or MIN_S) < MIN_S:  # more probes would cost more than they are worth
            self._probed.difference_update(self._probes)
            self._probes = []
        points = [self._probes.pop(0)] if self._probes else self._take(self._size(max(1, children)))
        self._handed += len(points)
        return points

    def observe(self, rows: Rows, unreached: Sequence[int], *, cold: bool) -> None:
        """A chunk came back, stopped before it came to the points `unreached`; `cold`: the first of its child."""
        self.give_back(unreached)
        self.speeds.add(rows.node.partition("/")[0], rows.seconds, len(rows), cold=cold)
        self._source.observe(rows)

    def limit_s(self, points: int) -> float:
        """Seconds after which a chunk of so many points is to be stopped; 0: never."""
        each = self.speeds.slowest()
        if points == 1:
            return 0.0
        return FIRST_S if each is None else max(MIN_LIMIT_S, OVERRUN * points * each)

    def give_back(self, points: Sequence[int]) -> None:
        """A chunk was stopped before it came to these, or was lost: they come next."""
        self._probes[:0] = [point for point in points if point in self._probed]
        self._source.give_back([point for point in points if point not in self._probed])
        self._handed -= len(points)

    def _size(self, children: int) -> int:
        each = self.speeds.seconds_per_point()
        if each is None and self.left <= ALONE * children:
            return 1
        # where nothing is known, the limit in seconds keeps a large share from being one too many
        shares = STEADY_SHARES if each is None or self.speeds.steady() else SHARES
        share = math.ceil(self.left / (shares * children))
        if each is None:
            return max(1, min(share, FIRST_POINTS))
        if share * each < self._target_s:  # near the end
            each = self.speeds.slowest() or each
        each = max(each, 1e-9)
        last = max(-(-self.left // children), math.ceil(LAST_S / each))
        least = min(math.ceil(MIN_S / each), last)
        return max(1, min(int(self._target_s / each), max(share, least), MAX_POINTS))

    def _take(self, count: int) -> list[int]:
        """So many points, or as many as have a short name, up to where shared work ends."""
        points: list[int] = []
        looked = LOOKED_AT
        while True:
            more = min(looked, count + 1) - len(points)
            came = self._pull(more)
            points += came
            fitting = min(count, _fitting(points))
            if fitting < len(points) or len(came) < more:
                break
            looked *= 2  # scattered points: eight of a thousand have a short name
        taken = self._source.end_of_group(points, fitting) if fitting < len(points) else fitting
        self._source.give_back(points[taken:])
        return points[:taken]

    def _pull(self, count: int) -> list[int]:
        """The next points of the source that are no probes; fewer when it has no more."""
        points: list[int] = []
        while len(points) < count:
            came = self._source.next(count - len(points))
            if not came:
                break
            points += (point for point in came if point not in self._probed)
        return points


def _fitting(points: Sequence[int]) -> int:
    """How many of these points the id of a chunk has room for: at least one run."""
    length = count = 0
    for run in runs_of(points):
        length += len(str(run)) + 1
        if count and length > ID_CHARACTERS:
            break
        count += run.size
    return count


def check_points(sweep: str, points: Iterable[int], size: int) -> None:
    """Raises StoreError for a point that a grid of `size` does not have."""
    for point in points:
        if not 0 <= point < size:
            raise StoreError(f"{sweep}: there is no point {point}; the grid has points 0 to {size - 1}")

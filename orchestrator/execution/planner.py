"""Which points go into the next chunk. Pure: no clock, no broker.

A sweep begins with probes: single points spread over the grid, whose time says how expensive a point is. Until the
first of
them is back, children get as many points as fit into FIRST_S seconds. Then chunks of consecutive points that take about
`target_s` seconds, and towards the end smaller ones, so that all children finish together (guided self-scheduling:
never more than a share of what remains; a larger share where one chunk was like the other).

Where points are more expensive than was known, a chunk would take many times what was planned while other children
wait. So
each is sent with a limit: the child stops there, and the points it did not reach are handed out anew.

Rows say which axes the features depend on. From then on points that agree on those axes go side by side, wherever the
sweep file has the axes: a child derives their features once.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

from tasks.errors import StoreError
from tasks.grid import Grid, Grouped
from tasks.protocol.messages import Rows, runs_of

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
#: So many missing points are put in order at once; more are looked for in the order of the whole grid.
FEW = 100_000
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
    """Hands out the missing points, chunk by chunk, each point once."""

    def __init__(
        self,
        missing: Iterable[tuple[int, int]],
        size: int,
        *,
        target_s: float,
        probes: Sequence[int] = (),
        grid: Grid | None = None,
    ):
        """`missing`: closed ranges of points, ascending, read lazily. `size`: how many points they hold.

        `probes`: points, each of them missing, that go first and alone. `grid`: whose points they are; without it their
        order stays.
        """
        self._missing = iter(missing)
        self._rest: tuple[int, int] | None = None  # of the range under way
        self._source = self._in_order()
        self._ahead: deque[int] = deque()  # came back, or did not fit
        self._left = size
        self._target_s = target_s
        self._probes = list(dict.fromkeys(probes))
        self._probed = set(self._probes)
        self._grid = grid
        self._order: Grouped | None = None
        #: which points share their features: until it is known, those are taken for such that differ in the last axis
        self._groups = Grouped(grid, grid.names[:-1]) if grid is not None else None
        self._feature_axes: set[str] = set()
        self._grouped_by: set[str] = set()
        self.speeds = Speeds()

    @property
    def left(self) -> int:
        """Points not handed out yet."""
        return self._left

    def next(self, children: int) -> list[int]:
        """The points of the next chunk; empty when all are handed out."""
        if (self.speeds.seconds_per_point() or MIN_S) < MIN_S:  # more probes would cost more than they tell
            self._probed.difference_update(self._probes)
            self._probes = []
        if self._probes:
            points = [self._probes.pop(0)]
        else:
            if self._grid is not None and self._feature_axes != self._grouped_by:
                self._group(self._grid)
            points = self._take(self._size(max(1, children)))
        self._left -= len(points)
        return points

    def hear(self, rows: Rows, unreached: Sequence[int], *, cold: bool) -> None:
        """A chunk came back, stopped before it came to the points `unreached`; `cold`: the first of its child."""
        self.give_back(unreached)
        self.speeds.add(rows.node.partition("/")[0], rows.seconds, len(rows), cold=cold)
        self.learn(rows.feature_axes)

    def learn(self, feature_axes: Iterable[str]) -> None:
        """Rows came back whose features depend on these axes."""
        self._feature_axes.update(feature_axes)

    def limit_s(self, points: int) -> float:
        """Seconds after which a chunk of so many points is to be stopped; 0: never."""
        each = self.speeds.slowest()
        if points == 1:
            return 0.0
        return FIRST_S if each is None else max(MIN_LIMIT_S, OVERRUN * points * each)

    def give_back(self, points: Sequence[int]) -> None:
        """A chunk was stopped before it came to these: they go next."""
        if not points:
            return
        self._ahead.extendleft(reversed(points))
        if self._order is not None:  # they may have been sent before it was known
            self._ahead = deque(sorted(self._ahead, key=self._order.rank))
        self._left += len(points)

    def _size(self, children: int) -> int:
        each = self.speeds.seconds_per_point()
        if each is None and self._left <= ALONE * children:
            return 1
        # where nothing is known, the limit in seconds keeps a large share from being one too many
        shares = STEADY_SHARES if each is None or self.speeds.steady() else SHARES
        share = math.ceil(self._left / (shares * children))
        if each is None:
            return max(1, min(share, FIRST_POINTS))
        if share * each < self._target_s:  # near the end
            each = self.speeds.slowest() or each
        each = max(each, 1e-9)
        last = max(-(-self._left // children), math.ceil(LAST_S / each))
        least = min(math.ceil(MIN_S / each), last)
        return max(1, min(int(self._target_s / each), max(share, least), MAX_POINTS))

    def _take(self, count: int) -> list[int]:
        """So many points, or as many as have a short name; a group that ends in their later half ends the chunk."""
        points: list[int] = []
        looked = LOOKED_AT
        while True:
            more = min(looked, count + 1) - len(points)
            came = [self._ahead.popleft() for _ in range(min(more, len(self._ahead)))]
            came += islice(self._source, more - len(came))
            points += came
            fitting = min(count, _fitting(points))
            if fitting < len(points) or len(came) < more:
                break
            looked *= 2  # scattered points: eight of a thousand have a short name
        if self._groups is not None and fitting < len(points):
            fitting = self._whole_groups(points, fitting, self._groups)
        self._ahead.extendleft(reversed(points[fitting:]))
        return points[:fitting]

    def _whole_groups(self, points: list[int], count: int, order: Grouped) -> int:
        """How many of the first `count` points to take, so that the features of the next are not derived twice."""
        following = order.group(points[count])
        for place in range(count, count // 2, -1):
            if order.group(points[place - 1]) != following:
                return place
        return count

    def _in_order(self) -> Iterator[int]:
        for first, last in self._missing:
            for point in range(first, last + 1):
                self._rest = (point + 1, last)
                if point not in self._probed:
                    yield point

    def _group(self, grid: Grid) -> None:
        """From now on by features: where few points are left at once, otherwise lazily and only the first time."""
        self._grouped_by = set(self._feature_axes)
        order = Grouped(grid, self._grouped_by)
        if self._left <= FEW:
            points = sorted([*self._ahead, *self._source], key=order.rank)
            self._ahead.clear()
            self._source = iter(points)
        elif self._order is not None:
            return  # what was handed out in groups leaves no ranges
        elif not order.is_natural:
            rest = [one for one in (self._rest, *self._missing) if one is not None and one[0] <= one[1]]
            rest += [(point, point) for point in self._ahead]
            self._ahead.clear()
            self._source = self._in_groups(order, grid.size, sorted(rest))
        self._order = self._groups = order

    def _in_groups(self, order: Grouped, size: int, rest: list[tuple[int, int]]) -> Iterator[int]:
        left = sum(last - first + 1 for first, last in rest)
        firsts = [first for first, _ in rest]
        for rank in range(size):
            if not left:
                return
            point = order.point(rank)
            place = bisect_right(firsts, point) - 1
            if place >= 0 and point <= rest[place][1]:
                left -= 1
                if point not in self._probed:
                    yield point


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

"""Where the points of a run come from: the protocol, and the grid as its first implementation.

A search or a sampler is another implementation: it proposes points in `next`, learns from rows in `observe`, and says
in `is_complete` when no more points will come.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Protocol

from tasks.grid import Grid, Grouped
from tasks.protocol.messages import Rows

#: So many missing points are put in order at once; more are looked for in the order of the whole grid.
FEW = 100_000


class PointSource(Protocol):
    """Hands out points, each once, to one caller in one thread; nothing it does waits.

    What it proposes may depend on observed rows, but not on the order in which they arrive where the sweep promises
    the same answer every time.
    """

    @property
    def total(self) -> int:
        """How many points it hands out altogether, as far as that is known now."""
        ...

    def next(self, count: int) -> list[int]:
        """The next points, at most `count`; fewer or none where it waits for rows or is complete."""
        ...

    def give_back(self, points: Sequence[int]) -> None:
        """These were handed out and not computed: they come next."""
        ...

    def observe(self, rows: Rows) -> None:
        """Rows of its points came back."""
        ...

    def end_of_group(self, points: Sequence[int], count: int) -> int:
        """How many of the first `count` points make a good chunk: one that ends where shared work ends."""
        ...

    def is_complete(self) -> bool:
        """Whether no point will come any more, whatever is observed."""
        ...


class GridSource:
    """The missing points of a grid, in the grid's order until rows say which points share their features.

    From then on points that agree on the axes that the features depend on go side by side, wherever the sweep file has
    these axes: a child derives their features once.
    """

    def __init__(
        self,
        missing: Iterable[tuple[int, int]],
        size: int,
        grid: Grid | None = None,
    ):
        """`missing`: closed ranges of points, ascending, read lazily. `size`: how many points they hold.

        `grid`: whose points they are; without it their order stays.
        """
        self._missing = iter(missing)
        self._rest: tuple[int, int] | None = None  # of the range under way
        self._coming = self._in_order()
        self._ahead: deque[int] = deque()  # came back, or did not fit
        self._total = size
        self._left = size
        self._grid = grid
        self._order: Grouped | None = None
        #: which points share their features: until it is known, those are taken for such that differ in the last axis
        self._groups = Grouped(grid, grid.names[:-1]) if grid is not None else None
        self._feature_axes: set[str] = set()
        self._grouped_by: set[str] = set()

    @property
    def total(self) -> int:
        """The missing points."""
        return self._total

    def next(self, count: int) -> list[int]:
        """See PointSource."""
        if self._grid is not None and self._feature_axes != self._grouped_by:
            self._group(self._grid)
        points = [self._ahead.popleft() for _ in range(min(count, len(self._ahead)))]
        points += islice(self._coming, count - len(points))
        self._left -= len(points)
        return points

    def give_back(self, points: Sequence[int]) -> None:
        """See PointSource."""
        if not points:
            return
        self._ahead.extendleft(reversed(points))
        if self._order is not None:  # they may have been sent before it was known
            self._ahead = deque(sorted(self._ahead, key=self._order.rank))
        self._left += len(points)

    def observe(self, rows: Rows) -> None:
        """Learn which axes the features depend on."""
        self.learn(rows.feature_axes)

    def learn(self, feature_axes: Iterable[str]) -> None:
        """Features depend on these axes."""
        self._feature_axes.update(feature_axes)

    def end_of_group(self, points: Sequence[int], count: int) -> int:
        """A group of points that share features and ends in the later half of a chunk ends the chunk."""
        if self._groups is None or count >= len(points):
            return count
        following = self._groups.group(points[count])
        for place in range(count, count // 2, -1):
            if self._groups.group(points[place - 1]) != following:
                return place
        return count

    def is_complete(self) -> bool:
        """See PointSource."""
        if not self._ahead:
            self._ahead.extend(islice(self._coming, 1))
        return not self._ahead

    def _in_order(self) -> Iterator[int]:
        for first, last in self._missing:
            for point in range(first, last + 1):
                self._rest = (point + 1, last)
                yield point

    def _group(self, grid: Grid) -> None:
        """From now on by features: where few points are left at once, otherwise lazily and only the first time."""
        self._grouped_by = set(self._feature_axes)
        order = Grouped(grid, self._grouped_by)
        if self._left <= FEW:
            points = sorted([*self._ahead, *self._coming], key=order.rank)
            self._ahead.clear()
            self._coming = iter(points)
        elif self._order is not None:
            return  # what was handed out in groups leaves no ranges
        elif not order.is_natural:
            rest = [one for one in (self._rest, *self._missing) if one is not None and one[0] <= one[1]]
            rest += [(point, point) for point in self._ahead]
            self._ahead.clear()
            self._coming = self._in_groups(order, grid.size, sorted(rest))
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
                yield point

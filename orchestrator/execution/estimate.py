"""What an estimate times: warm chunks of points from all over the grid, for a few seconds. Pure, as `plan`."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import islice

from orchestrator.execution.planner import Planner, Speeds
from orchestrator.execution.source import GridSource
from tasks.grid import Grid, Grouped
from tasks.protocol.messages import Rows

#: Seconds of a chunk, and seconds after the first rows from which on no chunk is sent.
CHUNK_S = 0.5
ENOUGH_S = 2.0
#: Points that are timed in any case.
LEAST = 8
#: What may be timed: one point in SAMPLED, in STRETCHES parts of the grid or more, up to STRETCH points each.
SAMPLED = 8
MAX_SAMPLED = 16_384
STRETCHES = 16
STRETCH = 64


class SamplePlanner:
    """Hands out a sample of the missing points; a new one when it is known which of them share their features."""

    def __init__(self, missing: Iterable[tuple[int, int]], grid: Grid):
        """`missing`: closed ranges of the points without a row, ascending."""
        self._whole = grid
        self._ranges = list(missing)
        self._handed: set[int] = set()
        self._restart(None)

    @property
    def speeds(self) -> Speeds:
        """Seconds per point of the sample."""
        return self._planner.speeds

    @property
    def left(self) -> int:
        """Points of the sample that were not handed out yet."""
        return self._planner.left

    def next(self, children: int) -> list[int]:
        """As Planner's."""
        points = self._planner.next(children)
        self._handed.update(points)
        return points

    def limit_s(self, points: int) -> float:
        """As Planner's."""
        return self._planner.limit_s(points)

    def observe(self, rows: Rows, unreached: Sequence[int], *, cold: bool) -> None:
        """As Planner's; what was sent before the order was known says nothing about it."""
        if not self._sample.issuperset(rows.columns.get("point", ())):
            return
        self._planner.observe(rows, unreached, cold=cold)
        order = Grouped(self._whole, rows.feature_axes)
        if self._natural and not order.is_natural:
            self._restart(order)

    def _restart(self, order: Grouped | None) -> None:
        self._natural = order is None
        wanted = sample(self._whole.size, LEAST, order)
        points = [point for point in wanted if point not in self._handed and self._is_missing(point)]
        if not points:  # others than those of the sample are missing
            there = (point for first, last in self._ranges for point in range(first, last + 1))
            points = list(islice((point for point in there if point not in self._handed), MAX_SAMPLED))
        self._sample = set(points)
        self._planner = Planner(GridSource([(point, point) for point in points], len(points)), target_s=CHUNK_S)

    def _is_missing(self, point: int) -> bool:
        place = bisect_right(self._ranges, (point, self._whole.size)) - 1
        return place >= 0 and point <= self._ranges[place][1]


def sample(size: int, least: int, order: Grouped | None = None) -> list[int]:
    """Points from all over a grid of `size`, those far apart first, to time a sweep with.

    In stretches of neighbours, in that order of the grid groups that share their features, because those of a chunk do.
    One point in SAMPLED and MAX_SAMPLED at most, but `least` where there are so many.
    """
    count = min(size, max(least, min(size // SAMPLED, MAX_SAMPLED)))
    if order is None or order.is_natural:
        stretches, start = min(count, max(STRETCHES, count // STRETCH)), 1
        length = count // stretches
    else:
        length = min(order.group_size, STRETCH, count)
        stretches, start = count // length, order.group_size
    firsts = [place * (size - length) // max(1, stretches - 1) // start * start for place in range(stretches)]
    bits = (stretches - 1).bit_length()
    far_apart = sorted(range(stretches), key=lambda place: int(f"{place:0{bits}b}"[::-1], 2))  # van der Corput
    ranks = (rank for place in far_apart for rank in range(firsts[place], firsts[place] + length))
    return list(dict.fromkeys(order.point(rank) if order is not None else rank for rank in ranks))

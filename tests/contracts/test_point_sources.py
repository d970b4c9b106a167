"""Every point source runs through the cases of `PointSourceCase`."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from orchestrator.execution.source import GridSource, PointSource
from tests.contracts.point_source import GRID, PointSourceCase


def ranges_without(stored: Iterable[int]) -> list[tuple[int, int]]:
    """The closed ranges of GRID's points that are not stored."""
    ends = sorted({-1, GRID.size, *stored})
    return [(before + 1, after - 1) for before, after in pairwise(ends) if after - before > 1]


def missing(stored: Iterable[int]) -> tuple[list[tuple[int, int]], int]:
    ranges = ranges_without(stored)
    return ranges, sum(last - first + 1 for first, last in ranges)


class TestGridInItsOwnOrder(PointSourceCase):
    def make(self, stored: Iterable[int] = ()) -> PointSource:
        return GridSource(*missing(stored))


class TestGridBeforeItsFeaturesAreKnown(PointSourceCase):
    def make(self, stored: Iterable[int] = ()) -> PointSource:
        return GridSource(*missing(stored), GRID)


class TestGridGroupedByItsFeatures(PointSourceCase):
    feature_axes = ("stop",)

    def make(self, stored: Iterable[int] = ()) -> PointSource:
        return GridSource(*missing(stored), GRID)

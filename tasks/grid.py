"""The grid: point index <-> values, without ever building the product.

A point is an index in mixed radix, the last axis fastest, so a grid of 10^12 points costs no more than its axes:

    axes   bb_length: 3 values, bb_std: 2 values        size 6
    point  0      1      2      3      4      5
    digits (0,0)  (0,1)  (1,0)  (1,1)  (2,0)  (2,1)
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.named_types import AxisValue


@dataclass(frozen=True)
class Axis:
    """One config key and the values it takes, in the order the sweep file gives them."""

    #: key of the controller config
    name: str
    #: at least one value, each what YAML can hold
    values: tuple[Any, ...]

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class Grid:
    """The product of the axes. Memory is that of the axes; every method costs O(number of axes).

    >>> grid = Grid.from_mapping({"length": [20, 40, 60], "take_profit": [0.004, 0.008]})
    >>> grid.size
    6
    >>> grid.values(3)
    {'length': 40, 'take_profit': 0.008}
    >>> grid.point((1, 1))
    3
    """

    axes: tuple[Axis, ...]

    @classmethod
    def from_mapping(cls, axes: Mapping[str, Sequence[Any]]) -> Grid:
        """From {key: values}, axes in the mapping's order."""
        return cls(tuple(Axis(name, tuple(values)) for name, values in axes.items()))

    def to_mapping(self) -> dict[str, list[Any]]:
        """The inverse of `from_mapping`, as messages carry it."""
        return {axis.name: list(axis.values) for axis in self.axes}

    @property
    def names(self) -> tuple[str, ...]:
        """The axes' config keys."""
        return tuple(axis.name for axis in self.axes)

    @property
    def size(self) -> int:
        """How many points: the product of the axes' lengths, 1 without axes."""
        return math.prod(len(axis) for axis in self.axes)

    def digits(self, point: int) -> tuple[int, ...]:
        """The position on each axis of a point. Raises IndexError outside 0 <= point < size."""
        if not 0 <= point < self.size:
            raise IndexError(f"point {point} is outside the grid of {self.size} points")
        digits = []
        for axis in reversed(self.axes):
            point, digit = divmod(point, len(axis))
            digits.append(digit)
        return tuple(reversed(digits))

    def point(self, digits: Sequence[int]) -> int:
        """The inverse of `digits`. Raises IndexError for a digit outside its axis."""
        index = 0
        for axis, digit in zip(self.axes, digits, strict=True):
            if not 0 <= digit < len(axis):
                raise IndexError(f"axis {axis.name} has {len(axis)} values, there is no number {digit}")
            index = index * len(axis) + digit
        return index

    def values(self, point: int) -> dict[str, AxisValue]:
        """{config key: value} of a point. Raises IndexError outside the grid."""
        return {axis.name: axis.values[digit] for axis, digit in zip(self.axes, self.digits(point), strict=True)}

    def neighbours(self, point: int) -> Iterator[int]:
        """The points one step away on one axis."""
        digits = self.digits(point)
        for place, axis in enumerate(self.axes):
            for step in (-1, 1):
                digit = digits[place] + step
                if 0 <= digit < len(axis):
                    yield self.point((*digits[:place], digit, *digits[place + 1 :]))


class Grouped:
    """The points of a grid in another order: those that agree on some axes side by side, the last axis still fastest.

    Made of the grid with those axes moved to the front, so that a place in this order, its `rank`, is found without the
    others.
    """

    def __init__(self, grid: Grid, names: Collection[str]):
        weights = [math.prod(len(axis) for axis in grid.axes[place + 1 :]) for place in range(len(grid.axes))]
        weighed = [(axis.name, len(axis), weight) for axis, weight in zip(grid.axes, weights, strict=True)]
        weighed = [one for one in weighed if one[1] > 1]
        moved = sorted(weighed, key=lambda one: one[0] not in names)
        #: the grid's own order has them side by side already, or nothing is left that could be
        self.is_natural = moved == weighed
        self._steps = [(length, weight) for _, length, weight in moved]
        #: how many points agree on the axes
        self.group_size = math.prod(length for name, length, _ in moved if name not in names)

    def point(self, rank: int) -> int:
        """The point at a place of the order, 0 <= rank < size."""
        point = 0
        for length, weight in reversed(self._steps):
            rank, digit = divmod(rank, length)
            point += digit * weight
        return point

    def rank(self, point: int) -> int:
        """The inverse of `point`."""
        rank = 0
        for length, weight in self._steps:
            rank = rank * length + point // weight % length
        return rank

    def group(self, point: int) -> int:
        """A number that points have in common which agree on the axes, and no others."""
        return self.rank(point) // self.group_size


def spread(size: int, count: int) -> list[int]:
    """`count` points spread evenly over a grid of `size`, first and last among them."""
    if size <= count:
        return list(range(size))
    return sorted({round(step * (size - 1) / max(1, count - 1)) for step in range(count)})

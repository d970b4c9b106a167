"""`skip`: combinations that make no sense are left out before anything runs.

    skip: fast >= slow

The expression reads axes, and keys of the controller's config that are no axes. It is decided once for every
combination of the axes that it reads, not for every point: a grid of 10^12 points with a condition on two axes of 50
values costs 2,500 decisions. A point is then looked up by its place on those axes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import ujson

from orchestrator.sweepfile.expressions import Expression
from tasks.errors import ExpressionError, SweepFileError
from tasks.grid import Grid, spread
from tasks.named_types import ConfigValues, JsonObject
from tasks.suggest import nearest

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from tasks.protocol.messages import SweepDefinition

#: Combinations of the axes a condition reads, at most: one bit is kept of each.
MAX_COMBINATIONS = 2**31
#: Combinations decided at once.
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Skip:
    """Which points of a grid are left out. Call it with a point's index."""

    grid: Grid
    #: the axes that the condition reads: (weight of a digit in a point's index, number of values, weight among them)
    _places: tuple[tuple[int, int, int], ...]
    #: a bit per combination of those axes, the last one fastest, eight to a byte; set: left out
    _bits: bytes
    #: points that are left out
    count: int

    @classmethod
    def of(cls, grid: Grid, controller: ConfigValues, condition: str) -> Skip:
        """For a grid and the config without the axes' values. Raises ValueError with a sentence."""
        import numpy as np

        try:
            parsed = Expression.parse(condition)
            used = [place for place, axis in enumerate(grid.axes) if axis.name in parsed.names]
            if not used:
                raise ValueError(
                    f"`{condition}` reads none of the axes ({', '.join(grid.names)}): it holds for all or none"
                )
            lengths = [len(grid.axes[place]) for place in used]
            size = math.prod(lengths)
            if size > MAX_COMBINATIONS:
                raise ValueError(
                    f"`{condition}` reads axes with {size:,} combinations, and at most {MAX_COMBINATIONS:,} can be "
                    "looked through; let it read fewer axes, or take values away"
                )
            others = _others(parsed, grid, controller)
            bits, left_out = bytearray(), 0
            for start in range(0, size, _BLOCK):
                digits = np.unravel_index(np.arange(start, min(start + _BLOCK, size)), lengths)
                columns = {
                    grid.axes[place].name: _column(grid.axes[place].values)[digit]
                    for place, digit in zip(used, digits, strict=True)
                }
                truth = parsed.truth({**others, **columns}, len(digits[0]))
                left_out += int(truth.sum())
                bits += np.packbits(truth, bitorder="little").tobytes()
        except ExpressionError as error:
            raise ValueError(str(error)) from None
        weights = [math.prod(map(len, grid.axes[place + 1 :])) for place in used]
        inner = [math.prod(lengths[number + 1 :]) for number in range(len(used))]
        places = tuple(zip(weights, lengths, inner, strict=True))
        return cls(grid, places, bytes(bits), left_out * (grid.size // size))

    def __call__(self, point: int) -> bool:
        """Whether the point is left out."""
        place = sum(point // weight % length * inner for weight, length, inner in self._places)
        return bool(self._bits[place >> 3] >> (place & 7) & 1)

    @property
    def kept(self) -> int:
        """Points that are run."""
        return self.grid.size - self.count

    def runs(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """The points of a closed range that are run, as closed ranges, ascending, found block by block."""
        import numpy as np

        start = -1
        for begin in range(first, last + 1, _BLOCK):
            points = np.arange(begin, min(begin + _BLOCK, last + 1), dtype=np.int64)
            kept = ~self._of(points)
            edges = np.flatnonzero(np.diff(kept.astype(np.int8), prepend=0 if start < 0 else 1))
            for edge in edges:
                if kept[edge]:
                    start = begin + int(edge)
                elif start >= 0:
                    yield start, begin + int(edge) - 1
                    start = -1
        if start >= 0:
            yield start, last

    def nearest(self, point: int) -> int:
        """The point itself, or the next one that is run, the first one again behind the last."""
        for first, last in ((point, self.grid.size - 1), (0, point)):
            for found, _ in self.runs(first, last):
                return found
        return point

    def _of(self, points: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        import numpy as np

        place = np.zeros(len(points), dtype=np.int64)
        for weight, length, inner in self._places:
            place += points // weight % length * inner
        bits = np.frombuffer(self._bits, dtype=np.uint8)
        left_out: npt.NDArray[np.bool_] = (bits[place >> 3] >> (place & 7).astype(np.uint8) & 1).astype(np.bool_)
        return left_out


def skip_of(definition: SweepDefinition) -> Skip | None:
    """The points that a stored or published sweep leaves out; None when it leaves out none.

    Raises SweepFileError for a condition that no sweep file of ours could have: the definition is damaged.
    """
    if not definition.skip:
        return None
    try:
        return skip_for(definition.grid, definition.controller, definition.skip)
    except ValueError as error:
        raise SweepFileError(f"sweep {definition.sweep}: its condition `skip` cannot be used ({error})") from None


def skip_for(grid: Mapping[str, Sequence[Any]], controller: ConfigValues, condition: str) -> Skip:
    """As `Skip.of`, decided once in a process. Raises ValueError as that does."""
    return _cached(ujson.dumps([grid, controller]), condition)


def points_of(definition: SweepDefinition) -> int:
    """How many points of a sweep are run: those of its grid without those that `skip` leaves out."""
    skip = skip_of(definition)
    return Grid.from_mapping(definition.grid).size if skip is None else skip.kept


def spread_kept(grid: Grid, count: int, skip: Skip | None) -> list[int]:
    """Up to `count` points that are run, spread evenly over the grid."""
    points = spread(grid.size, count)
    return points if skip is None else sorted({skip.nearest(point) for point in points})


@lru_cache(maxsize=8)
def _cached(grid_and_controller: str, condition: str) -> Skip:
    grid, controller = ujson.loads(grid_and_controller)
    return Skip.of(Grid.from_mapping(grid), controller, condition)


def _others(parsed: Expression, grid: Grid, controller: ConfigValues) -> JsonObject:
    """What the condition reads beside axes: keys of the config. Raises ValueError for one that has no single value."""
    found: JsonObject = {}
    for name in parsed.names:
        if name in grid.names:
            continue
        value: Any = controller
        for part in name.split("."):
            if isinstance(value, Mapping) and part in value:
                value = value[part]
            elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
                value = value[int(part)]
            else:
                near = nearest(name, [*grid.names, *controller])
                raise ValueError(f"`{parsed.text}`: neither grid nor controller has {name}; the nearest is `{near}`")
        found[name] = _column([value])
    return found


def _column(values: Any) -> Any:
    """Values as an expression reads them: numbers as float64, true and false as bool, all others as text."""
    import numpy as np

    known = [value for value in values if value is not None]
    if known and all(isinstance(value, bool) for value in values):
        return np.array(values, dtype=bool)
    if known and all(_is_number(value) for value in known):  # numeric text, too: a config class takes it for a number
        return np.array([math.nan if value is None else float(value) for value in values])
    column = np.empty(len(values), dtype=object)
    column[:] = [None if value is None else str(value) for value in values]
    return column


def _is_number(value: Any) -> bool:
    try:
        return not isinstance(value, bool) and math.isfinite(float(value))
    except (TypeError, ValueError):
        return False

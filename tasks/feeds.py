"""Which points of a grid are asked for the feeds they need, so that all feeds are known and not all points are asked.

    first and last, each axis alone through its values, some at random
    each axis alone from another point, where the first one is refused
    all combinations of the axes that change the feeds (pairs x intervals)
    the point that has of every axis the value that alone wants the most history: axes may multiply or add up
    where points are refused ("fast must be below slow"): from the one that wants the most history, uphill

What asking means is the caller's: by way of the broker (orchestrator.execution.publish), or in this process
(tasks.sync.needs).
"""

from __future__ import annotations

import random
from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import islice, product

from tasks.grid import Grid, spread
from tasks.protocol.messages import FeedNeed

#: Points that are asked at random beside those that change one axis at a time.
AT_RANDOM = 64
#: Points asked at a time; a grid with axes of thousands of values is sampled.
MOST = 1500
#: Steps uphill.
STEPS = 8

#: Point -> what it needs; nothing for a point that is refused.
Answers = dict[int, list[FeedNeed]]
#: Yields the points to ask, is sent their answers, returns all of them.
Asking = Generator[list[int], Answers, Answers]


def asking(grid: Grid, seed: int, also: Iterable[int] = ()) -> Asking:
    """Ask around. Ends after the first points when all of them are refused. `also`: more of these first points."""
    answers: Answers = {}
    chance = random.Random(seed)
    at_random = (chance.randrange(grid.size) for _ in range(min(AT_RANDOM, grid.size)))
    yield from _ask({0, grid.size - 1, *_around(grid, 0), *at_random, *also}, answers)
    if not any(answers.values()):
        return answers
    base = min(point for point, needs in answers.items() if needs)
    yield from _ask(_around(grid, base), answers)
    steering = [
        place
        for place in range(len(grid.axes))
        if any(_names(answers, point) not in (set(), _names(answers, base)) for point in _along(grid, base, place))
    ]
    if len(steering) > 1:
        yield from _ask(islice(_combinations(grid, base, steering), MOST), answers)
    greedy = [
        max(_along(grid, base, place), key=lambda point: _history(answers, point)) for place in range(len(grid.axes))
    ]
    yield from _ask([grid.point([grid.digits(point)[place] for place, point in enumerate(greedy)])], answers)
    if not all(answers.values()):
        yield from _climb(grid, answers)
    return answers


def deepest(answers: Answers) -> list[FeedNeed]:
    """Every feed once, with the deepest history that any point wants of it."""
    found: dict[str, FeedNeed] = {}
    for need in (need for needs in answers.values() for need in needs):
        if need.key not in found or found[need.key].max_records < need.max_records:
            found[need.key] = need
    return list(found.values())


def _ask(points: Iterable[int], answers: Answers) -> Generator[list[int], Answers, None]:
    """Ask those that were not asked before."""
    fresh = sorted({point for point in points if point not in answers})
    if fresh:
        answers.update((yield fresh))


def _climb(grid: Grid, answers: Answers) -> Generator[list[int], Answers, None]:
    for _ in range(STEPS):
        top = max(answers, key=lambda point: _history(answers, point))
        yield from _ask(_around(grid, top), answers)
        if max(_history(answers, point) for point in answers) == _history(answers, top):
            return


def _around(grid: Grid, base: int) -> Iterator[int]:
    """Each axis alone through its values, from a point."""
    for place in range(len(grid.axes)):
        yield from _along(grid, base, place)


def _along(grid: Grid, base: int, place: int) -> Iterator[int]:
    """The points that differ from one on one axis at most."""
    digits = grid.digits(base)
    for digit in spread(len(grid.axes[place]), max(2, MOST // len(grid.axes))):
        yield grid.point((*digits[:place], digit, *digits[place + 1 :]))


def _combinations(grid: Grid, base: int, places: Sequence[int]) -> Iterator[int]:
    digits = grid.digits(base)
    for chosen in product(*(range(len(grid.axes[place])) for place in places)):
        other = dict(zip(places, chosen, strict=True))
        yield grid.point([other.get(place, digit) for place, digit in enumerate(digits)])


def _names(answers: Answers, point: int) -> set[str]:
    return {need.key for need in answers[point]}


def _history(answers: Answers, point: int) -> int:
    return sum(need.max_records for need in answers[point])

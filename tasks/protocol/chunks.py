"""The points of one task: a chunk, whose id says which points and under which scenario."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from tasks.errors import MessageError
from tasks.protocol.scenario import PLAIN, Scenario

#: Points of a chunk at most; the planner sends some thousand.
MAX_CHUNK_POINTS = 10_000
#: Characters of a chunk's id at most: that many points which share no pattern.
MAX_CHUNK_ID = 40 * MAX_CHUNK_POINTS


class Run(NamedTuple):
    """Closed ranges of points: the first, and how far apart and how often it comes again, the last repeat slowest."""

    first: int
    last: int
    #: (step, times) each, step > 0 and times > 1
    repeats: tuple[tuple[int, int], ...] = ()

    def __str__(self) -> str:
        return f"{self.first}-{self.last}" + "".join(f"+{step}x{times}" for step, times in self.repeats)

    @classmethod
    def parse(cls, text: str) -> Run:
        """The inverse of `str`. Raises ValueError."""
        found = _RUN.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is no run of points")
        first, last, repeats = found.groups()
        pairs = (repeat.split("x") for repeat in repeats.split("+")[1:])
        return cls(int(first), int(last), tuple((int(step), int(times)) for step, times in pairs))

    @property
    def points(self) -> Iterator[int]:
        """Its points, in order."""
        offsets = [0]
        for step, times in self.repeats:
            offsets = [offset + time * step for time in range(times) for offset in offsets]
        for offset in offsets:
            yield from range(self.first + offset, self.last + offset + 1)

    @property
    def size(self) -> int:
        """How many points."""
        return (self.last - self.first + 1) * math.prod(times for _, times in self.repeats)


#: Numbers of at most 18 digits, and no run of runs deeper than a grid is ever cut.
_RUN = re.compile(r"(\d{1,18})-(\d{1,18})((?:\+\d{1,18}x\d{1,9}){0,24})", re.ASCII)


def runs_of(points: Iterable[int]) -> list[Run]:
    """Points, each once, as few runs, in the order in which they come."""
    runs: list[Run] = []
    first = last = -2
    for point in points:
        if point != last + 1:
            if first >= 0:
                runs.append(Run(first, last))
            first = point
        last = point
    if first >= 0:
        runs.append(Run(first, last))
    while len(fewer := _repeated(runs)) < len(runs):
        runs = fewer
    return runs


def _repeated(runs: list[Run]) -> list[Run]:
    """Neighbours of one shape that are equally far apart, as one."""
    found = []
    place = 0
    while place < len(runs):
        one, times = runs[place], 1
        step = runs[place + 1].first - one.first if place + 1 < len(runs) else 0
        while step > 0 and place + times < len(runs):
            expected = Run(one.first + times * step, one.last + times * step, one.repeats)
            if runs[place + times] != expected:
                break
            times += 1
        found.append(one._replace(repeats=(*one.repeats, (step, times))) if times > 1 else one)
        place += times
    return found


@dataclass(frozen=True)
class Chunk:
    """Points that one child computes in one task. Its id says which: `<generation>:<first>-<last>[@<scenario>]`.

    An explicit list of points is written as runs joined by commas, `1:3-5,9-9`, and a run that comes again and again
    with how far apart and how often: `1:0-3+20x5` are 0 to 3, 20 to 23, ... 80 to 83, `1:0-3+20x5+1000x2` those and
    1000 to 1003, ... 1080 to 1083.
    """

    #: which start of the orchestrator planned it; a chunk sent again gets a new id
    generation: int
    #: in the order in which the points are handed out
    runs: tuple[Run, ...]
    #: under which the points are run
    scenario: Scenario = PLAIN

    @classmethod
    def of(cls, generation: int, points: Iterable[int], scenario: Scenario = PLAIN) -> Chunk:
        """The chunk of these points, each once, written as runs."""
        return cls(generation, tuple(runs_of(points)), scenario)

    @classmethod
    def parse(cls, chunk_id: str) -> Chunk:
        """From the id. Raises MessageError, also where it is too large to be one of ours."""
        if not isinstance(chunk_id, str) or len(chunk_id) > MAX_CHUNK_ID:
            raise MessageError("not a chunk id", str(chunk_id)[:200].encode("utf-8", "backslashreplace"))
        try:
            generation, _, rest = chunk_id.partition(":")
            runs, _, scenario = rest.partition("@")
            chunk = cls(int(generation), tuple(Run.parse(run) for run in runs.split(",")), Scenario.parse(scenario))
            # looked at before the points are counted out: an id of twenty characters can name 10^11
            if not all(run.size > 0 for run in chunk.runs) or len(chunk) > MAX_CHUNK_POINTS or chunk.id != chunk_id:
                raise ValueError(chunk_id)
        except (ValueError, OverflowError) as error:
            raise MessageError("not a chunk id", chunk_id.encode("utf-8", "backslashreplace")) from error
        return chunk

    @property
    def id(self) -> str:
        """The id that travels."""
        scenario = f"@{self.scenario}" if self.scenario != PLAIN else ""
        return f"{self.generation}:" + ",".join(map(str, self.runs)) + scenario

    @property
    def points(self) -> list[int]:
        """The point indices, in the order in which they were handed out."""
        return [point for run in self.runs for point in run.points]

    def __len__(self) -> int:
        return sum(run.size for run in self.runs)

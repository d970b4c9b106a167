"""What a run computes: points under scenarios, one planner each, worked off in order.

A plain run has one item, the grid. A walk-forward has one for each window, noise worlds one for each world; children
move on to the next item as soon as an earlier one has no points left to hand out, so none of them waits in between.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from orchestrator.execution.planner import Planner, Speeds
from orchestrator.execution.source import GridSource
from orchestrator.sweepfile.skip import points_of, skip_of, spread_kept
from tasks.grid import Grid
from tasks.protocol.chunks import Chunk
from tasks.protocol.messages import Rows, Status, SweepDefinition
from tasks.protocol.scenario import PLAIN, Scenario

if TYPE_CHECKING:
    from orchestrator.results.store_reader import StoreReader


class Planning(Protocol):
    """Sizes chunks: Planner, or what an estimate samples with."""

    @property
    def speeds(self) -> Speeds:
        """Seconds per point as measured."""
        ...

    def next(self, children: int) -> list[int]:
        """The points of the next chunk; empty when there is none now."""
        ...

    def limit_s(self, points: int) -> float:
        """Seconds after which a chunk of so many points is to be stopped; 0: never."""
        ...

    def observe(self, rows: Rows, unreached: Sequence[int], *, cold: bool) -> None:
        """A chunk came back, stopped before it came to the points `unreached`."""
        ...


@dataclass
class Item:
    """Points under one scenario."""

    scenario: Scenario
    planner: Planning
    #: points to have rows in the end, those stored before included
    size: int
    #: rows stored so far, by status
    counts: Counter[Status]
    #: length of the scenario's period, seconds: what a point takes goes with it
    period_s: float
    #: the points, where they are not the whole grid
    points: frozenset[int] | None = None


class Agenda:
    """Items in the order in which they are worked off."""

    def __init__(self, items: Sequence[Item]):
        self.items = list(items)
        self._by_scenario = {item.scenario: item for item in self.items}
        #: seconds that a point takes per second of its period, as the last rows of any item say
        self._seconds_per_period: float | None = None

    @property
    def size(self) -> int:
        """Points of all items."""
        return sum(item.size for item in self.items)

    @property
    def counts(self) -> Counter[Status]:
        """Rows stored so far, by status, over all items."""
        return sum((item.counts for item in self.items), Counter[Status]())

    @property
    def is_empty(self) -> bool:
        """Whether every point has its row already."""
        return all(item.counts.total() >= item.size for item in self.items)

    def next(self, generation: int, children: int) -> tuple[Chunk, float] | None:
        """The next chunk and the seconds after which it is to be stopped; None when there is none now."""
        for item in self.items:
            self._expect_speed(item)
            if points := item.planner.next(children):
                return Chunk.of(generation, points, item.scenario), item.planner.limit_s(len(points))
        return None

    def observe(self, rows: Rows, unreached: Sequence[int], *, cold: bool) -> None:
        """A chunk came back. One that an earlier run left, of a scenario that is not on the agenda, tells nothing."""
        item = self._by_scenario.get(Chunk.parse(rows.chunk).scenario)
        if item is not None:
            item.planner.observe(rows, unreached, cold=cold)
            each = item.planner.speeds.seconds_per_point()
            if each is not None:
                self._seconds_per_period = each / item.period_s

    def count(self, rows: Rows, new: int, store: StoreReader, sweep: str) -> None:
        """Rows were stored, `new` of them of points that had none."""
        item = self._by_scenario.get(Chunk.parse(rows.chunk).scenario)
        if item is None:
            return
        if new == len(rows) and item.points is None:
            item.counts.update(Status(text) for text in rows.columns.get("status", ()))
        else:  # a chunk of an earlier start may hold points that have their rows
            item.counts = stored_counts(store, sweep, item.scenario, item.points)

    def _expect_speed(self, item: Item) -> None:
        """An item that begins takes its points for as expensive as those of the others, by length of the period."""
        if self._seconds_per_period is not None and item.planner.speeds.seconds_per_point() is None:
            item.planner.speeds.add("expected", self._seconds_per_period * item.period_s, 1, cold=True)

    def seconds_left(self, children: int) -> float | None:
        """Seconds until the last row at the speed that was measured; None when nothing was."""
        seconds, each = 0.0, None
        for item in self.items:
            each = item.planner.speeds.seconds_per_point() or each
            if each is None or not children:
                return None
            seconds += each * max(0, item.size - item.counts.total()) / children
        return seconds


def grid_item(
    store: StoreReader,
    definition: SweepDefinition,
    *,
    target_s: float,
    scenario: Scenario = PLAIN,
    probes: int = 0,
) -> Item:
    """The whole grid under a scenario. `probes`: points that go first and alone where nothing is stored yet."""
    grid, size = Grid.from_mapping(definition.grid), points_of(definition)
    counts = stored_counts(store, definition.sweep, scenario, None)
    source = GridSource(missing_runs(store, definition, scenario), size - counts.total(), grid)
    first = [] if counts else spread_kept(grid, probes, skip_of(definition))
    planner = Planner(source, target_s=target_s, probes=first)
    return Item(scenario, planner, size, counts, period_s(scenario, definition))


def missing_runs(
    store: StoreReader, definition: SweepDefinition, scenario: Scenario = PLAIN
) -> Iterator[tuple[int, int]]:
    """Closed ranges of the points that are to be run and have no row under a scenario, ascending, read lazily."""
    skip = skip_of(definition)
    for first, last in store.missing_runs(definition.sweep, Grid.from_mapping(definition.grid).size, str(scenario)):
        if skip is None:
            yield first, last
        else:
            yield from skip.runs(first, last)


def points_item(
    store: StoreReader, definition: SweepDefinition, points: Iterable[int], *, target_s: float, scenario: Scenario
) -> Item:
    """Some points of the grid under a scenario."""
    wanted = sorted(set(points))
    there = store.statuses(definition.sweep, wanted, str(scenario))
    missing = [(point, point) for point in wanted if point not in there]
    planner = Planner(GridSource(missing, len(missing), Grid.from_mapping(definition.grid)), target_s=target_s)
    seconds = period_s(scenario, definition)
    return Item(scenario, planner, len(wanted), Counter(there.values()), seconds, frozenset(wanted))


def agenda_of(
    store: StoreReader,
    definition: SweepDefinition,
    work: Mapping[Scenario, Iterable[int] | None],
    *,
    target_s: float,
) -> Agenda:
    """An agenda from scenario -> points; None stands for the whole grid."""
    return Agenda(
        [
            grid_item(store, definition, target_s=target_s, scenario=scenario)
            if points is None
            else points_item(store, definition, points, target_s=target_s, scenario=scenario)
            for scenario, points in work.items()
        ]
    )


def period_s(scenario: Scenario, definition: SweepDefinition) -> float:
    """Length of the scenario's period, seconds, at least one."""
    changed = scenario.applied(definition)
    return max(1.0, float(changed.end - changed.start))


def stored_counts(store: StoreReader, sweep: str, scenario: Scenario, points: Iterable[int] | None) -> Counter[Status]:
    """How many rows have which status: of the whole grid, or of these points."""
    if points is None:
        return Counter(store.counts(sweep, str(scenario)))
    return Counter(store.statuses(sweep, sorted(points), str(scenario)).values())

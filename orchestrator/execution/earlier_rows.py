"""Rows of a sweep or of its windows that an earlier sweep of the output folder has computed already.

A plain sweep over a window and the window of a walk-forward are the same question; so are windows that two
walk-forwards share. Their rows are equal, and are copied instead of computed, where all of this holds:

    same question    the definitions differ in nothing but period and candles
    same period      of the plain sweep or the window
    same candles     the candle files still give both sweeps the slices they ran on, and what the points see of them,
                     from the warm-up to the end of the period, is equal value for value

Rows of points that failed by themselves are copied too, for an error of the controller is the same every time. Those of
points that crashed or took too long are not, for another machine may do better. With `--retry` only ok rows are copied.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.execution.fill_detail import what_there_is
from orchestrator.sweepfile.sweep import question
from tasks.candles.formats import find
from tasks.candles.resample import slice_for
from tasks.candles.series import read_series
from tasks.candles.visible import visible_rows
from tasks.errors import HummingsweepError
from tasks.intervals import interval_seconds
from tasks.market_names import feed_parts
from tasks.protocol.blobs import digest_of
from tasks.protocol.messages import FeedNeed, SweepDefinition
from tasks.protocol.returns import returns_interval
from tasks.protocol.scenario import PLAIN, Scenario

if TYPE_CHECKING:
    from orchestrator.results.store import Store
    from orchestrator.sweepfile.sweep import Sweep
    from tasks.candles.slices import Columns, Slice


@dataclasses.dataclass(frozen=True)
class Source:
    """A sweep under a scenario that has rows."""

    definition: SweepDefinition
    scenario: Scenario

    @property
    def name(self) -> tuple[str, str]:
        """As the store knows it."""
        return self.definition.sweep, str(self.scenario)


class EarlierRows:
    """Finds rows of other sweeps of a store that are rows of this one, and copies them."""

    def __init__(
        self, store: Store, sweep: Sweep, definition: SweepDefinition, say: Callable[[str], object], *, errors: bool
    ):
        """`definition`: the sweep's, which the store holds. `errors`: rows of points that failed count too."""
        self._store, self._sweep, self._definition = store, sweep, definition
        self._say, self._errors = say, errors
        #: what a sweep ran on -> feed -> its candles; None where the files no longer give it
        self._candles: dict[tuple[object, ...], dict[str, Columns] | None] = {}

    def take(self, work: Mapping[Scenario, Collection[int] | None]) -> Counter[str]:
        """Copy the rows of points under scenarios that have none yet; sweep -> rows copied from it.

        `work`: scenario -> points, None for the whole grid. Raises StoreError.
        """
        taken: Counter[str] = Counter()
        for scenario, points in work.items():
            for source in self.sources(scenario):
                copied = self._store.copy_rows(
                    self._definition.sweep, str(scenario), source.name, points, errors=self._errors
                )
                if copied:
                    taken[source.definition.sweep] += copied
        return taken

    def sources(self, scenario: Scenario) -> list[Source]:
        """Where rows under this scenario have been computed, the latest sweep first."""
        if not scenario.changes_period_only:
            return []
        target = Source(self._definition, scenario)
        wanted = scenario.applied(self._definition)
        found = self._by_period.get((wanted.start, wanted.end), [])
        return [source for source in found if source.name != target.name and self._equal(source, target)]

    @cached_property
    def _by_period(self) -> dict[tuple[int, int], list[Source]]:
        """First and last moment -> sweeps that ask the same question of that period, as plain sweep or in a window."""
        asked = question(self._definition)
        found: dict[tuple[int, int], list[Source]] = {}
        for stored in self._store.sweeps():
            if question(stored.definition) != asked:
                continue
            for scenario in _periods(self._store.scenarios(stored.sweep)):
                applied = scenario.applied(stored.definition)
                interval_s = returns_interval(applied.start, applied.end, interval_seconds(applied.resolution))
                # an earlier version kept the returns of windows at the interval of the whole sweep
                if self._store.returns_intervals(stored.sweep, str(scenario)) <= {interval_s}:
                    source = Source(stored.definition, scenario)
                    found.setdefault((applied.start, applied.end), []).append(source)
        return found

    def _equal(self, source: Source, target: Source) -> bool:
        """Whether the points of both see the same candles."""
        mine, theirs = self._candles_of(target.definition), self._candles_of(source.definition)
        if mine is None or theirs is None or mine.keys() != theirs.keys():
            return False
        return all(_same(_seen(source, feed, theirs[feed]), _seen(target, feed, mine[feed])) for feed in mine)

    def _candles_of(self, definition: SweepDefinition) -> dict[str, Columns] | None:
        """Feed -> the candles a sweep ran on; None where the files are others by now, or gone."""
        # walk-forwards of other windows run on the same candles: the files are read once for all of them
        ends = definition.candles_end or definition.end
        ran_on = (definition.start, ends, *sorted({**definition.slices, **definition.series}.items()))
        if ran_on not in self._candles:
            found = None
            with suppress(HummingsweepError, OSError):
                found = _candles(self._sweep, definition)
            if found is None and definition.sweep != self._definition.sweep:
                self._say(
                    f"sweep {definition.sweep} of this folder has rows of the same period, but not on the candles that "
                    "the files give now: its rows are not used"
                )
            self._candles[ran_on] = found
        return self._candles[ran_on]


def _periods(scenarios: Iterable[str]) -> list[Scenario]:
    """The plain sweep and its windows; what a later version stored is left out."""
    found = [PLAIN]
    for text in scenarios:
        with suppress(ValueError):
            found.append(Scenario.parse(text))
    return [scenario for scenario in found if scenario.changes_period_only]


def _candles(sweep: Sweep, definition: SweepDefinition) -> dict[str, Columns] | None:
    """Feed -> candles, from the files as they are now, where they are those of the definition; else None.

    `sweep`: says where the files are. Raises CandlesError.
    """
    ends = definition.candles_end or definition.end
    files = find(sweep.candles)
    found: dict[str, Columns] = {}
    for feed, address in definition.slices.items():
        connector, trading_pair, interval = feed_parts(feed)
        cut: Slice | None
        if feed in definition.warmup_candles:
            need = FeedNeed(connector, trading_pair, interval, definition.warmup_candles[feed])
            cut = slice_for(need, files, definition.start, ends, sweep.gaps)
        else:
            finer = FeedNeed(connector, trading_pair, interval, 0)
            cut = what_there_is(finer, files, definition.start, ends, lambda _: None)
        if cut is None or digest_of(cut.ipc()) != address:
            return None
        found[feed] = cut.columns
    for name, address in definition.series.items():  # a controller sees the rows up to its clock's time only
        if name not in sweep.series or digest_of(read_series(sweep.series[name], ends)) != address:
            return None
    return found


def _seen(source: Source, feed: str, columns: Columns) -> Columns:
    """Of a sweep's candles of one feed, what the points of a scenario see."""
    applied, interval = source.scenario.applied(source.definition), feed_parts(feed)[2]
    warmup = applied.warmup_candles.get(feed, 0)  # finer candles have none: orders fill inside the period only
    ends = applied.candles_end or source.definition.end
    rows = visible_rows(columns["timestamp"], interval_seconds(interval), warmup, applied, ends)
    return {name: values[rows] for name, values in columns.items()}


def _same(one: Columns, other: Columns) -> bool:
    return one.keys() == other.keys() and all(
        np.array_equal(values, other[name], equal_nan=True) for name, values in one.items()
    )

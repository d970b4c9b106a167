"""A published sweep, held open: what the commands and the stages of a run work with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from orchestrator.cluster import broker
from orchestrator.execution import publish
from orchestrator.execution.earlier_rows import EarlierRows
from orchestrator.execution.gather import gather
from orchestrator.execution.precheck import precheck
from orchestrator.execution.run import Hooks, RunContext, Summary, compute
from orchestrator.progress.watcher import Silent, Watcher
from orchestrator.results.identity import another_sweep
from orchestrator.results.store import Store
from orchestrator.results.store_reader import StoreReader
from orchestrator.results.sweep_notes import sweep_file_of
from orchestrator.sweepfile.lint import lint
from orchestrator.sweepfile.skip import points_of
from orchestrator.sweepfile.sweep import Sweep, parse
from tasks.errors import BrokerError
from tasks.named_types import Row
from tasks.protocol.messages import Kind, SweepDefinition
from tasks.protocol.scenario import PLAIN, Scenario
from tasks.settings import Settings, without_password
from tasks.suggest import command


@dataclass
class SweepSession:
    """One sweep: its file, its definition on the broker, its store, and the cluster that computes it."""

    sweep: Sweep
    definition: SweepDefinition
    store: Store
    cluster: broker.Cluster
    watcher: Watcher
    settings: Settings
    #: an interrupt ended the last `compute` before everything had its row: nothing more is to be begun
    interrupted: bool = False
    #: rows of points that failed are not taken from earlier sweeps: they are to be computed again
    retry: bool = False
    #: sweep of the folder -> rows that were taken from it, for it computed the same points on the same candles
    reused: Counter[str] = field(default_factory=Counter)

    @cached_property
    def earlier(self) -> EarlierRows:
        """Rows that earlier sweeps of the folder have computed."""
        return EarlierRows(self.store, self.sweep, self.definition, self.watcher.say, errors=not self.retry)

    def take_earlier(self, work: Mapping[Scenario, Iterable[int] | None]) -> Counter[str]:
        """Take the rows of points under scenarios (None: the whole grid) from earlier sweeps of the folder, where they
        have none yet; sweep -> rows taken from it. Raises StoreError."""
        asked = {scenario: None if points is None else list(points) for scenario, points in work.items()}
        taken = self.earlier.take(asked)
        self.reused += taken
        return taken

    def take_whole(self, scenarios: Sequence[Scenario]) -> None:
        """Take what earlier sweeps of the folder computed of the whole grid under scenarios, and say how much it was.

        Raises StoreError.
        """
        taken = self.take_earlier(dict.fromkeys(scenarios))
        if not taken:
            return
        size = points_of(self.definition) * len(scenarios)
        of = "the sweep and its windows" if len(scenarios) > 1 else "the sweep"
        who = "an earlier sweep" if len(taken) == 1 else "earlier sweeps"
        self.watcher.say(
            f"rows: {taken.total():,} of the {size:,} points of {of} were computed by {who} of this folder "
            f"({', '.join(taken)}) on the same candles: they are taken from there"
        )

    def rows_there(self, scenario: Scenario) -> int:
        """Points for which nothing is to be computed under a scenario: those that have a row, or the whole grid where
        an earlier sweep of the folder has rows of all. Raises StoreError."""
        size = points_of(self.definition)
        for source in self.earlier.sources(scenario):
            if sum(self.store.counts(*source.name).values()) >= size:
                return size
        return sum(self.store.counts(self.definition.sweep, str(scenario)).values())

    def compute(self, work: Mapping[Scenario, Iterable[int] | None], stage: str) -> Summary:
        """Compute points under scenarios, where they have no row yet; the rows are in the store afterwards.

        `work`: scenario -> points, None for the whole grid. `stage`: what it is for, shown beside the progress. Rows
        that an earlier sweep of the folder computed are taken from there. Raises BrokerError, StoreError.
        """
        work = {scenario: None if points is None else list(points) for scenario, points in work.items()}
        self.take_earlier(work)
        summary = compute(
            RunContext(self.cluster, self.store, self.definition, self.watcher),
            work,
            target_s=self.settings.chunk_seconds,
            stage=stage,
            hooks=Hooks(publish_again=self.publish_again),
        )
        self.interrupted = self.interrupted or summary.interrupted
        return summary

    def ask(
        self, kind: Kind, points: Sequence[int], *, scenario: Scenario = PLAIN, watched: bool = False, **options: Any
    ) -> list[Row]:
        """Rows of another kind of work on some points (see Kind), which are not stored. Raises BrokerError."""
        watcher = self.watcher if watched else Silent()
        return ask(self.cluster, self.definition, kind, points, watcher, scenario=scenario, **options)

    def publish_again(self) -> None:
        """The broker lost what was published.

        Raises BrokerError when candles, controllers or trading rules are others by now.
        """
        self.watcher.say("the broker lost this sweep's data: they are published again")
        if publish.publish(self.sweep, self.cluster, self.watcher).sweep != self.definition.sweep:
            raise BrokerError(
                "the broker lost this sweep's data, and candles, controllers or trading rules changed since it began: "
                "give the same command again to start with those"
            )


def ask(
    cluster: broker.Cluster,
    definition: SweepDefinition,
    kind: Kind,
    points: Sequence[int],
    watcher: Watcher | None = None,
    *,
    scenario: Scenario = PLAIN,
    **options: Any,
) -> list[Row]:
    """Rows of a kind of work on some points of a published sweep. Raises BrokerError."""
    asked = publish.with_kind(definition, kind, cluster, **options)
    try:
        return gather(cluster, asked, list(points), watcher or Silent(), scenario=scenario)
    finally:
        publish.forget(asked, cluster)


@contextmanager
def opened(sweep: Sweep, out: Path, settings: Settings, watcher: Watcher) -> Iterator[SweepSession]:
    """Publish a sweep and hold its output folder for writing: the beginning of `run`, `submit`, `noise`, `live`, ...

    Raises HummingsweepError for whatever the user can mend; nothing is left running in any case.
    """
    precheck(sweep)
    with Store.create(out) as store, broker.session(settings, say=watcher.say) as cluster:
        if store.mended:
            watcher.say(store.mended)
        watcher.say(where(cluster))
        for sentence in lint(sweep):
            watcher.say(sentence)
        known = known_feeds(store)
        definition = publish.publish(sweep, cluster, watcher, known=known)
        remember(store, definition, sweep, watcher, known)
        yield SweepSession(sweep, definition, store, cluster, watcher, settings)


@contextmanager
def reopened(folder: Path, settings: Settings, watcher: Watcher) -> Iterator[SweepSession]:
    """The latest sweep of an output folder, from the sweep file as it was when it ran.

    Raises StoreError where the folder holds none, and BrokerError where candles, controllers or trading rules changed
    since it ran: other rows would be mixed with those that are stored.
    """
    with StoreReader.open(folder) as store:
        name, sweep = store.latest(), stored_sweep(store)
    with opened(sweep, folder, settings, watcher) as session:
        if session.definition.sweep != name:
            raise BrokerError(
                f"{folder}: candles, controllers, trading rules or versions changed since sweep {name} ran: "
                f"`{command('run', sweep.file, '--out', folder)}` computes it anew"
            )
        yield session


def known_feeds(store: StoreReader) -> publish.Feeds:
    """The feeds of the folder's latest sweep; feeds of nothing where there is none."""
    stored = store.sweeps()
    return publish.Feeds.from_document(stored[0].meta.get("feeds", {}) if stored else {})


def remember(store: Store, definition: SweepDefinition, sweep: Sweep, watcher: Watcher, known: publish.Feeds) -> None:
    """The sweep into the store, with what is needed to rank it, report on it and resume it."""
    if sentence := another_sweep(store, definition):
        watcher.say(sentence)
    meta = {
        "rank_by": sweep.rank_by,
        "where": sweep.where,
        "across": sweep.across,
        "file": str(sweep.file.resolve()),
        "feeds": known.to_document(),
    }
    store.add_sweep(definition, sweep.text, meta)


def stored_sweep(store: StoreReader) -> Sweep:
    """The latest sweep of a store, from the file as it was when it ran. Raises StoreError."""
    name = store.latest()
    return parse(store.sweep_file(name), sweep_file_of(store.meta(name), store.folder))


def where(cluster: broker.Cluster) -> str:
    """Which broker is used, for people."""
    if cluster.embedded:
        return "embedded server and local node started"
    return f"broker {without_password(cluster.settings.broker)}"

"""Which settings suit this machine and this sweep: short timed sweeps over the real road, on embedded clusters.

    base        the defaults, with a part of the sweep's grid that takes some seconds
    one by one  other chunk seconds on the same cluster, then other numbers of children, then more native threads
    decide      a setting moves away from its default only for a gain that is more than noise
    confirm     defaults and choice once more, in turn; no gain, no change

All of them sweep the same points into stores that are seeded away. Every measurement is asked whether there is time
left for it: two minutes are enough for points that take up to some seconds.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.cluster import broker
from orchestrator.execution import publish
from orchestrator.execution.precheck import precheck
from orchestrator.execution.run import RunContext, run
from orchestrator.progress.watcher import Silent, Watcher
from orchestrator.results.store import Store
from tasks.errors import HummingsweepError
from tasks.grid import spread
from tasks.named_types import JsonObject
from tasks.settings import PREFIX, Settings

if TYPE_CHECKING:
    from orchestrator.sweepfile.sweep import Sweep

#: Seconds after which nothing new is begun.
BUDGET_S = 100.0
#: Seconds a timed sweep should take.
WINDOW_S = 6.0
#: A gain up to here is noise.
NOISE = 0.04
#: Chunk seconds that are tried beside the default.
CHUNK_SECONDS = (1.0, 2.0)


@dataclass(frozen=True)
class Choice:
    """Values of the settings that are tuned; the defaults unless said otherwise."""

    children: int
    chunk_seconds: float = Settings.chunk_seconds
    threads: int = Settings.threads


@dataclass(frozen=True)
class Timed:
    """A choice and how fast it was."""

    choice: Choice
    points: int
    seconds: float

    @property
    def points_per_s(self) -> float:
        """Points of the timed sweep over its seconds."""
        return self.points / self.seconds if self.seconds else 0.0


@dataclass
class Tuned:
    """What a tuning found."""

    #: the settings as they come without a settings file
    default: Choice
    chosen: Choice
    #: chosen over default points per second, from the confirming pairs; 1 when the defaults stay
    gain: float = 1.0
    tried: list[Timed] = field(default_factory=list)
    #: choices there was no time for
    skipped: list[Choice] = field(default_factory=list)
    seconds: float = 0.0
    #: one-minute load of the machine per core when it began; other work makes the figures worthless
    load: float = 0.0
    #: the settings file, when it was written
    file: Path | None = None


#: Times the same points with some settings.
Measure = Callable[[Choice], Timed]


def tune(sweep: Sweep, settings: Settings, watcher: Watcher | None = None, *, budget_s: float = BUDGET_S) -> Tuned:
    """Measure this machine for a sweep. Nothing is written. Raises what `run` raises for a bad sweep."""
    watcher = watcher or Silent()
    precheck(sweep)
    began = time.monotonic()
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    if load > 0.5:
        watcher.say(f"the machine is busy (load {load:.1f} per core): what is measured now says little")
    with Track(sweep, dataclasses.replace(settings, broker="")) as track:
        cores = dataclasses.replace(settings, children=0).child_count
        tuned = search(track.measure, cores, watcher, left_s=lambda: budget_s - (time.monotonic() - began))
    tuned.seconds, tuned.load = time.monotonic() - began, load
    return tuned


def search(measure: Measure, cores: int, watcher: Watcher, *, left_s: Callable[[], float]) -> Tuned:
    """Which choice is fastest, by measuring one setting after the other. `left_s`: seconds that are left."""
    default = Choice(children=cores)
    tuned = Tuned(default, default)
    longest = 0.0

    def timed(choice: Choice) -> Timed | None:
        nonlocal longest
        if tuned.tried and left_s() < longest:
            tuned.skipped.append(choice)
            return None
        before = left_s()
        one = measure(choice)
        longest = max(longest, before - left_s())
        tuned.tried.append(one)
        watcher.say(f"{shown(choice)}: {one.points_per_s:.1f} points/s")
        return one

    best = timed(default)
    assert best is not None
    for group in candidates(cores):
        for change in group:
            one = timed(dataclasses.replace(best.choice if best else default, **change))
            if one and better(one, best):
                best = one
    if best.choice != default:
        _confirm(tuned, best.choice, timed)
    return tuned


def candidates(cores: int) -> list[list[JsonObject]]:
    """Changes of settings, in groups; of each group the best is kept for the next one."""
    children = [count for count in (cores - 1, cores + 1) if count >= 1]
    return [
        [{"chunk_seconds": seconds} for seconds in CHUNK_SECONDS],
        [{"children": count} for count in children],
        [{"threads": 2}],
    ]


def better(one: Timed, than: Timed) -> bool:
    """Faster by more than noise."""
    return one.points_per_s > than.points_per_s * (1 + NOISE)


def _confirm(tuned: Tuned, choice: Choice, timed: Callable[[Choice], Timed | None]) -> None:
    """What looked better must be so again: the best of several noisy figures is too good by its choosing."""
    pair = timed(choice), timed(tuned.default)
    if pair[0] and pair[1] and better(pair[0], pair[1]):
        tuned.chosen, tuned.gain = choice, pair[0].points_per_s / pair[1].points_per_s


def shown(choice: Choice) -> str:
    """A choice as a line of text."""
    return f"{choice.children} children, chunks of {choice.chunk_seconds:g} s, {choice.threads} native threads a child"


class Track:
    """The same part of a sweep again and again, with other settings; a cluster is kept while only chunks change."""

    def __init__(self, sweep: Sweep, settings: Settings):
        self._sweep = sweep
        self._settings = settings
        self._held = contextlib.ExitStack()
        self._cluster: broker.Cluster | None = None
        self._of: Choice | None = None
        self._part: Sweep | None = None

    def __enter__(self) -> Track:
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def measure(self, choice: Choice) -> Timed:
        """Time the part; the first call finds how large it is."""
        cluster = self._cluster_for(choice)
        if self._part is None:
            few = part(self._sweep, 4 * choice.children)
            first = self._swept(cluster, few, choice)
            wanted = int(WINDOW_S * choice.children / max(first.seconds_per_point or 0.0, 1e-3))
            self._part = part(self._sweep, max(4 * choice.children, wanted))
        else:
            self._swept(cluster, part(self._sweep, 2 * choice.children), choice)  # warm: modules, market, kernels
        summary = self._swept(cluster, self._part, choice)
        return Timed(choice, summary.computed, summary.seconds)

    def _cluster_for(self, choice: Choice) -> broker.Cluster:
        same = self._of and (self._of.children, self._of.threads) == (choice.children, choice.threads)
        if self._cluster is None or not same:
            self._held.close()
            self._cluster = self._held.enter_context(session_with(self._settings, choice))
            self._of = choice
        return self._cluster

    def _swept(self, cluster: broker.Cluster, sweep: Sweep, choice: Choice) -> Any:
        definition = publish.publish(sweep, cluster, Silent())
        with tempfile.TemporaryDirectory() as out, Store.create(Path(out)) as store:
            store.add_sweep(definition, sweep.text, {"rank_by": sweep.rank_by, "where": None})
            summary = run(RunContext(cluster, store, definition, Silent()), target_s=choice.chunk_seconds)
            if summary.interrupted:
                raise KeyboardInterrupt
            if summary.failed == summary.points:
                raise HummingsweepError(f"{sweep.file}: every point failed: {store.errors(definition.sweep)[0][0]}")
        return summary


@contextlib.contextmanager
def session_with(settings: Settings, choice: Choice) -> Iterator[broker.Cluster]:
    """An embedded cluster whose node reads the choice from a settings file, as it will read the one that is written."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "settings.toml"
        file.write_text(settings_text("", choice))
        names = [PREFIX + "SETTINGS", *(PREFIX + name.upper() for name in dataclasses.asdict(choice))]
        before = {name: os.environ.pop(name, None) for name in names}
        os.environ[PREFIX + "SETTINGS"] = str(file)
        try:
            plain = {name: getattr(Settings, name) for name in dataclasses.asdict(choice)}
            with broker.session(dataclasses.replace(settings, **plain)) as cluster:
                yield cluster
        finally:
            del os.environ[PREFIX + "SETTINGS"]
            os.environ.update({name: value for name, value in before.items() if value is not None})


def part(sweep: Sweep, points: int) -> Sweep:
    """The sweep on fewer values of its axes, spread over each, so that about `points` points are left.

    The longest axis is halved until the grid is small enough; expensive and cheap corners stay in it.
    """
    grid = sweep.grid.to_mapping()
    while math.prod(map(len, grid.values())) > max(1, points):
        name = max(grid, key=lambda axis: len(grid[axis]))
        kept = spread(len(grid[name]), max(1, len(grid[name]) // 2))
        grid[name] = [grid[name][place] for place in kept]
    pairs = {*map(str, grid.get("trading_pair", ())), *map(str, sweep.controller.values())}
    funding = {pair: rates for pair, rates in sweep.funding.items() if pair in pairs}
    return sweep.changed(grid=grid, where=None, funding=funding)


def settings_text(before: str, choice: Choice) -> str:
    """The settings file with the choice in it; every other line stays. Raises HummingsweepError for what is no TOML."""
    values = dataclasses.asdict(choice)
    kept = [line for line in before.splitlines() if line.partition("=")[0].strip() not in values]
    text = "\n".join([*kept, *(f"{name} = {value}" for name, value in values.items())]) + "\n"
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise HummingsweepError(f"the settings file cannot be changed ({error}); mend it or delete it") from error
    return text


def write(file: Path, choice: Choice, environment: Mapping[str, str] = os.environ) -> list[str]:
    """Write the choice into the settings file, at once or not at all; the file may hold a key, so only its owner reads.

    Returns the HUMMINGSWEEP_* variables that are set and win over the file. Raises HummingsweepError.
    """
    try:
        text = settings_text(file.read_text() if file.is_file() else "", choice)
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=file.parent, prefix=f".{file.name}.", delete=False) as fresh:
            fresh.write(text)  # mode 0600, as tempfile makes it
            fresh.flush()
            os.fsync(fresh.fileno())
        Path(fresh.name).replace(file)
    except OSError as error:
        raise HummingsweepError(f"{file}: cannot be written ({error.strerror}); set HUMMINGSWEEP_SETTINGS") from error
    return [name for field_ in dataclasses.fields(choice) if (name := PREFIX + field_.name.upper()) in environment]

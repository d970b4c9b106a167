"""The main story of a run: open, send, receive, close.

    open      hold the sweep, become the newest generation, store what an earlier run left in the stream
    send      two chunks per child, so that no child waits for work and the last chunks are small enough
    receive   rows into the store, a transaction per chunk; their seconds tell the planner how large the next may be
    close     every point on the agenda has a row

Resuming is a subtraction: the agenda minus the stored points. Every start is a new generation, and children skip the
chunks that an earlier one left on the queue.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.cluster import bookkeeping
from orchestrator.cluster.collect import SET_ASIDE, Stream
from orchestrator.cluster.distrust import Distrust
from orchestrator.cluster.lease import CollectorLease, collector_lease
from orchestrator.cluster.memory_policy import eviction_warning
from orchestrator.execution.absence import Absence
from orchestrator.execution.agenda import Agenda, Item, agenda_of, grid_item, missing_runs, period_s, stored_counts
from orchestrator.execution.estimate import ENOUGH_S, LEAST, SamplePlanner
from orchestrator.execution.in_flight import InFlight, fill, give_up_waiting, send_again, send_refused
from orchestrator.execution.interrupts import interrupts
from orchestrator.execution.reconcile import collect_waiting, forget_lost_chunks
from orchestrator.progress.watcher import Progress, Watcher
from orchestrator.sweepfile.skip import points_of
from tasks.errors import BrokerError
from tasks.grid import Grid
from tasks.protocol.blobs import EXPIRY_S
from tasks.protocol.keys import Keys
from tasks.protocol.messages import Status, SweepDefinition
from tasks.protocol.records import SweepState, SweepStatus
from tasks.protocol.scenario import PLAIN, Scenario

if TYPE_CHECKING:
    from orchestrator.cluster.broker import Cluster
    from orchestrator.results.store import Store

#: Seconds between two reports of the sweep's status to the broker, while rows come in, and while none do.
REPORT_S = 0.25
REPORT_IDLE_S = 2.0
#: Seconds to wait for rows: each time costs orchestrator and broker a millisecond that a child on this machine could
#: use.
WAIT_S = 0.5
#: Seconds between two signs to the broker that the sweep's blobs are still needed.
NEEDED_S = 3600.0
#: Points that go first and alone, spread over the grid: at most so many, and not more than one in PROBED of a sweep
#: that goes on after them.
PROBES = 8
PROBED = 125
#: Messages of rows that were set aside, of one child, that are said one by one.
SAID_PER_CHILD = 3


@dataclass
class Summary:
    """How a run ended."""

    sweep: str
    points: int
    done: int
    failed: int
    seconds: float
    #: points whose rows came in during this run
    computed: int
    interrupted: bool = False
    #: it was interrupted by `hummingsweep cancel`, from another terminal or machine
    cancelled: bool = False
    #: wall-clock seconds per point of one child, as measured; None when nothing was computed
    seconds_per_point: float | None = None
    children: int = 0
    #: most memory a child ever held, resident; 0 when nothing was computed
    memory_bytes: int = 0


@dataclass(frozen=True)
class RunContext:
    """What every run of a published sweep needs: who computes it, where its rows go, what it is, who is told."""

    cluster: Cluster
    store: Store
    definition: SweepDefinition
    watcher: Watcher


def run(
    context: RunContext,
    *,
    target_s: float,
    estimate: bool = False,
    hooks: Hooks | None = None,
) -> Summary:
    """Compute every point of the definition's grid that has no row yet, and store its row.

    `estimate`: stop as soon as points from all over the grid have said how expensive they are. Raises BrokerError,
    StoreError.
    """
    store, definition = context.store, context.definition
    size = points_of(definition)

    def agenda() -> Agenda:
        if estimate:
            planner = SamplePlanner(missing_runs(store, definition), Grid.from_mapping(definition.grid))
            counts = stored_counts(store, definition.sweep, PLAIN, None)
            return Agenda([Item(PLAIN, planner, size, counts, period_s(PLAIN, definition))])
        probes = min(PROBES, size // PROBED)
        return Agenda([grid_item(store, definition, target_s=target_s, probes=probes)])

    return SweepRun(context, agenda, hooks or Hooks(), estimate=estimate).run()


def compute(
    context: RunContext,
    work: Mapping[Scenario, Iterable[int] | None],
    *,
    target_s: float,
    stage: str = "",
    hooks: Hooks | None = None,
) -> Summary:
    """Compute points under scenarios, where they have no row yet: on the same road as the sweep itself.

    `work`: scenario -> points, None for the whole grid. `stage`: what it is for, shown beside the progress. Raises
    BrokerError, StoreError.
    """

    def agenda() -> Agenda:
        return agenda_of(context.store, context.definition, work, target_s=target_s)

    return SweepRun(context, agenda, hooks or Hooks(), stage=stage).run()


@dataclass(frozen=True)
class Hooks:
    """What the command around a run does at certain moments."""

    #: the first good row is stored; what it raises ends the run
    on_first_rows: Callable[[], None] = lambda: None
    #: puts definition and blobs onto a broker that lost them
    publish_again: Callable[[], object] = lambda: None


class SweepRun:
    """One run of a sweep: open, then send and receive until everything on the agenda has a row, then close."""

    def __init__(
        self,
        context: RunContext,
        agenda: Callable[[], Agenda],
        hooks: Hooks,
        *,
        estimate: bool = False,
        stage: str = "",
    ):
        """`agenda` is made when the sweep is held and earlier rows are stored. `estimate`: see `run`."""
        self._cluster, self._store = context.cluster, context.store
        self._definition, self._watcher = context.definition, context.watcher
        self._make_agenda, self._hooks, self._estimate, self._stage = agenda, hooks, estimate, stage
        self._redis = context.cluster.redis
        self._keys = Keys(context.definition.sweep)
        self._in_flight = InFlight()
        self._generation = 0
        self._started = time.monotonic()
        #: points whose rows came in, and children that have handed in any
        self._computed, self._seen = 0, set[str]()
        self._children, self._memory_bytes = 0, 0
        #: moments: cluster looked at, status written, blobs kept, first rows; and how many points were reported last
        self._looked, self._reported, self._kept = -10.0, -10.0, time.monotonic()
        self._first_rows: float | None = None
        self._reported_points, self._checked = -1, False
        self._cancelled = False
        self._absence = Absence(context.watcher.say, context.cluster.settings.give_up_after_s)
        #: child -> messages of rows that did not fit
        self._set_aside: Counter[str] = Counter()

    def run(self) -> Summary:
        """Raises BrokerError, StoreError."""
        self._put_away_foreign()
        with collector_lease(self._redis, self._keys, self._watcher.say) as held, interrupts() as asked_to_stop:

            def interrupted() -> bool:
                return self._cancelled or asked_to_stop()

            self._open()
            while True:
                self._look(held)
                if not (interrupted() or self._timed_enough()):
                    self._send()
                if not self._in_flight.chunks:
                    break
                if interrupted():
                    self._finish_running()
                if not self._receive():
                    self._mend(interrupted=interrupted())
                self._report()
            self._close()
            return self._summary(interrupted=interrupted())

    def _put_away_foreign(self) -> None:
        bookkeeping.put_away_foreign(self._redis, self._keys, self._watcher.say)

    def _open(self) -> None:
        """Become the newest generation, and store what an earlier run left in the stream."""
        self._generation = int(self._redis.incr(self._keys.generation))
        self._redis.delete(self._keys.cancelled)
        self._distrust = Distrust(self._cluster, self._definition.sweep)
        self._distrust.clear()
        self._stream = Stream(self._redis, self._definition, self._store.folder)
        collect_waiting(self._stream, self._store, self._definition.sweep)
        if lost := forget_lost_chunks(self._cluster, self._store, self._definition.sweep):
            self._watcher.say(
                f"{lost} chunks are marked as done on the broker, but neither it nor {self._store.folder} has their "
                "rows (it lost them, or they went to another output folder): their points are computed again"
            )
        self._agenda = self._make_agenda()
        self._send_refused()

    def _look(self, held: CollectorLease) -> None:
        """Once a second: how many children there are, and whether everybody who is needed is alive."""
        now = time.monotonic()
        if now - self._looked <= 1.0:
            return
        self._looked, self._children = now, self._cluster.children()
        self._cluster.check_alive(self._cluster.say)
        if self._cluster.embedded is None:  # the local node is looked after by its guardian
            self._absence.observe(self._children)
        self._distrust.look()
        held.check()
        if not self._cancelled and bookkeeping.is_cancelled(self._redis, self._keys.sweep):
            self._cancelled = True
            self._watcher.say(f"sweep {self._keys.sweep} was cancelled: finishing the running chunks")
        if now - self._kept > NEEDED_S:
            self._kept = now
            bookkeeping.keep(self._redis, self._keys, self._definition)

    def _timed_enough(self) -> bool:
        """Whether an estimate has what it needs."""
        if not self._estimate or self._first_rows is None:
            return False
        enough = self._computed + len(self._in_flight.chunks) >= LEAST
        return enough and time.monotonic() - self._first_rows > ENOUGH_S

    def _send(self) -> None:
        done = f"{self._agenda.counts.total():,} of {self._agenda.size:,} points done"
        progress = f"{self._stage}: {done}" if self._stage else done
        fill(self._cluster, self._keys, self._agenda, self._in_flight, self._generation, self._children, progress)

    def _receive(self) -> bool:
        """Store what came in; whether anything did."""
        came = False
        for entry, rows in self._stream.read(WAIT_S):
            new = self._store.insert(self._definition.sweep, rows)
            self._computed += new
            self._stream.forget([entry])
            unreached = self._in_flight.complete(rows.chunk, rows.columns.get("point", ()))
            self._agenda.observe(rows, unreached, cold=rows.node not in self._seen)
            self._agenda.count(rows, new, self._store, self._definition.sweep)
            self._seen.add(rows.node)
            self._memory_bytes = max(self._memory_bytes, rows.memory_bytes)
            came = True
        self._send_refused()
        if came:
            self._in_flight.rows_came()
            self._first_rows = self._first_rows or time.monotonic()
            if not self._checked and self._agenda.counts.get(Status.OK):
                self._checked = True
                self._hooks.on_first_rows()
        return came

    def _send_refused(self) -> None:
        """Points whose rows did not fit are computed again, on another node where there is one."""
        for aside in self._stream.take_set_aside():
            self._set_aside[aside.node] += 1
            if self._set_aside[aside.node] <= SAID_PER_CHILD:
                self._watcher.say(f"{aside} ({self._store.folder / SET_ASIDE}); its points are computed again")
            self._distrust.add(aside.node)
            if chunk := self._in_flight.chunks.get(aside.chunk):
                send_refused(self._cluster, self._keys, self._in_flight, chunk, str(aside))

    def _finish_running(self) -> None:
        """After an interrupt: chunks that no child has begun are skipped by the children."""
        if not self._redis.exists(self._keys.cancelled):
            self._watcher.say("interrupted: finishing the running chunks (Ctrl-C again stops now)")
            self._redis.set(self._keys.cancelled, "interrupted")

    def _mend(self, *, interrupted: bool) -> None:
        """Nothing came in: send again what the broker lost."""
        if interrupted:
            give_up_waiting(self._cluster, self._keys, self._in_flight)
        elif lost := self._in_flight.lost(self._cluster):
            why = eviction_warning(self._redis)
            self._watcher.say(f"the broker lost {len(lost)} chunks: they are sent again" + (f" ({why})" if why else ""))
            self._put_away_foreign()
            if not bookkeeping.keep(self._redis, self._keys, self._definition):
                self._hooks.publish_again()
            try:
                self._generation = send_again(self._cluster, self._keys, self._in_flight, lost, self._generation)
            except BrokerError as error:
                raise BrokerError(f"{error}; {why}" if why else str(error)) from None
            self._in_flight.rows_came()

    def _report(self) -> None:
        """Progress for the user who waits, and now and then for `watch`, `list` and the exporter."""
        self._watcher.update(self._progress())
        now = time.monotonic()
        every = REPORT_IDLE_S if self._computed == self._reported_points else REPORT_S
        if now - self._reported > every:
            self._reported, self._reported_points = now, self._computed
            self._write_status(SweepState.RUNNING)

    def _write_status(self, state: SweepState) -> None:
        write_status(self._cluster, self._keys, self._agenda.size, self._agenda.counts, state, self._stage)

    def _close(self) -> None:
        """What the broker keeps of a finished run runs out by itself."""
        done = self._agenda.counts.total() >= self._agenda.size
        ended = SweepState.CANCELLED if self._cancelled else SweepState.STOPPED
        self._write_status(SweepState.DONE if done else ended)
        self._redis.delete(self._keys.cancelled)
        self._distrust.clear()
        if total := self._set_aside.total():
            nodes = ", ".join(sorted({child.partition("/")[0] or "unknown" for child in self._set_aside}))
            self._watcher.say(f"{total} messages of rows did not fit their chunks and were set aside (nodes: {nodes})")
        for key in self._keys.kept_when_done:
            self._redis.expire(key, EXPIRY_S)

    def _progress(self) -> Progress:
        counts, seconds = self._agenda.counts, time.monotonic() - self._started
        done = counts.total()
        return Progress(
            points=self._agenda.size,
            done=done,
            failed=done - counts[Status.OK],
            points_per_s=self._computed / seconds if seconds and self._children else 0.0,
            left_s=self._agenda.seconds_left(self._children) if self._children else None,
            children=self._children,
            stage=self._stage,
        )

    def _summary(self, *, interrupted: bool) -> Summary:
        counts = self._agenda.counts
        speeds = [item.planner.speeds.seconds_per_point() for item in self._agenda.items]
        return Summary(
            sweep=self._definition.sweep,
            points=self._agenda.size,
            done=counts.total(),
            failed=counts.total() - counts[Status.OK],
            seconds=time.monotonic() - self._started,
            computed=self._computed,
            interrupted=interrupted,
            cancelled=self._cancelled,
            seconds_per_point=next(filter(None, speeds), None),
            children=self._children,
            memory_bytes=self._memory_bytes,
        )


def write_status(
    cluster: Cluster, keys: Keys, size: int, counts: Counter[Status], state: SweepState, stage: str = ""
) -> None:
    """What `watch`, `list` and the exporter show."""
    bookkeeping.write_status(
        cluster.redis,
        keys.sweep,
        SweepStatus(
            points=size,
            done=counts.total(),
            failed=counts.total() - counts[Status.OK],
            state=state,
            at=time.time(),
            queue=cluster.settings.queue,
            stage=stage,
        ),
    )

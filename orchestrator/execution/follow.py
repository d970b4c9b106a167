"""`watch`: follow a sweep to its end, collecting its rows when nobody else does, and computing what the broker lost."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.cluster.bookkeeping import of_another_type, put_away_foreign
from orchestrator.cluster.collect import Stream
from orchestrator.cluster.lease import LEASE_S, collector_lease
from orchestrator.execution import publish
from orchestrator.execution.in_flight import LOOK_EVERY_S, LOST_AFTER_S
from orchestrator.execution.reconcile import collect_waiting
from orchestrator.execution.run import Hooks, RunContext, run
from orchestrator.progress.standing import Standing, standing_of
from orchestrator.progress.watcher import Progress, Watcher
from orchestrator.results.store import Store
from orchestrator.results.sweep_notes import sweep_file_of
from orchestrator.sweepfile.skip import points_of
from orchestrator.sweepfile.sweep import parse
from tasks.errors import BrokerError
from tasks.protocol.keys import Keys
from tasks.protocol.messages import Status
from tasks.protocol.records import SweepState
from tasks.suggest import command

if TYPE_CHECKING:
    from orchestrator.cluster.broker import Cluster

#: Seconds between two looks at the broker.
EVERY_S = 0.5


class Follower:
    """One `watch` of a sweep."""

    def __init__(self, cluster: Cluster, sweep: str, folder: Path | None, watcher: Watcher):
        """`folder`: the output folder, where it is on this machine."""
        self._cluster, self._sweep, self._folder, self._watcher = cluster, sweep, folder, watcher
        self._keys = Keys(sweep)
        self._started = time.monotonic()
        self._first: int | None = None
        self._done = -1
        #: moments: rows came or an orchestrator was there; something moved; the queues were read
        self._tended = self._moved = self._looked = time.monotonic()
        self._missed = False

    def follow(self) -> None:
        """Until every point has a row, the sweep was stopped, or nothing can come any more. Raises BrokerError."""
        from redis.exceptions import ResponseError

        self._put_away_foreign()
        while True:
            try:
                if self._ended():
                    return
            except ResponseError as error:
                if not of_another_type(error) or not self._put_away_foreign():
                    raise
            time.sleep(EVERY_S)

    def _put_away_foreign(self) -> list[str]:
        return put_away_foreign(self._cluster.redis, self._keys, self._watcher.say)

    def _ended(self) -> bool:
        """Collect and look once; whether there is nothing more to come."""
        self._collect()
        standing = standing_of(self._cluster, self._sweep)
        self._show(standing)
        status = standing.status
        if standing.ended:
            self._watcher.say(f"sweep {self._sweep}: {status.state}, {status.done}/{status.points} points")
            return True
        if self._nobody_runs_it(standing):
            self._watcher.say(
                f"sweep {self._sweep}: {status.done}/{status.points} points, and the command that ran it is gone; "
                f"go on with: {command('resume', self._folder or self._sweep)}"
            )
            return True
        if self._lost(standing):
            self._compute_lost(standing)
        return False

    def _collect(self) -> None:
        """Store what waits in the stream, when no other command collects."""
        redis = self._cluster.redis
        if not self._folder or redis.exists(self._keys.collector) or not redis.xlen(self._keys.rows):
            return
        with collector_lease(redis, self._keys, self._watcher.say), Store.create(self._folder) as store:
            definition = store.definition(self._sweep)
            stream = Stream(redis, definition, self._folder)
            counts = collect_waiting(stream, store, self._sweep)
            for aside in stream.take_set_aside():
                self._watcher.say(str(aside))
            done = sum(counts.values())
            redis.hset(self._keys.status, mapping={"done": done, "failed": done - counts.get(Status.OK, 0)})
            if done >= points_of(definition):
                redis.hset(self._keys.status, "state", SweepState.DONE.value)

    def _show(self, standing: Standing) -> None:
        status = standing.status
        if status.done != self._done:
            self._done, self._moved = status.done, time.monotonic()
        self._first = status.done if self._first is None else self._first
        seconds = time.monotonic() - self._started
        speed = (status.done - self._first) / seconds if seconds > 0 else 0.0
        left_s = (status.points - status.done) / speed if speed else standing.left_s
        children = sum(node.children for node in standing.nodes)
        self._watcher.update(
            Progress(status.points, status.done, status.failed, speed, left_s, children, standing.nodes)
        )

    def _nobody_runs_it(self, standing: Standing) -> bool:
        """A sweep that a command was running has lost it."""
        if standing.status.state != SweepState.RUNNING or standing.collector or standing.chunks_running:
            self._tended = time.monotonic()
        return time.monotonic() - self._tended > LEASE_S

    def _lost(self, standing: Standing) -> bool:
        """Whether a submitted sweep's missing points are nowhere: no row, no message and no child has them.

        Looked at twice, for a message is nowhere for a moment on its way to a node.
        """
        now = time.monotonic()
        if standing.status.state != SweepState.SUBMITTED or standing.collector or standing.chunks_running:
            self._moved = now
        if now - self._moved < LOST_AFTER_S or now - self._looked < LOOK_EVERY_S:
            return False
        self._looked = now
        missed = not standing.uncollected and not self._cluster.holds(self._sweep)
        lost, self._missed = missed and self._missed, missed
        return lost

    def _compute_lost(self, standing: Standing) -> None:
        """Compute what the broker lost, as `run` would. Raises BrokerError where the output folder is not here."""
        status = standing.status
        done = self._cluster.redis.scard(self._keys.done)
        what = (
            f"sweep {self._sweep}: the broker holds neither rows nor chunks of {status.points - status.done} points "
            f"({done} chunks are marked as done): it lost them"
        )
        if self._folder is None:
            raise BrokerError(f"{what}; `hummingsweep resume` with the output folder computes them again")
        self._watcher.say(f"{what}. They are computed again")
        with Store.create(self._folder) as store:
            definition = store.definition(self._sweep)
            stored = parse(store.sweep_file(self._sweep), sweep_file_of(store.meta(self._sweep), self._folder))

            def publish_again() -> None:
                if publish.publish(stored, self._cluster, self._watcher).sweep != self._sweep:
                    raise BrokerError(
                        f"{what}, and candles or controllers changed since: start it again with `hummingsweep run`"
                    )

            target_s = self._cluster.settings.chunk_seconds
            run(
                RunContext(self._cluster, store, definition, self._watcher),
                target_s=target_s, hooks=Hooks(publish_again=publish_again),
            )  # fmt: skip

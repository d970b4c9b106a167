"""THE task: a chunk of points in, one message of rows out.

    begin      may it run? how often was it tried?
    prepare    definition, controllers, candles: from this child's memory, the mirror or the broker
    loop       one event loop, the points one after another; a point that fails is a row that says so
    commit     rows and the mark `done` together

Nothing passes between processes per point, except on the careful second attempt (see tasks.child.attempts).

The node imports this module to know the task and runs none of it: what only a child needs is imported by its functions.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING

from celery import shared_task
from celery.exceptions import Reject
from celery.signals import worker_process_init
from redis.exceptions import RedisError

from tasks.child import heartbeat
from tasks.child.attempts import CANCELLED, DONE, FOR_ANOTHER, Attempts, scripts
from tasks.child.deadline import hung
from tasks.errors import HummingsweepError, MessageError, ParcelMissing, describe
from tasks.named_types import Row
from tasks.protocol.chunks import Chunk
from tasks.protocol.keys import Keys
from tasks.protocol.messages import CHUNK_TASK, Rows, Status, SweepDefinition
from tasks.protocol.scenario import Scenario

if TYPE_CHECKING:
    from tasks.child.process import Child

#: Seconds before a chunk that the broker refuses to keep account of is handed back.
REFUSED_WAIT_S = 5.0
#: Descriptors that the points to come need.
SPARE = 8


@worker_process_init.connect(weak=False)  # type: ignore[untyped-decorator]  # celery has no type information
def _enter(**_: object) -> None:
    from tasks.child import process

    try:
        me = process.begin()
        scripts()
        me.quota.listen()
        heartbeat.begin(me.settings.cache_folder)
    except BaseException as error:
        # Celery would go on without it, and this process would take one chunk after the other and run none
        told = f"{error}" if isinstance(error, HummingsweepError) else describe(error)
        print(f"a child cannot begin, and is started anew: {told}", file=sys.stderr, flush=True)  # noqa: T201  the node's log
        time.sleep(REFUSED_WAIT_S)
        os._exit(1)


@shared_task(name=CHUNK_TASK, acks_late=True)  # type: ignore[untyped-decorator]  # celery has no type information
def run_chunk(sweep: str, chunk_id: str, limit_s: float = 0.0) -> None:
    """Run one chunk; all its life is on this page.

    After `limit_s` seconds (0: never) no point of it is begun: the rows that are there are committed, and whoever sent
    the chunk hands the others out again.
    """
    from tasks.child import process

    # Billiard's handler raises SystemExit in the middle of a controller, which would look like the controller's own.
    # A node that leaves in a hurry hands the chunk back, so its child may simply end.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    me = process.child()
    try:
        attempts = Attempts(me.redis, Keys(sweep))
        chunk = Chunk.parse(chunk_id)
    except MessageError as error:  # not of an orchestrator of ours
        print(f"a message is passed over: {error}", file=sys.stderr, flush=True)  # noqa: T201  the node's log
        return
    attempt, address = attempts.begin(chunk_id, me.name)
    if attempt in (DONE, CANCELLED):
        return
    if attempt == FOR_ANOTHER:
        time.sleep(REFUSED_WAIT_S)  # for another node to take it
        raise Reject(f"chunk {chunk_id} is for another node", requeue=True)
    me.quota.turn_to(sweep)
    course = _ChunkRun(me, chunk_id, attempts)
    finished: dict[int, Row] = {}
    todo = chunk.points
    try:
        definition = me.definition(sweep, address)
        if attempt > 1:
            finished = attempts.finished(chunk_id, definition.point_timeout_s, hung(me.hang_marker(sweep, chunk_id)))
            todo = [point for point in todo if point not in finished]
        asyncio.run(course.run(definition, chunk.scenario, todo, limit_s, careful=attempt > 1))
        fresh = course.rows
    except ParcelMissing:
        # the broker lost its data, or somebody made room: the orchestrator publishes it again and sends what has no row
        attempts.let_go(chunk_id)
        return
    except RedisError as error:
        # the broker is away for longer than a child waits, or refuses to write
        time.sleep(REFUSED_WAIT_S)
        raise Reject(error, requeue=True) from error
    except BaseException as error:
        if course.begun:
            # A point broke what its neighbours need (stopped the event loop, closed its descriptors). A fresh child
            # goes carefully, so that the point stands alone in the end.
            os._exit(1)
        # what the whole chunk is missing (memory, a version, a signature) is every point's error
        fresh = _failed(todo, str(error) if isinstance(error, HummingsweepError) else describe(error))
    course.commit(sorted([*finished.values(), *fresh], key=lambda row: row["point"]), chunk.points)


class _ChunkRun:
    """The points of one attempt, one after another."""

    def __init__(self, me: Child, chunk_id: str, attempts: Attempts):
        self._me, self._chunk_id, self._attempts = me, chunk_id, attempts
        self._started = time.perf_counter()
        self.rows: list[Row] = []
        #: from here on what goes wrong outside a row is a point's doing
        self.begun = False
        self.feature_axes: list[str] = []

    async def run(
        self, definition: SweepDefinition, scenario: Scenario, points: list[int], limit_s: float, *, careful: bool
    ) -> None:
        """One row a point. With `careful`, each point is marked before and stored after."""
        from tasks.child.point import PointRunner

        hang_marker = self._me.hang_marker(definition.sweep, self._chunk_id) if careful else None
        began = time.perf_counter()
        with closing(PointRunner(self._me, definition, scenario)) as bench:
            for point in bench.in_order(points):
                if limit_s and self.rows and time.perf_counter() - began > limit_s:
                    break
                if careful:
                    self._attempts.mark(self._chunk_id, point, self._me.name)
                self.begun = True
                row = await bench.row(point, hang_marker)
                _check_loop()
                if careful:
                    self._attempts.store_row(self._chunk_id, row)
                self.rows.append(row)
            self.feature_axes = bench.feature_axes()

    def commit(self, rows: list[Row], points: list[int]) -> None:
        """Hand in the rows of the chunk's points, or, where those cannot be sent, a row for each that says so."""
        try:
            self._hand_in(rows, self.feature_axes)
        except RedisError as error:
            time.sleep(REFUSED_WAIT_S)
            raise Reject(error, requeue=True) from error
        except BaseException as error:
            # an exception would acknowledge the message, and its rows be nowhere
            if self.begun:
                os._exit(1)  # a point may have broken what this needs: a fresh child hands in what was stored
            text = f"the rows of chunk {self._chunk_id} cannot be handed in: {describe(error)}"
            self._hand_in(_failed(points, text), [])

    def _hand_in(self, rows: list[Row], feature_axes: list[str]) -> None:
        from tasks.child.process import peak_memory_bytes

        me, seconds = self._me, time.perf_counter() - self._started
        made = Rows.from_dicts(self._chunk_id, me.name, seconds, rows, peak_memory_bytes(), feature_axes)
        self._attempts.commit(self._chunk_id, made)


def _failed(points: list[int], error: str) -> list[Row]:
    return [{"point": point, "status": Status.ERROR.value, "error": error} for point in points]


def _check_loop() -> None:
    """Raises OSError where no later point would run: a controller closed the descriptor its event loop lives on, or
    left hardly any to be opened."""
    selector = getattr(asyncio.get_running_loop(), "_selector", None)
    if selector is None:
        return
    spare: list[int] = []
    try:
        spare += (os.dup(selector.fileno()) for _ in range(SPARE))
    finally:
        for descriptor in spare:
            os.close(descriptor)

"""THE task: a chunk of points in, one message of rows out.

    begin      may it run? how often was it tried?
    prepare    definition, controllers, candles: from this child's memory, the mirror or the broker
    loop       one event loop, the points one after another; a point that fails is a row that says so
    commit     rows and the mark `done` together

Nothing passes between processes per point, except on the careful second attempt (see tasks.attempts).
"""

from __future__ import annotations

import asyncio
import signal
import time
from typing import Any

from celery import shared_task
from celery.signals import worker_process_init
from redis.exceptions import RedisError

from tasks.attempts import CANCELLED, DONE, Attempts
from tasks.child import Child, begin, child, peak_memory_bytes
from tasks.errors import HummingsweepError, describe
from tasks.messages import CHUNK_TASK, Chunk, Keys, Rows, Status, SweepDefinition


@worker_process_init.connect(weak=False)  # type: ignore[untyped-decorator]  # celery has no type information
def _enter(**_: Any) -> None:
    begin()


@shared_task(name=CHUNK_TASK, acks_late=True)  # type: ignore[untyped-decorator]
def run_chunk(sweep: str, chunk_id: str, limit_s: float = 0.0) -> None:
    """Run one chunk; all its life is on this page.

    After `limit_s` seconds (0: never) no point of it is begun: the rows that are there are committed, and whoever sent
    the chunk hands the others out again.
    """
    # Billiard's handler raises SystemExit in the middle of a controller, which would look like the controller's own.
    # A node that leaves in a hurry hands the chunk back, so its child may simply end.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    me = child()
    attempts = Attempts(me.redis, Keys(sweep))
    attempt = attempts.begin(chunk_id, me.name)
    if attempt in (DONE, CANCELLED):
        return
    started = time.perf_counter()
    chunk = Chunk.parse(chunk_id)
    finished: dict[int, dict[str, Any]] = {}
    todo = chunk.points
    try:
        definition = me.definition(sweep)
        if attempt > 1:
            finished = attempts.finished(chunk_id, definition.point_timeout_s)
            todo = [point for point in todo if point not in finished]
        fresh = asyncio.run(_loop(me, definition, todo, attempts if attempt > 1 else None, chunk_id, limit_s))
    except RedisError:
        raise  # the broker is gone for good: it hands the chunk out again when it is back
    except Exception as error:
        # what the whole chunk lacks (a parcel, memory, a version) is every point's error
        text = str(error) if isinstance(error, HummingsweepError) else describe(error)
        fresh = [{"point": point, "status": Status.ERROR.value, "error": text} for point in todo]
    rows = sorted([*finished.values(), *fresh], key=lambda row: row["point"])
    seconds = time.perf_counter() - started
    attempts.commit(chunk_id, Rows.from_dicts(chunk_id, me.name, seconds, rows, peak_memory_bytes()))


async def _loop(
    me: Child, definition: SweepDefinition, points: list[int], careful: Attempts | None, chunk_id: str, limit_s: float
) -> list[dict[str, Any]]:
    """One row a point. With `careful`, each point is marked before and laid down after."""
    from tasks.point import Bench

    bench = Bench(me, definition)
    rows: list[dict[str, Any]] = []
    began = time.perf_counter()
    for point in bench.in_order(points):
        if limit_s and rows and time.perf_counter() - began > limit_s:
            break
        if careful:
            careful.mark(chunk_id, point)
        row = await bench.row(point)
        if careful:
            careful.lay_down(chunk_id, row)
        rows.append(row)
    return rows

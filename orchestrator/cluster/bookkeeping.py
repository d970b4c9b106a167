"""The broker's records of sweeps, read and written: the one place of the orchestrator that knows how they lie there.

Reading never fails by what somebody wrote: a record that cannot be used, or a key of another type, is passed over and
counted. It raises redis-py's RedisError when the broker is away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tasks.errors import MessageError
from tasks.protocol import names
from tasks.protocol.keys import ANY_RUNNING, SWEEPS_KEY, Keys, blob_key
from tasks.protocol.names import as_text
from tasks.protocol.records import NodeTally, RunningChunk, SweepState, SweepStatus, readable

if TYPE_CHECKING:
    from redis import Redis

    from tasks.protocol.messages import SweepDefinition


#: Digits of a generation at most: it goes up by one with every start of an orchestrator.
_DIGITS = 12


@dataclass(frozen=True)
class SweepRecords:
    """Everything the broker knows of one sweep, as of one moment."""

    sweep: str
    #: None: it was never published here, or has run out
    status: SweepStatus | None
    tallies: dict[str, NodeTally] = field(default_factory=dict)
    running: tuple[RunningChunk, ...] = ()
    #: chunks under way that a child began before and did not finish
    tried_again: int = 0
    #: messages of rows that wait for an orchestrator
    uncollected: int = 0
    #: the orchestrator that collects; None: nobody does
    collector: str | None = None
    #: records that cannot be read
    unreadable: int = 0


def known_sweeps(redis: Redis, most: int = 0) -> list[str]:
    """Ids of the sweeps on the broker, the newest first; `most`: at most so many, 0 for all."""
    from redis.exceptions import ResponseError

    try:
        found = redis.zrevrange(SWEEPS_KEY, 0, most - 1)
    except ResponseError as error:
        if not of_another_type(error):
            raise
        return []
    return readable((raw for raw in found if isinstance(raw, bytes | str)), lambda raw: names.sweep_id(as_text(raw)))[0]


def read_sweeps(redis: Redis, sweeps: Sequence[str]) -> Iterator[SweepRecords]:
    """The records of some sweeps, in one round trip."""
    with redis.pipeline(transaction=False) as pipeline:
        for sweep in sweeps:
            keys = Keys(sweep)
            pipeline.hgetall(keys.status)
            pipeline.hgetall(keys.tally)
            pipeline.hvals(keys.running)
            pipeline.hvals(keys.attempts)
            pipeline.xlen(keys.rows)
            pipeline.get(keys.collector)
        # what is of another type is an exception in the answer
        answers = iter(pipeline.execute(raise_on_error=False))
    for sweep, *found in zip(sweeps, *[answers] * 6, strict=True):
        yield _records(sweep, found)


def read_sweep(redis: Redis, sweep: str) -> SweepRecords:
    """The records of one sweep."""
    return next(read_sweeps(redis, [sweep]))


def running_chunks(redis: Redis, sweep: str) -> dict[str, RunningChunk]:
    """Chunk id -> who runs it."""
    found: dict[str, RunningChunk] = {}
    for chunk, value in redis.hgetall(Keys(sweep).running).items():
        with suppress(MessageError):
            found[as_text(chunk)] = RunningChunk.decode(value)
    return found


def nodes_at_work(redis: Redis) -> set[str]:
    """The nodes that children of which run a chunk of any sweep, among them nodes that have died since."""
    found: set[str] = set()
    for key in redis.scan_iter(ANY_RUNNING, count=1000, _type="hash"):  # a key of another type is nobody's record
        for value in redis.hvals(as_text(key)):
            with suppress(MessageError):
                found.add(RunningChunk.decode(value).child.node)
    return found


def write_status(redis: Redis, sweep: str, status: SweepStatus) -> None:
    """What `watch`, `list` and the exporter show. A broker without room does without."""
    from redis.exceptions import OutOfMemoryError, ResponseError

    keys = Keys(sweep)
    try:
        redis.hset(keys.status, mapping=status.encode())
        redis.zadd(SWEEPS_KEY, {sweep: status.at})
    except OutOfMemoryError:
        pass  # nothing depends on it, and collecting makes room
    except ResponseError as error:
        if not of_another_type(error):
            raise
        redis.delete(keys.status)  # what lies there is nobody's status


def put_away_foreign(redis: Redis, keys: Keys, say: Callable[[str], object] = lambda _: None) -> list[str]:
    """Delete the keys of a sweep that hold something else than we keep there, and return them; `say` is told of each.

    Nothing could be begun, collected or cancelled while they are there. What a sweep has stored is not on the broker.
    """
    expected = keys.types
    with redis.pipeline(transaction=False) as pipeline:
        for key in expected:
            pipeline.type(key)
        found = [as_text(kind) for kind in pipeline.execute()]
    strange = [key for key, kind in zip(expected, found, strict=True) if kind not in (expected[key], "none")]
    if keys.generation not in strange and not _counts(redis.get(keys.generation)):
        strange.append(keys.generation)
    if strange:
        redis.delete(*strange)
    for key in strange:
        say(f"{key} on the broker is not what is kept there (something else wrote it): it is deleted")
    return strange


def _counts(raw: bytes | str | None) -> bool:
    """Whether a counter can be counted on from here."""
    text = as_text(raw or "0")
    return text.isascii() and text.isdecimal() and len(text) <= _DIGITS


def keep(redis: Redis, keys: Keys, definition: SweepDefinition) -> bool:
    """Put off the expiry of what the sweep's children fetch; False when something of it is not there."""
    from redis.exceptions import ResponseError

    from tasks.protocol.blobs import EXPIRY_S

    blobs = map(blob_key, definition.blobs)
    there = [redis.expire(name, EXPIRY_S) for name in (keys.definition, *blobs)]
    try:
        address = redis.get(keys.definition)
    except ResponseError as error:
        if not of_another_type(error):
            raise
        address = None  # to publish it again writes over what lies there
    there.append(address is not None and bool(redis.expire(blob_key(as_text(address)), EXPIRY_S)))
    return all(there)


def cancel(redis: Redis, sweep: str) -> None:
    """Mark a sweep as cancelled: chunks that no child has begun are passed over."""
    from redis.exceptions import ResponseError

    keys = Keys(sweep)
    redis.set(keys.cancelled, SweepState.CANCELLED.value)
    try:
        redis.hset(keys.status, "state", SweepState.CANCELLED.value)
    except ResponseError as error:
        if not of_another_type(error):
            raise
        redis.delete(keys.status)  # what lies there is nobody's status


def is_cancelled(redis: Redis, sweep: str) -> bool:
    """Whether `cancel` marked a sweep; an orchestrator that was interrupted leaves another mark."""
    from redis.exceptions import ResponseError

    try:
        mark = redis.get(Keys(sweep).cancelled)
    except ResponseError as error:
        if not of_another_type(error):
            raise
        return False
    return mark is not None and as_text(mark) == SweepState.CANCELLED.value


def _records(sweep: str, answers: Sequence[object]) -> SweepRecords:
    """`answers`: the broker's, in the order in which `read_sweeps` asks for them."""
    status, tally, running, attempts, uncollected, collector = answers
    bad = sum(isinstance(answer, Exception) for answer in answers)
    known = None
    if isinstance(status, dict) and status:
        try:
            known = SweepStatus.decode(status)
        except MessageError:
            bad += 1
    chunks, unreadable = readable(running if isinstance(running, list) else [], RunningChunk.decode)
    counts = [as_text(count) for count in attempts] if isinstance(attempts, list) else []
    return SweepRecords(
        sweep=sweep,
        status=known,
        tallies=NodeTally.decode_all(tally) if isinstance(tally, dict) else {},
        running=tuple(chunks),
        tried_again=sum(count.isdecimal() and count not in ("0", "1") for count in counts),
        uncollected=uncollected if isinstance(uncollected, int) else 0,
        collector=names.printable(as_text(collector)) if isinstance(collector, bytes | str) else None,
        unreadable=bad + unreadable,
    )


def of_another_type(error: Exception) -> bool:
    """Whether Redis refused because a key holds something else than we keep there."""
    return "WRONGTYPE" in str(error)

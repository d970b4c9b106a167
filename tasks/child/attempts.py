"""How often a chunk was tried, and what its earlier tries left.

A chunk whose child died is handed out again. From the second attempt on it goes carefully: every finished point is
stored on the broker at once, and the point under way is marked before it begins. So a point that kills its child
is found: it is the marked one, and after DEATHS deaths it gets a row with status=crashed and the others finish.
"""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ujson

from tasks.child.deadline import HARD_GRACE_S
from tasks.errors import MessageError
from tasks.named_types import Row
from tasks.protocol.chunks import Chunk
from tasks.protocol.keys import Keys, node_heartbeat_key
from tasks.protocol.messages import Rows, Status
from tasks.protocol.records import ChildName, RunningChunk

if TYPE_CHECKING:
    from redis import Redis

#: Deaths of the child, with a point marked as under way, after which that point is given up.
DEATHS = 2

DONE, CANCELLED, FOR_ANOTHER = -1, -2, -3

_UNDER_WAY = "under way"


@dataclass(frozen=True)
class Attempts:
    """The bookkeeping of one sweep's chunks, from the child's side."""

    redis: Redis
    keys: Keys

    def begin(self, chunk: str, who: str) -> tuple[int, str]:
        """The number of this attempt, or DONE, CANCELLED or FOR_ANOTHER; and the address of the sweep's definition."""
        keys = self.keys
        number, address = self._script("begin")(
            keys=[keys.done, keys.sent, keys.attempts, keys.running, keys.cancelled, keys.generation],
            args=[
                chunk,
                RunningChunk(ChildName.parse(who), time.time()).encode(),
                Chunk.parse(chunk).generation,
                keys.definition,
                keys.distrusted,
                who.partition("/")[0],
            ],
        )
        return int(number), address.decode()

    def commit(self, chunk: str, rows: Rows) -> bool:
        """Hand the rows in; False when another attempt was first."""
        keys = self.keys
        failed = sum(status != Status.OK for status in rows.columns.get("status", ()))
        answer = self._script("commit")(
            keys=[keys.done, keys.rows, keys.attempts, keys.running, keys.partial(chunk), keys.tally],
            args=[chunk, rows.encode(), rows.node.partition("/")[0], len(rows), failed, rows.seconds],
        )
        return bool(answer)

    def finished(self, chunk: str, point_timeout_s: float, hung: bool | None = None) -> dict[int, Row]:
        """Rows that earlier careful attempts stored, by point.

        A marked point under which the child died too often is one of them, and so is one that never came back from
        native code: `hung` says whether the deadline ended the last attempt. Where that is not known (None: it was on
        another node) the point is taken for one when it was under way for its whole time on a node that is still
        there: the chunk of a node that died comes back late, whatever its point did.
        """
        redis: Any = self.redis
        points = set(Chunk.parse(chunk).points)
        fields = self._partial(chunk)
        found = filter(None, map(_finished_row, fields.items()))
        rows = {point: row for point, row in found if point in points}
        marked = _mark(fields.get(_UNDER_WAY.encode(), b""))
        if marked is not None and marked[0] in points:
            point, since, who = marked
            lives = redis.exists(node_heartbeat_key(who.node))
            deaths = self._another_death(chunk, point)
            if hung is None:
                hung = bool(lives) and self._now() - since >= point_timeout_s + HARD_GRACE_S
            if hung:
                rows[point] = {
                    "point": point,
                    "status": Status.TIMEOUT.value,
                    "error": f"took longer than {point_timeout_s:g} s, in native code that could not be interrupted",
                }
            elif deaths >= DEATHS and point not in rows:
                rows[point] = {
                    "point": point,
                    "status": Status.CRASHED.value,
                    "error": f"the child died {deaths + 1} times while it ran this point",
                }
        return rows

    def _partial(self, chunk: str) -> dict[bytes, bytes]:
        """What earlier careful attempts kept; a key of another type is put away: nobody could keep anything there."""
        from redis.exceptions import ResponseError

        redis: Any = self.redis
        key = self.keys.partial(chunk)
        try:
            fields: dict[bytes, bytes] = redis.hgetall(key)
        except ResponseError as error:
            if "WRONGTYPE" not in str(error):
                raise
            redis.delete(key)
            return {}
        return fields

    def _another_death(self, chunk: str, point: int) -> int:
        """How often the child died under this point, this time included."""
        from redis.exceptions import ResponseError

        redis: Any = self.redis
        key, name = self.keys.partial(chunk), f"deaths {point}"
        try:
            return int(redis.hincrby(key, name, 1))
        except ResponseError as error:
            if "integer" not in str(error) and "overflow" not in str(error):
                raise
            redis.hset(key, name, 1)  # what stood there was no count of ours
            return 1

    def let_go(self, chunk: str) -> None:
        """This attempt ends without rows, and the chunk is the orchestrator's to send again, under another name."""
        self.redis.hdel(self.keys.running, chunk)
        self.redis.hdel(self.keys.attempts, chunk)  # of a sweep that is gone nobody would ever take it away

    def mark(self, chunk: str, point: int, who: str) -> None:
        """This point is under way in the child `who`."""
        self.redis.hset(self.keys.partial(chunk), _UNDER_WAY, f"{point} {self._now()} {who}")

    def store_row(self, chunk: str, row: Row) -> None:
        """This point is finished; nothing is under way."""
        with self.redis.pipeline() as pipeline:
            pipeline.hset(self.keys.partial(chunk), str(row["point"]), ujson.dumps(row))
            pipeline.hdel(self.keys.partial(chunk), _UNDER_WAY)
            pipeline.execute()

    def _now(self) -> float:
        """Seconds since epoch by the broker's clock: who marks a point and who finds the mark may be two machines."""
        redis: Any = self.redis
        seconds, microseconds = redis.time()
        return float(seconds + microseconds / 1e6)

    def _script(self, name: str) -> Any:
        return self.redis.register_script(scripts()[name])


def _finished_row(field: tuple[bytes, bytes]) -> tuple[int, Row] | None:
    """A point and its row as a careful attempt stored it; None for what is none: any node can write here."""
    name, value = field
    try:
        row = ujson.loads(value)
        point = int(name)
        if type(row["point"]) is int and row["point"] == point and Status(row["status"]):
            return point, row
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    return None


def _mark(raw: bytes) -> tuple[int, float, ChildName] | None:
    """The point that is under way, since when, and in which child; None where there is no readable mark."""
    try:
        text, since, who = raw.decode().split(" ", 2)
        return int(text), float(since), ChildName.parse(who)
    except (ValueError, MessageError):
        return None


@functools.cache
def scripts() -> dict[str, str]:
    """By name. A child reads them before any controller runs: one may close or use up its descriptors."""
    return {name: Path(__file__).with_name(f"{name}.lua").read_text() for name in ("begin", "commit")}

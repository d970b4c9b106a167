"""Rows from the broker's stream into whoever wants them, each chunk once.

The stream keeps a chunk's rows until they are safely stored: an entry is deleted after the store's transaction, so
an orchestrator that dies in between finds it again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tasks.errors import MessageError
from tasks.protocol.keys import Keys
from tasks.protocol.messages import Rows

if TYPE_CHECKING:
    from redis import Redis

#: Entries read at a time.
BATCH = 200


class Stream:
    """The rows of one sweep, in the order in which chunks were committed."""

    def __init__(self, redis: Redis, keys: Keys):
        self._redis: Any = redis
        self._key = keys.rows
        self._last = "0-0"

    def read(self, wait_s: float) -> Iterator[tuple[str, Rows]]:
        """What has come since, waiting up to `wait_s` seconds when there is nothing: (entry id, rows).

        0 does not wait at all; a broker makes up to a tenth of a second of the shortest wait. An entry that cannot be
        decoded is left in the stream and passed over.
        """
        answer = self._redis.xread({self._key: self._last}, count=BATCH, block=int(wait_s * 1000) or None)
        for _, entries in answer or ():
            for entry, fields in entries:
                self._last = entry.decode()
                try:
                    yield self._last, Rows.decode(fields[b"rows"])
                except MessageError:
                    continue

    def forget(self, entries: list[str]) -> None:
        """These are stored: the broker need not keep them."""
        if entries:
            self._redis.xdel(self._key, *entries)

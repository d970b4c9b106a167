"""Rows from the broker's stream into whoever wants them, each chunk once.

The stream keeps a chunk's rows until they are safely stored: an entry is deleted after the store's transaction, so
an orchestrator that dies in between finds it again.

A message that does not fit its chunk (orchestrator.cluster.validation) is set aside: taken off the stream, kept as a
file of its own in `set-aside/` of the output folder, and reported once with the node's name. Its points have no row,
so that whoever collects sends them again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.cluster.bookkeeping import of_another_type
from orchestrator.cluster.validation import ExpectedRows, RowsRefused
from tasks.protocol.keys import Keys
from tasks.protocol.messages import Rows, SweepDefinition

if TYPE_CHECKING:
    from redis import Redis

#: Entries, and bytes of entries, read at a time: one large message must not come in the company of 200 others.
BATCH = 200
BATCH_BYTES = 64 << 20
#: Folder of messages that were set aside, files in it, and bytes of a message that are kept.
SET_ASIDE = "set-aside"
MAX_FILES = 100
KEPT_BYTES = 1 << 20


@dataclass(frozen=True)
class SetAside:
    """A message of rows that was not stored."""

    #: where it stood in the stream
    entry: str
    #: the chunk it says it is of, and the child that it says computed it; "" where that cannot be read
    chunk: str
    node: str
    #: what does not fit
    why: str

    def __str__(self) -> str:
        whose = f"node {self.node.partition('/')[0]}" if self.node else "an unknown node"
        return f"rows of {whose} do not fit their chunk and are set aside: {self.why}"


class Stream:
    """The rows of one sweep, in the order in which chunks were committed."""

    def __init__(self, redis: Redis, definition: SweepDefinition, folder: Path | None = None):
        """`folder`: the output folder, where what does not fit is kept; None: it is counted only."""
        self._redis = redis
        self._key = Keys(definition.sweep).rows
        self._expected = ExpectedRows(definition)
        self._folder = folder
        self._last = b"0-0"
        self._set_aside: list[SetAside] = []

    def read(self, wait_s: float) -> Iterator[tuple[str, Rows]]:
        """What has come since, waiting up to `wait_s` seconds when there is nothing: (entry id, rows).

        0 does not wait at all; a broker makes up to a tenth of a second of the shortest wait. What does not fit is set
        aside, see `take_set_aside`.
        """
        for entry, raw in self._entries(wait_s):
            self._last = entry
            try:
                yield entry.decode(), self._expected.check(raw)
            except RowsRefused as refused:
                self._put_aside(entry.decode(), raw, refused)

    def forget(self, entries: list[str]) -> None:
        """These are stored: the broker need not keep them."""
        if entries:
            self._redis.xdel(self._key, *entries)

    def take_set_aside(self) -> list[SetAside]:
        """What was set aside since this was asked last."""
        taken, self._set_aside = self._set_aside, []
        return taken

    def _entries(self, wait_s: float) -> Iterator[tuple[bytes, bytes]]:
        """The next entry, waited for, and then those behind it, as many as fit into BATCH_BYTES."""
        budget = BATCH_BYTES
        count, block = 1, int(wait_s * 1000) or None
        while budget > 0:
            answer = self._read(count, block)
            entries = _entries_of(answer)
            for entry, raw in entries:
                budget -= len(raw)
                yield entry, raw
            if len(entries) < count:
                return
            # as many as fit when they are as large as the last
            largest = max(1, *(len(raw) for _, raw in entries))
            count, block = min(BATCH, budget // largest), None
            if count < 1:
                return

    def _read(self, count: int, block: int | None) -> object:
        """What XREAD answers. A key of another type in the stream's place is deleted: nobody could hand in rows."""
        from redis.exceptions import ResponseError

        try:
            return self._redis.xread({self._key: self._last}, count=count, block=block)
        except ResponseError as error:
            if not of_another_type(error):
                raise
            self._redis.delete(self._key)
            return None

    def _put_aside(self, entry: str, raw: bytes, refused: RowsRefused) -> None:
        noted = SetAside(entry, refused.chunk, refused.node, refused.why)
        if self._folder is not None:
            with suppress(OSError):  # the message is lost to the person who looks, its points are not
                self._keep(noted, raw)
        self._redis.xdel(self._key, entry)
        self._set_aside.append(noted)

    def _keep(self, noted: SetAside, raw: bytes) -> None:
        assert self._folder is not None
        folder = self._folder / SET_ASIDE
        folder.mkdir(parents=True, exist_ok=True)
        if sum(1 for _ in folder.iterdir()) >= MAX_FILES:
            return
        document = {
            "why": noted.why,
            "node": noted.node,
            "chunk": noted.chunk,
            "at": time.time(),
            "bytes": len(raw),
            "message": raw[:KEPT_BYTES].decode("utf-8", "backslashreplace"),
        }
        (folder / f"{noted.entry}.json").write_text(json.dumps(document, indent=1))


def _entries_of(answer: object) -> list[tuple[bytes, bytes]]:
    """(entry id, message) of what XREAD answered; an entry without rows has an empty message."""
    if not isinstance(answer, list):
        return []
    return [(entry, fields.get(b"rows", b"")) for _, entries in answer for entry, fields in entries]

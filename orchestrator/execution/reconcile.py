"""Broker and store agree, before a run begins: what one of them has and the other lacks."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from orchestrator.cluster.collect import Stream
from tasks.errors import MessageError
from tasks.protocol.chunks import Chunk
from tasks.protocol.keys import Keys
from tasks.protocol.messages import Status
from tasks.protocol.names import as_text

if TYPE_CHECKING:
    from orchestrator.cluster.broker import Cluster
    from orchestrator.results.store import Store


def collect_waiting(stream: Stream, store: Store, sweep: str) -> dict[Status, int]:
    """Store what an earlier orchestrator left in the stream; the counts of stored rows per status."""
    while entries := list(stream.read(0)):
        for entry, rows in entries:
            store.insert(sweep, rows)
            stream.forget([entry])
    return store.counts(sweep)


def forget_lost_chunks(cluster: Cluster, store: Store, sweep: str) -> int:
    """Chunks that are marked as done although none of their rows is stored or waits: the mark goes; how many."""
    redis, keys = cluster.redis, Keys(sweep)
    ids = {as_text(raw) for raw in redis.smembers(keys.done)} - store.chunks(sweep)
    lost = []
    for chunk_id in ids:
        with suppress(MessageError):
            chunk = Chunk.parse(chunk_id)
            if not store.statuses(sweep, chunk.points, str(chunk.scenario)):
                lost.append(chunk_id)
    if lost:
        redis.srem(keys.done, *lost)
    return len(lost)

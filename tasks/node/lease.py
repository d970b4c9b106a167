"""Lease renewal: keeps the lease of running chunks, and gives the node's heartbeat.

Redis hands a message out again when it was not acknowledged within the visibility timeout. With late
acknowledgement a chunk longer than that would run twice. So every quarter of the timeout the node renews the lease of
what it holds; when the node dies, the leases run out and its chunks go to others.

A child that stands still keeps its chunk from everybody while its node renews the lease: the watchdog ends it, and
Celery hands the chunk back (see tasks.child.heartbeat).

Held messages are found in `channel.qos._delivered`, a private attribute of kombu 5.7's Redis transport (pinned).
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from celery import bootsteps
from celery.worker import state

from tasks.child.heartbeat import Watchdog, signs
from tasks.node.broker_clock import broker_clock
from tasks.protocol.keys import NODES_KEY, UNACKED_INDEX_KEY, node_heartbeat_key
from tasks.protocol.records import NodeRecord
from tasks.settings import Settings, versions

if TYPE_CHECKING:
    from celery.worker.consumer import Consumer
    from redis import Redis


#: Seconds between two heartbeats; a node is gone after NODE_EXPIRY_S without one.
BEAT_S = 2.0
NODE_EXPIRY_S = 15


class LeaseRenewal(bootsteps.StartStopStep):  # type: ignore[misc]  # celery has no type information
    """A thread beside the consumer with a Redis connection of its own."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, parent: Consumer, **options: object):
        super().__init__(parent, **options)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, parent: Consumer) -> None:
        """Begin to renew; called again after each reconnection."""
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._renew_until, args=(parent, self._stop), name="lease-renewal", daemon=True
        )
        self._thread.start()

    def stop(self, parent: Consumer) -> None:
        """Stop renewing; the leases are left to run out unless the consumer starts again."""
        self._stop.set()

    shutdown = stop

    def _renew_until(self, consumer: Consumer, stop: threading.Event) -> None:
        from redis.exceptions import RedisError

        from tasks.broker.connect import connect

        settings = Settings.read()
        client = connect(settings, patient=False)
        renew_s = settings.visibility_timeout_s / 4
        renewed = 0.0
        record = NodeRecord(
            consumer.hostname, consumer.app.conf.worker_concurrency, settings.queue, versions(), time.time()
        ).encode()
        watchdog, looked = Watchdog(2 * BEAT_S), time.monotonic()
        while not stop.wait(BEAT_S):
            now = time.monotonic()
            late, looked = watchdog.look(signs(settings.cache_folder), now - looked), now
            end_silent(late)
            try:
                broker_clock.look(client)
                client.hset(NODES_KEY, consumer.hostname, record)
                client.set(node_heartbeat_key(consumer.hostname), 1, ex=NODE_EXPIRY_S)
                if time.monotonic() - renewed >= renew_s:
                    renew_leases(client, consumer)
                    renewed = time.monotonic()
            except RedisError:
                continue  # the broker is away; the consumer's own reconnection says so in the log
        client.close()


def leave(settings: Settings, name: str) -> None:
    """This node has ended: it is not taken for one that is there until its heartbeat runs out."""
    from redis.exceptions import RedisError

    from tasks.broker.connect import connect

    with suppress(RedisError, OSError):
        client = connect(settings, patient=False)
        client.delete(node_heartbeat_key(name))
        client.close()


def end_silent(late: Mapping[int, float]) -> None:
    """Kill these children: process id -> seconds of silence. A stopped process hears no other signal."""
    for child, silent_s in late.items():
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
            text = f"child {child} gave no heartbeat for {silent_s:.0f} s: it is ended, and its chunk runs again"
            print(text, file=sys.stderr, flush=True)  # noqa: T201  a line in the node's log


def renew_leases(client: Redis, consumer: Consumer) -> int:
    """Set the clock of every message this node holds to now; how many were found on the broker."""
    qos = getattr(consumer.task_consumer.channel, "qos", None)
    index_key = getattr(qos, "unacked_index_key", UNACKED_INDEX_KEY)
    # after a reconnection the running chunks belong to the channel that is gone: only the worker still knows them
    running = [request for request in list(state.reserved_requests) if not request.acknowledged]
    tags = {*getattr(qos, "_delivered", {}), *(request.message.delivery_tag for request in running)}
    if not tags:
        return 0
    now = broker_clock()
    # xx: a message that was acknowledged meanwhile must not come back
    client.zadd(index_key, dict.fromkeys(tags, now), xx=True)
    return len(tags)

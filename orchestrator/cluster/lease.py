"""One orchestrator collects a sweep's rows: who, on the broker, and what happens when that command dies or stands
still.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from tasks.errors import BrokerError
from tasks.protocol.keys import Keys
from tasks.suggest import command

#: Seconds a collector lease holds without being renewed, and between two renewals.
LEASE_S = 15
RENEW_S = 2.0


class CollectorLease:
    """One collector per sweep: a key that this command renews from a thread of its own while it lives."""

    def __init__(self, redis: Any, keys: Keys):
        self._redis, self._keys = redis, keys
        self._me = f"{socket.gethostname()}, process {os.getpid()}"
        self._released = threading.Event()

    def take(self, say: Callable[[str], object]) -> None:
        """Wait for the collector lease of a command that was killed to run out. Raises BrokerError when its owner
        is alive.
        """
        left = None
        while not self._redis.set(self._keys.collector, self._me, nx=True, ex=LEASE_S):
            before, left = left, self._redis.pttl(self._keys.collector)
            if before is None:
                say(f"{self._owner()} was collecting this sweep; waiting up to {LEASE_S} s whether it is still there")
            elif left > before:  # it was renewed
                raise BrokerError(
                    f"sweep {self._keys.sweep} is being collected by {self._owner()}; "
                    f"watch it with `{command('watch', self._keys.sweep)}`"
                )
            time.sleep(0.5)
        threading.Thread(target=self._renew, name="collector_lease", daemon=True).start()

    def check(self) -> None:
        """Raises BrokerError when another command took over, because this one was stopped for long."""
        from redis.exceptions import OutOfMemoryError

        owner = self._redis.get(self._keys.collector)
        if owner is None:  # the broker lost it, or it ran out and nobody wanted it
            with suppress(OutOfMemoryError):  # collecting makes room
                self._redis.set(self._keys.collector, self._me, nx=True, ex=LEASE_S)
        elif owner.decode() != self._me:
            raise BrokerError(
                f"sweep {self._keys.sweep} is now collected by {owner.decode()}, which began while this command stood "
                "still: this one ends; its rows are stored"
            )

    def release(self) -> None:
        """Give the sweep free, unless it is another's by now."""
        self._released.set()
        if self._owner() == self._me:
            self._redis.delete(self._keys.collector)

    def _owner(self) -> str:
        return (self._redis.get(self._keys.collector) or b"another command").decode()

    def _renew(self) -> None:
        from redis.exceptions import RedisError

        while not self._released.wait(RENEW_S):
            with suppress(RedisError, BrokerError):  # the command hears of it where it works
                if self._owner() == self._me:
                    self._redis.expire(self._keys.collector, LEASE_S)


@contextmanager
def collector_lease(redis: Any, keys: Keys, say: Callable[[str], object]) -> Iterator[CollectorLease]:
    """Hold the sweep. Raises BrokerError when another command has it."""
    held = CollectorLease(redis, keys)
    held.take(say)
    try:
        yield held
    finally:
        held.release()

"""The broker's clock on a node, whose own may be off: a lease is a moment, and all nodes must mean the same one by it.

kombu notes beside each message when it was handed out, by the clock of the node that has it, and every node hands out
again what is older than the visibility timeout by its own. A node whose clock is two minutes ahead would take every
chunk that others are running for abandoned; it would run twice, and a slow point could look as if it killed its child.
"""

from __future__ import annotations

import sys
import time
from typing import Any

#: Seconds by which a clock may be off before the node's log says so.
SAID_FROM_S = 5.0


class BrokerClock:
    """Seconds since epoch by the broker's clock; by this machine's until `look` was called."""

    def __init__(self) -> None:
        self._ahead_s = 0.0
        self._said = False

    def __call__(self) -> float:
        """Now."""
        return time.time() + self._ahead_s

    def look(self, client: Any) -> float:
        """Ask the broker; by how many seconds its clock is ahead of this machine's. Raises RedisError."""
        before = time.time()
        seconds, microseconds = client.time()
        self._ahead_s = seconds + microseconds / 1e6 - (before + time.time()) / 2
        if abs(self._ahead_s) >= SAID_FROM_S and not self._said:
            self._said = True
            where = "behind" if self._ahead_s > 0 else "ahead of"
            text = (
                f"the clock of this machine is {abs(self._ahead_s):.0f} s {where} the broker's: leases go by the "
                "broker's, but set it (NTP)"
            )
            print(text, file=sys.stderr, flush=True)  # noqa: T201  a line in the node's log
        return self._ahead_s


#: This node's.
broker_clock = BrokerClock()


def install() -> None:
    """kombu 5.7 (pinned) asks the function `time` of its Redis transport for the moments of leases."""
    from kombu.transport import redis

    redis.time = broker_clock  # type: ignore[attr-defined]  # a name that the module imported for itself

"""Nobody computes: the last node is gone. Said at once, and after a while the command ends."""

from __future__ import annotations

import time
from collections.abc import Callable

from tasks.errors import BrokerError
from tasks.times import span


class Absence:
    """Watches whether there is a child that takes this sweep's chunks."""

    def __init__(
        self,
        say: Callable[[str], object],
        give_up_after_s: float,
        now: Callable[[], float] = time.monotonic,
    ):
        """`give_up_after_s`: seconds without a node after which `observe` raises; 0: never."""
        self._say, self._give_up_after_s, self._now = say, give_up_after_s, now
        self._since: float | None = None

    def observe(self, children: int) -> None:
        """How many children there are now. Raises BrokerError when there was none for too long."""
        if children:
            if self._since is not None:
                self._since = None
                self._say(f"a node is there again, with {children} children")
            return
        if self._since is None:
            self._since = self._now()
            until = f" (waiting up to {span(self._give_up_after_s)}, --give-up-after)" if self._give_up_after_s else ""
            self._say(f"no node is left; `hummingsweep worker` starts one{until}")
        elif self._give_up_after_s and self._now() - self._since >= self._give_up_after_s:
            raise BrokerError(
                f"no node is left, for {span(self._give_up_after_s)}: start one with `hummingsweep worker` and give "
                "the same command again, it goes on (--give-up-after 0 waits for ever)"
            )

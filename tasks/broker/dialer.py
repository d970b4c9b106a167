"""Opens connections to the broker on a thread of its own.

A child's own threads may not open connections (tasks.isolation): neither while a back-test runs nor between two, for
what a controller left behind may still act then. The dialer's thread is begun before that holds, and hands sockets that
are connected already to whoever asks, except while a back-test runs: then nobody of ours does.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any


class Dialer:
    """One thread. It must be started (`Dialer(...)`) before its process shuts itself off from the network."""

    def __init__(self, prepare: Callable[[], object] = lambda: None, check: Callable[[], object] = lambda: None):
        """`prepare` runs on the thread first: it lets that thread connect. `check` runs before every connection on the
        thread that wants it, and raises where that may have none."""
        self._check = check
        self._thread = ThreadPoolExecutor(1, "hummingsweep-dialer")
        self._thread.submit(prepare).result()

    def connection_class(self, kind: Any) -> Any:
        """redis-py's connection class `kind`, with sockets that this thread opens (and TLS agrees on)."""
        thread, check = self._thread, self._check

        class Dialled(kind):  # type: ignore[misc]  # the class is a value
            def connect_check_health(self, *args: Any, **kwargs: Any) -> Any:
                if self._sock is None:  # here, for what `_connect` raises redis-py takes for a broker that is away
                    check()
                return super().connect_check_health(*args, **kwargs)

            def _connect(self) -> Any:
                return thread.submit(super()._connect).result()

        Dialled.__name__ = Dialled.__qualname__ = f"Dialled{kind.__name__}"
        return Dialled

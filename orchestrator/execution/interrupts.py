"""Ctrl-C while a run lasts."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def interrupts() -> Iterator[Callable[[], bool]]:
    """The first Ctrl-C is a wish, the second one an order (KeyboardInterrupt)."""
    seen = False

    def note(number: int, frame: object) -> None:
        nonlocal seen
        if seen:
            raise KeyboardInterrupt
        seen = True

    try:
        before = signal.signal(signal.SIGINT, note)
    except ValueError:  # not the main thread (a notebook's executor): the caller's handling stays
        yield lambda: False
        return
    try:
        yield lambda: seen
    finally:
        signal.signal(signal.SIGINT, before)

"""Garbage collection while modules are imported: nothing that imports make is garbage, and to look through it again and
again takes a tenth to a quarter of their time."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


def imports_begin() -> None:
    """Collect nothing from here on."""
    gc.disable()


def imports_ended() -> None:
    """Collect again, but leave out what is there by now: it stays as long as the process."""
    gc.freeze()
    gc.enable()


@contextmanager
def importing() -> Iterator[None]:
    """Around imports that take long."""
    imports_begin()
    try:
        yield
    finally:
        imports_ended()

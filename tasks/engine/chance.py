"""What a controller may take from outside its data: dice and the clock on the wall.

A point's dice come from the sweep's seed, so that the same sweep gives the same rows in any chunking and on any engine.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


def throw(seed: int, point: int) -> None:
    """Seed Python's and numpy's global dice for one run of a point."""
    random.seed(f"{seed}:{point}")
    np.random.seed(random.getrandbits(32))  # controllers use the global one


@contextmanager
def held_clock() -> Iterator[None]:
    """`time.time()` stands still on this thread: executors stamped with it get the same stamps in two runs."""
    clock, now, me = time.time, time.time(), threading.get_ident()

    def held() -> float:
        return now if threading.get_ident() == me else clock()

    time.time = held
    try:
        yield
    finally:
        time.time = clock

"""What a controller may take from outside its data: random numbers and the wall clock.

A point's rng come from the sweep's seed, so that the same sweep gives the same rows in any chunking and on any engine.
"""

from __future__ import annotations

import ctypes
import functools
import pickle
import random
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

#: Bytes of numpy's Mersenne twister in memory: 624 words of 32 bits and the place among them.
_TWISTER_BYTES = 2500

#: numpy's global generator, before any controller could put another in its place.
_OWN: Any = np.random.get_bit_generator()  # type: ignore[attr-defined]  # no stub

#: numpy's seed at the last seed_rng, and its twister right after it.
_seeded: tuple[int, bytes | None] = (0, None)


def seed_rng(seed: int, point: int) -> None:
    """Seed Python's and numpy's global random generators for one run of a point."""
    global _seeded
    random.seed(f"{seed}:{point}")
    number = random.getrandbits(32)
    _seed_numpy(number)  # controllers use the global one
    _seeded = number, _twister()


@dataclass(frozen=True)
class RngState:
    """How Python's and numpy's global random generators lay at one moment."""

    python: Any
    #: numpy's state; None where it is the one that `seed_rng` left, which takes a twentieth of a millisecond less to
    #: know
    numpy: Any
    seeded: tuple[int, bytes | None]

    @classmethod
    def now(cls) -> RngState:
        """As they lie now."""
        untouched = _seeded[1] is not None and _seeded[1] == _twister()
        return cls(random.getstate(), None if untouched else np.random.get_state(), _seeded)

    def lie(self) -> bool:
        """Whether they lie so now, to the last bit."""
        if random.getstate() != self.python:
            return False
        if self.numpy is None:
            return self.seeded[1] == _twister()
        return pickle.dumps(np.random.get_state()) == pickle.dumps(self.numpy)

    def put_back(self) -> None:
        """Lay them so again."""
        random.setstate(self.python)
        if self.numpy is None:
            _seed_numpy(self.seeded[0])
        else:
            np.random.set_state(self.numpy)


def _seed_numpy(number: int) -> None:
    if np.random.get_bit_generator() is not _OWN:  # type: ignore[attr-defined]  # no stub
        np.random.set_bit_generator(_OWN)  # type: ignore[attr-defined]  # no stub
    np.random.seed(number)


def _twister() -> bytes | None:
    """The words of numpy's global generator. None where it is another one, or lies in memory in another way.

    What numpy keeps besides, the second of two normal numbers, is not there after a seed and comes only with new words.
    """
    generator: Any = np.random.get_bit_generator()  # type: ignore[attr-defined]  # no stub
    if type(generator) is not np.random.MT19937 or not _layout_is_known():
        return None
    return ctypes.string_at(generator.ctypes.state_address, _TWISTER_BYTES)


@functools.cache
def _layout_is_known() -> bool:
    """Whether the memory of a twister holds what numpy says of it."""
    generator: Any = np.random.MT19937(1)
    told = generator.state["state"]
    place = int(told["pos"]).to_bytes(4, sys.byteorder)
    return ctypes.string_at(generator.ctypes.state_address, _TWISTER_BYTES) == bytes(told["key"].tobytes()) + place


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

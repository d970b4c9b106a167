"""How loops over candles are compiled, and the two searches that all of them share.

Plain IEEE float64 operations in the order in which they are written: no fastmath, no parallel loops. The compiled code
is cached on disk (beside the file that holds it, in NUMBA_CACHE_DIR or in the user's cache folder, whichever can be
written); where nothing can be written it is compiled once per process.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numba

#: Rows per block of the minima and maxima that let a search skip what cannot hold an answer.
BLOCK = 256


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function of numbers and arrays when it is first called."""
    options: dict[str, object] = {"error_model": "numpy", "fastmath": False, "boundscheck": False}
    try:
        return cast(Callable[..., Any], numba.njit(cache=True, **options)(function))
    except RuntimeError:  # no folder for the cache can be written
        return cast(Callable[..., Any], numba.njit(**options)(function))


@compiled
def first_at_or_below(values, block_minima, first, last, level):  # type: ignore[no-untyped-def]  # compiled
    """The first row in first .. last with values[row] <= level, or -1."""
    row = first
    while row <= last:
        if row % BLOCK == 0 and block_minima[row // BLOCK] > level:
            row += BLOCK
            continue
        if values[row] <= level:
            return row
        row += 1
    return -1


@compiled
def first_at_or_above(values, block_maxima, first, last, level):  # type: ignore[no-untyped-def]  # compiled
    """The first row in first .. last with values[row] >= level, or -1."""
    row = first
    while row <= last:
        if row % BLOCK == 0 and block_maxima[row // BLOCK] < level:
            row += BLOCK
            continue
        if values[row] >= level:
            return row
        row += 1
    return -1

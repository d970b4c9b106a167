"""The nearest valid name for one that is not known."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: object, valid: Iterable[str], cutoff: float = 0.0) -> str:
    """The valid name most like `name`; empty when none is at least `cutoff` (0 to 1) like it."""
    return next(iter(nearest_few(name, valid, 1, cutoff)), "")


def nearest_few(name: object, valid: Iterable[str], most: int, cutoff: float = 0.5) -> list[str]:
    """Up to `most` valid names, the most alike first."""
    return difflib.get_close_matches(str(name), list(valid), n=most, cutoff=cutoff)

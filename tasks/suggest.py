"""What to write instead: the nearest valid name for one that is not known, and commands that can be pasted."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterable


def nearest(name: object, valid: Iterable[str], cutoff: float = 0.0) -> str:
    """The valid name most like `name`; empty when none is at least `cutoff` (0 to 1) like it."""
    return next(iter(nearest_few(name, valid, 1, cutoff)), "")


def command(*words: object) -> str:
    """A `hummingsweep` command that a shell reads as it is meant, also where a path has spaces."""
    return shlex.join(["hummingsweep", *map(str, words)])


def nearest_few(name: object, valid: Iterable[str], most: int, cutoff: float = 0.5) -> list[str]:
    """Up to `most` valid names, the most alike first."""
    return difflib.get_close_matches(str(name), list(valid), n=most, cutoff=cutoff)

"""How many cases a property test draws: all of them in `make test-long`, half of them in `make test`."""

from __future__ import annotations

import os

#: Set where the long tests are left out.
FEWER = "TESTS_DRAW_FEWER_CASES"


def cases(all_of_them: int) -> int:
    """The number of cases to draw; asked while tests are collected."""
    return all_of_them // 2 if os.environ.get(FEWER) else all_of_them

"""Features are read-only while a run steps over them.

A controller that writes into `processed_data["features"]` while it trades changes what upstream's engine goes on with,
or not, depending on how pandas keeps the frame at that moment. Here such a write is refused by numpy, and the run is
given to the stock engine.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd


class WrittenTo(Exception):
    """The controller writes into its features while it trades."""

    def __str__(self) -> str:
        return "the controller writes into its features while it trades"


def lock(frame: pd.DataFrame) -> None:
    """Make what lies in a frame read-only; columns can still be added and replaced. Nothing is copied."""
    index: Any = frame.index
    for values in (*frame._mgr.arrays, index._data):  # the arrays themselves, not views of them
        if isinstance(values, np.ndarray):
            values.flags.writeable = False


@contextmanager
def noticed() -> Iterator[None]:
    """Raises WrittenTo in place of numpy's error about a read-only array."""
    try:
        yield
    except ValueError as error:
        if "read-only" in str(error):
            raise WrittenTo from error
        raise

"""Features are read-only while a run steps over them.

A controller that writes into `processed_data["features"]` while it trades changes what upstream's engine goes on with,
or not, depending on how pandas keeps the frame at that moment. Here such a write is refused by numpy, and the run is
given to the stock engine. So is one that puts other columns, rows or another frame in the place of what the engine
goes on with; new columns change nothing for it.
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


class Shape:
    """What the engine goes on with, as it was before the first decision."""

    def __init__(self, processed_data: dict[str, Any]) -> None:
        self._frame = processed_data["features"]
        self._index, self._columns, self._arrays = self._look()

    def check(self, processed_data: dict[str, Any]) -> None:
        """Raises WrittenTo where it is another now."""
        frame = processed_data.get("features")
        if frame is not self._frame:
            raise WrittenTo
        index, columns, arrays = self._look()
        there = {id(values) for values in arrays}
        same = index is self._index and columns[: len(self._columns)] == self._columns
        if not same or not all(id(values) in there for values in self._arrays):
            raise WrittenTo

    def _look(self) -> tuple[Any, list[Any], tuple[Any, ...]]:
        return self._frame.index, list(self._frame.columns), tuple(self._frame._mgr.arrays)


@contextmanager
def noticed() -> Iterator[None]:
    """Raises WrittenTo in place of numpy's error about a read-only array."""
    try:
        yield
    except ValueError as error:
        if "read-only" in str(error):
            raise WrittenTo from error
        raise

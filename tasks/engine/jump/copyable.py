"""Whether a copy of a controller's data is as good as the data itself.

It is not where code hangs on the data (a function that reads the controller's config, the controller itself), and
where somebody else holds a part of it: what is written there while the controller trades shows in the data, and would
not in the copy. Who else holds a thing is not looked for: its count of references says that somebody does.
"""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from enum import Enum
from sys import getrefcount
from types import NoneType
from typing import Any

import numpy as np
import pandas as pd

_VALUES = (str, bytes, int, float, complex, Decimal, Enum, NoneType, np.generic, pd.Timestamp, pd.Timedelta)

#: References to a thing that only its container holds: the container's, a loop's and getrefcount's own.
_UNSHARED = 3

#: What pandas calls columns of Python objects whose cells cannot change.
_UNCHANGING_CELLS = frozenset(
    {"string", "bytes", "integer", "floating", "mixed-integer-float", "boolean", "decimal", "complex", "empty"}
)


def copyable(data: Any) -> bool:
    """Of a controller's `processed_data`, whose "features" are a frame that nobody else has."""
    if type(data) is not dict or not all(isinstance(name, _VALUES) for name in data):
        return False
    rest = {name: value for name, value in data.items() if name != "features"}
    # one reference more: this function's dict
    return _cells_are_values(data["features"]) and _are_copyable(rest.values(), _UNSHARED + 1)


def _are_copyable(values: Collection[Any], unshared: int = _UNSHARED) -> bool:
    for value in values:
        if isinstance(value, _VALUES):
            continue
        if isinstance(value, tuple | frozenset):
            if not _are_copyable(value):
                return False
        elif getrefcount(value) > unshared or not _holds_copyable(value):
            return False
    return True


def _holds_copyable(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(name, _VALUES) for name in value) and _are_copyable(value.values())
    if isinstance(value, list | set):
        return _are_copyable(value)
    if isinstance(value, np.ndarray):
        return bool(value.dtype != object)
    if isinstance(value, pd.Series | pd.Index):
        return value.dtype != object or pd.api.types.infer_dtype(value) in _UNCHANGING_CELLS
    return isinstance(value, pd.DataFrame) and _cells_are_values(value)


def _cells_are_values(frame: pd.DataFrame) -> bool:
    if not any(values.dtype.kind == "O" for values in frame._mgr.arrays):
        return True
    columns = (frame.iloc[:, place] for place, kind in enumerate(frame.dtypes) if kind.kind == "O")
    return all(pd.api.types.infer_dtype(column) in _UNCHANGING_CELLS for column in columns)

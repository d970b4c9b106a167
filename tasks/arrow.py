"""Arrow columns as numpy arrays, and back, without pandas: pyarrow's own `to_numpy`, `array` and `scalar` import it,
which takes half a second. So do pyarrow's functions where they are given a Python value or a numpy array.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pyarrow as pa


def numpy_of(column: pa.Array | pa.ChunkedArray) -> npt.NDArray[Any]:
    """A pyarrow Array or ChunkedArray as a numpy array of its own, shape (n,).

    Numbers without nulls keep their type, floats have NaN for nulls, text is object with None for nulls; every other
    column is what pyarrow's `to_numpy` makes of it.
    """
    import pyarrow as pa

    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return np.array([*column.to_pylist(), None], dtype=object)[:-1]  # the None: no array of characters
    if pa.types.is_boolean(kind) and not column.null_count:
        return np.array(column.to_pylist(), dtype=bool)
    if pa.types.is_floating(kind) and column.null_count:
        column = column.fill_null(scalar_of(float("nan"), kind))
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind)) or column.null_count:
        return np.array(column.to_numpy(zero_copy_only=False))
    letter = "f" if pa.types.is_floating(kind) else "i" if pa.types.is_signed_integer(kind) else "u"
    dtype = np.dtype(f"{letter}{kind.bit_width // 8}")
    values = np.frombuffer(column.buffers()[1], dtype=dtype, count=len(column), offset=column.offset * dtype.itemsize)
    return values.copy()


def floats_of(values: npt.NDArray[np.float64]) -> pa.Array:
    """A pyarrow float64 Array of a numpy array, without a validity bitmap."""
    import pyarrow as pa

    whole = np.ascontiguousarray(values, dtype=np.float64)
    return pa.Array.from_buffers(pa.float64(), len(whole), [None, pa.py_buffer(whole)], 0)


def integers_of(values: npt.NDArray[np.int64]) -> pa.Array:
    """A pyarrow int64 Array of a numpy array, without a validity bitmap."""
    import pyarrow as pa

    whole = np.ascontiguousarray(values, dtype=np.int64)
    return pa.Array.from_buffers(pa.int64(), len(whole), [None, pa.py_buffer(whole)], 0)


def scalar_of(value: str | float, kind: pa.DataType) -> pa.Scalar:
    """A pyarrow Scalar of a Python value: `kind` is a float type or string."""
    import pyarrow as pa

    if pa.types.is_string(kind):
        return array_of([value], kind)[0]
    return array_of([value], pa.float64()).cast(kind)[0]


def equals(column: pa.ChunkedArray, text: str) -> pa.ChunkedArray:
    """Where a column of texts is this one, a column of truth values."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.equal(column, scalar_of(text, pa.string()))


def array_of(values: Sequence[object], kind: pa.DataType) -> pa.Array:
    """A pyarrow Array of Python values: `kind` is float64, int64, bool_ or string; None is null, NaN stays NaN."""
    import pyarrow as pa

    if pa.types.is_string(kind):
        builder = pa.lib.StringBuilder()
        builder.append_values(values)
        return builder.finish()
    known = np.fromiter((value is not None for value in values), dtype=bool, count=len(values))
    nulls = len(values) - int(known.sum())
    bitmap = pa.py_buffer(np.packbits(known, bitorder="little")) if nulls else None
    if pa.types.is_boolean(kind):
        data = np.packbits(np.array([bool(value) for value in values], dtype=bool), bitorder="little")
    else:
        dtype = np.int64 if pa.types.is_integer(kind) else np.float64
        data = np.fromiter((0 if value is None else value for value in values), dtype=dtype, count=len(values))
    return pa.Array.from_buffers(kind, len(values), [bitmap, pa.py_buffer(data)], nulls)

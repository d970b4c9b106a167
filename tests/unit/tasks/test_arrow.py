"""Arrow columns become the numpy arrays that pyarrow itself makes of them, without pandas."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tasks.arrow import array_of, floats_of, numpy_of

COLUMNS: dict[str, Any] = {
    "floats": pa.array([1.5, float("nan"), -0.0, float("inf")]),
    "floats with nulls": pa.array([1.5, None, 2.0]),
    "integers": pa.array([1, 2, 3], pa.int32()),
    "unsigned": pa.array([1, 255], pa.uint8()),
    "a part": pa.array([1.0, 2.0, 3.0, 4.0]).slice(1, 2),
    "chunks": pa.chunked_array([[1.0], [2.0, 3.0]]),
    "no chunk": pa.chunked_array([], pa.float64()),
    "text": pa.array(["a", None, "bc"]),
    "truths": pa.array([True, False]),
    "truths with nulls": pa.array([True, None]),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_it_is_what_pyarrow_makes_of_it(name: str) -> None:
    column = COLUMNS[name]
    wanted = column.to_numpy() if isinstance(column, pa.ChunkedArray) else column.to_numpy(zero_copy_only=False)
    found = numpy_of(column)
    assert found.dtype == wanted.dtype
    np.testing.assert_array_equal(found, wanted)
    assert found.flags.writeable


def test_floats_go_there_and_back() -> None:
    values = np.array([1.5, np.nan, -0.0, 3.0])[::-1]
    assert floats_of(values).type == pa.float64()
    np.testing.assert_array_equal(numpy_of(floats_of(values)), values)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1.5, None, float("nan"), 2], pa.float64()),
        ([1, None, -(2**62)], pa.int64()),
        ([True, None, False] * 5, pa.bool_()),
        (["a", None, "\u20ac", ""], pa.string()),
        ([None, None], pa.float64()),
        ([], pa.string()),
        ([], pa.bool_()),
    ],
)
def test_values_become_the_array_that_pyarrow_makes(values: list[Any], kind: Any) -> None:
    found = array_of(values, kind)
    found.validate(full=True)
    wanted = pa.array(values, type=kind, from_pandas=False)
    assert found.type == wanted.type
    assert (found.null_count, len(found)) == (wanted.null_count, len(wanted))
    assert repr(found.to_pylist()) == repr(wanted.to_pylist())


def test_pandas_is_not_imported() -> None:
    code = """
        import sys, numpy as np, pyarrow as pa
        from tasks.arrow import array_of, equals, floats_of, integers_of, numpy_of
        numbers, texts = array_of([1.0, None], pa.float64()), array_of(["a", "b"], pa.string())
        numpy_of(floats_of(np.ones(3))), numpy_of(numbers), equals(texts, "a")
        texts.take(integers_of(np.array([1, 0])))
        assert 'pandas' not in sys.modules
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)

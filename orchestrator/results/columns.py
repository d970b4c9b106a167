"""The columns of a sweep's rows: their order, and what type each has as a table.

The order does not depend on which chunk came first: point, status, error, engine, seconds, the axes, the stock
engine's results as DESIGN lists them, every other result by name, and last what decided the row and is the same for
the whole sweep (orchestrator.results.layout.decided_by).

What was seen in a result column is a set of letters:

    b bool   i integer   I integer beyond 2^53   f float   t text   j anything else

and from the set follows the type: all integers are int64, integers and floats float64, text string, bools bool. A
mixture, lists and mappings are JSON text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import ujson

from tasks.arrow import array_of, numpy_of
from tasks.metrics.catalogue import CATALOGUE
from tasks.named_types import Row

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

#: Columns every row has.
LEADING = ("point", "status", "error", "engine", "seconds")
#: Columns that a ranking adds.
RANKED = ("rank", "objective", "equal_points")
#: Keys of the stock engine's results, in its order.
STOCK = tuple(metric.name for metric in CATALOGUE if metric.is_stock)
#: Metadata of an Arrow field whose strings are JSON documents.
JSON_FIELD = {b"hummingsweep": b"json"}

_EXACT = 2**53
_LARGEST = 2**63


def in_order(results: Iterable[str]) -> list[str]:
    """Result columns in the order tables have them."""
    found = set(results)
    return [name for name in STOCK if name in found] + sorted(found.difference(STOCK))


def axis_columns(axes: Iterable[str], results: Iterable[str]) -> dict[str, str]:
    """Axis -> its column: the axis' name, with `axis_` before it where a result or a ranking has that name."""
    taken = {*results, *LEADING, *RANKED}
    return {name: f"axis_{name}" if name in taken else name for name in axes}


def kinds(values: Sequence[Any]) -> str:
    """The letters of what is in a column, sorted; None has none."""
    return "".join(sorted({_kind(value) for value in values if value is not None}))


def merged(one: str, other: str) -> str:
    """The letters of both."""
    return "".join(sorted({*one, *other}))


def is_json(letters: str) -> bool:
    """Whether a column with these letters is JSON text in a table."""
    return not (set(letters) <= {"i", "I"} or set(letters) <= {"i", "f"} or letters in ("b", "t"))


def field(name: str, letters: str) -> pa.Field:
    """The Arrow field of a column with these letters; a column of nothing but None is float64."""
    import pyarrow as pa

    if is_json(letters):
        return pa.field(name, pa.string(), metadata=JSON_FIELD)
    if letters in ("b", "t"):
        return pa.field(name, pa.bool_() if letters == "b" else pa.string())
    return pa.field(name, pa.int64() if letters and set(letters) <= {"i", "I"} else pa.float64())


def array(values: Sequence[Any], of: pa.Field) -> pa.Array:
    """Values as an Arrow array of the field's type; floats keep every bit, NaN stays NaN."""
    import pyarrow as pa

    if of.metadata == JSON_FIELD:
        values = [None if value is None else ujson.dumps(value) for value in values]
    elif of.type == pa.string():
        values = [None if value is None else plain_text(value) for value in values]
    return array_of(values, of.type)


def plain_text(value: Any) -> str:
    """As text that UTF-8 can hold: a controller's error may carry anything."""
    return str(value).encode("utf-8", "backslashreplace").decode()


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "b"
    if isinstance(value, float):
        return "f"
    if isinstance(value, int):
        if -_EXACT <= value <= _EXACT:
            return "i"
        return "I" if -_LARGEST <= value < _LARGEST else "j"
    return "t" if isinstance(value, str) else "j"


def as_numpy(column: pa.ChunkedArray) -> npt.NDArray[Any]:
    """A table's column for computing: float64 with NaN for null, bool, or object with None for null (text)."""
    import pyarrow as pa

    is_text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    if is_text or (pa.types.is_boolean(column.type) and not column.null_count):
        return numpy_of(column)
    return numpy_of(column.cast(pa.float64(), safe=False))  # integers beyond 2^53 are rounded


def to_rows(table: pa.Table) -> list[Row]:
    """One dict a row, as `StoreReader.rows` gives it: JSON text becomes what it says."""
    documents = [field.name for field in table.schema if field.metadata == JSON_FIELD]
    rows: list[Row] = table.to_pylist()
    for row in rows:
        for name in documents:
            if row[name] is not None:
                row[name] = ujson.loads(row[name])
    return rows

"""The rows of a sweep's windows, as `rows --windows` gives them: one per (point, window).

In front of a row's own columns: `window` (train 1, test 1, ..., holdout), `role` (train, test, holdout), `start` and
`end`, seconds since epoch, both moments in the window. Read like a store's plain rows, a page at a time; a column that
one window's rows have and another's do not is empty there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from orchestrator.results.columns import JSON_FIELD, array
from orchestrator.validation.rows import roles
from tasks.named_types import Row

if TYPE_CHECKING:
    import pyarrow as pa

    from orchestrator.results.store_reader import StoreReader
    from orchestrator.validation.folds import Window, Windows
    from tasks.protocol.messages import Status

#: Columns in front of a row's own.
LEADING = ("window", "role", "start", "end")


class WindowRows:
    """Every stored row of some windows; stands in for a Store where rows are written out."""

    def __init__(self, store: StoreReader, sweep: str, windows: Windows):
        self._store = store
        there = store.scenarios(sweep)
        named = roles(windows)
        self._parts: list[tuple[str, str, Window, str]] = [
            (name, role, window, scenario)
            for scenario in named
            if scenario in there
            for name, role, window in named[scenario]
        ]

    def pages(self, sweep: str, status: Status | str | None = None) -> tuple[pa.Schema, Iterator[dict[str, list[Any]]]]:
        """As StoreReader.pages."""
        schema = self._schema(sweep, status)
        return schema, self._pages(sweep, status, schema)

    def batches(self, sweep: str, status: Status | str | None = None) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """As StoreReader.batches."""
        import pyarrow as pa

        schema, pages = self.pages(sweep, status)
        return schema, (
            pa.RecordBatch.from_arrays([array(page[field.name], field) for field in schema], schema=schema)
            for page in pages
        )

    def rows(self, sweep: str, *, status: Status | str | None = None) -> Iterator[Row]:
        """One dict a row, every column in each."""
        names = self._schema(sweep, status).names
        for name, role, window, scenario in self._parts:
            front = {"window": name, "role": role, "start": window.start, "end": window.end}
            for row in self._store.rows(sweep, status=status, scenario=scenario):
                yield dict.fromkeys(names) | front | row

    def _schema(self, sweep: str, status: Status | str | None) -> pa.Schema:
        """The columns of all windows; of one that is JSON text in any window, JSON text."""
        import pyarrow as pa

        front = [pa.field("window", pa.string()), pa.field("role", pa.string())]
        fields = {field.name: field for field in (*front, pa.field("start", pa.int64()), pa.field("end", pa.int64()))}
        for *_, scenario in self._parts:
            schema, pages = self._store.pages(sweep, status, scenario)
            pages.close()  # type: ignore[attr-defined]  # a generator: its connection is given back
            for field in schema:
                known = fields.get(field.name)
                if known is None or field.metadata == JSON_FIELD:
                    fields[field.name] = field
                elif known.metadata != JSON_FIELD and known.type != field.type:
                    fields[field.name] = known.with_type(_wider(known.type, field.type))
        return pa.schema(list(fields.values()))

    def _pages(self, sweep: str, status: Status | str | None, schema: pa.Schema) -> Iterator[dict[str, list[Any]]]:
        for name, role, window, scenario in self._parts:
            _, pages = self._store.pages(sweep, status, scenario)
            for page in pages:
                count = len(page["point"])
                front = {"window": name, "role": role, "start": window.start, "end": window.end}
                nothing = [None] * count
                yield {
                    each: [front[each]] * count if each in front else page.get(each, nothing) for each in schema.names
                }


def _wider(first: pa.DataType, second: pa.DataType) -> pa.DataType:
    """The type that holds the values of both: a column of whole numbers in one window has fractions in another."""
    import pyarrow as pa

    numbers = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean)
    if all(any(is_one(each) for is_one in numbers) for each in (first, second)):
        return pa.float64()
    return pa.string()

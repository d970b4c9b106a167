"""The result store as readers see it: sweeps, rows, tables and returns of one output folder.

Readers see whole chunks, also while the sweep runs (WAL). Each reading opens a connection of its own, so it may be done
from any thread, and sees one moment of the store from its first row to its last. Every failure of the file or the disk
is a StoreError that says what to do. What writes is orchestrator.results.store.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import batched, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from orchestrator.results import columns as cols
from orchestrator.results.copied_rows import intervals_of
from orchestrator.results.database import failures, reader, sql
from orchestrator.results.layout import Layout, StoredSweep, found
from orchestrator.results.returns import StoredReturns, read_returns
from orchestrator.results.unfit import MAX_POINT, count_unfit, last_point
from tasks.errors import StoreError
from tasks.named_types import JsonObject, Row
from tasks.protocol.messages import Status, SweepDefinition

if TYPE_CHECKING:
    import pyarrow as pa

#: Rows of one batch of a table.
BATCH = 20_000
#: No scope has this number.
NO_SCOPE = -1
#: Ranges of missing points that are looked up at a time.
GAPS = 10_000


class StoreReader:
    """The result store of an output folder, read only. Made by `open`; a context manager."""

    def __init__(self, folder: Path):
        self.folder = folder

    @classmethod
    def open(cls, folder: Path) -> StoreReader:
        """The store of that folder. Raises StoreError when there is none."""
        opened = StoreReader(Path(folder))
        with opened._reading():
            return opened

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing is held between two readings; a writer has something to give free."""

    # sweeps

    def sweeps(self) -> list[StoredSweep]:
        """Every sweep of the folder, the latest first."""
        with self._reading() as connection:
            return [StoredSweep.of(each) for each in connection.execute(sql("sweeps"))]

    def latest(self) -> str:
        """The sweep that was added or continued last. Raises StoreError when there is none."""
        with self._reading() as connection:
            latest = connection.execute(sql("sweeps")).fetchone()
        if latest is None:
            raise StoreError(f"{self.folder}: holds no sweep yet; use `hummingsweep run`")
        return StoredSweep.of(latest).sweep

    def sweep(self, sweep: str) -> StoredSweep:
        """One sweep by its id. Raises StoreError when it is not here."""
        with self._reading() as connection:
            return self._sweep(connection, sweep)

    def definition(self, sweep: str) -> SweepDefinition:
        """What its children got."""
        return self.sweep(sweep).definition

    def sweep_file(self, sweep: str) -> str:
        """The text of its sweep file."""
        return self.sweep(sweep).sweep_file

    def meta(self, sweep: str) -> JsonObject:
        """What was noted about it."""
        return self.sweep(sweep).meta

    # what is there

    def scenarios(self, sweep: str) -> list[str]:
        """The texts of the scenarios that have rows, beside the plain sweep, the first stored first."""
        with self._reading() as connection:
            wanted = {"sweep": self._sweep(connection, sweep).key}
            return [scenario for (scenario,) in connection.execute(sql("scenarios"), wanted)]

    def counts(self, sweep: str, scenario: str = "") -> dict[Status, int]:
        """How many rows have which status."""
        with self._reading() as connection:
            wanted = self._wanted(connection, sweep, scenario)
            return {Status(status): count for status, count in connection.execute(sql("counts"), wanted)}

    def statuses(self, sweep: str, points: Iterable[int], scenario: str = "") -> dict[int, Status]:
        """The status of those of these points that have a row."""
        with self._reading() as connection:
            scope = self._scope(connection, sweep, scenario)
            asked = ({"scope": scope, "point": point} for point in points)
            found = (connection.execute(sql("status"), one).fetchone() for one in asked)
            return {point: Status(status) for point, status in filter(None, found)}

    def returns_intervals(self, sweep: str, scenario: str = "") -> set[int]:
        """Seconds of the intervals at which returns are stored; empty where none are."""
        with self._reading() as connection:
            return intervals_of(connection, self._scope(connection, sweep, scenario))

    def errors(self, sweep: str, scenario: str = "") -> list[tuple[str, int]]:
        """The errors of rows that are not ok, the most frequent first, with how many rows have it."""
        with self._reading() as connection:
            wanted = self._wanted(connection, sweep, scenario)
            return [(error or "", count) for error, count in connection.execute(sql("errors"), wanted)]

    def nodes(self, sweep: str) -> list[JsonObject]:
        """Who computed it: node, points, seconds of its children's time."""
        with self._reading() as connection:
            wanted = {"scope": self._scope(connection, sweep, "")}
            nodes = connection.execute(sql("nodes"), wanted)
            return [{"node": node, "points": points, "seconds": seconds} for node, points, seconds in nodes]

    def chunks(self, sweep: str) -> set[str]:
        """The ids of the chunks that brought rows, of every scenario."""
        with self._reading() as connection:
            stored = connection.execute(sql("chunks"), {"sweep": self._sweep(connection, sweep).key})
            return {chunk for (chunk,) in stored}

    def missing_runs(self, sweep: str, size: int, scenario: str = "") -> Iterator[tuple[int, int]]:
        """Closed ranges of the points of 0..size-1 that have no row, ascending.

        Read a page at a time: a range is as the store was when its page was read. Costs what the stored points
        cost, whatever the grid's size.
        """
        if size < 1:
            return
        with self._reading() as connection:
            wanted = {"scope": self._scope(connection, sweep, scenario), "last": min(size - 1, MAX_POINT)}
            (first,) = connection.execute(sql("first_point"), wanted).fetchone()
        if first is None or first > 0:
            yield 0, size - 1 if first is None else min(first, size) - 1
        after = first
        while after is not None and after < size:
            with self._reading() as connection:
                page = connection.execute(sql("gaps"), {**wanted, "after": after, "most": GAPS}).fetchall()
            after = None
            for start, after in page:
                if start < size:
                    yield start, size - 1 if after is None else min(after, size) - 1

    def unfit(self, sweep: str) -> int:
        """Rows of a sweep that are left out because they do not fit it, see orchestrator.results.unfit."""
        with self._reading() as connection:
            return count_unfit(connection, self._sweep(connection, sweep))

    def columns(self, sweep: str, scenario: str = "") -> list[str]:
        """The names of all columns, in the order of every reading: see orchestrator.results.columns."""
        with self._reading() as connection:
            return self._layout(connection, sweep, scenario).names

    # rows out

    def rows(
        self,
        sweep: str,
        points: Iterable[int] | None = None,
        status: Status | str | None = None,
        scenario: str = "",
    ) -> Iterator[Row]:
        """One dict a row, ascending by point or as `points` says; every column in each, None where a row has none."""
        with self._reading() as connection:
            layout = self._layout(connection, sweep, scenario)
            for stored in found(connection, layout.scope, last_point(layout.stored), points, status):
                yield layout.row(stored)

    def table(self, sweep: str, status: Status | str | None = None, scenario: str = "") -> pa.Table:
        """All rows as one Arrow table, ascending by point."""
        import pyarrow as pa

        schema, batches = self.batches(sweep, status, scenario)
        return pa.Table.from_batches(list(batches), schema)

    def first(self, sweep: str) -> pa.Table:
        """The first ok rows as `table` has them: enough to see whether a ranking can be made."""
        import pyarrow as pa

        schema, batches = self.batches(sweep, Status.OK)
        return pa.Table.from_batches(list(islice(batches, 1)), schema)

    def batches(
        self, sweep: str, status: Status | str | None = None, scenario: str = ""
    ) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """The schema of `table`, and its rows a batch at a time; both of the same moment."""
        import pyarrow as pa

        schema, pages = self.pages(sweep, status, scenario)
        return schema, (
            pa.RecordBatch.from_arrays([cols.array(page[field.name], field) for field in schema], schema=schema)
            for page in pages
        )

    def pages(
        self, sweep: str, status: Status | str | None = None, scenario: str = ""
    ) -> tuple[pa.Schema, Iterator[dict[str, list[Any]]]]:
        """As `batches`, with the values as they were computed: one list a column."""
        reading = self._pages(sweep, status, scenario)
        schema = next(reading)
        return schema, reading

    def _pages(self, sweep: str, status: Status | str | None, scenario: str) -> Iterator[Any]:
        with self._reading() as connection:
            layout = self._layout(connection, sweep, scenario)
            yield layout.schema()
            for page in batched(found(connection, layout.scope, last_point(layout.stored), None, status), BATCH):
                yield layout.columnar(page)

    def returns(self, sweep: str, scenario: str = "") -> StoredReturns | None:
        """The returns of all ok points as one matrix; None when none are stored (a sweep of an earlier version)."""
        with self._reading() as connection:
            definition = self._sweep(connection, sweep).definition
            return read_returns(connection, self._scope(connection, sweep, scenario), definition, scenario)

    # inside

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees one moment."""
        with failures(self.folder), closing(reader(self.folder)) as connection:
            connection.execute("BEGIN")
            yield connection

    def _sweep(self, connection: sqlite3.Connection, sweep: str) -> StoredSweep:
        stored = connection.execute(sql("sweep"), {"sweep": sweep}).fetchone()
        if stored is None:
            there = ", ".join(row[1] for row in connection.execute(sql("sweeps"))) or "none"
            raise StoreError(f"{self.folder}: holds no sweep {sweep}; there are: {there}")
        return StoredSweep.of(stored)

    def _layout(self, connection: sqlite3.Connection, sweep: str, scenario: str) -> Layout:
        return Layout(connection, self._sweep(connection, sweep), self._scope(connection, sweep, scenario), scenario)

    def _scope(self, connection: sqlite3.Connection, sweep: str, scenario: str) -> int:
        """The number of a sweep under a scenario in the tables; one that no row has where nothing is stored."""
        wanted = {"sweep": self._sweep(connection, sweep).key, "scenario": scenario}
        known = connection.execute(sql("scope"), wanted).fetchone()
        return int(known[0]) if known else NO_SCOPE

    def _wanted(self, connection: sqlite3.Connection, sweep: str, scenario: str) -> dict[str, int]:
        """What queries over the rows of a sweep under a scenario ask for."""
        stored = self._sweep(connection, sweep)
        return {"scope": self._scope(connection, sweep, scenario), "last": last_point(stored)}

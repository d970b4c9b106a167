"""The result store: one SQLite file per output folder, one writer, any number of readers.

    runs/bollinger-btc/
        results.sqlite     sweeps, rows, chunks (see store.sql)
        results.lock       held by the process that writes, with its id

The key of a row is (sweep, scenario, point); the scenario "" is the plain sweep (tasks.protocol.scenario). A chunk is
one transaction and a point that has a row keeps it, so a chunk that comes twice changes nothing. Readers see whole
chunks, also while the sweep runs (WAL). Every failure of the file or the disk is a StoreError that says what to do;
what was stored before stays.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import batched, islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

import ujson

from orchestrator.results import columns as cols
from orchestrator.results.columns import LEADING
from orchestrator.results.copied_rows import RowCopy, intervals_of
from orchestrator.results.database import FILE, LOCK, failures, prepare, reader, sql, take
from orchestrator.results.layout import Layout, StoredSweep, found
from orchestrator.results.presence import Presence
from orchestrator.results.returns import StoredReturns, read_returns, stored_form
from orchestrator.results.unfit import MAX_POINT, count_unfit, last_point, set_aside
from tasks.errors import StoreError
from tasks.named_types import JsonObject, Row
from tasks.protocol.messages import Rows, Status, SweepDefinition

if TYPE_CHECKING:
    import pyarrow as pa

#: Rows of one batch of a table.
BATCH = 20_000
#: No scope has this number.
NO_SCOPE = -1
#: Ranges of missing points that are looked up at a time.
GAPS = 10_000


class Store:
    """An open output folder. Made by `create` (the one writer) or `open` (a reader); a context manager.

    Reading opens a connection of its own each time, so it may be done from any thread, and sees one moment of the
    store from its first row to its last. Writing belongs to the thread that created the store.
    """

    def __init__(self, folder: Path, connection: sqlite3.Connection | None, lock: IO[str] | None):
        self.folder = folder
        self._connection = connection
        self._lock = lock
        self._scopes: dict[tuple[str, str], int] = {}
        self._shapes: dict[tuple[str, ...], int] = {}
        self._kinds: dict[int, dict[str, str]] = {}
        self._presence = Presence(folder)
        #: what a writer found wrong with the rows that were there, and did about it; "" when nothing was
        self.mended = ""

    @classmethod
    def create(cls, folder: Path) -> Store:
        """Open for writing, making what is not there. Raises StoreError, also when another process writes here."""
        folder = Path(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = (folder / LOCK).open("a+")
        except OSError as error:
            raise StoreError(
                f"{folder}: not writable ({error.strerror}); give another output folder with --out"
            ) from None
        try:
            take(lock, folder)
            with failures(folder):
                connection = sqlite3.connect(folder / FILE, timeout=60, isolation_level=None)
                try:
                    prepare(connection, folder)
                    mended = set_aside(connection, folder)
                except BaseException:
                    connection.close()
                    raise
        except OSError as error:
            lock.close()
            raise StoreError(f"{folder}: not writable ({error.strerror}); give another --out, or make room") from None
        except BaseException:
            lock.close()
            raise
        store = cls(folder, connection, lock)
        store.mended = mended
        return store

    @classmethod
    def open(cls, folder: Path) -> Store:
        """Open for reading. Raises StoreError when there is no store."""
        store = cls(Path(folder), None, None)
        with store._reading():
            return store

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the folder free for another writer."""
        if self._connection:
            self._connection.close()
            self._connection = None
        if self._lock:
            self._lock.truncate(0)
            self._lock.close()
            self._lock = None

    # sweeps

    def add_sweep(self, definition: SweepDefinition, sweep_file: str, meta: JsonObject) -> None:
        """Make room for a sweep, or go on with it: it is then the latest, and `meta` is laid over what there is."""
        with self._writing() as connection:
            before = connection.execute(sql("sweep"), {"sweep": definition.sweep}).fetchone()
            known = StoredSweep.of(before).meta if before else {}
            values = {
                "sweep": definition.sweep,
                "definition": definition.encode(),
                "sweep_file": sweep_file,
                "meta": ujson.dumps({**known, **meta}),
                "created": time.time(),
            }
            connection.execute(sql("add_sweep"), values)

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

    def set_meta(self, sweep: str, key: str, value: Any) -> None:
        """Note something about a sweep; JSON values."""
        meta = {**self.meta(sweep), key: value}
        with self._writing() as connection:
            connection.execute(sql("set_meta"), {"sweep": sweep, "meta": ujson.dumps(meta)})

    # rows in

    def insert(self, sweep: str, rows: Rows) -> int:
        """Store a chunk in one transaction; how many points had no row before. Points that have one keep it.

        The chunk's id says under which scenario they ran.
        """
        scenario = rows.chunk.partition("@")[2]
        results = {name: values for name, values in rows.columns.items() if name not in LEADING}
        leading = [rows.columns.get(name) or [None] * len(rows) for name in LEADING]
        documents = [ujson.dumps(values) for values in zip(*results.values(), strict=True)] or ["[]"] * len(rows)
        with self._writing() as connection:
            key = self._made_scope(connection, sweep, scenario)
            shape = self._shape(connection, tuple(results))
            kinds = self._widened(connection, key, results)
            before = connection.total_changes
            connection.executemany(
                sql("insert_row"),
                (
                    (
                        key,
                        point,
                        Status(status).value,
                        None if error is None else cols.plain_text(error),
                        engine,
                        seconds,
                        shape,
                        document,
                    )
                    for point, status, error, engine, seconds, document in zip(*leading, documents, strict=True)
                ),
            )
            new = connection.total_changes - before
            if new:
                chunk = {"scope": key, "chunk": rows.chunk, "node": rows.node, "seconds": rows.seconds}
                connection.execute(sql("insert_chunk"), {**chunk, "points": len(rows), "at": time.time()})
                if rows.returns is not None:
                    connection.execute(sql("insert_returns"), {"scope": key, "chunk": rows.chunk, **stored_form(rows)})
        # remembered once the transaction is through
        self._scopes[sweep, scenario] = key
        self._shapes[tuple(results)] = shape
        self._kinds[key] = kinds
        return new

    def copy_rows(
        self,
        sweep: str,
        scenario: str,
        source: tuple[str, str],
        points: Collection[int] | None = None,
        *,
        errors: bool = True,
    ) -> int:
        """Copy rows of `source`, another (sweep, scenario) whose rows are equal, in one transaction; how many.

        `points`: those that are copied, where not all. Points that have a row keep it. `errors`: rows of points that
        failed by themselves too; what crashed or timed out on some machine is never copied.
        """
        with self._writing() as connection:
            theirs = self._scope(connection, *source)
            if theirs == NO_SCOPE:
                return 0
            mine, last = self._scope(connection, sweep, scenario), last_point(self._sweep(connection, sweep))
            copy = RowCopy(connection, (theirs, source[0]), mine, last, errors=errors)
            wanted = copy.wanted(points)
            if not len(wanted):
                return 0
            key = self._made_scope(connection, sweep, scenario)
            copy = RowCopy(connection, (theirs, source[0]), key, last, errors=errors)
            copy.rows(wanted, everything=points is None)
            known = self._kinds.get(key) or dict(connection.execute(sql("columns"), {"scope": key}).fetchall())
            kinds = self._wider(connection, key, known, copy.kinds(wanted))
            copy.chunks(wanted)
            copy.returns(wanted)
        self._scopes[sweep, scenario], self._kinds[key] = key, kinds
        return len(wanted)

    def forget_failed(self, sweep: str) -> int:
        """Delete the rows that are not ok, of every scenario, so that their points are missing again; how many."""
        key = self.sweep(sweep).key
        with self._writing() as connection:
            return connection.execute(sql("forget_failed"), {"sweep": key}).rowcount

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
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction; nothing of it stays when it fails."""
        if self._connection is None:
            raise StoreError(f"{self.folder}: was opened for reading")
        self._presence.check(self._connection)
        with failures(self.folder):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees one moment."""
        if self._connection is not None:
            self._presence.check(self._connection)
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

    def _made_scope(self, connection: sqlite3.Connection, sweep: str, scenario: str) -> int:
        if (sweep, scenario) not in self._scopes:
            key = self._sweep(connection, sweep).key
            connection.execute(sql("add_scope"), {"sweep": key, "scenario": scenario})
            return self._scope(connection, sweep, scenario)
        return self._scopes[sweep, scenario]

    def _shape(self, connection: sqlite3.Connection, names: tuple[str, ...]) -> int:
        if names in self._shapes:
            return self._shapes[names]
        document = {"names": ujson.dumps(names)}
        connection.execute(sql("add_shape"), document)
        return int(connection.execute(sql("shape"), document).fetchone()[0])

    def _widened(self, connection: sqlite3.Connection, key: int, results: dict[str, list[Any]]) -> dict[str, str]:
        """What kinds of values each column has now; what is new is written down."""
        known = self._kinds.get(key) or dict(connection.execute(sql("columns"), {"scope": key}).fetchall())
        return self._wider(connection, key, known, {name: cols.kinds(values) for name, values in results.items()})

    def _wider(
        self, connection: sqlite3.Connection, key: int, known: dict[str, str], seen: dict[str, str]
    ) -> dict[str, str]:
        """The kinds of values that are known of each column, and those that were seen; what is new is written down."""
        now = {name: cols.merged(known.get(name, ""), letters) for name, letters in seen.items()}
        for name, letters in now.items():
            if known.get(name) != letters:
                connection.execute(sql("set_column"), {"scope": key, "name": name, "kinds": letters})
        return {**known, **now}

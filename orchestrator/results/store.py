"""The result store as its one writer has it: one SQLite file per output folder, any number of readers beside.

    runs/bollinger-btc/
        results.sqlite     sweeps, rows, chunks (see store.sql)
        results.lock       held by the process that writes, with its id

The key of a row is (sweep, scenario, point); the scenario "" is the plain sweep (tasks.protocol.scenario). A chunk is
one transaction and a point that has a row keeps it, so a chunk that comes twice changes nothing. Every failure of the
file or the disk is a StoreError that says what to do; what was stored before stays. What only reads is
orchestrator.results.store_reader.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import ujson

from orchestrator.results import columns as cols
from orchestrator.results.columns import LEADING
from orchestrator.results.copied_rows import RowCopy
from orchestrator.results.database import FILE, LOCK, failures, prepare, sql, take
from orchestrator.results.layout import StoredSweep
from orchestrator.results.presence import Presence
from orchestrator.results.returns import stored_form
from orchestrator.results.store_reader import NO_SCOPE, StoreReader
from orchestrator.results.unfit import last_point, set_aside
from tasks.errors import StoreError
from tasks.named_types import JsonObject
from tasks.protocol.messages import Rows, Status, SweepDefinition


class Store(StoreReader):
    """The result store of an output folder, open for its one writer. Made by `create`; a context manager.

    Writing belongs to the thread that created the store; reading may be done from any.
    """

    def __init__(self, folder: Path, connection: sqlite3.Connection, lock: IO[str]):
        super().__init__(folder)
        self._connection: sqlite3.Connection | None = connection
        self._lock: IO[str] | None = lock
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
            copy.rows(wanted)
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

    # inside

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        if self._connection is not None:
            self._presence.check(self._connection)
        with super()._reading() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction; nothing of it stays when it fails."""
        if self._connection is None:
            raise StoreError(f"{self.folder}: is closed")
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

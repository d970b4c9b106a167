"""The SQLite file of an output folder: its connections, its lock, its queries, and what its failures mean."""

from __future__ import annotations

import fcntl
import functools
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import IO

from tasks.errors import StoreError

FILE = "results.sqlite"
LOCK = "results.lock"
#: Written into the file; a store with a higher one was made by a later version.
SCHEMA_VERSION = 2
#: Tables of every version.
_ALWAYS = {"sweeps", "rows", "shapes", "columns", "chunks"}


def take(lock: IO[str], folder: Path) -> None:
    """Become the one writer. The lock goes with the process, however it ends."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.seek(0)
        who = lock.read().strip() or "another process"
        raise StoreError(
            f"{folder}: {who} writes here; wait for it to end, or give another folder with --out"
        ) from None
    with suppress(OSError):  # a full disk: SQLite says what to do
        os.ftruncate(lock.fileno(), 0)
        os.write(lock.fileno(), f"process {os.getpid()}".encode())


def prepare(connection: sqlite3.Connection, folder: Path) -> None:
    """Tables and modes. A power cut may cost the last chunks (they are computed again), never the file.

    Raises StoreError for a database of another program, into which nothing is written.
    """
    _check_version(connection, folder)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    upgrade = sql("upgrade_from_1") if _check_version(connection, folder) == 1 else ""
    # one transaction: a disk that fills up meanwhile leaves a store with all tables, or with none
    connection.executescript(
        f"BEGIN IMMEDIATE; {upgrade} {sql('schema')}; PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
    )


def check_ours(connection: sqlite3.Connection, folder: Path) -> None:
    """Refuse a database that holds tables, but not those that every version of ours makes. Raises StoreError."""
    tables = {str(name) for (name,) in connection.execute(sql("tables"))}
    if tables and not tables >= _ALWAYS:
        strange = min(tables - _ALWAYS, default="") or min(tables)
        raise StoreError(
            f"{folder / FILE}: is a database of another program (it has a table {strange!r}) and is left as it is; "
            "give another output folder with --out, or move it away"
        )


def _check_version(connection: sqlite3.Connection, folder: Path) -> int:
    """The version of the file's tables; 0: there are none yet. Raises StoreError when it is later than ours."""
    check_ours(connection, folder)
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA_VERSION:
        raise StoreError(f"{folder / FILE}: was written by a later hummingsweep; update this one, or use another --out")
    return int(version)


def reader(folder: Path) -> sqlite3.Connection:
    """A read-only connection. Raises StoreError when there is no store.

    A file of an earlier version is brought up to date first.
    """
    file = folder / FILE
    if not file.is_file():
        raise StoreError(f"{folder}: holds no results ({FILE}); use `hummingsweep run` first, or name another folder")
    try:
        return _read_only(folder, "mode=ro")
    except sqlite3.OperationalError:
        wal = file.with_name(f"{FILE}-wal")
        if wal.exists() and wal.stat().st_size:
            raise
        # a read-only folder has no room for the WAL's index; without a WAL nobody writes, and none is needed
        return _read_only(folder, "immutable=1")


def _read_only(folder: Path, mode: str) -> sqlite3.Connection:
    address = f"{(folder / FILE).absolute().as_uri()}?{mode}"
    connection = sqlite3.connect(address, uri=True, timeout=60, isolation_level=None)
    try:
        version = _check_version(connection, folder)
    except BaseException:
        connection.close()
        raise
    if version == 1:
        connection.close()
        _upgrade(folder)
        return _read_only(folder, mode)
    return connection


def _upgrade(folder: Path) -> None:
    """Bring the tables of an earlier version up to date. Raises StoreError when another process writes here."""
    with (folder / LOCK).open("a+") as lock:
        take(lock, folder)
        with closing(sqlite3.connect(folder / FILE, timeout=60, isolation_level=None)) as connection:
            prepare(connection, folder)


@contextmanager
def failures(folder: Path) -> Iterator[None]:
    """What SQLite says, as a StoreError with what to do."""
    try:
        yield
    except sqlite3.Error as error:
        text = str(error)
        if "full" in text or "I/O" in text:
            advice = "make room on the disk and give the same command again: everything stored before is kept"
        elif "malformed" in text or "not a database" in text or "no such table" in text:
            advice = (
                "the file is damaged: move it away and give the same command again, or mend it with sqlite3 .recover"
            )
        elif "readonly" in text or "unable to open" in text:
            advice = "give yourself write access to the folder, or another folder with --out"
        elif "locked" in text:
            advice = "another program holds the file; close it and give the same command again"
        else:
            advice = "give the same command again: everything stored before is kept"
        raise StoreError(f"{folder / FILE}: {text}; {advice}") from error
    except UnicodeDecodeError as error:  # SQLite quotes what it has found in its error
        raise StoreError(
            f"{folder / FILE}: {error}; the file is damaged: move it away and give the same command again, or mend it "
            "with sqlite3 .recover"
        ) from None


@functools.cache
def _queries() -> dict[str, str]:
    """The named queries of store.sql."""
    parts = re.split(r"^-- name: (\w+)$", Path(__file__).with_name("store.sql").read_text(), flags=re.MULTILINE)
    return {name: query.strip() for name, query in zip(parts[1::2], parts[2::2], strict=True)}


def sql(name: str) -> str:
    """The query of that name in store.sql. Raises KeyError."""
    return _queries()[name]

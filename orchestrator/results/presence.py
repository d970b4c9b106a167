"""Whether the file that a store writes is still the one in its folder: somebody may delete or replace it meanwhile.

SQLite goes on writing into a deleted file without a word, and the rows are gone when the process ends.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

from orchestrator.results.database import FILE
from tasks.errors import StoreError

#: Files that hold rows while a store is written: the database, and what is not yet moved into it.
_FILES = (FILE, f"{FILE}-wal")


class Presence:
    """The files of a store as they were when it was opened for writing."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._known: dict[str, tuple[int, int] | None] = {}

    def check(self, connection: sqlite3.Connection) -> None:
        """Raises StoreError when one of them is gone or another; the rows are saved beside then."""
        for name in _FILES:
            found = _identity(self._folder / name)
            before = self._known.setdefault(name, found)
            if before is None:  # the write-ahead log appears with the first transaction
                self._known[name] = found
            elif found != before:
                raise StoreError(self._lost(name, connection, replaced=found is not None))

    def _lost(self, name: str, connection: sqlite3.Connection, *, replaced: bool) -> str:
        what = f"{self._folder / name} was {'replaced' if replaced else 'deleted'} while the sweep runs"
        try:
            saved = self._save(connection)
        except (OSError, sqlite3.Error) as error:
            return f"{what}, and its rows could not be saved ({error}); give the same command again to compute them"
        return (
            f"{what}; the rows stored until then are saved as {saved}: rename it to {FILE} (and delete {FILE}-wal and "
            f"{FILE}-shm, if they are there), then give the same command again"
        )

    def _save(self, connection: sqlite3.Connection) -> Path:
        """Everything the open connection still sees, as a file of its own."""
        self._folder.mkdir(parents=True, exist_ok=True)
        saved = self._folder / f"saved-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{os.getpid()}.sqlite"
        with closing(sqlite3.connect(saved)) as target:
            connection.backup(target)
        with suppress(FileNotFoundError):  # what an unfinished copy leaves
            saved.with_name(f"{saved.name}-journal").unlink()
        return saved


def _identity(file: Path) -> tuple[int, int] | None:
    """What two names of the same file share; None where there is none."""
    try:
        facts = file.stat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino

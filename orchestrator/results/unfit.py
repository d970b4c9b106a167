"""Rows of a store that do not fit their sweep: points that are no whole numbers of the grid, unknown states.

Versions before 0.2 stored whatever a node sent. Readers leave such rows out (the queries of store.sql ask for points
from 0 to `last` and known states); the next writer moves them into a file beside the store, so that their points are
computed again.
"""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path
from typing import Any

from orchestrator.results.database import sql
from orchestrator.results.layout import StoredSweep
from tasks.errors import HummingsweepError

#: Folder below the output folder, as for messages that do not fit their chunk.
SET_ASIDE = "set-aside"
#: No point is above it where the sweep's definition cannot be read.
MAX_POINT = 2**63 - 1


def last_point(stored: StoredSweep) -> int:
    """The highest point of a sweep's grid."""
    return min(stored.grid.size - 1, MAX_POINT)


def count_unfit(connection: sqlite3.Connection, stored: StoredSweep) -> int:
    """How many rows of a sweep, under every scenario, fit neither its grid nor the states a row may have."""
    wanted = {"sweep": stored.key, "last": last_point(stored)}
    return int(connection.execute(sql("count_unfit"), wanted).fetchone()[0])


def set_aside(connection: sqlite3.Connection, folder: Path) -> str:
    """Move such rows out of a store that is open for writing; a sentence for people, "" when there were none.

    Raises OSError where they cannot be kept: then they stay. sqlite3.Error as SQLite gives it.
    """
    moved = 0
    for found in connection.execute(sql("sweeps")).fetchall():
        try:
            stored = StoredSweep.of(found)
            wanted = {"sweep": stored.key, "last": last_point(stored)}
        except HummingsweepError:  # a damaged sweep: whoever reads it is told
            continue
        rows = connection.execute(sql("unfit"), wanted).fetchall()
        if rows:
            _keep(rows, stored, folder / SET_ASIDE)
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("DELETE FROM rows WHERE rowid = ?", [(rowid,) for rowid, *_ in rows])
            connection.execute("COMMIT")
            moved += len(rows)
    if not moved:
        return ""
    return (
        f"{moved} rows of {folder} do not fit their sweep (an earlier version stored what a node sent): they are "
        f"moved to {folder / SET_ASIDE}, and their points are computed again"
    )


def _keep(rows: list[tuple[Any, ...]], stored: StoredSweep, folder: Path) -> None:
    """Write rows into a file of their own. Raises OSError."""
    names = ("scenario", "point", "status", "error", "result")
    documents = [{"sweep": stored.sweep, **dict(zip(names, values, strict=True))} for _, *values in rows]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"rows-{stored.key}-{time.time_ns()}.json").write_text(json.dumps(documents, indent=1, default=repr))

"""Rows of one scope of a store, copied into another whose rows are equal by construction.

A scope is a sweep under a scenario. Who computed a row, how long it took and its returns go with it; a point that has a
row keeps it. Which scopes are equal is decided elsewhere (orchestrator.execution.earlier_rows).
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import ujson

from orchestrator.results import columns as cols
from orchestrator.results.database import sql
from tasks.errors import MessageError, StoreError
from tasks.protocol.chunks import Chunk
from tasks.protocol.returns import packed_bytes, unpack

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Points = npt.NDArray[np.int64]


class RowCopy:
    """One copy, inside a transaction of the store that holds both scopes."""

    def __init__(
        self, connection: sqlite3.Connection, source: tuple[int, str], target: int, last: int, *, errors: bool
    ):
        """`source`: number of the scope, and its sweep, by which what is copied is told from the target's own.

        `target`: number of the scope. `last`: the highest point of the grid. `errors`: rows that failed by themselves
        are copied too.
        """
        self._connection, self._name, self._to = connection, source[1], target
        self._wanted = {"scope": source[0], "to": target, "last": last, "errors": errors}

    def wanted(self, points: Collection[int] | None) -> Points:
        """Those of `points` (None: all) that have a row to be copied and none in the target, ascending."""
        import numpy as np

        rows = self._connection.execute(sql("points_to_copy"), self._wanted)
        found = np.fromiter((point for (point,) in rows), dtype=np.int64)
        return found if points is None else np.intersect1d(found, np.fromiter(points, dtype=np.int64))

    def rows(self, points: Points) -> None:
        """Copy the rows of `points`, which `wanted` gave."""
        self._connection.execute(sql("copy_rows"), {**self._wanted, "points": ujson.dumps(points.tolist())})

    def kinds(self, copied: Points) -> dict[str, str]:
        """Column -> letters of the values (orchestrator.results.columns) of the rows that were copied."""
        known = dict(self._connection.execute(sql("columns"), self._wanted).fetchall())
        (there,) = self._connection.execute(sql("count_rows"), self._wanted).fetchone()
        if len(copied) == there:
            return known
        documents: dict[int, list[Any]] = defaultdict(list)
        try:
            names = {shape: ujson.loads(text) for shape, text in self._connection.execute(sql("shapes"))}
            for point in copied.tolist():
                row = self._connection.execute(sql("document"), {"scope": self._to, "point": point}).fetchone()
                documents[row[0]].append(ujson.loads(row[1]))
            found: dict[str, str] = {}
            for shape, values in documents.items():
                for name, column in zip(names[shape], zip(*values, strict=True), strict=True):
                    found[name] = cols.merged(found.get(name, ""), cols.kinds(column))
        except (ValueError, TypeError, KeyError) as error:
            raise StoreError(f"rows of {self._name} are damaged ({error!s:.200}) and cannot be copied") from None
        return found

    def chunks(self, copied: Points) -> None:
        """Copy who computed the rows; of a chunk of which some points were copied, their share of its seconds."""
        left = set(copied.tolist())
        for chunk, node, seconds, points, at in self._connection.execute(sql("scope_chunks"), self._wanted).fetchall():
            mine = left.intersection(_points_of(chunk))
            left -= mine
            if mine:
                part = {"chunk": self._copy_of(chunk, mine), "node": node, "points": len(mine), "at": at}
                part["seconds"] = seconds * len(mine) / max(points, len(mine))
                self._connection.execute(sql("insert_chunk"), {"scope": self._to, **part})

    def returns(self, copied: Points) -> None:
        """Copy the returns of the rows. Raises ReturnsError for some that cannot be read."""
        import numpy as np

        blocks = self._connection.execute(sql("scope_returns"), self._wanted).fetchall()
        for chunk, interval_s, periods, packed_points, data in blocks:
            points = np.frombuffer(packed_points, dtype="<i8")
            mine = np.isin(points, copied)
            if not mine.any():
                continue
            if not mine.all():
                data = packed_bytes(unpack(data, len(points), periods)[mine])
            block = {"interval_s": interval_s, "periods": periods, "points": points[mine].tobytes(), "data": data}
            named = {"scope": self._to, "chunk": self._copy_of(chunk, points[mine].tolist())}
            self._connection.execute(sql("insert_returns"), {**named, **block})

    def _copy_of(self, chunk: str, points: Collection[int]) -> str:
        """The id of what was copied of a chunk: names the points, for others of it may be copied another time."""
        folder, slash, own = chunk.rpartition("/")
        with suppress(MessageError):
            whole = Chunk.parse(own)
            own = Chunk.of(whole.generation, sorted(points), whole.scenario).id
        return f"{self._name}/{folder}{slash}{own}"


def intervals_of(connection: sqlite3.Connection, scope: int) -> set[int]:
    """The intervals of the stored returns of a scope, seconds."""
    return {interval for (interval,) in connection.execute(sql("returns_intervals"), {"scope": scope})}


def _points_of(chunk: str) -> Iterable[int]:
    """The points in the id of a chunk, also of one that was copied before; none in what is no such id."""
    with suppress(MessageError):
        return Chunk.parse(chunk.rpartition("/")[2]).points
    return ()

"""The returns of a sweep's points in the store: one packed blob per chunk, read as one matrix.

100,000 points of 180 returns are some 70 MB in the file and in memory; no value becomes a Python object.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.results.database import sql
from tasks.grid import Grid
from tasks.intervals import interval_of, interval_seconds
from tasks.named_types import JsonObject
from tasks.protocol.returns import decoded, period_ends, unpack
from tasks.protocol.scenario import Scenario

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from tasks.protocol.messages import Rows, SweepDefinition


@dataclass(frozen=True)
class StoredReturns:
    """The returns of every ok point that has some."""

    #: length of a period, seconds
    interval_s: int
    #: moments at which the periods end, seconds since epoch, int64, shape (T,)
    ends: npt.NDArray[np.int64]
    #: ascending, int64, shape (N,)
    points: npt.NDArray[np.int64]
    #: float32, shape (T, N), a column a point; NaN after an account was lost
    values: npt.NDArray[np.float32]
    #: ok points whose returns are not stored
    without: int

    @property
    def interval(self) -> str:
        """As 1d, 6h, 30m."""
        return interval_of(self.interval_s)

    @property
    def days(self) -> float:
        """Days that the returns cover."""
        return len(self.ends) * self.interval_s / 86400


def stored_form(rows: Rows) -> JsonObject:
    """The returns of a chunk as the store keeps them. Raises ReturnsError for what is not packed returns."""
    import numpy as np

    assert rows.returns is not None
    return {
        "interval_s": rows.returns.interval_s,
        "periods": rows.returns.periods,
        "points": np.array(rows.columns["point"], dtype="<i8").tobytes(),
        "data": decoded(rows.returns.data),
    }


def read_returns(
    connection: sqlite3.Connection, scope: int, definition: SweepDefinition, scenario: str = ""
) -> StoredReturns | None:
    """The returns of a scope (a sweep under a scenario) as one matrix; None where there are none. Raises ReturnsError.

    A point that came twice keeps its first returns, as it keeps its first row.
    """
    import numpy as np

    if not connection.execute(sql("has_returns")).fetchone()[0]:
        return None
    wanted = {"scope": scope, "last": min(Grid.from_mapping(definition.grid).size - 1, 2**63 - 1)}
    ok = np.fromiter((point for (point,) in connection.execute(sql("ok_points"), wanted)), dtype=np.int64)
    values: npt.NDArray[np.float32] | None = None
    filled = np.zeros(len(ok), dtype=bool)
    interval_s = 0
    for interval, periods, packed_points, data in connection.execute(sql("returns"), {"scope": scope}):
        points = np.frombuffer(packed_points, dtype="<i8")
        if values is None:
            interval_s, values = interval, np.full((len(ok), periods), np.nan, dtype=np.float32)
        if not len(ok) or (interval, periods) != (interval_s, values.shape[1]):
            continue
        places = np.minimum(np.searchsorted(ok, points), len(ok) - 1)
        block = unpack(data, len(points), periods)
        # a point that failed in this chunk has no first return; it may have been computed again
        new = np.flatnonzero((ok[places] == points) & ~filled[places] & ~np.isnan(block[:, 0]))
        values[places[new]] = block[new]
        filled[places[new]] = True
    if values is None or not filled.any():
        return None
    applied = Scenario.parse(scenario).applied(definition)
    ends = period_ends(applied.start, applied.end, interval_seconds(applied.resolution), interval_s)
    if not filled.all():
        values = values[filled]
    return StoredReturns(interval_s, ends, ok[filled], values.T, int((~filled).sum()))

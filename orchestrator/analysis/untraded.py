"""A sweep in which nothing was traded, and a ranking that ranks nothing: what is said instead of a verdict.

A controller that never opens an executor gives rows that are all alike: profit 0, drawdown 0. Often it hides an error
of its own, such as a model file that is not there. What it logged and swallowed is in the column `controller_log`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.analysis.rank import scored
from orchestrator.results.columns import as_numpy
from tasks.arrow import equals
from tasks.metrics.inputs import NOTHING_ANNUALISED
from tasks.protocol.messages import Status

if TYPE_CHECKING:
    import pyarrow as pa

#: How the sentence begins that says why no point has a rank.
NOTHING_RANKED = "nothing to rank: "
#: Column of a row that counts the executors of its back-test, filled or not; beside it that of honest fills.
EXECUTORS = ("total_executors", "honest_total_executors")
LOG = "controller_log"
#: Different lines of controllers that are shown.
MAX_SHOWN = 3


@dataclass(frozen=True)
class Untraded:
    """No point opened an executor."""

    #: points that ran to their end
    points: int
    #: what controllers logged or swallowed and what their rows warn of, and how many do, the most frequent first
    log: list[tuple[str, int]]

    def lines(self) -> list[str]:
        """For the terminal."""
        said = [f"controller: {count} x {line}" for line, count in self.log]
        nothing = (
            f"no point opened an executor ({self.points} points ran to their end): there is nothing to rank or trust"
        )
        quiet = "the controller logged no warning and swallowed no error: look at its conditions and at the period"
        return [nothing, *(said or [quiet])]


def untraded(table: pa.Table) -> Untraded | None:
    """What is to be said where no ok row of a sweep's table has an executor; None where one has, or none is ok."""
    import numpy as np

    rows = table.filter(equals(table.column("status"), Status.OK))
    columns = [name for name in EXECUTORS if name in rows.column_names]
    if not rows.num_rows or not columns:
        return None
    if any(np.nansum(as_numpy(rows.column(name)).astype(float)) > 0 for name in columns):
        return None
    said: Counter[str] = Counter()
    for name, joint in ((LOG, " | "), ("warning", "; ")):
        if name in rows.column_names:
            for text in rows.column(name).to_pylist():
                lines = (text or "").split(joint)
                said.update(line for line in lines if line and not line.startswith(NOTHING_ANNUALISED))
    return Untraded(rows.num_rows, said.most_common(MAX_SHOWN))


def unranked(table: pa.Table, rank_by: str, where: str | None) -> tuple[str, bool]:
    """What is to be said where `rank_by` or `where` has no value in some rows, and whether nothing is ranked by it.

    "" where every ok row has a value. Raises ExpressionError.
    """
    import numpy as np

    found = scored(table, rank_by, where)
    rows = len(found.points)
    if not rows:
        return "", False
    if not found.matching.any():
        return f"{NOTHING_RANKED}none of the {rows} points that ran to their end meets where: {where}", True
    objective = found.objective[found.matching]
    empty = int(np.isnan(objective).sum())
    if not empty:
        return "", False
    if empty == len(objective):
        why = (
            _too_short(table)
            or "an annual figure needs a longer period and an account that is not lost, a ratio something to divide by"
        )
        return (
            f"{NOTHING_RANKED}{rank_by} is empty in all {empty} rows ({why}); rank by another column, such as net_pnl",
            True,
        )
    return f"{rank_by} is empty in {empty} of {len(objective)} rows; they are ranked last", False


def _too_short(table: pa.Table) -> str:
    """Why the rows have no annual figure, in the words of their warning; "" where they do not say so."""
    if "warning" not in table.column_names:
        return ""
    parts = (part for text in table.column("warning").to_pylist() for part in (text or "").split("; "))
    return next((part for part in parts if part.startswith(NOTHING_ANNUALISED)), "")

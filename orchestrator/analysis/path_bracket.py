"""Whether the best point hangs on which of high and low came first inside the candles (`fill_path: bracket`)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.analysis.rank import scored
from orchestrator.sweepfile.expressions import parse_objective

if TYPE_CHECKING:
    import pyarrow as pa

_BEST, _HONEST = "best_path_", "honest_"


def winner_hangs_on_path(table: pa.Table, rank_by: str, where: str | None) -> str:
    """A sentence where another point wins when the favourable extreme of each candle comes first; "" where none does.

    "" too where the rows have no such columns, or not of all that `rank_by` reads. Raises ExpressionError.
    """
    objective, _ = parse_objective(rank_by)
    twins = {name: _twin(name) for name in objective.names}
    columns = set(table.column_names)
    if not twins or not columns.issuperset(twins.values()):
        return ""
    pattern = re.compile(r"\b(" + "|".join(map(re.escape, twins)) + r")\b")
    other = pattern.sub(lambda found: twins[found[0]], rank_by)
    worst, best = _winners(table, rank_by, where), _winners(table, other, where)
    if not worst or not best or worst & best:
        return ""
    return (
        f"the best point hangs on which of high and low came first inside the candles: by {rank_by} it is point "
        f"{min(worst)} at worst and point {min(best)} at best; fill_detail: 1s decides it where there are finer candles"
    )


def _twin(name: str) -> str:
    if name.startswith(_HONEST):
        return f"{_HONEST}{_BEST}{name.removeprefix(_HONEST)}"
    return f"{_BEST}{name}"


def _winners(table: pa.Table, rank_by: str, where: str | None) -> set[int]:
    """The points with the best objective."""
    found = scored(table, rank_by, where)
    ranked = found.matching & ~np.isnan(found.objective)
    if not ranked.any():
        return set()
    values = found.objective[ranked]
    best = values.min() if found.ascending else values.max()
    return set(found.points[ranked][values == best].tolist())

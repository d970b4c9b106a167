"""A sweep against worlds of permuted candles: how often is the best of a world as good as the real best?

p = (1 + worlds whose best is as good or better) / (worlds + 1). In every world the same points are run and the best is
chosen in the same way, so the choice among them is inside the figure and nothing has to be corrected for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.analysis.rank import scored
from tasks.errors import ExpressionError
from tasks.named_types import JsonObject
from tasks.protocol.messages import Status
from tasks.protocol.scenario import Scenario

if TYPE_CHECKING:
    import pyarrow as pa

    from orchestrator.results.store_reader import StoreReader


def world(number: int) -> Scenario:
    """The scenario of a world, from 1 on."""
    return Scenario(noise=number)


def noise_answer(
    store: StoreReader, sweep: str, worlds: Iterable[int], points: Sequence[int], rank_by: str, where: str | None
) -> JsonObject:
    """What the worlds say, as plain data: `worlds`, `points`, `p` (None without a ranked point), `best`, and `bests`,
    the best objective of every world in order (None where no point of it is ranked).

    Raises ExpressionError.
    """
    chosen = np.array(sorted(points), dtype=np.int64)
    real, ascending = _best(store.table(sweep, Status.OK), chosen, rank_by, where)
    bests: list[float | None] = []
    for number in worlds:
        try:
            bests.append(_best(store.table(sweep, Status.OK, str(world(number))), chosen, rank_by, where)[0])
        except ExpressionError:  # no point of the world is ok, so its columns are missing
            bests.append(None)
    p = None
    if real is not None and bests:
        as_good = sum(best is not None and (best <= real if ascending else best >= real) for best in bests)
        p = (1 + as_good) / (len(bests) + 1)
    return {
        "worlds": len(bests),
        "points": len(chosen),
        "p": p,
        "objective": rank_by.lstrip("-"),
        "best": real,
        "bests": bests,
    }


def _best(table: pa.Table, points: Any, rank_by: str, where: str | None) -> tuple[float | None, bool]:
    """The best objective among some points, None where none is ranked; and whether small is good."""
    found = scored(table, rank_by, where)
    values = found.score[found.matching & np.isfinite(found.objective) & np.isin(found.points, points)]
    if not len(values):
        return None, found.ascending
    return float(-values.max() if found.ascending else values.max()), found.ascending

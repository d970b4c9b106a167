"""The hold-out: which points are run on it, how often it was looked at, and what it says.

The best points of the final ranking are run on the last part of the period once, and as many random ones beside them:
a market that rose for everybody shows in those. Every further look at the same stretch with the same controller makes
the answer weaker, for what was seen once can be chosen for. Looks are counted over all sweeps of an output folder.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.analysis.rank import scored
from orchestrator.validation.joined import sharpe
from orchestrator.validation.walk import WindowResult
from tasks.named_types import JsonObject, JsonView

if TYPE_CHECKING:
    import pyarrow as pa

    from orchestrator.analysis.rank import Ranking
    from orchestrator.validation.folds import Window


def points_to_look_at(
    ranking: Ranking, table: pa.Table, rank_by: str, where: str | None, count: int, seed: int
) -> tuple[list[int], list[int]]:
    """The best `count` points of a ranking (that holds as many), and as many drawn at random from the other ranked
    ones; the same for the same seed."""
    best = [int(row["point"]) for row in ranking.rows[:count]]
    found = scored(table, rank_by, where)
    others = sorted(set(found.points[found.matching & np.isfinite(found.objective)].tolist()) - set(best))
    drawn = random.Random(f"holdout {seed}").sample(others, min(count, len(others)))
    return best, sorted(drawn)


def look(window: Window, points: Sequence[int], at: float) -> JsonObject:
    """One look, as it is noted beside a sweep. `at`: seconds since epoch."""
    return {"start": window.start, "end": window.end, "points": sorted(points), "at": at}


def is_new(looks: Iterable[JsonView], window: Window, points: Sequence[int]) -> bool:
    """Whether these points show something that no noted look of the same sweep has shown."""
    return not any(
        (one["start"], one["end"]) == (window.start, window.end) and set(points) <= set(one["points"]) for one in looks
    )


def count_looks(looks: Iterable[JsonView], window: Window) -> int:
    """How many of the noted looks saw a part of this window."""
    return sum(one["start"] <= window.end and window.start <= one["end"] for one in looks)


def answer(
    window: Window,
    best: Sequence[int],
    drawn: Sequence[int],
    inside: Mapping[int, float],
    results: Mapping[int, WindowResult],
    looks: int,
    *,
    ascending: bool,
) -> JsonObject:
    """What the hold-out says, as plain data.

    `inside`: point -> objective in sample; `results`: point -> what it did on the hold-out. `sharpe` is the best
    point's, annualised; `beats_random` the share of random points whose objective there is worse than the best point's.
    Where no point has an objective there (a hold-out too short for annual figures), the medians and `beats_random` are
    those of the return, and `by_return` says so.
    """
    first = results.get(best[0]) if best else None
    facts = [_point(point, rank, inside, results) for rank, point in enumerate(best, 1)]
    facts += [_point(point, None, inside, results) for point in drawn]
    by_return = not _objectives(results, results) and any(len(each.piece.returns) for each in results.values())
    best_values, random_values = (_compared(points, results, by_return=by_return) for points in (best, drawn))
    beats = None
    mine = _compared(best[:1], results, by_return=by_return)
    if mine and random_values:
        sign = -1 if ascending and not by_return else 1
        beats = sum(sign * value < sign * mine[0] for value in random_values) / len(random_values)
    return {
        "start": window.start,
        "end": window.end,
        "looks": looks,
        "points": facts,
        "sharpe": sharpe(first.piece.returns, first.piece.interval_s)["sharpe"] if first else None,
        "return": first.piece.total if first else None,
        "by_return": by_return,
        "best_median": _median(best_values),
        "random_median": _median(random_values),
        "beats_random": beats,
    }


def _point(
    point: int, rank: int | None, inside: Mapping[int, float], results: Mapping[int, WindowResult]
) -> JsonObject:
    result = results.get(point)
    facts: JsonObject = {"point": point, "rank": rank, "objective_in": _number(inside.get(point))}
    if result is None:
        return facts | dict.fromkeys(("objective_out", "return", "sharpe", "trades", "status"))
    return facts | {
        "objective_out": _number(result.objective),
        "return": result.piece.total,
        "sharpe": sharpe(result.piece.returns, result.piece.interval_s)["sharpe"],
        "trades": result.trades,
        "status": result.status,
    }


def _compared(points: Sequence[int], results: Mapping[int, WindowResult], *, by_return: bool) -> list[float]:
    """What points are compared by: their objective, or the return of those that have returns."""
    if not by_return:
        return _objectives(points, results)
    return [results[point].piece.total for point in points if point in results and len(results[point].piece.returns)]


def _objectives(points: Iterable[int], results: Mapping[int, WindowResult]) -> list[float]:
    found = [results[point].objective for point in points if point in results]
    return [value for value in found if np.isfinite(value)]


def _median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None


def _number(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)

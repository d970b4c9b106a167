"""The verdict on a stored sweep: its returns, what else was tested of it, and earlier sweeps that asked the same.

    store -> returns of all points, best point -> figures   (orchestrator.analysis.trust)
    meta  -> findings of the stages of a run   -> parts     (noise worlds, walk-forward, hold-out, live, audit)
    both  -> word, sentence, document                       (orchestrator.analysis.verdict)

The document is kept in the sweep's meta under TRUST, where `promote`, `serve` and a finished run find it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from orchestrator.analysis.across import of_meta, words
from orchestrator.analysis.other_parts import OtherParts
from orchestrator.analysis.rank import rank
from orchestrator.analysis.trust import Figures, SweepReturns, figures
from orchestrator.analysis.untraded import NOTHING_RANKED, unranked
from orchestrator.analysis.verdict import document
from orchestrator.sweepfile.sweep import question
from tasks.named_types import JsonObject, JsonView

if TYPE_CHECKING:
    from orchestrator.results.layout import StoredSweep
    from orchestrator.results.returns import StoredReturns
    from orchestrator.results.store_reader import StoreReader

#: Key of a sweep's meta.
TRUST = "trust"
#: Points of earlier sweeps are judged along with these up to so many columns; beyond, they only count as trials.
MAX_COLUMNS = 200_000


@dataclass(frozen=True)
class Judgement:
    """What a page shows and what is stored."""

    #: the verdict as JSON
    document: JsonObject
    #: None where no returns are stored
    figures: Figures | None
    #: the best-ranked point; None where none is ranked
    best: int | None
    #: moments at which the periods of the returns end, seconds since epoch; empty without returns
    ends: list[int]


def judge_sweep(
    store: StoreReader, sweep: str, rank_by: str, where: str | None = None, *, best: int | None = None
) -> Judgement:
    """Judge a stored sweep. `best`: its best-ranked point, looked up where it is None. Raises ExpressionError."""
    stored = store.sweep(sweep)
    parts, across = parts_of(stored.meta), of_meta(stored.meta)
    if best is None:
        best = rank(store.table(sweep), rank_by, where, grid=stored.grid, top=1, across=across).best
    returns = store.returns(sweep)
    if returns is None:
        return Judgement(document(None, parts, ranked=best is not None), None, best, [])
    place = None if best is None else int(np.searchsorted(returns.points, best))
    if place is not None and (place >= len(returns.points) or returns.points[place] != best):
        place = None
    values, beside, notes = _with_earlier(store, stored, returns)
    found = figures(
        SweepReturns(values, returns.interval_s, place, rank_by, beside), seed=stored.definition.seed % 2**32
    )
    if best is None and found.family is not None:
        found.notes.append(unranked(store.table(sweep), rank_by, where)[0].removeprefix(NOTHING_RANKED))
    found.notes[:0] = notes
    if returns.without:
        found.notes.append(f"{returns.without:,} points were computed by an earlier version and have no returns")
    if stored.definition.series and parts.noise_worlds:
        found.notes.append(permuted_series(sorted(stored.definition.series)))
    if across:
        found.notes.append(
            f"points are ranked by {words(across)}; the statistics are those of single points, the best one's of point "
            f"{best}"
        )
    if stored.definition.fills == "both":
        found.notes.append("the statistics are those of the stock fills")
    return Judgement(document(found, parts), found, best, returns.ends.tolist())


def permuted_series(series: Sequence[str]) -> str:
    """What noise worlds do with data beside candles, a sentence; `series`: their names."""
    return (
        f"in the noise worlds the rows of `series` ({', '.join(series)}) come in another order, their days with the "
        "candles' days; prices in them do not follow the level of the permuted candles, so a controller that compares "
        "the two does worse there than chance would have it"
    )


def parts_of(meta: JsonView) -> OtherParts:
    """What else was tested, from what the stages of a run noted."""
    walk, holdout = meta.get("walk_forward"), meta.get("holdout")
    joined = (walk or {}).get("joined") or {}
    outside = None
    if walk or holdout:
        outside = {
            "folds": len((walk or {}).get("folds") or []),
            "efficiency": joined.get("efficiency"),
            "sharpe": joined.get("sharpe"),
            "return": joined.get("return"),
            "holdout": _some(holdout, ("sharpe", "return", "looks")),
        }
    audit = meta.get("audit")
    return OtherParts(
        noise_worlds=_some(meta.get("noise_worlds"), ("worlds", "points", "p", "objective", "best")),
        out_of_sample=outside,
        live=_some(meta.get("live"), ("points", "trades_same", "pnl", "backtest_pnl", "covered")),
        audit={"verdict": audit.get("state") or audit.get("verdict"), "point": audit.get("point")} if audit else None,
    )


def _some(found: JsonView | None, names: tuple[str, ...]) -> JsonObject | None:
    """Of a stage's findings, what the verdict's document has."""
    return {name: found.get(name) for name in names} if found else None


def _with_earlier(store: StoreReader, stored: StoredSweep, mine: StoredReturns) -> tuple[Any, int, list[str]]:
    """The returns with those of earlier sweeps of the folder that asked the same; (matrix, trials beside it, notes).

    The same: controller, market and period. Whoever tries a second grid on the same candles has tried both, but a point
    that several sweeps ran on equal candles, or took from one another, was tried once.
    """
    beside, notes = 0, []
    about, joined = _about(stored), [mine.values]
    counted = [(question(stored.definition), mine)]
    for other in store.sweeps():
        if other.sweep == stored.sweep or _about(other) != about:
            continue
        theirs = store.returns(other.sweep)
        if theirs is None:
            continue
        asked = question(other.definition)
        new = np.ones(len(theirs.points), dtype=np.bool_)
        for same, known in counted:
            if same == asked:
                new &= ~_known(theirs, known)
        counted.append((asked, theirs))
        count = int(new.sum())
        if not count:
            continue
        columns = sum(each.shape[1] for each in joined)
        if theirs.values.shape[0] == mine.values.shape[0] and columns + count <= MAX_COLUMNS:
            joined.append(theirs.values if new.all() else theirs.values[:, new])
        else:
            beside += count
        notes.append(
            f"{count:,} points of the earlier sweep {other.sweep} in this folder count as trials: they were tried with "
            "the same controller on the same market and period"
        )
    return (np.hstack(joined) if len(joined) > 1 else mine.values), beside, notes


def _known(theirs: StoredReturns, known: StoredReturns) -> npt.NDArray[np.bool_]:
    """Which points of a sweep have, to the last bit, the returns of the same point of another; shape (points,)."""
    found = np.zeros(len(theirs.points), dtype=np.bool_)
    if theirs.interval_s == known.interval_s and theirs.values.shape[0] == known.values.shape[0]:
        _, here, there = np.intersect1d(theirs.points, known.points, assume_unique=True, return_indices=True)
        same = np.ones(len(here), dtype=np.bool_)
        for one, other in zip(theirs.values, known.values, strict=True):  # a period at a time: nothing large is copied
            a, b = one[here], other[there]
            same &= (a == b) | (np.isnan(a) & np.isnan(b))
        found[here] = same
    return found


def _about(stored: StoredSweep) -> tuple[Any, ...]:
    definition = stored.definition
    keys = ("controller_type", "controller_name", "connector_name", "trading_pair")
    return (
        *(str(definition.grid.get(key) or definition.controller.get(key)) for key in keys),
        definition.start,
        definition.end,
        definition.resolution,
    )

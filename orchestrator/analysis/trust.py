"""The figures behind a verdict: what the returns of a whole sweep say of its best point.

Pure: returns and places in, figures out; orchestrator.analysis.verdict makes a word and a sentence of them.

What cannot be computed is None and `notes` says why; nothing here raises for returns that carry nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from orchestrator.analysis.statistics import (
    Discoveries,
    EffectiveTrials,
    FamilyTest,
    Moments,
    Overfitting,
    PointBootstrap,
    bootstrap_point,
    deflated_sharpe,
    discoveries,
    effective_trials,
    family_test,
    min_backtest_years,
    min_track_record,
    moments,
    probabilistic_sharpe,
    probability_of_overfitting,
)
from orchestrator.analysis.statistics.cscv import Measure
from orchestrator.analysis.statistics.discovery import p_values
from tasks.intervals import interval_of
from tasks.metrics.inputs import MIN_DAYS, MIN_RETURNS

YEAR_S = 365 * 86400
#: Below so many periods in which the account of the best point moved, its returns say nothing of the next ones.
MIN_ACTIVE = 10
#: What a sweep is ranked by, as far as CSCV can rank by it.
_MEASURES = {
    "sharpe": Measure.SHARPE,
    "sortino": Measure.SORTINO,
    "net_pnl": Measure.GROWTH,
    "net_pnl_quote": Measure.GROWTH,
    "cagr": Measure.GROWTH,
}

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SweepReturns:
    """What is judged."""

    #: float32 or float64, shape (T, N), a column a point; NaN after an account was lost
    values: npt.NDArray[np.floating[Any]]
    #: length of a period, seconds
    interval_s: int
    #: the column of the best-ranked point; None: no point is ranked
    best: int | None
    #: what it is ranked by
    rank_by: str = "sharpe"
    #: trials beyond the columns: points of earlier sweeps whose periods differ, points that a search dropped
    tried_beside: int = 0


@dataclass(frozen=True)
class BestPoint:
    """The best-ranked point. Ratios are per period."""

    sharpe: float
    skew: float
    kurtosis: float
    #: probability that the true ratio is above 0, taken alone
    psr: float
    #: the same against the best of so many: raw, rank and participation number of trials
    dsr: dict[str, float | None]
    #: periods until a record with these moments is above 0 with 95 %; None: never
    min_track_record: float | None
    #: probability that the best of as many worthless points shows this ratio or more
    p: float
    bootstrap: PointBootstrap
    #: periods in which its account moved
    active: int


@dataclass(frozen=True)
class Figures:
    """All figures of a sweep."""

    #: returns of a point
    periods: int
    interval_s: int
    #: points with returns, and those of them that lost their whole account or never moved
    points: int
    ruined: int
    idle: int
    #: sentences on what could not be computed, and why
    notes: list[str] = field(default_factory=list)
    trials: EffectiveTrials | None = None
    moments: Moments | None = None
    #: columns of `moments` among those given; ruined points are left out
    columns: npt.NDArray[np.int64] | None = None
    best: BestPoint | None = None
    family: FamilyTest | None = None
    overfitting: Overfitting | None = None
    discoveries: Discoveries | None = None
    #: years of data that so many trials need before a ratio like the best one's means something
    min_backtest_years: float | None = None

    @property
    def per_year(self) -> float:
        """Periods of a year of 365 days."""
        return YEAR_S / self.interval_s

    @property
    def days(self) -> float:
        """Days that the returns cover."""
        return self.periods * self.interval_s / 86400

    @property
    def is_annual(self) -> bool:
        """Whether the returns are long enough for ratios per year: two good days would be a ratio of 30."""
        return self.periods >= MIN_RETURNS and self.days >= MIN_DAYS

    @property
    def unit(self) -> str:
        """What `shown` is per, in words: "a year", or an interval such as "per 30m"."""
        return "a year" if self.is_annual else f"per {interval_of(self.interval_s)}"

    def annual(self, sharpe: float) -> float | None:
        """A ratio per period as one per year; None where the returns are too few or too short to carry it."""
        return sharpe * math.sqrt(self.per_year) if self.is_annual else None

    def shown(self, sharpe: float) -> float | None:
        """A ratio per period in `unit`; None where the returns are too few for any."""
        if self.periods < MIN_RETURNS:
            return None
        return sharpe * math.sqrt(self.per_year) if self.is_annual else sharpe


def figures(sweep: SweepReturns, *, draws: int = 1000, seed: int = 0) -> Figures:
    """Everything the returns say of a sweep's best point."""
    periods, points = sweep.values.shape
    whole = np.flatnonzero(np.isfinite(sweep.values).all(axis=0) & (sweep.values > -1).all(axis=0))
    notes = []
    if len(whole) < points:
        lost = points - len(whole)
        notes.append(f"{lost:,} points lost their whole account: they count as trials and are left out of the rest")
    if periods < 2 or not len(whole):
        why = "every point lost its whole account, so " if points and not len(whole) else ""
        notes.append(f"{why}there are no returns to judge")
        return Figures(periods, sweep.interval_s, points, points - len(whole), 0, notes)
    values = sweep.values if len(whole) == points else sweep.values[:, whole]
    found = moments(values)
    moving = int(found.varies.sum())
    raw = moving + points - len(whole) + sweep.tried_beside
    trials = effective_trials(values, found, raw)
    base = Figures(
        periods, sweep.interval_s, points, points - len(whole), len(whole) - moving, notes, trials, found, whole
    )
    if not moving:
        notes.append("no point's account ever moved: nothing was traded")
        return base
    if idle := len(whole) - moving:
        notes.append(f"{idle:,} of {points:,} points never traded: they are no trials")
    family = family_test(values, draws=draws, seed=seed, found=found)
    place = None if sweep.best is None else int(np.searchsorted(whole, sweep.best))
    if place is not None and (place >= len(whole) or whole[place] != sweep.best):
        notes.append("the best-ranked point lost its whole account")
        place = None
    best = None if place is None else _best_point(values[:, place], place, found, trials, family, draws, seed)
    annual = None if best is None else base.annual(best.sharpe)
    return Figures(
        **{name: getattr(base, name) for name in ("periods", "interval_s", "points", "ruined", "idle", "notes")},
        trials=trials,
        moments=found,
        columns=whole,
        best=best,
        family=family,
        overfitting=_overfitting(values, sweep.rank_by, notes),
        discoveries=discoveries(p_values(found)),
        min_backtest_years=None if annual is None or annual <= 0 else min_backtest_years(raw, annual),
    )


def _best_point(
    returns: npt.NDArray[np.floating[Any]],
    place: int,
    found: Moments,
    trials: EffectiveTrials,
    family: FamilyTest,
    draws: int,
    seed: int,
) -> BestPoint:
    sharpe, skew, kurtosis = (float(each[place]) for each in (found.sharpe, found.skew, found.kurtosis))
    moving = found.sharpe[found.varies]
    variance = float(moving.var(ddof=1)) if len(moving) > 1 else 0.0
    numbers = {"raw": float(trials.raw), "rank": trials.rank, "participation": trials.participation}
    record = min_track_record(sharpe, skew, kurtosis)
    return BestPoint(
        sharpe,
        skew,
        kurtosis,
        probabilistic_sharpe(sharpe, found.periods, skew, kurtosis),
        {
            name: deflated_sharpe(sharpe, found.periods, skew, kurtosis, trials=number, variance=variance)
            for name, number in numbers.items()
        },
        record if math.isfinite(record) else None,
        family.p_of(sharpe) if found.varies[place] else 1.0,
        bootstrap_point(returns, draws=draws, seed=seed),
        int(np.count_nonzero(returns)),
    )


def _overfitting(values: npt.NDArray[np.floating[Any]], rank_by: str, notes: list[str]) -> Overfitting | None:
    measure = _MEASURES.get(rank_by.strip())
    if measure is None:
        notes.append(
            f"the overfitting test ranks by the Sharpe ratio: {rank_by} cannot be computed from returns of a part "
            "of the period"
        )
    try:
        return probability_of_overfitting(values, measure=measure or Measure.SHARPE)
    except ValueError as error:
        notes.append(f"no overfitting test: {error}")
        return None

"""How many independent trials the points of a sweep are worth.

Neighbours on a grid trade alike, so the raw number of points overstates what was tried, and the truth lies somewhere
between it and the numbers here. Both come from the eigenvalues l of the correlation matrix of the points' returns:

rank            exp(-sum p ln p), p = l / sum l: the effective rank (Roy and Vetterli 2007)
participation   (sum l)^2 / sum l^2: the participation ratio, smaller where a few directions carry most
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orchestrator.analysis.statistics.moments import Floats, Moments, Returns, blocks


@dataclass(frozen=True)
class EffectiveTrials:
    """Numbers of trials, from the most to the least."""

    #: points that were tried
    raw: int
    rank: float
    participation: float


def effective_trials(returns: Returns, found: Moments, raw: int | None = None) -> EffectiveTrials:
    """The effective numbers of the columns of a returns matrix that vary; `raw` is what was tried in all.

    Neither can be above the number of periods less one: independent points beyond that look dependent, which `raw`
    bounds from the other side. With no column that varies all are 0 but `raw`.
    """
    eigenvalues = correlation_eigenvalues(returns, found)
    rank, participation = spectrum_sizes(eigenvalues)
    return EffectiveTrials(int(found.varies.sum()) if raw is None else raw, rank, participation)


def correlation_eigenvalues(returns: Returns, found: Moments) -> Floats:
    """Eigenvalues of the correlation matrix of the columns that vary, but for zeros; ascending.

    With Z the standardised T x N returns, Z Z'/T (T x T) has the eigenvalues of the N x N matrix Z'Z/T.
    """
    kept = np.flatnonzero(found.varies)
    if not len(kept):
        return np.zeros(0)
    periods = found.periods
    few = len(kept) <= periods
    product = np.zeros((len(kept),) * 2 if few else (periods, periods))
    for block in [slice(0, len(kept))] if few else blocks(len(kept)):
        columns = kept[block]
        standard = (returns[:, columns] - found.mean[columns]) / found.deviation[columns]
        if few:
            product += standard.T @ standard
        else:
            standard = standard.astype(returns.dtype)
            product += standard @ standard.T
    return np.asarray(np.linalg.eigvalsh(product / (periods - 1)), dtype=np.float64)


def spectrum_sizes(eigenvalues: Floats) -> tuple[float, float]:
    """(effective rank, participation ratio); negative eigenvalues, which are rounding, count as 0."""
    clipped = np.clip(eigenvalues, 0.0, None)
    total = clipped.sum()
    if total <= 0:
        return 0.0, 0.0
    share = clipped / total
    positive = share[share > 0]
    return float(np.exp(-(positive * np.log(positive)).sum())), float(1.0 / (share**2).sum())

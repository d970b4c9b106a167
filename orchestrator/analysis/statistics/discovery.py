"""Which of many p-values are findings: the false discovery rate over the points of a sweep."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from orchestrator.analysis.statistics.moments import Floats, Moments


@dataclass(frozen=True)
class Discoveries:
    """How many points are above 0 at a level."""

    level: float
    #: each point by itself: `level` of worthless points are among them
    single: int
    #: false discoveries at most `level` of these, where points are independent or alike (Benjamini, Hochberg 1995)
    benjamini_hochberg: int
    #: the same whatever the dependence (Benjamini, Yekutieli 2001)
    benjamini_yekutieli: int
    #: no false discovery at all but with probability `level` (Bonferroni)
    bonferroni: int


def discoveries(p_values: Floats, level: float = 0.05) -> Discoveries:
    """Count the findings; `p_values` float64 of shape (N,), each 0 to 1.

    A step-up: with p sorted, the largest k with p_k <= level k / N, for Yekutieli over the harmonic sum of N too.
    (scipy.stats.false_discovery_control gives the same; its import takes longer than all the rest here.)
    """
    count = len(p_values)
    if not count:
        return Discoveries(level, 0, 0, 0, 0)
    ordered = np.sort(p_values)
    place = np.arange(1, count + 1)
    harmonic = (1 / place).sum()

    def largest(bar: Floats) -> int:
        below = np.flatnonzero(ordered <= bar)
        return int(below[-1]) + 1 if len(below) else 0

    return Discoveries(
        level,
        int((p_values <= level).sum()),
        largest(level * place / count),
        largest(level * place / count / harmonic),
        int((p_values <= level / count).sum()),
    )


def p_values(found: Moments) -> Floats:
    """1 - PSR(0) of every point: the probability of so high a Sharpe ratio from a true one of 0; float64, shape (N,).
    1 where the returns do not vary."""
    variance = np.maximum(1 - found.skew * found.sharpe + (found.kurtosis - 1) / 4 * found.sharpe**2, 1e-12)
    z = found.sharpe * np.sqrt(found.periods - 1) / np.sqrt(variance)
    p = np.array([math.erfc(value / math.sqrt(2)) / 2 for value in z.tolist()])
    p[~found.varies] = 1.0
    return p

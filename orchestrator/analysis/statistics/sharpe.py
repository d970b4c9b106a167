"""What one Sharpe ratio is worth: alone, and as the best of many.

All ratios are per period and all times in periods. `skew` and `kurtosis` are those of the returns, kurtosis 3 for a
normal distribution. Sources: PSR and MinTRL, Bailey and Lopez de Prado, "The Sharpe ratio efficient frontier" (2012);
the expected maximum and DSR, the same, "The deflated Sharpe ratio" (2014); MinBTL, Bailey, Borwein, Lopez de Prado and
Zhu, "Pseudo-mathematics and financial charlatanism" (2014).
"""

from __future__ import annotations

import math
from statistics import NormalDist

_NORMAL = NormalDist()
#: Euler's constant.
EULER = 0.5772156649015329


def probabilistic_sharpe(sharpe: float, periods: int, skew: float, kurtosis: float, benchmark: float = 0.0) -> float:
    """Probability that the true Sharpe ratio is above `benchmark`, given the measured one (PSR), 0 to 1.

    Phi((SR - b) sqrt(T - 1) / sqrt(1 - g3 SR + (g4 - 1)/4 SR^2)). Raises ValueError for fewer than 2 periods.
    """
    if periods < 2:
        raise ValueError(f"a Sharpe ratio needs at least 2 returns, there are {periods}")
    return _NORMAL.cdf((sharpe - benchmark) * math.sqrt(periods - 1) / math.sqrt(_variance(sharpe, skew, kurtosis)))


def min_track_record(
    sharpe: float, skew: float, kurtosis: float, benchmark: float = 0.0, confidence: float = 0.95
) -> float:
    """Periods after which a record with these moments is above `benchmark` with that confidence (MinTRL).

    1 + (1 - g3 SR + (g4 - 1)/4 SR^2) (Z(confidence) / (SR - b))^2; infinite where SR is not above b.
    """
    if sharpe <= benchmark:
        return math.inf
    return 1 + _variance(sharpe, skew, kurtosis) * (_NORMAL.inv_cdf(confidence) / (sharpe - benchmark)) ** 2


def expected_maximum(trials: float) -> float:
    """Mean of the largest of `trials` independent standard normal numbers; 0 for one trial or fewer.

    (1 - c) Z(1 - 1/N) + c Z(1 - 1/(N e)) with c Euler's constant. `trials` need not be whole: an effective number is
    not. Below some 1.5 trials the approximation would be negative; it is 0 there.
    """
    if trials <= 1:
        return 0.0
    return max(0.0, (1 - EULER) * _NORMAL.inv_cdf(1 - 1 / trials) + EULER * _NORMAL.inv_cdf(1 - 1 / (trials * math.e)))


def deflated_sharpe(
    sharpe: float, periods: int, skew: float, kurtosis: float, *, trials: float, variance: float
) -> float:
    """Probability that the true Sharpe ratio of the best of many is above what luck gives (DSR, version of 2014).

    PSR against sqrt(V) x expected_maximum(N): `variance` V is that of the trials' Sharpe ratios per period, `trials` N
    their number, raw or effective.
    """
    return probabilistic_sharpe(sharpe, periods, skew, kurtosis, math.sqrt(variance) * expected_maximum(trials))


def min_backtest_years(trials: float, annual_sharpe: float) -> float:
    """Years of data below which the best of so many worthless trials is expected to show this annual Sharpe ratio
    (MinBTL): (expected_maximum(N) / SR)^2; infinite where the ratio is not above 0."""
    return (expected_maximum(trials) / annual_sharpe) ** 2 if annual_sharpe > 0 else math.inf


def _variance(sharpe: float, skew: float, kurtosis: float) -> float:
    """T - 1 times the variance of a measured Sharpe ratio. Sample moments keep it above 0; rounding may not."""
    return max(1 - skew * sharpe + (kurtosis - 1) / 4 * sharpe**2, 1e-12)

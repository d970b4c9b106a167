"""Statistics over the returns of a whole sweep: is the best of many points more than luck?

Everything takes plain numpy arrays. A *returns matrix* is float32 or float64 of shape (T, N): T periods of equal length
in time order, N points, each value the fractional change of the account over the period. Nothing here is annualised:
a Sharpe ratio is mean / standard deviation (ddof 1) per period. Formulas and their sources: docs/trust/statistics.md.

    moments     mean, deviation, Sharpe ratio, skew and kurtosis of every point
    sharpe      one Sharpe ratio: PSR, MinTRL, DSR, MinBTL, the expected maximum of many
    trials      how many independent trials the points are worth
    cscv        probability of backtest overfitting (PBO)
    family      is any point better than nothing: bootstrap of the best (SPA, StepM)
    intervals   bootstrap intervals of one point's Sharpe ratio and drawdown, and its fan of equity curves
    discovery   p-values of many points: Benjamini-Hochberg and -Yekutieli
"""

from orchestrator.analysis.statistics.cscv import Overfitting, probability_of_overfitting
from orchestrator.analysis.statistics.discovery import Discoveries, discoveries
from orchestrator.analysis.statistics.family import FamilyTest, family_test
from orchestrator.analysis.statistics.intervals import PointBootstrap, bootstrap_point
from orchestrator.analysis.statistics.moments import Moments, moments
from orchestrator.analysis.statistics.sharpe import (
    deflated_sharpe,
    expected_maximum,
    min_backtest_years,
    min_track_record,
    probabilistic_sharpe,
)
from orchestrator.analysis.statistics.trials import EffectiveTrials, effective_trials

__all__ = [
    "Discoveries",
    "EffectiveTrials",
    "FamilyTest",
    "Moments",
    "Overfitting",
    "PointBootstrap",
    "bootstrap_point",
    "deflated_sharpe",
    "discoveries",
    "effective_trials",
    "expected_maximum",
    "family_test",
    "min_backtest_years",
    "min_track_record",
    "moments",
    "probabilistic_sharpe",
    "probability_of_overfitting",
]

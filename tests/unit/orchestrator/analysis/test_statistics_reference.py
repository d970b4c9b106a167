"""The statistics give the numbers of the papers, and those of arch, purgedcv and scipy."""

import math

import numpy as np
import pytest

from orchestrator.analysis.statistics import (
    deflated_sharpe,
    discoveries,
    effective_trials,
    expected_maximum,
    family_test,
    min_backtest_years,
    min_track_record,
    moments,
    probabilistic_sharpe,
    probability_of_overfitting,
)
from orchestrator.analysis.statistics.cscv import Measure
from orchestrator.analysis.statistics.discovery import p_values
from orchestrator.analysis.statistics.family import Statistic
from orchestrator.analysis.statistics.trials import spectrum_sizes


def noise(seed: int, shape: tuple[int, int] = (1024, 100)) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape) * 0.01


def test_psr_of_the_paper_of_2012() -> None:
    assert probabilistic_sharpe(1.585 / math.sqrt(12), 24, -2.448, 10.164) == pytest.approx(
        0.91323430688486018, abs=1e-12
    )


@pytest.mark.parametrize(
    ("annual", "benchmark", "skew", "kurtosis", "per_year", "years"),
    [
        (2, 1, 0, 3, 250, 2.7311878017281761),
        (2, 1, 0, 3, 52, 2.8288335869452368),
        (3, 2.5, -0.72, 5.78, 12, 27.352920196040301),
    ],
)
def test_minimum_track_record_of_the_paper(
    annual: float, benchmark: float, skew: float, kurtosis: float, per_year: float, years: float
) -> None:
    year = math.sqrt(per_year)
    found = min_track_record(annual / year, skew, kurtosis, benchmark / year)
    assert found / per_year == pytest.approx(years, rel=1e-9)


def test_a_ratio_not_above_the_benchmark_never_has_a_long_enough_record() -> None:
    assert min_track_record(0.1, 0, 3, benchmark=0.1) == math.inf
    assert min_backtest_years(100, 0.0) == math.inf


@pytest.mark.parametrize(("trials", "value"), [(10, 1.57460), (100, 2.5306028932016846), (1e5, 4.39083)])
def test_expected_maximum(trials: float, value: float) -> None:
    assert expected_maximum(trials) == pytest.approx(value, abs=5e-6)


def test_expected_maximum_of_one_trial_is_zero() -> None:
    assert [expected_maximum(trials) for trials in (0, 0.5, 1, 1.01)] == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("days", "trials", "annual"),
    [
        (90, 100, 5.10), (90, 1e4, 7.77), (90, 1e5, 8.84),
        (365, 100, 2.53), (365, 1e4, 3.86), (365, 1e5, 4.39),
        (1095, 100, 1.46), (1095, 1e4, 2.23), (1095, 1e5, 2.54),
    ],
)  # fmt: skip
def test_the_bar_that_luck_sets(days: int, trials: float, annual: float) -> None:
    assert expected_maximum(trials) * math.sqrt(365 / days) == pytest.approx(annual, abs=0.006)


def test_deflated_sharpe_of_the_paper_of_2014() -> None:
    daily, variance = 2.5 / math.sqrt(250), 0.5 / 250
    assert math.sqrt(variance) * expected_maximum(100) == pytest.approx(0.113172, abs=1e-6)

    def dsr(trials: float, skew: float = -3, kurtosis: float = 10) -> float:
        return deflated_sharpe(daily, 1250, skew, kurtosis, trials=trials, variance=variance)

    assert dsr(100) == pytest.approx(0.90039683444939034, abs=1e-12)
    assert dsr(46) == pytest.approx(0.950502, abs=1e-6)
    assert dsr(88, 0, 3) == pytest.approx(0.950491, abs=1e-6)


def test_minimum_backtest_length() -> None:
    assert min_backtest_years(45, 1) == pytest.approx(4.9980870044434038, rel=1e-12)


@pytest.mark.parametrize(
    ("matrix", "rank"),
    [([[1, 0.5], [0.5, 1]], 1.7548), ([[1, 0.1, 0.7], [0.1, 1, 0.8], [0.7, 0.8, 1]], 1.8402)],
)
def test_effective_rank_of_a_correlation_matrix(matrix: list[list[float]], rank: float) -> None:
    assert spectrum_sizes(np.linalg.eigvalsh(np.array(matrix)))[0] == pytest.approx(rank, abs=5e-5)


@pytest.mark.parametrize("shape", [(300, 20), (50, 400)])
def test_effective_trials_are_those_of_the_whole_correlation_matrix(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    returns = rng.normal(size=(shape[0], 4)) @ rng.normal(size=(4, shape[1])) + 0.3 * rng.normal(size=shape)
    rank, participation = spectrum_sizes(np.linalg.eigvalsh(np.corrcoef(returns.T)))
    found = effective_trials(returns, moments(returns))
    assert (found.raw, found.rank, found.participation) == (shape[1], pytest.approx(rank), pytest.approx(participation))


@pytest.mark.parametrize(
    ("seed", "pbo", "logit", "with_edge"),
    [
        (0, 0.442857142857, 0.256023557660, 0.328571),
        (1, 0.5, -0.202029577875, 0.4),
        (2, 0.857142857143, -1.050728081730, 0.114286),
    ],
)
def test_pbo_by_cscv(seed: int, pbo: float, logit: float, with_edge: float) -> None:
    returns = noise(seed)
    found = probability_of_overfitting(returns, 8)
    assert found.value == pytest.approx(pbo, abs=1e-11)
    assert found.mean_logit == pytest.approx(logit, abs=1e-11)
    returns[:, 7] += 0.001
    assert probability_of_overfitting(returns, 8).value == pytest.approx(with_edge, abs=5e-7)


def test_pbo_is_that_of_purgedcv() -> None:
    import purgedcv

    returns = noise(5, (400, 30))
    theirs = purgedcv.probability_of_backtest_overfitting(returns.T, n_splits=10)
    assert probability_of_overfitting(returns, 10).value == pytest.approx(theirs.pbo, abs=1e-12)


@pytest.mark.parametrize("measure", list(Measure))
def test_cscv_from_sums_is_cscv_from_slices(measure: Measure) -> None:
    from itertools import combinations

    returns = noise(9, (96, 12))
    parts = returns.reshape(8, 12, 12)

    def value(rows: np.ndarray) -> np.ndarray:
        if measure is Measure.GROWTH:
            return np.log1p(rows).mean(0)
        if measure is Measure.SORTINO:
            return rows.mean(0) / np.sqrt((np.minimum(rows, 0) ** 2).mean(0))
        return rows.mean(0) / rows.std(0, ddof=1)

    below = []
    for half in combinations(range(8), 4):
        inside = value(np.concatenate([parts[place] for place in half]))
        outside = value(np.concatenate([parts[place] for place in range(8) if place not in half]))
        rank = (outside <= outside[inside.argmax()]).sum()
        below.append(rank / 13 <= 0.5)
    found = probability_of_overfitting(returns, 8, measure)
    assert found.value == pytest.approx(np.mean(below))
    assert len(found.inside) == 70


@pytest.mark.parametrize(
    ("edge", "p_values", "survivors"), [(0.0015, (0.001, 0.002, 0.002), [3]), (0.0, (0.469, 0.558, 0.558), [])]
)
def test_spa_and_stepm_are_those_of_arch(edge: float, p_values: tuple[float, ...], survivors: list[int]) -> None:
    from arch.bootstrap import SPA, StationaryBootstrap, StepM

    returns = noise(12345, (500, 50))
    returns[:, 3] += edge
    spa = SPA(np.zeros(500), -returns, reps=1000, block_size=10, seed=1)
    spa.compute()
    stepm = StepM(np.zeros(500), -returns, reps=1000, block_size=10, seed=1)
    stepm.compute()
    drawn = StationaryBootstrap(10, np.arange(500), seed=1).bootstrap(1000)
    counts = np.array([np.bincount(position[0], minlength=500) for position, _ in drawn])
    found = family_test(returns, statistic=Statistic.MEAN, counts=counts)
    assert (found.lower, found.consistent, found.upper) == pytest.approx(tuple(spa.pvalues), abs=1e-12)
    assert (found.lower, found.consistent, found.upper) == pytest.approx(p_values, abs=1e-12)
    assert found.survivors.tolist() == list(stepm.superior_models) == survivors
    # draws of our own and the ratio in place of the mean: the same answer within the error of 1,000 draws
    ours = family_test(returns, block_length=10)
    assert ours.survivors.tolist() == survivors
    assert ours.consistent == pytest.approx(p_values[1], abs=0.06)


def test_stepm_over_several_blocks_of_columns_is_that_of_arch(monkeypatch: pytest.MonkeyPatch) -> None:
    from arch.bootstrap import StationaryBootstrap, StepM

    from orchestrator.analysis.statistics import family

    monkeypatch.setattr(family, "BLOCK", 7)
    returns = noise(4, (200, 60))
    returns[:, ::9] += 0.0035
    stepm = StepM(np.zeros(200), -returns, reps=500, block_size=5, seed=2)
    stepm.compute()
    drawn = StationaryBootstrap(5, np.arange(200), seed=2).bootstrap(500)
    counts = np.array([np.bincount(position[0], minlength=200) for position, _ in drawn])
    found = family_test(returns, statistic=Statistic.MEAN, counts=counts)
    assert len(found.survivors) > 3
    assert found.survivors.tolist() == list(stepm.superior_models)


def test_false_discovery_rates_of_the_worked_example() -> None:
    small = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459]
    p = np.array([*small, 0.324, 0.4262, 0.5719, 0.6528, 0.759, 1])
    found = discoveries(p)
    assert (found.benjamini_hochberg, found.bonferroni, found.benjamini_yekutieli) == (4, 3, 3)


def test_false_discovery_rates_are_those_of_scipy() -> None:
    from scipy.stats import false_discovery_control

    rng = np.random.default_rng(8)
    for share in (0.0, 0.1, 0.6):
        p = np.where(rng.random(300) < share, rng.random(300) ** 8, rng.random(300))
        found = discoveries(p, 0.1)
        assert found.benjamini_hochberg == (false_discovery_control(p, method="bh") <= 0.1).sum()
        assert found.benjamini_yekutieli == (false_discovery_control(p, method="by") <= 0.1).sum()


def test_moments_are_those_of_scipy() -> None:
    from scipy import stats

    returns = np.random.default_rng(1).standard_t(4, size=(200, 3000)) * 0.01
    found = moments(returns)
    np.testing.assert_allclose(found.mean, returns.mean(0), rtol=1e-12, atol=1e-18)
    np.testing.assert_allclose(found.deviation, returns.std(0, ddof=1), rtol=1e-12)
    np.testing.assert_allclose(found.skew, stats.skew(returns), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.kurtosis, stats.kurtosis(returns, fisher=False), rtol=1e-9)


def test_the_p_value_of_a_point_is_one_less_its_psr() -> None:
    found = moments(noise(2, (120, 4)))
    expected = [
        1 - probabilistic_sharpe(found.sharpe[point], 120, found.skew[point], found.kurtosis[point])
        for point in range(4)
    ]
    np.testing.assert_allclose(p_values(found), expected, atol=1e-12)

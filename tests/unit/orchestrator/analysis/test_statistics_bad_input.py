"""What the statistics say to returns that carry nothing."""

import math

import numpy as np
import pytest

from orchestrator.analysis.statistics import (
    bootstrap_point,
    discoveries,
    effective_trials,
    family_test,
    moments,
    probabilistic_sharpe,
    probability_of_overfitting,
)
from orchestrator.analysis.statistics.cscv import Measure


def noise(periods: int = 120, points: int = 10, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(periods, points)) * 0.01


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_refused_with_the_reason(bad: float) -> None:
    returns = noise()
    returns[3, 4] = bad
    for analyse in (moments, probability_of_overfitting, family_test):
        with pytest.raises(ValueError, match="leave out points that lost their account"):
            analyse(returns)
    with pytest.raises(ValueError, match="finite"):
        bootstrap_point(returns[:, 4])


@pytest.mark.parametrize("shape", [(5,), (5, 0)])
def test_what_is_no_matrix_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="shape"):
        moments(np.zeros(shape))


def test_one_return_is_no_sharpe_ratio() -> None:
    with pytest.raises(ValueError, match="at least 2 returns"):
        moments(np.zeros((1, 3)))
    with pytest.raises(ValueError, match="at least 2 returns"):
        probabilistic_sharpe(1.0, 1, 0, 3)


def test_one_point_was_not_chosen_among_others() -> None:
    with pytest.raises(ValueError, match="nothing was chosen"):
        probability_of_overfitting(noise(points=1))
    assert 0 <= family_test(noise(points=1)).consistent <= 1


def test_equal_points_leave_nothing_to_choose() -> None:
    returns = np.repeat(noise(points=1), 20, axis=1)
    with pytest.raises(ValueError, match="the same returns"):
        probability_of_overfitting(returns)
    found = effective_trials(returns, moments(returns))
    assert (found.raw, found.rank, found.participation) == (20, pytest.approx(1), pytest.approx(1))


def test_fewer_returns_than_blocks_hold_are_refused() -> None:
    with pytest.raises(ValueError, match="too few for 8 blocks"):
        probability_of_overfitting(noise(periods=15))
    with pytest.raises(ValueError, match="even number"):
        probability_of_overfitting(noise(), 7)


def test_points_without_a_trade_have_a_ratio_of_zero_and_take_no_part() -> None:
    returns = noise()
    returns[:, ::2] = 0.0
    found = moments(returns)
    assert found.sharpe[::2].tolist() == [0.0] * 5
    assert found.kurtosis[0] == 3.0
    assert effective_trials(returns, found).raw == 5
    alone = family_test(returns[:, 1::2])
    assert family_test(returns).by_luck.tolist() == pytest.approx(alone.by_luck.tolist())


def test_nothing_but_points_without_a_trade_cannot_be_tested() -> None:
    returns = np.zeros((100, 4))
    with pytest.raises(ValueError, match="nothing was traded"):
        family_test(returns)
    found = effective_trials(returns, moments(returns))
    assert (found.raw, found.rank, found.participation) == (0, 0.0, 0.0)


def test_a_constant_return_is_not_an_infinite_ratio() -> None:
    found = moments(np.full((50, 2), 0.1, dtype=np.float32))
    assert found.sharpe.tolist() == [0.0, 0.0]
    assert not found.varies.any()


def test_points_that_trade_in_one_block_only_do_not_break_the_ranks() -> None:
    returns = np.zeros((100, 6))
    returns[:12] = noise(12, 6)
    for measure in Measure:
        found = probability_of_overfitting(returns, 8, measure)
        assert math.isfinite(found.value)
        assert math.isfinite(found.slope)
        assert np.isfinite(found.inside).all()


def test_a_point_without_a_loss_has_a_sortino_ratio_that_is_finite() -> None:
    returns = np.abs(noise())
    assert np.isfinite(probability_of_overfitting(returns, 8, Measure.SORTINO).inside).all()


def test_single_precision_gives_what_double_precision_gives() -> None:
    returns = noise(180, 500)
    small = returns.astype(np.float32)
    assert family_test(small).consistent == pytest.approx(family_test(returns).consistent, abs=0.002)
    assert probability_of_overfitting(small).value == pytest.approx(probability_of_overfitting(returns).value, abs=0.01)


def test_no_p_values_are_no_findings() -> None:
    assert discoveries(np.zeros(0)).benjamini_hochberg == 0


def test_the_same_seed_gives_the_same_answer() -> None:
    one, other = family_test(noise(), seed=4), family_test(noise(), seed=4)
    assert one.by_luck.tolist() == other.by_luck.tolist()


def test_the_p_value_of_any_value_is_never_zero() -> None:
    found = family_test(noise(), draws=99)
    assert found.p_of(10.0) == 1 / 100
    assert found.p_of(-10.0) == 1.0

"""Test windows joined into one curve, and its figures."""

from __future__ import annotations

import math

import numpy as np
import pytest

from orchestrator.validation.folds import Window
from orchestrator.validation.joined import Piece, efficiency, figures, join, piece_of, sharpe, shown_from

DAY = 86400


def piece(day: int, *returns: float) -> Piece:
    ends = (day + 1 + np.arange(len(returns))) * float(DAY)
    return Piece(Window(day * DAY, (day + len(returns)) * DAY - 60), DAY, np.array(returns), ends)


def test_the_curve_goes_on_where_the_window_before_ended() -> None:
    curve = join([piece(5, 0.5), piece(0, 0.1, -0.5)])
    assert curve.growth.tolist() == pytest.approx([1.0, 1.1, 0.55, 0.55, 0.825])
    assert curve.time[3] == 5 * DAY
    assert curve.returns.tolist() == [0.1, -0.5, 0.5]


def test_overlapping_windows_are_refused() -> None:
    with pytest.raises(ValueError, match="overlap"):
        join([piece(0, 0.1, 0.1), piece(1, 0.1)])


def test_a_window_on_which_the_point_failed_is_flat() -> None:
    curve = join([piece(0, 0.1), Piece(Window(DAY, 2 * DAY - 60), DAY, np.array([]), np.array([])), piece(2, 0.1)])
    assert curve.growth[-1] == pytest.approx(1.21)
    assert figures(curve)["winning_windows"] == pytest.approx(2 / 3)


def test_figures() -> None:
    found = figures(join([piece(0, 0.1, -0.5), piece(2, 0.5, 0.0)]))
    assert found["return"] == pytest.approx(1.1 * 0.5 * 1.5 - 1)
    assert found["max_drawdown"] == pytest.approx(-0.5)
    assert found["windows"] == 2
    assert found["winning_windows"] == 0.5
    assert found["sharpe"] is None  # four returns carry none


def test_the_sharpe_ratio_and_its_interval_follow_the_formula() -> None:
    returns = np.random.default_rng(1).normal(0.001, 0.01, 400)
    found = sharpe(returns, DAY)
    ratio = returns.mean() / returns.std(ddof=1)
    assert found["sharpe"] == pytest.approx(ratio * math.sqrt(365))
    assert found["sharpe_low"] is not None
    assert found["sharpe_high"] is not None
    error = (found["sharpe_high"] - found["sharpe_low"]) / 2 / math.sqrt(365)
    assert error == pytest.approx(1.96 / math.sqrt(399), rel=0.02)  # nearly normal returns, a small ratio


def test_constant_returns_have_no_sharpe_ratio() -> None:
    assert sharpe(np.full(100, 0.01), DAY)["sharpe"] is None


def test_nineteen_of_twenty_random_curves_have_zero_in_their_interval() -> None:
    inside = 0
    for seed in range(200):
        found = sharpe(np.random.default_rng(seed).standard_t(4, 250) * 0.01, DAY)
        assert found["sharpe_low"] is not None
        assert found["sharpe_high"] is not None
        inside += found["sharpe_low"] <= 0 <= found["sharpe_high"]
    assert inside >= 185


def test_efficiency_compares_rates_not_totals() -> None:
    inside = [piece(0, *[0.01] * 10)]
    outside = [piece(10, *[0.005] * 5)]
    expected = ((1.005**5 - 1) / 5) / ((1.01**10 - 1) / 10)
    assert efficiency(inside, outside) == pytest.approx(expected, rel=1e-3)


def test_there_is_no_efficiency_where_training_lost() -> None:
    assert efficiency([piece(0, -0.1)], [piece(1, 0.1)]) is None


def test_a_lost_account_stays_lost() -> None:
    returns = np.array([0.1, -1.5, np.nan, np.nan], dtype=np.float32)
    found = piece_of(Window(0, 4 * DAY - 60), DAY, returns, np.arange(1.0, 5.0) * DAY)
    assert found.total == -1.0
    assert join([found, piece(4, 0.5)]).growth[-1] == 0.0


@pytest.mark.parametrize("days", [40, 120])
def test_an_edge_of_the_strength_that_is_said_to_show_is_shown_in_four_of_five_tests(days: int) -> None:
    hours, rng = days * 24, np.random.default_rng(days)
    needed = shown_from(days / 365)
    drawn = rng.normal(needed / np.sqrt(365 * 24) * 0.01, 0.01, size=(1500, hours))
    lows = [sharpe(each, 3600)["sharpe_low"] for each in drawn]
    assert 0.77 < np.mean([low is not None and low > 0 for low in lows]) < 0.83


def test_the_ratio_that_tests_of_a_year_show() -> None:
    assert shown_from(1.0) == pytest.approx(2.8016, abs=1e-4)
    assert shown_from(40 / 365) == pytest.approx(8.463, abs=1e-3)

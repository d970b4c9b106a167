"""Test windows joined into one curve, and its figures."""

from __future__ import annotations

import math

import numpy as np
import pytest

from orchestrator.validation.folds import Window
from orchestrator.validation.joined import (
    Piece,
    common_interval_s,
    efficiency,
    figures,
    in_longer_intervals,
    join,
    piece_of,
    sharpe,
    shown_from,
)
from tasks.engine.returns import period_returns
from tasks.protocol.returns import INTERVALS_S, period_ends

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


@pytest.mark.parametrize("start_s", [0, 7 * 3600, 11 * 3600 + 60, 23 * 3600 + 1740])
@pytest.mark.parametrize(("short_s", "long_s"), [(60, 3600), (3600, 86400), (14400, 43200), (21600, 43200)])
def test_returns_in_longer_intervals_are_those_that_the_curve_has_there(
    start_s: int, short_s: int, long_s: int
) -> None:
    start, rows = 1_704_067_200 + start_s, 3 * 1440 + 371
    times = start + 60.0 * np.arange(rows)
    account = 1000 * np.exp(np.cumsum(np.random.default_rng(start_s).normal(0, 0.001, rows)))
    window = Window(start, int(times[-1]))
    ends = {each: period_ends(window.start, window.end, 60, each).astype(float) for each in (short_s, long_s)}
    expected, short = (
        period_returns(times, account, 1000.0, ends[each].astype(np.int64)).astype(float) for each in (long_s, short_s)
    )
    found = in_longer_intervals(piece_of(window, short_s, short, ends[short_s]), long_s, ends[long_s])
    assert found.returns == pytest.approx(expected, abs=1e-5)
    assert found.total == pytest.approx(account[-1] / 1000 - 1, abs=1e-6)
    assert found.ends.tolist() == ends[long_s].tolist()


def test_a_lost_account_is_lost_in_longer_intervals_too() -> None:
    window, hours = Window(0, 86400 - 60), 3600.0 * np.arange(1, 25)
    lost = piece_of(window, 3600, np.array([0.1, -1.2, *[np.nan] * 22]), hours)
    found = in_longer_intervals(lost, 43200, np.array([43200.0, 86400.0]))
    assert found.returns.tolist() == [-1.0, 0.0]


def test_windows_whose_intervals_do_not_fit_into_each_other_have_a_longer_one_in_common() -> None:
    day = 86400
    six, four, day_long = Window(0, 30 * day - 60), Window(0, 20 * day - 60), Window(0, 120 * day - 60)
    assert common_interval_s((six, four), 60) == 12 * 3600
    assert common_interval_s((six, Window(0, 5 * day - 60)), 60) == 6 * 3600
    assert common_interval_s((day_long, six, four), 60) == day


def test_every_interval_of_a_shorter_window_fits_into_the_common_one() -> None:
    for short in INTERVALS_S:
        for long in INTERVALS_S:
            assert math.lcm(short, long) in INTERVALS_S

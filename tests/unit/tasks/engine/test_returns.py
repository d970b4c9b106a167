"""The returns of a back-test follow its equity curve exactly."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tasks.engine.returns import period_returns
from tasks.metrics import BackTest
from tasks.protocol.returns import period_ends

DAY = 86400
START = 1_704_067_200


def account_of(minutes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return START + 60.0 * np.arange(minutes), 1000 + np.cumsum(rng.normal(0, 0.5, minutes))


@pytest.mark.parametrize("interval_s", [DAY, 3600, 900])
def test_the_product_of_the_returns_is_the_end_value(interval_s: int) -> None:
    times, account = account_of(5 * 1440)
    returns = period_returns(times, account, 1000.0, period_ends(START, int(times[-1]), 60, interval_s))
    product = np.prod(1 + returns.astype(np.float64))
    assert product == pytest.approx(account[-1] / 1000, rel=1e-9)


@pytest.mark.parametrize("offset", [0, 600, 780, 1400])
@pytest.mark.parametrize("minutes", [2881, 4320, 4321, 5000, 5700])
def test_daily_returns_are_those_of_the_metrics(offset: int, minutes: int) -> None:
    times, account = account_of(minutes)
    times = times + 60 * offset
    returns = period_returns(times, account, 1000.0, period_ends(int(times[0]), int(times[-1]), 60, DAY))
    flat = np.zeros(minutes)
    test = BackTest(times, account - 1000.0, flat, flat, 60, 1000.0, [], interval_s=DAY)
    np.testing.assert_allclose(returns, test.returns, atol=1e-7)


def test_a_period_without_candles_returns_zero() -> None:
    times, account = account_of(4 * 1440)
    kept = (times < START + DAY) | (times >= START + 3 * DAY)
    returns = period_returns(times[kept], account[kept], 1000.0, period_ends(START, START + 4 * DAY - 60, 60, DAY))
    assert returns[1:3].tolist() == [0.0, 0.0]
    assert np.prod(1 + returns.astype(np.float64)) == pytest.approx(account[-1] / 1000, rel=1e-9)


def test_candles_that_begin_late_leave_the_periods_before_them_at_zero() -> None:
    times, account = account_of(1440)
    returns = period_returns(times + DAY, account, 1000.0, period_ends(START, START + 2 * DAY - 60, 60, DAY))
    assert returns[0] == 0
    assert returns[1] == pytest.approx(account[-1] / 1000 - 1, rel=1e-6)


def test_a_lost_account_returns_minus_one_or_less_and_then_nothing() -> None:
    times, account = account_of(4 * 1440)
    account[2 * 1440 - 1 :] = -50.0
    returns = period_returns(times, account, 1000.0, period_ends(START, int(times[-1]), 60, DAY))
    assert returns[1] < -1
    assert math.isnan(returns[2])
    assert math.isnan(returns[3])


def test_an_account_that_never_moves_returns_zero_everywhere() -> None:
    times, account = account_of(1440)
    returns = period_returns(times, np.full_like(account, 1000.0), 1000.0, period_ends(START, int(times[-1]), 60, 900))
    assert len(returns) == 96
    assert not returns.any()

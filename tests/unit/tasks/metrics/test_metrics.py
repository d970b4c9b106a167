"""Metrics against cases computed by hand, and against empyrical and scipy within 1e-9."""

import math
from decimal import Decimal
from enum import Enum
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from scipy import stats

from tasks.metrics import CATALOGUE, METRICS, BackTest, metrics, too_short
from tasks.metrics.formulas import max_drawdown, win_rate_warning

Floats = npt.NDArray[np.float64]
JANUARY = 1704067200  # 2024-01-01 00:00 UTC
HOUR = 3600
DAY = 86400
#: Extrapolated to a year.
ANNUAL = ("sharpe", "sortino", "cagr", "calmar")


class CloseType(Enum):
    TAKE_PROFIT = 3
    POSITION_HOLD = 10


def executor(pnl: float, filled: float = 100.0, close_type: CloseType = CloseType.TAKE_PROFIT) -> Any:
    return SimpleNamespace(
        net_pnl_quote=Decimal(str(pnl)), filled_amount_quote=Decimal(str(filled)), close_type=close_type
    )


def hours(n: int, start: int = JANUARY) -> Floats:
    return start + HOUR * np.arange(n, dtype=np.float64)


@pytest.fixture
def any_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """Annualised figures of periods that a hand can compute."""
    monkeypatch.setattr("tasks.metrics.inputs.MIN_RETURNS", 0)
    monkeypatch.setattr("tasks.metrics.inputs.MIN_DAYS", 0)


def of(equity: Floats, timestamps: Floats | None = None, **changes: Any) -> dict[str, float | None]:
    arguments: dict[str, Any] = {
        "timestamps": hours(len(equity)) if timestamps is None else timestamps,
        "equity": equity,
        "position_value": np.zeros(len(equity)),
        "turnover": np.zeros(len(equity)),
        "resolution_s": HOUR,
        "total_amount_quote": 1000.0,
        "trades": [],
        "interval_s": DAY,
    }
    return metrics(BackTest(**(arguments | changes)))


def daily_returns(timestamps: Floats, account: Floats, start_value: float, resolution_s: float) -> Floats:
    flat = np.zeros(len(account))
    return BackTest(
        timestamps, account - start_value, flat, flat, resolution_s, start_value, [], interval_s=DAY
    ).returns


def days_ending_at(*values: float) -> Floats:
    """24 hourly rows a day: flat, and the day's value on its last row."""
    equity = np.repeat(np.append(0.0, values[:-1]), 24)
    equity[23::24] = values
    return equity


# By hand ----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("any_length")
def test_three_days_by_hand() -> None:
    """1000 -> 1100 (+10%) -> 990 (-10%) -> 1089 (+10%)."""
    row = of(days_ending_at(100.0, -10.0, 89.0))
    deviation = math.sqrt((2 * (0.1 - 0.1 / 3) ** 2 + (-0.1 - 0.1 / 3) ** 2) / 2)
    assert row["sharpe"] == pytest.approx(0.1 / 3 / deviation * math.sqrt(365), rel=1e-12)
    assert row["sortino"] == pytest.approx(0.1 / 3 / math.sqrt(0.01 / 3) * math.sqrt(365), rel=1e-12)
    assert row["cagr"] == pytest.approx(1.089 ** (365 / 3) - 1, rel=1e-12)
    assert row["max_drawdown"] == pytest.approx(-0.1)
    assert row["calmar"] == pytest.approx((1.089 ** (365 / 3) - 1) / 0.1)
    assert row["skew"] == pytest.approx(-1 / math.sqrt(2))  # of (1, 1, -2) up to scale: -2 / 2 ** 1.5
    assert row["kurtosis"] == pytest.approx(18 / 3 / 2**2 - 3)


def test_drawdown_and_its_length_by_hand() -> None:
    """Peak 1200 at the close of row 1, bottom 900 at row 3, back above 1200 at the close of row 6."""
    equity = np.array([100.0, 200.0, 50.0, -100.0, 150.0, 199.0, 201.0, 150.0])
    row = of(equity)
    assert row["max_drawdown"] == pytest.approx(900 / 1200 - 1)
    assert row["max_drawdown_days"] == pytest.approx(5 / 24)


def test_a_drawdown_that_never_ends_lasts_to_the_last_close() -> None:
    fraction, days = max_drawdown(hours(4), np.array([1100.0, 990.0, 1000.0, 1050.0]), 1000.0, HOUR)
    assert (fraction, days) == (pytest.approx(-0.1), pytest.approx(3 / 24))


def test_a_loss_from_the_start_is_a_drawdown_from_the_start() -> None:
    fraction, days = max_drawdown(hours(4), np.array([950.0, 900.0, 999.0, 1000.0]), 1000.0, HOUR)
    assert (fraction, days) == (pytest.approx(-0.1), pytest.approx(4 / 24))


def test_the_last_of_two_equal_peaks_begins_the_drawdown() -> None:
    _, days = max_drawdown(hours(4), np.array([1100.0, 1100.0, 1000.0, 1100.0]), 1000.0, HOUR)
    assert days == pytest.approx(2 / 24)


def test_exposure_turnover_and_trades_by_hand() -> None:
    n = 48
    position = np.zeros(n)
    position[3:9], position[20:26] = 500.0, -500.0
    traded = np.zeros(n)
    traded[[3, 9, 20, 26]] = 500.0
    trades = [executor(30.0), executor(-10.0), executor(-5.0)]
    equity = np.full(n, 15.0)
    row = of(equity, position_value=position, turnover=traded, trades=trades)
    assert row["exposure"] == 12 / 48
    assert row["turnover"] == 2.0
    assert row["trades_per_day"] == 1.5
    assert row["expectancy"] == 5.0
    assert row["profit_factor_true"] == 2.0


def test_the_held_position_counts_as_one_trade() -> None:
    """Closed executors made +30 - 10, the account is at +5: what is held lost 15."""
    trades = [executor(30.0), executor(-10.0), *[executor(0.0, close_type=CloseType.POSITION_HOLD)] * 3]
    row = of(np.full(30, 5.0), trades=trades)
    assert row["profit_factor_true"] == pytest.approx(30 / 25)
    assert row["expectancy"] == 1.0


# Days -------------------------------------------------------------------------------------------------------------


def test_a_day_ends_with_the_candle_that_closes_at_midnight() -> None:
    account = 1000.0 + np.arange(48)
    np.testing.assert_allclose(daily_returns(hours(48), account, 1000.0, HOUR), [0.023, 1047 / 1023 - 1])


def test_the_candle_that_an_inclusive_end_adds_is_no_day_of_its_own() -> None:
    account = 1000.0 + np.arange(49)
    np.testing.assert_allclose(daily_returns(hours(49), account, 1000.0, HOUR), [0.023, 1048 / 1023 - 1])


def test_a_short_first_day_is_counted_with_the_second() -> None:
    account = 1000.0 + np.arange(11 + 48)
    stamps = hours(11 + 48, JANUARY + 13 * HOUR)
    np.testing.assert_allclose(daily_returns(stamps, account, 1000.0, HOUR), [0.034, 1058 / 1034 - 1])


def test_half_a_day_is_a_day() -> None:
    account = 1000.0 + np.arange(12 + 24 + 12)
    returns = daily_returns(hours(48, JANUARY + 12 * HOUR), account, 1000.0, HOUR)
    np.testing.assert_allclose(returns, [0.011, 1035 / 1011 - 1, 1047 / 1035 - 1])


def test_a_day_without_candles_returns_nothing() -> None:
    stamps = np.concatenate([hours(24), hours(24, JANUARY + 3 * 86400)])
    account = np.append(np.full(24, 1100.0), np.full(24, 1210.0))
    np.testing.assert_allclose(daily_returns(stamps, account, 1000.0, HOUR), [0.1, 0, 0, 0.1])


# What is not defined ----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("any_length")
def test_without_trades_nothing_is_claimed() -> None:
    row = of(np.zeros(72))
    assert [name for name in METRICS if row[name] is None] == [
        "sharpe", "sortino", "calmar", "expectancy", "profit_factor_true", "skew", "kurtosis",
    ]  # fmt: skip
    assert row["cagr"] == row["max_drawdown"] == row["max_drawdown_days"] == row["exposure"] == row["turnover"] == 0


@pytest.mark.usefixtures("any_length")
def test_one_day_has_no_deviation() -> None:
    row = of(np.linspace(0, 50, 24))
    assert row["sharpe"] is None and row["sortino"] is None
    assert row["cagr"] == pytest.approx(1.05**365 - 1)


def test_less_than_a_week_is_not_annualised_and_the_reason_is_said() -> None:
    row = of(np.linspace(0, -50, 6 * 24), interval_s=HOUR)
    assert [name for name in METRICS if row[name] is None and name in ANNUAL] == list(ANNUAL)
    assert row["max_drawdown"] == pytest.approx(-0.05)
    assert too_short(JANUARY, JANUARY + 6 * DAY, HOUR).endswith("the period has 6 days, it takes 7 days")


def test_fewer_than_thirty_returns_are_not_annualised_and_the_reason_is_said() -> None:
    equity = wander(1, 29)
    row = of(equity, timestamps=JANUARY + DAY * np.arange(29.0), resolution_s=DAY)
    assert all(row[name] is None for name in ANNUAL)
    assert row["skew"] is not None
    assert too_short(JANUARY, JANUARY + 28 * DAY, DAY).endswith("the period has 29 returns of 1d, it takes 30 returns")


def test_thirty_returns_over_a_week_are_annualised() -> None:
    equity = wander(1, 30)
    row = of(equity, timestamps=JANUARY + DAY * np.arange(30.0), resolution_s=DAY)
    assert all(row[name] is not None for name in ANNUAL)
    assert too_short(JANUARY, JANUARY + 30 * DAY, DAY) == ""


def test_a_figure_is_annualised_by_the_interval_of_its_returns() -> None:
    """Ten days of hourly candles have two-hourly returns: 365 x 12 of them a year."""
    equity = wander(5, 24 * 10)
    test = BackTest(hours(240), equity, equity, equity, HOUR, 1000.0, [])
    assert (test.returns_interval_s, len(test.returns)) == (2 * HOUR, 120)
    expected = test.returns.mean() / test.returns.std(ddof=1) * math.sqrt(365 * 12)
    assert metrics(test)["sharpe"] == pytest.approx(expected, rel=1e-12)


def test_every_entry_of_the_catalogue_says_what_it_is() -> None:
    assert len({metric.name for metric in CATALOGUE}) == len(CATALOGUE)
    for metric in CATALOGUE:
        assert metric.sentence.endswith("."), metric.name
        assert metric.unit in {"fraction", "quote", "ratio", "days", "per day", "count", ""}, metric.name
        assert metric.better in (-1, 0, 1), metric.name


@pytest.mark.usefixtures("any_length")
def test_without_a_losing_day_there_is_no_sortino() -> None:
    row = of(days_ending_at(10.0, 30.0, 60.0))
    assert row["sortino"] is None
    assert row["sharpe"] is not None


@pytest.mark.usefixtures("any_length")
def test_an_account_that_went_below_zero_has_no_returns() -> None:
    row = of(days_ending_at(-1500.0, -1200.0, -1100.0))
    assert row["sharpe"] is None and row["skew"] is None
    assert row["cagr"] == -1.0
    assert row["max_drawdown"] == pytest.approx(-1.5)


@pytest.mark.usefixtures("any_length")
def test_growth_beyond_a_float_is_not_infinity() -> None:
    assert of(np.linspace(0, 8000, 24))["cagr"] is None


def test_no_candles_and_no_capital_are_errors() -> None:
    with pytest.raises(ValueError, match="at least one candle"):
        of(np.zeros(0))
    with pytest.raises(ValueError, match="total_amount_quote"):
        of(np.zeros(5), total_amount_quote=0.0)


# Against well-kept libraries --------------------------------------------------------------------------------------


def wander(seed: int, n: int) -> Floats:
    """An equity curve of hourly marks that wins and loses."""
    steps: Floats = np.random.default_rng(seed).normal(0.05, 6.0, n)
    return np.cumsum(steps)


@pytest.mark.usefixtures("any_length")
@pytest.mark.parametrize("seed", range(8))
def test_equal_to_empyrical_and_scipy(seed: int) -> None:
    empyrical = pytest.importorskip("empyrical", reason="empyrical-reloaded, of the dev dependencies, is not installed")
    equity = wander(seed, 24 * (20 + 15 * seed))
    row = of(equity)
    account = pd.Series(1000.0 + equity, index=pd.to_datetime(hours(len(equity)), unit="s", utc=True))
    daily = account.resample("D").last()
    returns = daily.div(daily.shift(1, fill_value=1000.0)) - 1
    candles = account.div(account.shift(1, fill_value=1000.0)) - 1

    assert row["sharpe"] == pytest.approx(empyrical.sharpe_ratio(returns, annualization=365), rel=1e-9)
    assert row["sortino"] == pytest.approx(empyrical.sortino_ratio(returns, annualization=365), rel=1e-9)
    assert row["cagr"] == pytest.approx(empyrical.annual_return(returns, annualization=365), rel=1e-9)
    assert row["max_drawdown"] == pytest.approx(empyrical.max_drawdown(candles), rel=1e-9)
    assert row["calmar"] == pytest.approx(
        empyrical.annual_return(returns, annualization=365) / -empyrical.max_drawdown(candles), rel=1e-9
    )
    assert row["skew"] == pytest.approx(stats.skew(returns), rel=1e-9, abs=1e-12)
    assert row["kurtosis"] == pytest.approx(stats.kurtosis(returns), rel=1e-9, abs=1e-12)


# The row ----------------------------------------------------------------------------------------------------------


def test_every_column_is_a_plain_number_or_none() -> None:
    row = of(wander(3, 24 * 40), trades=[executor(3.0), executor(-1.0)])
    assert tuple(row) == METRICS
    assert all(value is None or type(value) is float for value in row.values())


@pytest.mark.parametrize(
    ("accuracy", "positions", "warned"),
    [(0.95, 20, True), (0.9, 500, False), (0.95, 19, False), (1.0, 20, True), (0, 0, False)],
)
def test_a_win_rate_that_is_too_good_is_named(accuracy: float, positions: int, warned: bool) -> None:
    warning = win_rate_warning({"accuracy": accuracy, "total_positions": positions})
    assert bool(warning) is warned
    if warned:
        assert f"{accuracy:.1%}" in warning and str(positions) in warning

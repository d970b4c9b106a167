"""What a point earned in which market."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.engine.regimes import one_sided, regimes, table

DAY = 86400
#: Monday, 2024-01-01
START = 1704067200


def curve(days: int, moves: list[float], gains: list[float], wild: list[float]) -> tuple[np.ndarray, ...]:
    """Hourly candles: each day moves by a log return, swings by `wild` and earns `gains`, in turn."""
    time = START + 3600.0 * np.arange(days * 24)
    steps, change = [], []
    for day in range(days):
        swing = wild[day % len(wild)] * np.where(np.arange(24) % 2, 1.0, -1.0)
        steps.append(swing + moves[day % len(moves)] / 24)
        change.append(np.full(24, gains[day % len(gains)] / 24))
    return time, 100 * np.exp(np.cumsum(np.concatenate(steps))), np.cumsum(np.concatenate(change))


def test_every_kind_adds_up_to_the_whole() -> None:
    time, close, equity = curve(60, [0.05, -0.05, 0.0], [1.0, -2.0, 3.0], [0.001, 0.01])
    found = regimes(time, close, equity)
    for kind in ("month", "volatility", "trend", "hour", "weekday"):
        parts = [each for each in found if each.kind == kind]
        assert sum(each.share for each in parts) == pytest.approx(1.0)
        assert sum(each.earned for each in parts) == pytest.approx(equity[-1])


def test_days_that_rise_fall_and_stand_still_are_told_apart() -> None:
    time, close, equity = curve(60, [0.05, -0.05, 0.0], [5.0, -1.0, -1.0], [0.001])
    trend = {each.name: each for each in regimes(time, close, equity) if each.kind == "trend"}
    assert trend["up"].earned == pytest.approx(100.0)
    assert trend["down"].earned == pytest.approx(-20.0)
    assert trend["flat"].share == pytest.approx(1 / 3)
    assert trend["up"].winning == 1.0


def test_volatility_is_cut_into_terciles_of_days() -> None:
    time, close, equity = curve(30, [0.0], [3.0, 0.0, 0.0], [0.03, 0.001, 0.01])
    volatility = {each.name: each for each in regimes(time, close, equity) if each.kind == "volatility"}
    assert [round(volatility[name].share, 2) for name in ("low", "middle", "high")] == [0.33, 0.33, 0.33]
    assert volatility["high"].earned == pytest.approx(30.0)


def test_a_point_that_earns_in_one_regime_only_is_said_to() -> None:
    time, close, equity = curve(60, [0.05, -0.05, 0.0], [5.0, -1.0, -1.0], [0.001])
    assert "only where trend was up" in table(time, close, equity)["note"]
    time, close, equity = curve(60, [0.05, -0.05, 0.0], [1.0, 1.0, 1.0], [0.001])
    assert one_sided(regimes(time, close, equity)) == ""


def test_a_loser_is_not_called_one_sided() -> None:
    time, close, equity = curve(60, [0.05, -0.05, 0.0], [1.0, -9.0, -1.0], [0.001])
    assert table(time, close, equity)["note"] == ""


def test_weekdays_and_hours_are_utc() -> None:
    time, close, equity = curve(14, [0.0], [7.0] + [0.0] * 6, [0.001])
    found = {each.name: each for each in regimes(time, close, equity)}
    assert found["Monday"].earned == pytest.approx(14.0)
    assert found["13"].share == pytest.approx(1 / 24)


def test_a_single_candle_has_no_regime() -> None:
    assert regimes(np.array([0.0]), np.array([1.0]), np.array([0.0])) == []

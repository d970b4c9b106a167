"""The equity curve against cases added up by hand."""

from decimal import Decimal
from enum import Enum
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tasks.engine.equity import EquityCurve, kept_amounts, linear_exposure

CLOSE = np.array([100.0, 101.0, 99.0, 102.0, 104.0, 103.0])


def test_an_executor_counts_while_open_and_its_last_pnl_ever_after() -> None:
    curve = EquityCurve(CLOSE)
    curve.add_executor(1, np.array([-0.2, -2.2, 0.8]))
    np.testing.assert_array_equal(curve.equity(), [0, -0.2, -2.2, 0.8, 0.8, 0.8])


def test_executors_add_up_whatever_their_order() -> None:
    one, other = EquityCurve(CLOSE), EquityCurve(CLOSE)
    executors = [(0, np.array([1.0, 2.0, 3.0])), (2, np.array([-1.0, 5.0, 7.0, 4.0])), (5, np.array([9.0]))]
    for first, pnl in executors:
        one.add_executor(first, pnl)
    for first, pnl in reversed(executors):
        other.add_executor(first, pnl)
    np.testing.assert_array_equal(one.equity(), [1, 2, 2, 8, 10, 16])
    np.testing.assert_array_equal(one.equity(), other.equity())


def test_a_stopped_executor_keeps_the_pnl_of_its_stop() -> None:
    pnl = np.array([0.0, 1.0, 5.0, 20.0])
    curve = EquityCurve(CLOSE)
    curve.add_executor(0, pnl[:3])
    np.testing.assert_array_equal(curve.equity(), [0, 1, 5, 5, 5, 5])


def test_an_executor_outside_the_candles_is_an_error() -> None:
    curve = EquityCurve(CLOSE)
    with pytest.raises(ValueError, match=r"4\.\.6"):
        curve.add_executor(4, np.zeros(3))
    with pytest.raises(ValueError, match="outside"):
        curve.add_executor(2, np.zeros(0))


def test_a_kept_executor_goes_on_as_inventory() -> None:
    """2 base bought at 101 on row 1, fee 0.5 booked, kept on row 3: the curve goes on without a jump."""
    pnl = 2 * (CLOSE[1:4] - 101) - 0.5
    curve = EquityCurve(CLOSE)
    curve.add_executor(1, pnl, kept=True)
    curve.add_held(3, 2.0, 202.0, 0.5)
    expected = np.concatenate([[0.0], 2 * (CLOSE[1:] - 101) - 0.5])
    np.testing.assert_allclose(curve.equity(), expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(curve.position_value()[3:], 2 * CLOSE[3:])


def test_held_positions_net_out_as_upstream_nets_them() -> None:
    """Bought 2 at 100, sold 3 at 102 (2 realise 4, 1 short at 102), bought 1 back at 103 (realises -1)."""
    curve = EquityCurve(CLOSE)
    curve.add_held(0, 2.0, 200.0, 0.0)
    curve.add_held(3, -3.0, 306.0, 0.0)
    curve.add_held(5, 1.0, 103.0, 0.0)
    np.testing.assert_allclose(curve.equity(), [0, 2, -2, 4, 4 - 2, 3])
    np.testing.assert_allclose(curve.position_value(), [200, 202, 198, -102, -104, 0])


@pytest.mark.parametrize("side", [1, -1])
def test_value_and_turnover_of_a_position_follow_from_its_pnl(side: int) -> None:
    """Unfilled on the first row, then 3 base at 101, closed at 104: with fees of 1 a side booked at the entry."""
    base, entry = 3.0, 101.0
    close = CLOSE[:5]
    cost = np.array([0.0, *[base * entry] * 4])
    fees = np.array([0.0, 2.0, 2.0, 2.0, 2.0])
    pnl = np.array([0.0, *(side * base * (close[1:] - entry) - 2.0)])
    value, traded = linear_exposure(side, cost, pnl, fees, closes=True)
    np.testing.assert_allclose(value, side * base * np.array([0.0, *close[1:]]))
    np.testing.assert_allclose(traded, [0, base * entry, 0, 0, base * 104])

    curve = EquityCurve(CLOSE)
    curve.add_executor(0, pnl, value, traded)
    np.testing.assert_allclose(curve.position_value(), [0, *(side * base * close[1:4]), 0, 0])
    np.testing.assert_allclose(curve.turnover(), [0, 303, 0, 0, 312, 0])


def test_an_order_that_keeps_what_it_bought_trades_once() -> None:
    value, traded = linear_exposure(1, np.array([0.0, 202.0]), np.zeros(2), np.array([0.0, 0.0]), closes=False)
    np.testing.assert_array_equal(traded, [0, 202])
    np.testing.assert_array_equal(value, [0, 202])


class Side(Enum):
    BUY = 1
    SELL = 2


@pytest.mark.parametrize(
    ("side", "custom_info", "expected"),
    [
        (Side.BUY, {"current_position_average_price": 101.0, "close_price": 99.0}, (2.0, 202.0, 0.25)),
        (Side.SELL, {"current_position_average_price": 101.0, "close_price": 99.0}, (-2.0, 202.0, 0.25)),
        (Side.SELL, {"current_position_average_price": None, "close_price": 404.0}, (-0.5, 202.0, 0.25)),
    ],
)
def test_what_a_kept_executor_hands_over(side: Side, custom_info: dict[str, Any], expected: tuple[float, ...]) -> None:
    info = SimpleNamespace(
        side=side,
        custom_info=custom_info,
        filled_amount_quote=Decimal(202),
        cum_fees_quote=Decimal("0.25"),
    )
    assert kept_amounts(info) == expected


def test_a_held_position_pays_funding_from_the_row_after_it_was_kept() -> None:
    """2 base kept on row 1; 0.5 quote a base due at the opens of the rows 1 and 3."""
    curve = EquityCurve(CLOSE, np.array([0, 0.5, 0, 0.5, 0, 0]))
    curve.add_held(1, 2.0, 202.0, 0.0)
    np.testing.assert_allclose(curve.equity(), [0, 0, -4, 2 - 1, 6 - 1, 4 - 1])

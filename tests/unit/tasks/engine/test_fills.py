"""Honest fills, rule by rule, on candles of a few rows; every number by hand."""

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks.engine.candles import Candles
from tasks.engine.equity import EquityCurve, kept_amounts
from tasks.engine.executors import Trajectory, simulate
from tasks.engine.fills import FillRules, RunFills
from tasks.engine.jump.info import executor_info
from tasks.upstream.names import (
    CloseType,
    DCAExecutorConfig,
    ExecutionStrategy,
    GridExecutorConfig,
    OrderExecutorConfig,
    OrderType,
    PositionExecutorConfig,
    RunnableStatus,
    TradeType,
    TrailingStop,
    TripleBarrierConfig,
)

START = 1_704_067_200
MAKER, TAKER = 0.0002, 0.0005

#: open, high, low, close of a quiet candle at 100
QUIET = (100.0, 100.1, 99.9, 100.0)


def candles(*rows: tuple[float, float, float, float]) -> Candles:
    """One candle a minute."""
    frame = pd.DataFrame(rows, columns=["open", "high", "low", "close"], dtype=float)
    frame["volume"] = 1e9
    frame.index = pd.Index(START + 60.0 * np.arange(len(rows)), name="epoch_seconds")
    return Candles(frame)


def mirrored(rows: list[tuple[float, float, float, float]]) -> list[tuple[float, float, float, float]]:
    """The candles turned over at 100: what falls for a buyer rises for a seller."""
    return [(200 - o, 200 - low, 200 - high, 200 - c) for o, high, low, c in rows]


def number(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(str(value))


def honest(**changes: Any) -> FillRules:
    return FillRules(**({"maker_cost": MAKER, "taker_cost": TAKER} | changes))


def simulated(market: Candles, first: int, config: Any, rules: FillRules | None = None) -> Trajectory:
    fills = RunFills(rules or honest(), market, trade_cost=0.001, trading_rules=no_rules)
    trajectory = simulate(config, market, first, fills)
    assert trajectory is not None
    return trajectory


def no_rules(connector: str, trading_pair: str) -> None:
    raise KeyError(trading_pair)


def position(
    market: Candles,
    *,
    entry: float | None = 99.0,
    order: OrderType = OrderType.LIMIT,
    side: TradeType = TradeType.BUY,
    stop: float | None = None,
    target: float | None = None,
    target_order: OrderType = OrderType.LIMIT,
    limit_s: int | None = None,
    trailing: tuple[float, float] | None = None,
    rules: FillRules | None = None,
    first: int = 0,
) -> Trajectory:
    config = PositionExecutorConfig(
        timestamp=float(market.timestamp[first]),
        trading_pair="BTC-USDT",
        connector_name="binance_perpetual",
        side=side,
        entry_price=number(entry),
        amount=Decimal(2),
        triple_barrier_config=TripleBarrierConfig(
            stop_loss=number(stop),
            take_profit=number(target),
            time_limit=limit_s,
            trailing_stop=trailing
            and TrailingStop(activation_price=number(trailing[0]), trailing_delta=number(trailing[1])),
            open_order_type=order,
            take_profit_order_type=target_order,
        ),
    )
    return simulated(market, first, config, rules)


def outcome(trajectory: Trajectory) -> tuple[int | None, int, str, float]:
    """(row of the entry, row of the end, close type, net pnl in quote)."""
    state = trajectory.at(trajectory.last)
    return trajectory.fill_row, trajectory.last, trajectory.close_type.name, state.net_pnl_quote


def pnl(entry: float, entry_cost: float, exit_: float, exit_cost: float, side: int = 1, base: float = 2.0) -> float:
    return base * (side * (exit_ - entry) - entry * entry_cost - exit_ * exit_cost)


# Entries ----------------------------------------------------------------------------------------------------------


def test_a_limit_order_fills_at_its_own_price_when_traded_through() -> None:
    market = candles(QUIET, QUIET, (100, 100, 98.5, 99.5), QUIET)
    trajectory = position(market)
    assert outcome(trajectory) == (2, 3, "TIME_LIMIT", pytest.approx(pnl(99, MAKER, 100, TAKER)))
    assert trajectory.at(2).net_pnl_quote == pytest.approx(2 * (99.5 - 99) - 2 * 99 * MAKER)
    assert trajectory.at(2).average_price == 99.0
    assert trajectory.at(1).filled_amount_quote == 0.0


def test_touching_is_no_fill() -> None:
    assert outcome(position(candles(QUIET, (100, 100, 99.0, 99.5), QUIET))) == (None, 2, "TIME_LIMIT", 0.0)


def test_the_candle_of_the_decision_does_not_fill_it() -> None:
    """Its low was before the order was placed."""
    assert outcome(position(candles((100, 100, 90, 100), QUIET)))[0] is None


def test_a_price_beyond_the_market_fills_at_the_close_as_taker() -> None:
    row = outcome(position(candles(QUIET, QUIET), entry=101.0))
    assert row == (0, 1, "TIME_LIMIT", pytest.approx(pnl(100, TAKER, 100, TAKER)))


def test_a_limit_order_never_slips_beyond_its_price() -> None:
    trajectory = position(candles(QUIET, QUIET), entry=100.01, rules=honest(slippage_bps=50))
    assert trajectory.at(0).average_price == 100.01
    assert position(candles(QUIET, QUIET), entry=102, rules=honest(slippage_bps=50)).at(0).average_price == (
        pytest.approx(100.5)
    )


def test_a_price_at_the_market_rests() -> None:
    assert position(candles(QUIET, QUIET), entry=100.0).fill_row == 1


def test_a_limit_maker_order_that_would_cross_rests_at_the_close() -> None:
    market = candles(QUIET, (100, 100.2, 100, 100.1), (100, 100, 99.8, 100))
    trajectory = position(market, entry=105.0, order=OrderType.LIMIT_MAKER)
    assert trajectory.fill_row == 2
    assert trajectory.at(1).filled_amount_quote == 0.0
    assert trajectory.at(2).average_price == 100.0


def test_a_market_order_fills_at_the_close_of_the_decision_with_slippage() -> None:
    trajectory = position(candles(QUIET, QUIET), order=OrderType.MARKET, rules=honest(slippage_bps=10))
    assert outcome(trajectory) == (0, 1, "TIME_LIMIT", pytest.approx(pnl(100.1, TAKER, 99.9, TAKER)))


def test_without_an_entry_price_the_close_is_taken() -> None:
    assert position(candles(QUIET, QUIET), entry=None, order=OrderType.MARKET).at(0).average_price == 100.0


def test_costs_default_to_the_trade_cost_of_the_market() -> None:
    market = candles(QUIET, (100, 100, 98.5, 99.5), QUIET)
    row = outcome(position(market, rules=FillRules()))
    assert row[3] == pytest.approx(pnl(99, 0.001, 100, 0.001))


# Exits ------------------------------------------------------------------------------------------------------------

FALL = [QUIET, (100, 100, 98.9, 99.2)]  # the buy order at 99 fills on row 1

EXITS = [
    # a stop touched: at its level; 99 × (1 - 0.02) = 97.02
    ([(99, 99, 97.02, 98)], {"stop": 0.02}, "STOP_LOSS", 97.02, TAKER),
    # a stop behind a gap: at the open
    ([(96, 99, 95, 98)], {"stop": 0.02}, "STOP_LOSS", 96.0, TAKER),
    # a target traded through: at its price, as maker; 99 × 1.01 = 99.99
    ([(99.5, 100, 99.2, 99.3)], {"target": 0.01}, "TAKE_PROFIT", 99.99, MAKER),
    # never better, also where the candle opens beyond it
    ([(103, 104, 102, 103)], {"target": 0.01}, "TAKE_PROFIT", 99.99, MAKER),
    # a market target is touched and taken
    ([(99.5, 99.99, 99.2, 99.3)], {"target": 0.01, "target_order": OrderType.MARKET}, "TAKE_PROFIT", 99.99, TAKER),
    # a limit target that is only touched goes on
    ([(99.5, 99.99, 99.2, 99.3), (99, 99, 99, 99)], {"target": 0.01}, "TIME_LIMIT", 99.0, TAKER),
    # both in one candle: the stop
    ([(99, 101, 97, 100)], {"stop": 0.02, "target": 0.01}, "STOP_LOSS", 97.02, TAKER),
    # both in one candle that opens beyond the target: the target
    ([(100.5, 101, 97, 98)], {"stop": 0.02, "target": 0.01}, "TAKE_PROFIT", 99.99, MAKER),
    # the time limit: the close of the last candle that opens within it
    ([QUIET, (98, 98, 98, 98)], {"limit_s": 120}, "TIME_LIMIT", 100.0, TAKER),
]


@pytest.mark.parametrize(("after", "barriers", "close_type", "price", "cost"), EXITS)
def test_exits_of_a_long(after: Any, barriers: Any, close_type: str, price: float, cost: float) -> None:
    row = outcome(position(candles(*FALL, *after), **barriers))
    assert row[0] == 1
    assert row[2:] == (close_type, pytest.approx(pnl(99, MAKER, price, cost)))


@pytest.mark.parametrize(("after", "barriers", "close_type", "price", "cost"), EXITS)
def test_exits_of_a_short_are_their_mirror(
    after: Any, barriers: Any, close_type: str, price: float, cost: float
) -> None:
    """Prices turned over at 100: a sale at 101; the fractions so that the levels are the mirrored ones."""
    turned = {name: value * 99 / 101 if name in ("stop", "target") else value for name, value in barriers.items()}
    row = outcome(position(candles(*mirrored([*FALL, *after])), side=TradeType.SELL, entry=101.0, **turned))
    assert row[0] == 1
    assert row[2:] == (close_type, pytest.approx(pnl(101, MAKER, 200 - price, cost, side=-1)))


def test_in_the_candle_of_its_entry_the_low_stops_it() -> None:
    row = outcome(position(candles(QUIET, (100, 100, 96, 99.5), QUIET), stop=0.02))
    assert row == (1, 1, "STOP_LOSS", pytest.approx(pnl(99, MAKER, 97.02, TAKER)))


def test_in_the_candle_of_its_entry_the_high_is_no_target_but_the_close_is() -> None:
    high_before = candles(QUIET, (100, 103, 98.5, 99.2), (99, 99, 99, 99))
    assert outcome(position(high_before, target=0.01))[2] == "TIME_LIMIT"
    close_after = candles(QUIET, (100, 103, 98.5, 102), QUIET)
    assert outcome(position(close_after, target=0.01)) == (
        1, 1, "TAKE_PROFIT", pytest.approx(pnl(99, MAKER, 99.99, MAKER)),
    )  # fmt: skip


def test_the_trailing_stop_follows_the_closes_and_holds_from_the_next_candle() -> None:
    """Armed by the close 103 (+3%), level +3% - 1% = +2% = 102; wicks above do not move it."""
    rows = [QUIET, (100, 103.5, 100, 103), (103, 106, 102.5, 102.8), (102.8, 103, 101.9, 102.5)]
    market = candles(*rows)
    trajectory = position(market, order=OrderType.MARKET, trailing=(0.02, 0.01))
    assert outcome(trajectory) == (0, 3, "TRAILING_STOP", pytest.approx(pnl(100, TAKER, 102, TAKER)))
    gap = candles(*rows[:3], (101, 101, 100, 100.5))
    assert outcome(position(gap, order=OrderType.MARKET, trailing=(0.02, 0.01)))[3] == pytest.approx(
        pnl(100, TAKER, 101, TAKER)
    )


def test_the_higher_of_two_stops_is_met_first() -> None:
    rows = [QUIET, (100, 103.5, 100, 103), (103, 103, 90, 91)]
    assert outcome(position(candles(*rows), order=OrderType.MARKET, trailing=(0.02, 0.01), stop=0.05))[2] == (
        "TRAILING_STOP"
    )
    assert outcome(position(candles(*rows), order=OrderType.MARKET, trailing=(0.05, 0.01), stop=0.05))[2] == (
        "STOP_LOSS"
    )


def test_slippage_moves_taker_exits_only() -> None:
    slip = honest(slippage_bps=10)
    stopped = position(candles(*FALL, (99, 99, 97, 98)), stop=0.02, rules=slip)
    assert outcome(stopped)[3] == pytest.approx(pnl(99, MAKER, 97.02 * 0.999, TAKER))
    target = position(candles(*FALL, (99.5, 100, 99.2, 99.3)), target=0.01, rules=slip)
    assert outcome(target)[3] == pytest.approx(pnl(99, MAKER, 99.99, MAKER))


# Stopping and keeping ---------------------------------------------------------------------------------------------


def test_a_stop_by_the_controller_sells_at_the_close_as_taker() -> None:
    trajectory = position(candles(*FALL, QUIET, QUIET), rules=honest(slippage_bps=10))
    state = trajectory.stopped(2, keep=False)
    assert state.net_pnl_quote == pytest.approx(pnl(99, MAKER, 99.9, TAKER))
    assert state.cum_fees_quote == pytest.approx(2 * 99 * MAKER + 2 * 99.9 * TAKER)
    assert state.filled_amount_quote == pytest.approx(2 * 99 + 2 * 99.9)
    _, traded = trajectory.exposure(2, closes=True)
    np.testing.assert_allclose(traded, [0, 198, 199.8])
    assert trajectory.stopped(0, keep=False).net_pnl_quote == 0.0


def test_a_kept_position_goes_on_at_its_entry_price_with_its_own_fee() -> None:
    trajectory = position(candles(*FALL, QUIET, QUIET))
    state = trajectory.stopped(2, keep=True)
    assert state == (0.0, 0.0, pytest.approx(198 * MAKER), 198.0, 99.0)


def test_table_and_single_rows_agree() -> None:
    trajectory = position(candles(*FALL, (99.2, 99.5, 99, 99.4), (99.5, 100, 99.2, 99.3)), target=0.01)
    for column, k in zip(trajectory.table(), range(5), strict=True):
        np.testing.assert_allclose(column, [trajectory.at(row)[k] for row in range(4)], atol=1e-12)
    value, traded = trajectory.exposure(3, closes=True)
    np.testing.assert_allclose(value[:3], [0, 2 * 99.2, 2 * 99.4])
    np.testing.assert_allclose(traded, [0, 198, 0, 199.98])


# Funding ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "paid"), [(TradeType.BUY, 1.0), (TradeType.SELL, -1.0)])
def test_funding_is_paid_by_what_is_open_when_it_is_due(side: TradeType, paid: float) -> None:
    """Due at the opens of the rows 0 (not open yet), 2 and between 2 and 3; on the value at that open."""
    rates = {"BTC-USDT": [[START + 150, 0.001], [START, 0.5], [START + 120, 0.002]], "ETH-USDT": [[START + 60, 0.9]]}
    market = candles(QUIET, QUIET, (101, 101, 101, 101), (102, 102, 102, 102), (102, 102, 102, 102))
    free = position(market, order=OrderType.MARKET, side=side)
    charged = position(market, order=OrderType.MARKET, side=side, rules=honest(funding=rates))
    costs = [0, 0, paid * 2 * 101 * 0.002, paid * 2 * (101 * 0.002 + 102 * 0.001), paid * 2 * (101 * 0.002 + 0.102)]
    for row in range(5):
        assert free.at(row).net_pnl_quote - charged.at(row).net_pnl_quote == pytest.approx(costs[row])
    np.testing.assert_allclose(free.table().net_pnl_quote - charged.table().net_pnl_quote, costs, atol=1e-12)
    kept = charged.stopped(3, keep=True)
    assert kept.cum_fees_quote == pytest.approx(200 * TAKER + costs[3])


# DCA --------------------------------------------------------------------------------------------------------------


def dca(market: Candles, **changes: Any) -> Trajectory:
    values: dict[str, Any] = {
        "timestamp": float(START),
        "trading_pair": "BTC-USDT",
        "connector_name": "binance_perpetual",
        "side": TradeType.BUY,
        "prices": [Decimal(99), Decimal(98)],
        "amounts_quote": [Decimal(99), Decimal(196)],
        "take_profit": Decimal("0.01"),
        "stop_loss": Decimal("0.02"),
    }
    trajectory = simulated(market, 0, DCAExecutorConfig(**(values | changes)))
    assert trajectory is not None
    return trajectory


def test_a_dca_fills_level_by_level_and_takes_its_target_from_the_average() -> None:
    """1 base at 99, then 2 at 98: average 295 / 3, target ×1.01 as a market order."""
    market = candles(QUIET, (100, 100, 98.5, 98.6), (98.6, 98.7, 97.9, 98.0), (98, 98.5, 98, 98.4), QUIET)
    trajectory = dca(market)
    target = 295 / 3 * 1.01
    assert outcome(trajectory) == (
        1, 4, "TAKE_PROFIT", pytest.approx(3 * target - 295 - 295 * MAKER - 3 * target * TAKER),
    )  # fmt: skip
    assert [trajectory.at(row).filled_amount_quote for row in range(4)] == [0, 99, 295, 295]
    assert trajectory.at(1).average_price == 99.0
    assert trajectory.at(2).average_price == pytest.approx(295 / 3)
    assert trajectory.at(3).net_pnl_quote == pytest.approx(3 * 98.4 - 295 - 295 * MAKER)


def test_a_dca_stops_only_once_every_level_is_filled() -> None:
    waiting = candles(QUIET, (100, 100, 98.5, 98.6), (98.6, 98.6, 98.0, 98.3), QUIET)
    assert outcome(dca(waiting, stop_loss=Decimal("0.001")))[1:3] == (3, "TAKE_PROFIT")
    level = 295 / 3 * 0.98
    stopped = candles(QUIET, (100, 100, 95, 95.5), QUIET)
    assert outcome(dca(stopped)) == (
        1, 1, "STOP_LOSS", pytest.approx(3 * level - 295 - 295 * MAKER - 3 * level * TAKER),
    )  # fmt: skip


def test_a_dca_whose_first_level_never_trades_stays_empty() -> None:
    assert outcome(dca(candles(QUIET, QUIET))) == (None, 1, "TIME_LIMIT", 0.0)


def test_a_level_beyond_the_market_is_taken_at_once() -> None:
    trajectory = dca(candles(QUIET, QUIET), prices=[Decimal(101), Decimal(98)])
    assert trajectory.fill_row == 0
    assert trajectory.at(0).average_price == pytest.approx(100)


# Orders -----------------------------------------------------------------------------------------------------------


def order(market: Candles, strategy: ExecutionStrategy, price: float | None = 99.0, **changes: Any) -> Trajectory:
    config = OrderExecutorConfig(
        timestamp=float(START),
        trading_pair="BTC-USDT",
        connector_name="binance_perpetual",
        side=changes.pop("side", TradeType.BUY),
        amount=Decimal(2),
        price=number(price),
        execution_strategy=strategy,
        **changes,
    )
    trajectory = simulated(market, 0, config)
    assert trajectory is not None
    return trajectory


@pytest.mark.parametrize(
    ("strategy", "price", "row", "paid", "cost"),
    [
        (ExecutionStrategy.MARKET, None, 0, 100.0, TAKER),
        (ExecutionStrategy.LIMIT, 99.0, 1, 99.0, MAKER),
        (ExecutionStrategy.LIMIT, 101.0, 0, 100.0, TAKER),
        (ExecutionStrategy.LIMIT_MAKER, 101.0, 1, 100.0, MAKER),
    ],
)
def test_orders_fill_once_and_are_kept(
    strategy: ExecutionStrategy, price: float | None, row: int, paid: float, cost: float
) -> None:
    trajectory = order(candles(*FALL, QUIET), strategy, price)
    assert (trajectory.fill_row, trajectory.last, trajectory.close_type) == (row, row, CloseType.POSITION_HOLD)
    state = trajectory.at(row)
    assert state == (0.0, 0.0, pytest.approx(2 * paid * cost), 2 * paid, paid)
    info = executor_info(trajectory, row, state, RunnableStatus.TERMINATED, close_type=trajectory.close_type)
    assert kept_amounts(info) == (2.0, 2 * paid, pytest.approx(2 * paid * cost))


def test_an_order_that_never_trades_expires() -> None:
    trajectory = order(candles(QUIET, QUIET), ExecutionStrategy.LIMIT, 98.0)
    assert (trajectory.fill_row, trajectory.close_type) == (None, CloseType.EXPIRED)


def test_a_chaser_follows_the_close_and_fills_where_it_rests() -> None:
    """Rests 1% below 100; the close 102 is more than 2% above it: renewed at 100.98; that is traded through."""
    market = candles(QUIET, (100, 102, 99.5, 102), (102, 102, 100.9, 101))
    trajectory = order(
        market, ExecutionStrategy.LIMIT_CHASER, None,
        chaser_config={"distance": Decimal("0.01"), "refresh_threshold": Decimal("0.02")},
    )  # fmt: skip
    assert trajectory.fill_row == 2
    assert trajectory.at(2).average_price == pytest.approx(102 * 0.99)


# Grids ------------------------------------------------------------------------------------------------------------


#: where an order whose level lies above the market rests, for a close of 99.5
OFF_MARKET = 99.5 * (1 - 0.0001)


def grid(market: Candles, rules: FillRules | None = None, **changes: Any) -> Trajectory:
    """Four levels at 97, 98, 99 and 100 of 100 quote each, targets 1% above."""
    barriers = {"take_profit": Decimal("0.01"), "take_profit_order_type": OrderType.LIMIT}
    values: dict[str, Any] = {
        "timestamp": float(START),
        "trading_pair": "BTC-USDT",
        "connector_name": "binance_perpetual",
        "side": TradeType.BUY,
        "start_price": Decimal(97),
        "end_price": Decimal(100),
        "limit_price": Decimal(0),
        "total_amount_quote": Decimal(400),
        "min_order_amount_quote": Decimal(90),
        "min_spread_between_orders": Decimal("0.001"),
    }
    barriers |= changes.pop("barriers", {})
    config = GridExecutorConfig(**(values | changes), triple_barrier_config=TripleBarrierConfig(**barriers))
    trajectory = simulated(market, 0, config, rules)
    assert trajectory is not None
    return trajectory


GRID_START = (99.5, 99.6, 99.4, 99.5)


def test_a_grid_level_fills_reaches_its_target_and_rests_again() -> None:
    """In at 99, out at 99.99, in again. The level above the market rests just below it."""
    market = candles(GRID_START, (99.5, 99.5, 98.9, 99.2), (99.2, 100, 99.2, 99.5), (99.5, 99.5, 98.8, 98.9))
    trajectory = grid(market)
    events = trajectory.custom_info(trajectory.last, trajectory.at(trajectory.last))["fill_events"]
    assert [(event["timestamp"] - START, event["side"], event["price"]) for event in events] == [
        (60, "entry", 99.0),
        (60, "entry", pytest.approx(OFF_MARKET)),
        (120, "tp", pytest.approx(99.99)),
        (180, "entry", 99.0),
    ]


def test_the_pnl_of_a_grid_by_hand() -> None:
    """One level reaches its target, one is sold at the last close."""
    market = candles(GRID_START, (99.5, 99.5, 98.9, 99.2), (99.2, 100, 99.2, 99.5), (99.5, 99.6, 99.4, 99.4))
    trajectory = grid(market)
    base, other = 100 / 99, 100 / OFF_MARKET
    assert trajectory.at(1).net_pnl_quote == pytest.approx((base + other) * 99.2 - 200 - 200 * MAKER)
    assert trajectory.at(1).average_price == pytest.approx(200 / (base + other))
    won = base * 99.99
    assert trajectory.at(2).net_pnl_quote == pytest.approx(won + other * 99.5 - 200 - (200 + won) * MAKER)
    left = other * 99.4
    fees = (200 + won) * MAKER + left * TAKER
    assert outcome(trajectory) == (1, 3, "TIME_LIMIT", pytest.approx(won + left - 200 - fees))
    value, traded = trajectory.exposure(3, closes=True)
    np.testing.assert_allclose(traded, [0, 200, won, left])
    np.testing.assert_allclose(value[:3], [0, (base + other) * 99.2, other * 99.5])


def test_what_a_grid_keeps_carries_what_it_gained() -> None:
    """Keeping loses nothing: the curve with the kept inventory is the curve of the grid up to there."""
    market = candles(
        GRID_START,
        (99.5, 99.5, 98.9, 99.2),
        (99.2, 100, 99.2, 99.5),
        (99.5, 99.5, 98.8, 98.9),
        (98.9, 98.9, 97.5, 97.6),
        (97.6, 98.2, 97.5, 98.1),
    )
    whole = grid(market, rules=honest(funding={"BTC-USDT": [[START + 240, 0.001]]}))
    row = 4
    state = whole.stopped(row, keep=True)
    info = executor_info(whole, row, state, RunnableStatus.TERMINATED, close_type=CloseType.POSITION_HOLD)
    curve = EquityCurve(market.close)
    curve.add_executor(0, whole.table().net_pnl_quote[: row + 1], kept=True)
    curve.add_held(row, *kept_amounts(info))
    np.testing.assert_allclose(curve.equity()[: row + 1], whole.table().net_pnl_quote[: row + 1], atol=1e-12)


@pytest.mark.parametrize("keep_position", [False, True])
def test_the_limit_price_of_a_grid(keep_position: bool) -> None:
    market = candles(GRID_START, (99.5, 99.5, 95, 96), QUIET)
    trajectory = grid(market, limit_price=Decimal("96.5"), keep_position=keep_position)
    base, cost = 100 / 99 + 100 / 98 + 100 / 97 + 100 / OFF_MARKET, 400.0
    state = trajectory.at(1)
    assert trajectory.last == 1
    if keep_position:
        assert trajectory.close_type == CloseType.POSITION_HOLD
        assert state.filled_amount_quote == pytest.approx(cost)
        assert state.average_price == pytest.approx(cost / base)
    else:
        assert trajectory.close_type == CloseType.STOP_LOSS
        fees = cost * MAKER + base * 96.5 * TAKER
        assert state.net_pnl_quote == pytest.approx(base * 96.5 - cost - fees)


def test_the_stop_loss_of_a_grid_is_measured_from_its_average() -> None:
    market = candles(GRID_START, (99.5, 99.5, 99.3, 99.4), (99.4, 99.4, 98.1, 98.2), QUIET)
    trajectory = grid(market, barriers={"stop_loss": Decimal("0.008")})
    base = 100 / 99 + 100 / OFF_MARKET
    level = 200 / base * (1 - 0.008)
    sold = base * level
    assert outcome(trajectory) == (1, 2, "STOP_LOSS", pytest.approx(sold * (1 - TAKER) - 200 * (1 + MAKER)))


def test_a_grid_ends_when_the_close_leaves_its_range() -> None:
    market = candles(GRID_START, (99.5, 100.4, 99.5, 100.3), QUIET)
    assert outcome(grid(market)) == (None, 1, "TAKE_PROFIT", 0.0)


def test_a_grid_that_sells_is_the_mirror() -> None:
    rows = [GRID_START, (99.5, 99.5, 98.9, 99.2), (99.2, 100.2, 99.2, 99.5), (99.5, 99.6, 99.4, 99.4)]
    sells = grid(
        candles(*mirrored(rows)), side=TradeType.SELL, start_price=Decimal(100), end_price=Decimal(103),
        total_amount_quote=Decimal(404), min_order_amount_quote=Decimal(95),
    )  # fmt: skip
    events = sells.custom_info(sells.last, sells.at(sells.last))["fill_events"]
    assert [(event["timestamp"] - START, event["side"], event["price"]) for event in events] == [
        (60, "entry", pytest.approx(100.5 * 1.0001)),
        (60, "entry", 101.0),
        (120, "tp", pytest.approx(99.99)),
    ]
    base = 101 / 101
    other = 101 / (100.5 * 1.0001)
    fees = (202 + base * 99.99) * MAKER + other * 100.6 * TAKER
    assert sells.at(3).net_pnl_quote == pytest.approx(202 - base * 99.99 - other * 100.6 - fees)


def test_a_released_grid_is_computed_again() -> None:
    market = candles(GRID_START, (99.5, 99.5, 98.9, 99.2), (99.2, 100, 99.2, 99.5))
    trajectory = grid(market)
    before = trajectory.at(1), trajectory.exposure(1, closes=True)[1]
    trajectory.release()
    assert trajectory.at(1) == before[0]
    np.testing.assert_array_equal(trajectory.exposure(1, closes=True)[1], before[1])


def test_an_order_stopped_on_the_row_it_fills_on_is_sold_at_the_close() -> None:
    """It does not vanish: base is sold where it was bought, and both fees are paid."""
    market = candles(QUIET, QUIET)
    config = OrderExecutorConfig(
        timestamp=float(START), trading_pair="BTC-USDT", connector_name="binance_perpetual", side=TradeType.BUY,
        amount=Decimal(2), execution_strategy=ExecutionStrategy.MARKET,
    )  # fmt: skip
    trajectory = simulated(market, 0, config)
    assert trajectory is not None and trajectory.last == 0
    assert trajectory.stopped(0, keep=False).net_pnl_quote == pytest.approx(-2 * 200 * TAKER)
    assert trajectory.stopped(0, keep=True).net_pnl_quote == 0.0


def test_a_position_kept_on_the_row_that_creates_and_ends_it_is_held_once() -> None:
    """Its time limit is shorter than a candle: both sides of the trade were taken for what is held."""
    trajectory = position(candles(QUIET, QUIET), order=OrderType.MARKET, limit_s=30)
    assert trajectory.last == 0
    assert trajectory.stopped(0, keep=True) == (0.0, 0.0, pytest.approx(200 * TAKER), 200.0, 100.0)
    assert trajectory.stopped(0, keep=False).net_pnl_quote == pytest.approx(-2 * 200 * TAKER)


@pytest.mark.parametrize("quote", range(400, 1000, 50))
def test_a_grid_whose_every_target_is_met_at_the_open_has_nothing_left_to_stop(quote: int) -> None:
    """What the sums leave of nothing has no average, and no stop loss beyond it."""
    market = candles((101, 101, 101, 101), (101, 104, 101, 103.5), (97, 101, 97, 100.5), (100.5, 100.6, 100.4, 100.5))
    trajectory = grid(
        market, side=TradeType.SELL, start_price=Decimal(100), end_price=Decimal(103),
        total_amount_quote=Decimal(quote), min_order_amount_quote=Decimal(10),
        barriers={"stop_loss": Decimal("0.05")},
    )  # fmt: skip
    assert outcome(trajectory)[1:3] == (3, "TIME_LIMIT")

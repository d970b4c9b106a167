"""The rungs of the fill ladder on candles of a few rows: touch, through, volume, the path inside a candle, margin."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks.engine.candles import Candles
from tasks.engine.executors import Trajectory, simulate
from tasks.engine.fills import FillRules, RunFills
from tasks.engine.fills.path import Path
from tasks.upstream.names import OrderType, PositionExecutorConfig, TradeType, TradingRule, TripleBarrierConfig

START = 1_704_067_200
CONNECTOR, PAIR = "binance", "BTC-USDT"
#: open, high, low, close
QUIET = (100.0, 100.1, 99.9, 100.0)
RULE = TradingRule(
    PAIR,
    min_order_size=Decimal("0.1"),
    min_price_increment=Decimal("0.1"),
    min_base_amount_increment=Decimal("0.1"),
    min_notional_size=Decimal(5),
)


def candles(*rows: tuple[float, ...], volume: float = 1e9) -> Candles:
    """One candle a minute; a fifth number of a row is its volume, a sixth what takers bought of it (else half)."""
    frame = pd.DataFrame([row[:4] for row in rows], columns=["open", "high", "low", "close"], dtype=float)
    frame["volume"] = [row[4] if len(row) > 4 else volume for row in rows]
    if any(len(row) > 5 for row in rows):
        frame["taker_buy_base_volume_bt"] = [
            row[5] if len(row) > 5 else volume / 2 for row, volume in zip(rows, frame["volume"], strict=True)
        ]
    frame["timestamp"] = START + 60.0 * np.arange(len(rows))
    frame.index = pd.Index(frame["timestamp"], name="epoch_seconds")
    return Candles(frame)


def run_of(market: Candles, rules: FillRules, *, path: Path | None = None) -> RunFills:
    return RunFills(rules, market, trade_cost=0.0, trading_rules=lambda connector, pair: RULE, path=path)


def position(run: RunFills, *, connector: str = CONNECTOR, **changes: Any) -> Trajectory:
    """Two base bought at 99 by a resting order that is placed on the first row."""
    barriers = {name: changes.pop(name, None) for name in ("stop_loss", "take_profit", "time_limit")}
    values: dict[str, Any] = {"side": TradeType.BUY, "entry_price": Decimal(99), "amount": Decimal(2), **changes}
    config = PositionExecutorConfig(
        timestamp=float(START),
        trading_pair=PAIR,
        connector_name=connector,
        triple_barrier_config=TripleBarrierConfig(open_order_type=values.pop("order", OrderType.LIMIT), **barriers),
        **values,
    )
    found = simulate(config, run.candles, 0, run)
    assert found is not None
    return found


def entered(trajectory: Trajectory) -> float:
    """Base of all entries."""
    return sum(fill.base for fill in trajectory.fills(trajectory.last) or [] if fill.base > 0)


# When a resting order fills


@pytest.mark.parametrize(
    ("rules", "low", "fills"),
    [
        (FillRules("touch"), 99.0, True),
        (FillRules("touch"), 99.1, False),
        (FillRules("through"), 99.0, False),
        (FillRules("through"), 98.9, True),
        (FillRules("through", ticks=3), 98.8, False),
        (FillRules("through", ticks=3), 98.7, True),
        (FillRules("through", ticks=0), 99.0, True),
        (FillRules("volume"), 99.0, False),
        (FillRules("honest"), 98.9, True),
    ],
)
def test_how_far_a_candle_must_trade_for_a_fill_is_the_rungs(rules: FillRules, low: float, fills: bool) -> None:
    run = run_of(candles(QUIET, (100, 100, low, 100), QUIET), rules)
    assert entered(position(run)) == (2.0 if fills else 0.0)


def test_a_sell_order_fills_above_its_price() -> None:
    run = run_of(candles(QUIET, (100, 101, 100, 100), (100, 101.1, 100, 100), QUIET), FillRules("through"))
    sold = position(run, side=TradeType.SELL, entry_price=Decimal(101))
    assert (entered(sold), sold.fill_row) == (2.0, 2)


# How much of the volume an order gets


def test_a_tenth_of_what_takers_sold_beyond_the_price_fills_and_the_rest_waits() -> None:
    # half of the candle's range lies below 99 and takers sold all of it: a tenth of half of 20 each time
    market = candles(QUIET, (100, 100, 98, 100, 20.0, 0.0), (100, 100, 98, 100, 20.0, 0.0), QUIET)
    filled = position(run_of(market, FillRules("volume"))).fills(3) or []
    assert [(fill.row, pytest.approx(fill.base)) for fill in filled if fill.base > 0] == [(1, 1.0), (2, 1.0)]


def test_where_nobody_says_who_took_each_side_gets_half() -> None:
    market = candles(QUIET, (100, 100, 98, 100, 20.0), QUIET)
    assert entered(position(run_of(market, FillRules("volume")))) == pytest.approx(0.5)


def test_what_takers_bought_fills_no_buy_order() -> None:
    market = candles(QUIET, (100, 100, 98, 100, 20.0, 20.0), QUIET)
    assert entered(position(run_of(market, FillRules("volume")))) == 0.0


def test_two_orders_share_the_volume_of_one_candle() -> None:
    run = run_of(candles(QUIET, (100, 100, 98, 100, 30.0, 0.0), QUIET), FillRules("volume"))
    assert [entered(position(run)), entered(position(run))] == [pytest.approx(1.5), 0.0]


def test_a_stopped_order_gives_its_volume_back() -> None:
    run = run_of(candles(QUIET, QUIET, (100, 100, 98, 100, 30.0, 0.0), QUIET), FillRules("volume"))
    first = position(run)
    first.stopped(1, keep=False)
    assert entered(position(run)) == pytest.approx(1.5)


def test_candles_without_volume_set_no_limit_and_the_row_says_so() -> None:
    run = run_of(candles(QUIET, (100, 100, 98, 100), QUIET, volume=0.0), FillRules("volume"))
    assert entered(position(run)) == 2.0
    assert run.warnings() == ["the candles have no volume, so orders fill whatever their size"]


# Which extreme of a candle came first


@pytest.mark.parametrize(
    ("path", "close_type"), [("worst", "STOP_LOSS"), ("best", "TAKE_PROFIT"), ("nearest", "TAKE_PROFIT")]
)
def test_a_candle_that_reaches_stop_and_target_ends_as_the_path_says(path: Any, close_type: str) -> None:
    # its high is nearer to its open than its low
    market = candles(QUIET, (100, 100, 98.9, 99.5), (100.5, 102, 96, 99), QUIET)
    found = position(
        run_of(market, FillRules("through", path=path)), stop_loss=Decimal("0.02"), take_profit=Decimal("0.02")
    )
    assert (found.close_type.name, found.last) == (close_type, 2)


def test_the_nearer_extreme_may_be_the_low() -> None:
    market = candles(QUIET, (100, 100, 98.9, 99.5), (98, 103, 96, 99), QUIET)
    rules = FillRules("through", path="nearest")
    found = position(run_of(market, rules), stop_loss=Decimal("0.02"), take_profit=Decimal("0.02"))
    assert found.close_type.name == "STOP_LOSS"


# Finer candles inside


def finer(*rows: tuple[float, ...], first: float) -> pd.DataFrame:
    """Candles of 20 s from `first` on."""
    frame = pd.DataFrame([row[:4] for row in rows], columns=["open", "high", "low", "close"], dtype=float)
    return frame.assign(timestamp=first + 20.0 * np.arange(len(rows)), volume=1e9)


def test_finer_candles_decide_what_came_first_and_when() -> None:
    market = candles(QUIET, (100, 100, 98.9, 99.5), (100.5, 102, 96, 99), QUIET)
    inside = finer((100.5, 102, 100, 101), (101, 101, 96, 99), (99, 99, 99, 99), first=START + 120)
    path = Path.inside(market, inside, 60.0)
    found = position(
        run_of(market, FillRules("through"), path=path), stop_loss=Decimal("0.02"), take_profit=Decimal("0.02")
    )
    assert (found.close_type.name, found.last) == ("TAKE_PROFIT", 2)
    assert [fill.time - START for fill in found.fills(2) or []] == [60.0, 120.0]


def test_where_there_are_no_finer_candles_the_row_itself_is_the_path() -> None:
    market = candles(QUIET, QUIET, QUIET, QUIET)
    path = Path.inside(market, finer(QUIET, QUIET, first=START + 60), 60.0)
    assert (path.time - START).tolist() == [0.0, 60.0, 80.0, 120.0, 180.0]
    assert path.row.tolist() == [0, 1, 1, 2, 3]
    assert path.first.tolist() == [0, 1, 3, 4, 5]


def test_finer_candles_outside_of_the_rows_are_left_out() -> None:
    market = candles(QUIET, QUIET)
    path = Path.inside(market, finer(*[QUIET] * 12, first=START - 60), 60.0)
    assert (path.time - START).tolist() == [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]


# Margin


def test_a_position_that_has_lost_its_margin_is_closed_where_nothing_is_left_of_it() -> None:
    # ten times leverage: the margin of 9.9 a base is gone at 89.1, the exchange acts half a percent of the value before
    market = candles(QUIET, (99, 99, 98.9, 99), (92, 92, 89.5, 92), (92, 92, 89.0, 92), QUIET)
    run = run_of(market, FillRules("through"))
    found = position(run, connector="binance_perpetual", leverage=10)
    assert (found.close_type.name, found.last) == ("STOP_LOSS", 2)
    assert found.at(2).net_pnl_quote == pytest.approx(-2 * 9.9)
    assert run.warnings() == ["1 positions lost their margin and were liquidated"]


def test_a_stop_that_is_nearer_acts_first() -> None:
    market = candles(QUIET, (99, 99, 98.9, 99), (92, 92, 80, 92), QUIET)
    run = run_of(market, FillRules("through"))
    found = position(run, connector="binance_perpetual", leverage=5, stop_loss=Decimal("0.05"))
    # the candle opens beyond the stop, above the margin call: sold at the open
    assert found.at(2).net_pnl_quote == pytest.approx(2 * (92 - 99))
    assert run.warnings() == []


def test_a_short_loses_its_margin_above_its_price() -> None:
    market = candles(QUIET, (101, 101.2, 101, 101), (101, 112, 101, 101), QUIET)
    run = run_of(market, FillRules("through"))
    found = position(run, connector="binance_perpetual", leverage=10, side=TradeType.SELL, entry_price=Decimal(101))
    assert (found.close_type.name, found.at(2).net_pnl_quote) == ("STOP_LOSS", pytest.approx(-2 * 10.1))


@pytest.mark.parametrize(("connector", "limits"), [("binance", True), ("binance_perpetual", False)])
def test_spot_has_no_margin_and_limits_can_be_left_out(connector: str, limits: bool) -> None:
    market = candles(QUIET, (99, 99, 98.9, 99), (92, 92, 50, 92), QUIET)
    run = run_of(market, FillRules("through", exchange_limits=limits))
    found = position(run, connector=connector, leverage=10)
    assert (found.close_type.name, run.liquidated) == ("TIME_LIMIT", 0)


# Rules that cannot be


@pytest.mark.parametrize(
    "changes", [{"kind": "generous"}, {"path": "random"}, {"ticks": -1}, {"volume_share": 0.0}, {"volume_share": 1.5}]
)
def test_rules_that_cannot_be_are_refused(changes: Any) -> None:
    with pytest.raises(ValueError, match=r"fills|ticks"):
        FillRules(**changes)

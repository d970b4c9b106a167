"""Each array simulator against upstream's, row by row: same end, same numbers to the last bit, same errors."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.workloads.market import PAIR, START, random_walk
from tasks.engine import compiled
from tasks.engine.candles import Candles, float_at_or_above, float_at_or_below
from tasks.engine.equity import EquityCurve
from tasks.engine.executors import Trajectory, simulate
from tasks.engine.executors import dca as dca_executors
from tasks.engine.executors import grid as grid_executors
from tasks.engine.executors import position as position_executors
from tasks.engine.executors.warm import warm
from tasks.engine.fills import STOCK, RunFills
from tasks.upstream.names import (
    BacktestingEngineBase,
    CloseType,
    DCAExecutorConfig,
    DCAExecutorSimulator,
    DCAMode,
    ExecutionStrategy,
    GridExecutorConfig,
    GridExecutorSimulator,
    OrderExecutorConfig,
    OrderExecutorSimulator,
    OrderType,
    PositionExecutorConfig,
    PositionExecutorSimulator,
    TradeType,
    TrailingStop,
    TripleBarrierConfig,
)

COST = 0.0006
BUY, SELL = TradeType.BUY, TradeType.SELL


def candles_from(closes: list[float], reach: float = 0.0) -> Candles:
    close = np.array(closes, dtype=float)
    frame = pd.DataFrame(
        {"open": close, "high": close + reach, "low": close - reach, "close": close, "volume": 0.0},
        index=pd.Index(START + 60.0 * np.arange(len(close)), name="epoch_seconds"),
    )
    frame["timestamp"] = frame.index
    return Candles(frame)


def walk(seed: int, rows: int = 200) -> Candles:
    frame = random_walk(rows, seed=seed, price=100.0, tick=0.5, volatility=0.004)
    return Candles(frame.set_index(pd.Index(frame["timestamp"], name="epoch_seconds")))


def upstream(candles: Candles, first: int, config: Any) -> Any:
    frame = candles.frame
    end = BacktestingEngineBase._get_executor_max_timestamp(config, frame.index[-1])
    window = frame.loc[frame.index[first] : end]
    if isinstance(config, DCAExecutorConfig):
        return DCAExecutorSimulator().simulate(window, config, COST)
    if isinstance(config, GridExecutorConfig):
        return GridExecutorSimulator().simulate(window, config, COST, None)
    if isinstance(config, OrderExecutorConfig):
        return OrderExecutorSimulator().simulate(window, config, COST)
    return PositionExecutorSimulator().simulate(window, config, COST)


def ours(candles: Candles, first: int, config: Any) -> Any:
    return simulate(config, candles, first, RunFills(STOCK, candles, trade_cost=COST, trading_rules=no_rules))


def no_rules(connector: str, trading_pair: str) -> None:
    raise KeyError(trading_pair)


def assert_same(candles: Candles, first: int, config: Any) -> Any:
    """Row by row; returns our trajectory."""
    expected = upstream(candles, first, config)
    frame = expected.executor_simulation
    got = ours(candles, first, config)
    if frame.empty:
        assert got is None
        return None
    assert (got.first, got.last) == (first, first + len(frame) - 1)
    assert got.close_type == expected.close_type
    for name, column in got.table()._asdict().items():
        upstream_name = "current_position_average_price" if name == "average_price" else name
        np.testing.assert_array_equal(column, frame[upstream_name].to_numpy(), err_msg=name)
    built = got.table()
    got.release()
    for row in sorted({first, got.last, (first + got.last) // 2, got.fill_row or first}):
        state, entry = got.at(row), frame.iloc[row - first]
        assert state == tuple(column[row - first] for column in built)
        info = expected.get_executor_info_at_timestamp(candles.timestamp[row])
        assert got.custom_info(row, state) == info.custom_info == expected.get_custom_info(entry)
    return got


def position(price: str = "100", side: Any = BUY, first: int = 0, **barriers: Any) -> Any:
    stamp = barriers.pop("timestamp", START + 60.0 * first)
    values = {key: Decimal(value) if isinstance(value, str) else value for key, value in barriers.items()}
    return PositionExecutorConfig(
        timestamp=stamp, connector_name="c", trading_pair=PAIR, side=side, entry_price=Decimal(price),
        amount=Decimal("0.3"), triple_barrier_config=TripleBarrierConfig(**values), level_id="buy_0",
    )  # fmt: skip


def dca(prices: list[str], side: Any = BUY, **more: Any) -> Any:
    values = {key: Decimal(value) if isinstance(value, str) else value for key, value in more.items()}
    amounts = [Decimal(10 + 7 * level) for level in range(len(prices))]
    return DCAExecutorConfig(
        timestamp=values.pop("timestamp", float(START)), connector_name="c", trading_pair=PAIR, side=side,
        prices=[Decimal(price) for price in prices], amounts_quote=amounts, **values,
    )  # fmt: skip


def grid(low: str, high: str, side: Any = BUY, limit: str = "0", keep: bool = False, **barriers: Any) -> Any:
    values = {key: Decimal(value) if isinstance(value, str) else value for key, value in barriers.items()}
    return GridExecutorConfig(
        timestamp=float(START), connector_name="c", trading_pair=PAIR, side=side, start_price=Decimal(low),
        end_price=Decimal(high), limit_price=Decimal(limit), total_amount_quote=Decimal(60), keep_position=keep,
        min_spread_between_orders=Decimal("0.004"),
        triple_barrier_config=TripleBarrierConfig(**{"take_profit": Decimal("0.005"), **values}),
    )  # fmt: skip


def order(strategy: Any, price: str, side: Any = BUY) -> Any:
    return OrderExecutorConfig(
        timestamp=float(START), connector_name="c", trading_pair=PAIR, side=side, amount=Decimal("0.7"),
        price=Decimal(price), execution_strategy=strategy,
    )  # fmt: skip


TRAILING = TrailingStop(activation_price=Decimal("0.006"), trailing_delta=Decimal("0.003"))


@pytest.mark.parametrize("side", [BUY, SELL])
@pytest.mark.parametrize("order_type", [OrderType.MARKET, OrderType.LIMIT])
@pytest.mark.parametrize("trailing", [None, TRAILING])
@pytest.mark.parametrize("limit", [None, 1000, 3600])
def test_positions_on_random_walks(side: Any, order_type: Any, trailing: Any, limit: int | None) -> None:
    ends = set()
    for seed in range(8):
        candles = walk(seed)
        config = position(
            "99.5", side, 5, stop_loss="0.01", take_profit="0.009", trailing_stop=trailing, time_limit=limit,
            open_order_type=order_type,
        )  # fmt: skip
        ends.add(assert_same(candles, 5, config).close_type)
    assert len(ends) > 1


@pytest.mark.parametrize("side", [BUY, SELL])
@pytest.mark.parametrize("trailing", [None, TRAILING])
def test_dca_on_random_walks(side: Any, trailing: Any) -> None:
    steps = ["100", "99", "98.5"] if side == BUY else ["100", "101", "101.5"]
    ends, filled = set(), set()
    for seed in range(30):
        config = dca(steps, side, stop_loss="0.012", take_profit="0.006", trailing_stop=trailing)
        got = assert_same(walk(seed), 0, config)
        ends.add(got.close_type)
        filled.add(got.fill_row is not None)
    assert len(ends) > 1
    assert filled == {True, False}


@pytest.mark.parametrize("side", [BUY, SELL])
@pytest.mark.parametrize("keep", [True, False])
def test_grids_on_random_walks(side: Any, keep: bool) -> None:
    ends, events = set(), 0
    for seed in range(20):
        limit = "96" if side == BUY else "104"
        got = assert_same(walk(seed), 0, grid("97.5", "102.5", side, limit, keep, stop_loss="0.03"))
        ends.add(got.close_type)
        events += len(got.fill_events)
    assert len(ends) > 1
    assert events > 100


@pytest.mark.parametrize("strategy", [ExecutionStrategy.LIMIT, ExecutionStrategy.LIMIT_MAKER, ExecutionStrategy.MARKET])
@pytest.mark.parametrize("side", [BUY, SELL])
@pytest.mark.parametrize("price", ["100", "97", "103", "50", "200"])
def test_orders_on_random_walks(strategy: Any, side: Any, price: str) -> None:
    for seed in range(5):
        assert_same(walk(seed), 3, order(strategy, price, side))


def test_a_limit_that_the_price_meets_exactly_is_filled() -> None:
    got = assert_same(candles_from([101, 100.5, 100, 102]), 0, position("100"))
    assert got.fill_row == 2


@pytest.mark.parametrize("side", [BUY, SELL])
def test_a_level_between_two_floats_is_compared_as_a_decimal(side: Any) -> None:
    price = 100.1
    nearest = Decimal(price)
    for level in (nearest, nearest - Decimal("1e-18"), nearest + Decimal("1e-18")):
        assert float(level) == price
        got = assert_same(candles_from([100.0, price, 99.0]), 1, position(str(level), side))
        met = level >= nearest if side == BUY else level <= nearest
        assert (got.fill_row == 1) == met
    assert float_at_or_below(nearest - Decimal("1e-18")) < price == float_at_or_above(nearest)


def test_a_stop_may_be_hit_before_the_fill() -> None:
    candles = candles_from([105, 104, 103, 100], reach=0.0)
    candles.low[1] = 90.0
    candles.frame["low"] = candles.low
    got = assert_same(candles, 0, position("100", stop_loss="0.05"))
    assert (got.close_type, got.last, got.fill_row) == (CloseType.STOP_LOSS, 1, None)


def test_take_profit_wins_over_a_stop_on_the_same_candle() -> None:
    candles = candles_from([100, 103])
    candles.low[1] = 90.0
    candles.frame["low"] = candles.low
    config = position("100", stop_loss="0.05", take_profit="0.01", open_order_type=OrderType.MARKET)
    assert assert_same(candles, 0, config).close_type == CloseType.TAKE_PROFIT


@pytest.mark.parametrize("limit", [1, 59, 60, 61, 119, 10_000])
def test_time_limits_between_candles(limit: int) -> None:
    candles = candles_from([100, 101, 102, 103])
    assert_same(candles, 1, position("100", first=1, time_limit=limit, open_order_type=OrderType.MARKET))
    assert_same(candles, 1, dca(["105", "104"], timestamp=START + 60.0, time_limit=limit, stop_loss="0.1"))


@pytest.mark.parametrize("stamp", [START - 3600.0, START + 59.5, START + 86400.0, 1767225600.25])
def test_executors_stamped_with_another_clock(stamp: float) -> None:
    candles = candles_from([100, 101, 102, 103])
    for limit in (None, 100, 3600):
        for order_type in (OrderType.MARKET, OrderType.LIMIT):
            assert_same(candles, 2, position("100", timestamp=stamp, time_limit=limit, open_order_type=order_type))
        assert_same(candles, 2, dca(["105"], timestamp=stamp, time_limit=limit, stop_loss="0.1"))


def test_one_candle() -> None:
    candles = candles_from([100])
    for config in (position("100"), position("90"), dca(["100"], stop_loss="0.1"), grid("95", "105"),
                   order(ExecutionStrategy.LIMIT, "100"), order(ExecutionStrategy.LIMIT, "90")):  # fmt: skip
        assert_same(candles, 0, config)


def test_a_dca_in_taker_mode_raises_as_upstream() -> None:
    config = dca(["100"], mode=DCAMode.TAKER)
    with pytest.raises(NotImplementedError) as expected:
        upstream(candles_from([100, 101]), 0, config)
    with pytest.raises(NotImplementedError, match=str(expected.value)):
        ours(candles_from([100, 101]), 0, config)


def test_a_dca_without_a_stop_raises_as_upstream_where_all_levels_fill() -> None:
    config, candles = dca(["100", "99"]), candles_from([100, 99, 98])
    with pytest.raises(IndexError) as expected:
        upstream(candles, 0, config)
    with pytest.raises(IndexError, match=str(expected.value)):
        ours(candles, 0, config)


def test_searches_skip_blocks_and_find_the_same_row() -> None:
    candles = Candles(walk(3, 2000).frame)
    rng = np.random.default_rng(0)
    for _ in range(300):
        first, last = sorted(rng.integers(0, 2000, 2).tolist())
        level = Decimal(str(rng.choice(candles.close)))
        for falling in (True, False):
            window = candles.close[first : last + 1]
            hits = np.flatnonzero(window <= float(level) if falling else window >= float(level))
            expected = first + int(hits[0]) if len(hits) else -1
            assert candles.first_reached(first, last, level, falling=falling) == expected


@pytest.mark.parametrize("copy_on_write", [False, True], ids=["plain", "copy on write"])
def test_warming_compiles_what_runs_call(copy_on_write: bool) -> None:
    """pandas_ta turns copy-on-write on for the whole process; then pandas marks its arrays read-only."""
    warm()
    with pd.option_context("mode.copy_on_write", copy_on_write):
        _use_all_loops()


def _use_all_loops() -> None:
    for config in (position("100", stop_loss="0.01"), dca(["100", "99"], stop_loss="0.01", trailing_stop=TRAILING),
                   grid("95", "105", limit="94"), order(ExecutionStrategy.LIMIT, "99")):  # fmt: skip
        life = ours(walk(1), 0, config)
        if life.fill_row is not None:
            life.add_to(EquityCurve(life.candles.close), life.last, life.at(life.last).net_pnl_quote, kept=False)
    loops = {
        id(found): found
        for module in (compiled, position_executors, dca_executors, grid_executors)
        for found in vars(module).values()
        if hasattr(found, "signatures")
    }
    assert {len(loop.signatures) for loop in loops.values()} == {1}


@pytest.mark.parametrize("seed", range(6))
def test_a_position_adds_to_the_equity_curve_what_its_table_says(seed: int) -> None:
    chance, candles = np.random.default_rng(seed), walk(seed)
    fast, plain = (EquityCurve(candles.close) for _ in range(2))
    for one, other in zip(fast.rows(), plain.rows(), strict=True):  # what is there already shows the order of the sums
        one[:] = other[:] = chance.uniform(0.1, 1000, len(candles))
    added = set()
    for _ in range(60):
        first = int(chance.integers(0, 190))
        limit = chance.random() < 0.5
        price = f"{candles.close[first] * (1 + chance.normal(0, 0.003) * limit):.4f}"
        life = ours(candles, first, position(
            price, BUY if chance.random() < 0.5 else SELL, first, time_limit=int(chance.integers(0, 40)) * 60 or None,
            take_profit="0.006", stop_loss="0.008",
            open_order_type=OrderType.LIMIT if limit else OrderType.MARKET,
        ))  # fmt: skip
        if life is None or life.fill_row is None:
            continue
        row = life.last if chance.random() < 0.5 else int(chance.integers(life.fill_row, life.last + 1))
        kept = bool(chance.random() < 0.3)
        pnl = life.at(row).net_pnl_quote
        life.add_to(fast, row, pnl, kept=kept)
        Trajectory.add_to(life, plain, row, pnl, kept=kept)
        added.add((kept, row == life.last, row == life.fill_row, life.fill_row == first))
        for one, other in zip(fast.rows(), plain.rows(), strict=True):
            assert one.tobytes() == other.tobytes()
    assert len(added) >= 6
    assert np.abs(fast.equity()).max() > 0

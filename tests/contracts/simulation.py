"""What every simulation of an executor promises, whatever its kind and the fills; see tasks.engine.executors._base.

A new kind is a line in `configs`, new fills a subclass of `SimulationCase`.
"""

from __future__ import annotations

import functools
import math
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from benchmarks.workloads.market import PAIR, START, random_walk
from tasks.engine.candles import Candles
from tasks.engine.equity import EquityCurve
from tasks.engine.executors import Trajectory, simulate
from tasks.engine.fills import FillRules, RunFills
from tasks.upstream.names import (
    DCAExecutorConfig,
    ExecutionStrategy,
    GridExecutorConfig,
    OrderExecutorConfig,
    OrderType,
    PositionExecutorConfig,
    TradeType,
    TradingRule,
    TrailingStop,
    TripleBarrierConfig,
)

ROWS = 240
RULE = TradingRule(
    PAIR,
    min_order_size=Decimal("0.001"),
    min_price_increment=Decimal("0.01"),
    min_base_amount_increment=Decimal("0.0001"),
    min_notional_size=Decimal("5"),
)


@functools.cache
def candles(seed: int) -> Candles:
    """A random walk around 100, 1m; shared by runs, as the engines share a market's."""
    frame = random_walk(ROWS, seed=seed, price=100.0, tick=0.01, volatility=0.003)
    frame["volume"] = np.random.default_rng(seed).uniform(0.0, 30.0, ROWS)
    return Candles(frame.set_index("timestamp", drop=False).rename_axis("epoch_seconds"))


def configs(price: float, side: Any, row: int) -> dict[str, Any]:
    """An executor of each kind, created on a row at whose close the price is `price`."""
    sign = 1 if side == TradeType.BUY else -1
    common = {"timestamp": START + 60.0 * row, "connector_name": "c", "trading_pair": PAIR, "side": side}

    def at(change: float) -> Decimal:
        return Decimal(f"{price * (1 - sign * change):.2f}")

    barriers = TripleBarrierConfig(
        stop_loss=Decimal("0.01"), take_profit=Decimal("0.008"), time_limit=7200, open_order_type=OrderType.LIMIT
    )
    trailing = TripleBarrierConfig(
        trailing_stop=TrailingStop(activation_price=Decimal("0.004"), trailing_delta=Decimal("0.002")),
        stop_loss=Decimal("0.02"),
    )
    low, high = sorted([at(0.0), at(0.02)])
    return {
        "position": PositionExecutorConfig(
            **common, entry_price=at(0.002), amount=Decimal("0.5"), triple_barrier_config=barriers
        ),
        "position, at market": PositionExecutorConfig(
            **common, entry_price=at(0.0), amount=Decimal("0.5"), triple_barrier_config=trailing
        ),
        "dca": DCAExecutorConfig(
            **common, prices=[at(0.001), at(0.004), at(0.008)], amounts_quote=[Decimal(20), Decimal(30), Decimal(40)],
            take_profit=Decimal("0.006"), stop_loss=Decimal("0.02"),
        ),
        "grid": GridExecutorConfig(
            **common, start_price=low, end_price=high, limit_price=at(0.03), total_amount_quote=Decimal(200),
            min_spread_between_orders=Decimal("0.003"),
            triple_barrier_config=TripleBarrierConfig(take_profit=Decimal("0.004"), time_limit=9000),
        ),
        "order": OrderExecutorConfig(
            **common, amount=Decimal("0.5"), price=at(0.003), execution_strategy=ExecutionStrategy.LIMIT
        ),
    }  # fmt: skip


KINDS = tuple(configs(100.0, TradeType.BUY, 0))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("side", [TradeType.BUY, TradeType.SELL], ids=["buys", "sells"])
class SimulationCase:
    """The promises, as tests."""

    rules: FillRules

    def lives(self, kind: str, side: Any) -> list[tuple[Candles, Trajectory, RunFills]]:
        """Some executors of a kind, each in a run of its own."""
        found = []
        for seed in range(6):
            market = candles(seed)
            for row in (0, 37, ROWS - 30):
                run = RunFills(self.rules, market, trade_cost=0.0006, trading_rules=lambda *_: RULE)
                config = configs(float(market.close[row]), side, row)[kind]
                trajectory = simulate(config, market, row, run)
                assert trajectory is not None
                found.append((market, trajectory, run))
        assert any(life.fill_row is not None for _, life, _ in found)
        return found

    def test_it_ends_where_it_says(self, kind: str, side: Any) -> None:
        for market, life, _ in self.lives(kind, side):
            assert life.first <= life.last < len(market)
            assert life.close_type is not None

    def test_one_row_is_what_the_table_says(self, kind: str, side: Any) -> None:
        for _, life, _ in self.lives(kind, side):
            table = life.table()
            life.release()
            rows = range(life.first, life.last + 1)
            forwards = [*rows[:: max(1, len(rows) // 20)], life.last]
            for row in (*forwards, *reversed(forwards)):  # in any order: a state may be kept from row to row
                expected = [column[row - life.first] for column in table]
                assert life.at(row) == pytest.approx(expected, rel=1e-9, abs=1e-9)

    def test_before_its_first_fill_it_is_nothing(self, kind: str, side: Any) -> None:
        for _, life, _ in self.lives(kind, side):
            until = life.last + 1 if life.fill_row is None else life.fill_row
            for row in range(life.first, until):
                assert life.at(row)[:4] == (0.0, 0.0, 0.0, 0.0)
                assert not life.filled_at(row)
            if life.fill_row is not None and life.fill_row < life.last:
                assert life.at(life.fill_row).filled_amount_quote > 0

    def test_all_numbers_are_finite(self, kind: str, side: Any) -> None:
        for _, life, _ in self.lives(kind, side):
            for column in life.table():
                assert len(column) == life.last - life.first + 1
                assert np.isfinite(column).all()

    def test_the_equity_curve_ends_with_its_pnl(self, kind: str, side: Any) -> None:
        for market, life, _ in self.lives(kind, side):
            if life.fill_row is None or life.close_type.name == "POSITION_HOLD":
                continue
            curve, pnl = EquityCurve(market.close), life.at(life.last).net_pnl_quote
            life.add_to(curve, life.last, pnl, kept=False)
            assert curve.equity()[-1] == pytest.approx(pnl, abs=1e-9)
            assert curve.position_value()[-1] == pytest.approx(0.0, abs=1e-9)

    def test_the_same_again(self, kind: str, side: Any) -> None:
        for (_, one, _), (_, other, _) in zip(self.lives(kind, side), self.lives(kind, side), strict=True):
            assert (one.last, one.close_type, one.fill_row) == (other.last, other.close_type, other.fill_row)
            for left, right in zip(one.table(), other.table(), strict=True):
                assert left.tobytes() == right.tobytes()


class FillsCase(SimulationCase):
    """What every simulation promises beside that where fills are trades of their own: all fills but stock."""

    def test_its_fills_add_up_to_its_pnl(self, kind: str, side: Any) -> None:
        for market, life, _ in self.lives(kind, side):
            fills = life.fills(life.last)
            assert fills is not None
            if life.fill_row is None:
                assert fills == []
                continue
            sign = 1 if side == TradeType.BUY else -1
            base = sum(fill.base for fill in fills)
            spent = sum(sign * fill.base * fill.price + fill.fee for fill in fills)
            if life.close_type.name == "POSITION_HOLD":
                assert base > 0
                continue
            assert base == pytest.approx(0.0, abs=1e-9)
            assert life.at(life.last).net_pnl_quote == pytest.approx(-spent, abs=1e-9)
            assert math.isclose(life.at(life.last).cum_fees_quote, sum(fill.fee for fill in fills), rel_tol=1e-9)
            assert len(market) > fills[-1].row

    def test_a_stop_sells_at_the_close_and_gives_the_volume_back(self, kind: str, side: Any) -> None:
        for market, life, run in self.lives(kind, side):
            row = (life.first + life.last) // 2
            if not life.filled_at(row) or row == life.last:
                continue
            state = life.stopped(row, keep=False)
            fills = life.fills(row)
            assert fills is not None
            assert sum(fill.base for fill in fills) == pytest.approx(0.0, abs=1e-9)
            assert state.cum_fees_quote == pytest.approx(sum(fill.fee for fill in fills), rel=1e-9)
            assert run.used[:, row + 1 :].max(initial=0.0) == pytest.approx(0.0, abs=1e-9)
            assert all(fill.row <= row for fill in fills)
            assert len(market) > row

    def test_resting_orders_take_no_more_than_there_is(self, kind: str, side: Any) -> None:
        for _, _, run in self.lives(kind, side):
            assert (run.used <= run.room + 1e-9).all()

    def test_every_price_and_amount_is_one_the_exchange_takes(self, kind: str, side: Any) -> None:
        for _, life, _ in self.lives(kind, side):
            for fill in life.fills(life.last) or []:
                if fill.is_maker:
                    assert fill.price / 0.01 == pytest.approx(round(fill.price / 0.01), abs=1e-6)

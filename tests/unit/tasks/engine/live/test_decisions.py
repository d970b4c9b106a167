"""The live engine against a reference that is written for clarity: every decision is the same."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import random
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hummingbot.strategy_v2.executors.arbitrage_executor.data_types import ArbitrageExecutorConfig
from hummingbot.strategy_v2.executors.data_types import ConnectorPair

from benchmarks.workloads.controllers import (
    BollingerConfig,
    BollingerDCAConfig,
    BollingerGridConfig,
    DynamicMakerConfig,
    OverridingMakerConfig,
    PatientConfig,
    SimpleMakerConfig,
)
from benchmarks.workloads.stateful import (
    CallerConfig,
    ClosedOnlyConfig,
    CounterConfig,
    GridKeeperConfig,
    HourlyBuyer,
    HourlyBuyerConfig,
    PairsTraderConfig,
)
from tasks.engine._base import Market
from tasks.engine.fills import FillRules
from tasks.engine.jump.engine import JumpEngine
from tasks.engine.live.engine import LiveEngine, LiveOptions
from tasks.errors import ControllerError
from tasks.upstream.backtest.build import controller_class
from tasks.upstream.backtest.markets import markets_of
from tasks.upstream.names import CreateExecutorAction, TradeType
from tests.unit.tasks.engine.live.conftest import CONNECTOR
from tests.unit.tasks.engine.live.reference import Reference

#: Honest fills, with the market's own costs.
HONEST = FillRules()

DIRECTIONAL = {"stop_loss": "0.01", "take_profit": "0.006", "time_limit": 7200, "cooldown_time": 600}
MAKER = {
    "buy_spreads": "0.001,0.003", "sell_spreads": "0.001,0.003", "buy_amounts_pct": "1,1", "sell_amounts_pct": "1,1",
    "executor_refresh_time": 1800, "cooldown_time": 600, "stop_loss": "0.02", "take_profit": "0.004",
}  # fmt: skip

CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "bands on unfinished candles": (
        BollingerConfig,
        {**DIRECTIONAL, "interval": "1h", "length": 10, "time_limit": 3600},
    ),
    "bands": (BollingerConfig, {**DIRECTIONAL, "interval": "5m", "length": 30}),
    "closed candles only": (ClosedOnlyConfig, {**DIRECTIONAL, "interval": "15m"}),
    "DCA": (BollingerDCAConfig, {**DIRECTIONAL, "interval": "15m", "length": 20}),
    "a grid a signal": (BollingerGridConfig, {**DIRECTIONAL, "interval": "5m", "length": 50}),
    "simple maker": (SimpleMakerConfig, MAKER),
    "dynamic maker": (DynamicMakerConfig, {**MAKER, "interval": "15m", "length": 20}),
    "overriding maker": (OverridingMakerConfig, MAKER),
    "patient": (PatientConfig, {}),
    "hourly buyer": (HourlyBuyerConfig, {"interval": "5m"}),
    "grid keeper": (GridKeeperConfig, {"interval": "5m", "width": 0.015}),
    "counter": (CounterConfig, {"interval": "15m"}),
    "caller": (CallerConfig, {"interval": "5m"}),
    "pairs": (PairsTraderConfig, {"interval": "5m"}),
}


def config_of(case: str, **changes: Any) -> Any:
    kind, values = CASES[case]
    market = {"connector_name": CONNECTOR}
    if "trading_pair" in kind.model_fields:
        market["trading_pair"] = "BTC-USDT"
    random.seed(1)
    return kind(id="point", total_amount_quote=1000, **market, **{**values, **changes})


def live_decisions(config: Any, market: Market, options: LiveOptions | None = None) -> tuple[list[Any], Any]:
    """Every action that the engine carries out, in the words of the reference; and the outcome."""
    decisions: list[Any] = []
    labels: dict[str, int] = {}
    engine = LiveEngine(HONEST, options)

    import tasks.engine.live.engine as module

    original = module.Point._do

    def noted(self: Any, actions: Any, row: int) -> None:
        for action in actions:
            time = float(self._books.rows[row])
            if hasattr(action, "executor_config"):
                fields = action.executor_config.model_dump()
                labels[fields["id"]] = len(labels)
                fields = {name: value for name, value in fields.items() if name not in ("id", "controller_id")}
                decisions.append((time, "create", repr(fields)))
            else:
                decisions.append((time, "stop", labels[action.executor_id], action.keep_position))
            original(self, [action], row)

    module.Point._do = noted
    try:
        outcome = asyncio.run(engine.run(config, market))
    finally:
        module.Point._do = original
    return decisions, outcome


@pytest.mark.parametrize("case", CASES)
def test_every_decision_equals_the_reference(case: str, two_pairs: Market) -> None:
    config = config_of(case)
    reference = Reference(two_pairs, HONEST, markets_of(config))
    asyncio.run(reference.run(config, controller_class(config)))

    decisions, outcome = live_decisions(config_of(case), two_pairs)

    assert len(decisions) > 5
    assert decisions == reference.decisions
    ended = {one.id: one for one in outcome.executors}
    assert len(ended) == len(reference.executors)


def test_the_hourly_buyer_buys_18_times_in_18_hours(two_pairs: Market) -> None:
    _, outcome = live_decisions(config_of("hourly buyer"), two_pairs)
    assert outcome.results["close_types"] == {"POSITION_HOLD": 18}
    assert outcome.results["unrealized_pnl_quote"] == pytest.approx(
        outcome.equity[-1] + outcome.results["total_fees_quote"]
    )


def test_a_grid_controller_keeps_its_grid(two_pairs: Market) -> None:
    decisions, outcome = live_decisions(config_of("grid keeper"), two_pairs)
    grids = sorted(outcome.executors, key=lambda one: one.timestamp)
    for one, following in itertools.pairwise(grids):
        assert following.timestamp >= one.close_timestamp
    assert len(decisions) == len(grids) < 20


@pytest.mark.parametrize("case", ["bands", "closed candles only", "a grid a signal"])
def test_on_closed_candles_the_live_engine_equals_the_jump_engine_trade_by_trade(case: str, two_pairs: Market) -> None:
    _, live = live_decisions(config_of(case), two_pairs)
    jump = asyncio.run(JumpEngine(HONEST).run(config_of(case), two_pairs))

    def trades(outcome: Any) -> list[Any]:
        return [
            (one.timestamp, one.side, one.close_timestamp, one.close_type, one.net_pnl_quote, one.filled_amount_quote)
            for one in outcome.executors
        ]

    assert len(trades(live)) > 5
    assert trades(live) == trades(jump)
    assert live.results == jump.results
    assert np.array_equal(live.equity, jump.equity)


def test_a_maker_without_candles_equals_the_jump_engine_where_its_reference_price_is_the_price_of_now(
    two_pairs: Market,
) -> None:
    at_once = dataclasses.replace(two_pairs, shift=0)
    _, live = live_decisions(config_of("simple maker"), at_once)
    jump = asyncio.run(JumpEngine(HONEST).run(config_of("simple maker"), at_once))
    assert len(live.executors) > 50
    assert live.results == jump.results
    assert np.array_equal(live.equity, jump.equity)


def test_what_takers_sold_limits_the_fills_of_both_engines_alike(two_pairs: Market) -> None:
    key = f"{CONNECTOR}_BTC-USDT_5m"
    thin = two_pairs.feeds[key].assign(volume=lambda of: of["volume"] * 1e-3)
    bought = thin["volume"] * np.random.default_rng(9).random(len(thin))
    outcomes = {}
    for name, candles in (("half each", thin), ("told", thin.assign(taker_buy_base_volume=bought))):
        market = dataclasses.replace(two_pairs, shift=0, feeds={**two_pairs.feeds, key: candles})
        _, live = live_decisions(config_of("simple maker"), market)
        jump = asyncio.run(JumpEngine(HONEST).run(config_of("simple maker"), market))
        assert live.results == jump.results
        outcomes[name] = live.results
    assert outcomes["half each"]["total_volume"] != outcomes["told"]["total_volume"]


def test_an_unfinished_candle_makes_other_decisions_than_closed_ones(two_pairs: Market) -> None:
    case = "bands on unfinished candles"
    with_it, _ = live_decisions(config_of(case), two_pairs)
    without, outcome = live_decisions(config_of(case), two_pairs, LiveOptions(unfinished=False))
    jump = asyncio.run(JumpEngine(HONEST).run(config_of(case), two_pairs))
    assert with_it != without
    assert [one.timestamp for one in outcome.executors] == [one.timestamp for one in jump.executors]


def test_live_every_asks_less_often(two_pairs: Market) -> None:
    decisions, _ = live_decisions(config_of("simple maker"), two_pairs, LiveOptions(every_s=1800))
    assert decisions
    assert all(time % 1800 == 0 for time, *_ in decisions)


def test_several_pairs_have_one_equity_curve(two_pairs: Market) -> None:
    _, outcome = live_decisions(config_of("pairs"), two_pairs)
    pairs = {one.config.trading_pair for one in outcome.executors}
    assert pairs == {"BTC-USDT", "ETH-USDT"}
    total = sum(float(one.net_pnl_quote) for one in outcome.executors)
    assert outcome.equity[-1] == pytest.approx(total)
    assert outcome.results["net_pnl_quote"] == pytest.approx(total)


def test_positions_that_the_account_holds_at_the_start_are_known_and_valued(two_pairs: Market) -> None:
    held = {"connector_name": CONNECTOR, "trading_pair": "BTC-USDT", "amount": "0.5", "side": "BUY"}
    seen: list[Any] = []

    class Holder(HourlyBuyer):
        async def update_processed_data(self) -> None:
            seen.append([(one.amount, one.side, one.breakeven_price) for one in self.positions_held])

        def determine_executor_actions(self) -> list[Any]:
            return []

    made = type("HolderConfig", (HourlyBuyerConfig,), {"get_controller_class": lambda self: Holder})
    outcome = asyncio.run(LiveEngine(HONEST).run(made(id="x", interval="5m", initial_positions=[held]), two_pairs))

    close = outcome.processed_data["features"]["close"].to_numpy()
    assert seen[0] == seen[-1] == [(Decimal("0.5"), TradeType.BUY, Decimal(str(close[0])))]
    assert outcome.equity == pytest.approx(0.5 * (close - close[0]))


def test_an_executor_that_needs_order_books_is_refused_by_name(two_pairs: Market) -> None:
    class Arbitrageur(HourlyBuyer):
        def determine_executor_actions(self) -> list[Any]:
            here = ConnectorPair(connector_name=CONNECTOR, trading_pair="BTC-USDT")
            there = ConnectorPair(connector_name="kucoin", trading_pair="BTC-USDT")
            config = ArbitrageExecutorConfig(
                timestamp=self.market_data_provider.time(),
                buying_market=here,
                selling_market=there,
                order_amount=Decimal(1),
                min_profitability=Decimal("0.01"),
            )
            return [CreateExecutorAction(controller_id=self.config.id, executor_config=config)]

    made = type("ArbitrageurConfig", (HourlyBuyerConfig,), {"get_controller_class": lambda self: Arbitrageur})
    with pytest.raises(ControllerError, match=r"^hourly_buyer at candle 2024-.*'arbitrage_executor'.*order books"):
        asyncio.run(LiveEngine(HONEST).run(made(id="x", interval="5m"), two_pairs))

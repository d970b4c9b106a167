"""What every engine promises (tasks.engine._base). A new one is a subclass of `EngineCase`."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

import numpy as np
import pytest

from benchmarks.workloads.controllers import Bollinger, BollingerConfig, SimpleMakerConfig
from benchmarks.workloads.market import PAIR, market_of, random_walk
from tasks.engine._base import Engine, Market, Outcome
from tasks.errors import CandlesMissing, ControllerError

DIRECTIONAL: dict[str, Any] = {"length": 30, "stop_loss": "0.01", "take_profit": "0.006", "time_limit": 3600}
MAKER: dict[str, Any] = {
    "buy_spreads": "0.001", "sell_spreads": "0.001", "buy_amounts_pct": "1", "sell_amounts_pct": "1",
    "executor_refresh_time": 600, "cooldown_time": 300, "stop_loss": "0.02", "take_profit": "0.004",
}  # fmt: skip


class FailingConfig(BollingerConfig):
    controller_name: str = "failing"

    def get_controller_class(self) -> Any:
        return Failing


class Failing(Bollinger):
    """Raises in the middle of the period."""

    def determine_executor_actions(self) -> list[Any]:
        if self.market_data_provider.time() % 86_400 == 6 * 3600:
            raise LookupError("no such thing")
        return super().determine_executor_actions()


class EngineCase:
    """The promises, as tests."""

    def make(self) -> Engine:
        """An engine, made inside the event loop."""
        raise NotImplementedError

    @pytest.fixture
    def market(self) -> Market:
        return market_of(random_walk(260, seed=6, volatility=0.0015))

    def run(self, kind: Any, market: Market, **values: Any) -> Outcome:
        async def running() -> Outcome:
            random.seed(3)
            config = kind(
                id="point", connector_name="binance_perpetual", trading_pair=PAIR, total_amount_quote=1000, **values
            )
            return await self.make().run(config, market)

        return asyncio.run(running())

    @pytest.mark.parametrize(("kind", "values"), [(BollingerConfig, DIRECTIONAL), (SimpleMakerConfig, MAKER)])
    def test_the_same_config_gives_the_same_outcome(self, kind: Any, values: Any, market: Market) -> None:
        one, other = self.run(kind, market, **values), self.run(kind, market, **values)
        assert one.results == other.results
        assert np.array_equal(np.asarray(one.equity), np.asarray(other.equity))

    @pytest.mark.parametrize(("kind", "values"), [(BollingerConfig, DIRECTIONAL), (SimpleMakerConfig, MAKER)])
    def test_results_ledger_and_curves_fit_together(self, kind: Any, values: Any, market: Market) -> None:
        outcome = self.run(kind, market, **values)
        assert len(repr(outcome)) < 100  # asyncio.run writes it out
        assert len(outcome.executors) > 5
        assert outcome.results["total_executors"] == len(outcome.executors)
        assert outcome.results["close_types"] == Counter(one.close_type.name for one in outcome.executors)
        pnl = sum(float(one.net_pnl_quote) for one in outcome.executors)
        assert outcome.results["net_pnl_quote"] == pytest.approx(pnl)
        assert outcome.equity is not None
        assert outcome.equity[-1] == pytest.approx(pnl)
        assert outcome.timestamps is not None
        assert len(outcome.timestamps) == len(outcome.equity)
        assert outcome.position_value is not None
        assert len(outcome.position_value) == len(outcome.turnover) == len(outcome.equity)

    def test_the_markets_frames_are_not_written_to(self, market: Market) -> None:
        before = {key: feed.copy() for key, feed in market.feeds.items()}
        self.run(BollingerConfig, market, **DIRECTIONAL)
        assert all(feed.equals(before[key]) for key, feed in market.feeds.items())

    def test_what_the_controller_raises_names_controller_and_candle(self) -> None:
        market = market_of(random_walk(380, seed=6, volatility=0.0015))  # it fails in the seventh hour
        with pytest.raises(ControllerError, match=r"failing at candle 2024-01-01T06:00:00Z: LookupError: no such"):
            self.run(FailingConfig, market, **DIRECTIONAL)

    def test_a_feed_that_is_not_there_is_named(self, market: Market) -> None:
        with pytest.raises(CandlesMissing, match=f"binance_perpetual_{PAIR}_5m"):
            self.run(BollingerConfig, market, **{**DIRECTIONAL, "interval": "5m"})

"""The live engine from the command line: real server, real children."""

from __future__ import annotations

import textwrap

from tests.integration.conftest import Place

HOURLY = """
    from decimal import Decimal

    from hummingbot.core.data_type.common import PriceType, TradeType
    from hummingbot.strategy_v2.controllers.controller_base import ControllerBase, ControllerConfigBase
    from hummingbot.strategy_v2.executors.order_executor.data_types import ExecutionStrategy, OrderExecutorConfig
    from hummingbot.strategy_v2.models.executor_actions import CreateExecutorAction


    class HourlyConfig(ControllerConfigBase):
        controller_name: str = "hourly"
        connector_name: str = "binance_perpetual"
        trading_pair: str = "BTC-USDT"
        every: int = 3600


    class Hourly(ControllerBase):
        last = -1

        async def update_processed_data(self):
            slot = self.market_data_provider.time() // self.config.every
            self.due, self.last = slot != self.last, slot

        def determine_executor_actions(self):
            if not self.due:
                return []
            config = self.config
            price = self.market_data_provider.get_price_by_type(
                config.connector_name, config.trading_pair, PriceType.MidPrice)
            return [CreateExecutorAction(controller_id=config.id, executor_config=OrderExecutorConfig(
                timestamp=self.market_data_provider.time(), connector_name=config.connector_name,
                trading_pair=config.trading_pair, side=TradeType.BUY, amount=Decimal(10) / price,
                execution_strategy=ExecutionStrategy.MARKET))]
"""


def with_hourly(place: Place) -> None:
    folder = place.folder / "controllers" / "generic"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "hourly.py").write_text(textwrap.dedent(HOURLY))
    place.sweep["controllers"] = "controllers"
    place.sweep["controller"] = {
        "controller_type": "generic",
        "controller_name": "hourly",
        "connector_name": "binance_perpetual",
        "trading_pair": "BTC-USDT",
        "total_amount_quote": 1000,
    }
    place.sweep["grid"] = {"every": [3600, 7200]}


def test_a_controller_that_keeps_state_runs_live_by_itself_and_the_row_says_why(place: Place) -> None:
    with_hourly(place)
    place.sweep["fills"] = "honest"
    ran = place.run("run", place.file, "--no-report", "--json")
    assert ran.code == 0, ran.err
    rows = place.run("rows", "runs/test", "--format", "json").document
    assert {row["engine"] for row in rows} == {"live"}
    assert all("live engine: its update_processed_data sets no features" in row["engine_note"] for row in rows)
    assert {row["every"]: row["total_executors"] for row in rows}[3600] in (8, 9)  # a period of eight hours


def test_with_stock_fills_its_row_warns(place: Place) -> None:
    with_hourly(place)
    place.sweep["fills"] = "stock"
    place.sweep["grid"] = {"every": [3600]}
    ran = place.run("run", place.file, "--no-report", "--no-audit")
    assert ran.code == 0, ran.err
    rows = place.run("rows", "runs/test", "--format", "json").document
    assert rows[0]["engine"] in ("jump", "step")
    assert "a back-test calls update_processed_data once, a bot at every tick" in rows[0]["warning"]


def test_the_best_point_is_replayed_and_the_verdict_says_so(place: Place) -> None:
    place.sweep |= {"fills": "honest", "grid": {"length": [10, 20]}, "validate": {"live": 2}}
    ran = place.run("run", place.file, "--no-report", "--json")
    assert ran.code == 0, ran.err
    found = place.run("live", "runs/test", "--point", "1", "--json")
    assert found.code == 0, found.err
    live = found.document
    assert live["points"] == 1
    assert live["rows"][0]["point"] == 1
    assert live["rows"][0]["covered"] == 1.0
    trades = live["rows"][0]["trades"]
    assert sum(trades.values()) > 0
    first = live["rows"][0]["first_difference"]
    assert first is None or first["why"]

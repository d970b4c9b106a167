"""A controller that reaches for the network costs its own point and nothing else."""

from __future__ import annotations

import asyncio
import textwrap

import numpy as np
import pandas as pd
import pytest

from tasks.engine._base import Market
from tasks.engine.stock import StockEngine
from tasks.errors import NetworkBlackout
from tasks.isolation import blackout
from tasks.upstream.backtest import build
from tasks.upstream.backtest.build import controller_config
from tasks.upstream.imports import stubs

START = 1_704_067_200
VALUES = {
    "controller_type": "market_making",
    "controller_name": "phones_home",
    "connector_name": "binance_perpetual",
    "trading_pair": "BTC-USDT",
    "buy_amounts_pct": "",
    "sell_amounts_pct": "",
}
SOURCE = """
import socket

from hummingbot.connector.time_synchronizer import TimeSynchronizer
from hummingbot.core.utils.async_utils import safe_ensure_future
from hummingbot.data_feed.market_data_provider import MarketDataProvider
from hummingbot.strategy_v2.controllers.market_making_controller_base import (
    MarketMakingControllerBase, MarketMakingControllerConfigBase)
from hummingbot.strategy_v2.executors.data_types import ConnectorPair

URL = "http://127.0.0.1:9/ticker"

class Config(MarketMakingControllerConfigBase):
    controller_name: str = "phones_home"
    how: str = "not"

class PhonesHome(MarketMakingControllerBase):
    async def update_processed_data(self):
        await super().update_processed_data()
        how = self.config.how
        if how == "aiohttp":
            import aiohttp
            async with aiohttp.ClientSession() as session:
                await session.get(URL)
        if how == "requests":
            import requests
            requests.get(URL)
        if how == "quietly":
            import requests
            try:
                requests.get(URL)
            except requests.RequestException:
                pass
        if how == "background":
            safe_ensure_future(self.forever())
        if how == "hummingbot":
            live = MarketDataProvider({})
            live.initialize_rate_sources([ConnectorPair(connector_name="kraken", trading_pair="A-B")])
            await live.update_rates_task()
            await TimeSynchronizer().update_server_time_offset_with_time_provider(None)
        if how == "connector":
            MarketDataProvider({}).get_non_trading_connector("kraken")

    async def forever(self):
        import asyncio
        while True:
            await asyncio.sleep(1)

    def determine_executor_actions(self):
        if self.config.how == "raw":
            socket.create_connection(("127.0.0.1", 9))
        return []
"""


@pytest.fixture
def controllers(tmp_path):
    file = tmp_path / "controllers" / "market_making" / "phones_home.py"
    file.parent.mkdir(parents=True)
    file.write_text(textwrap.dedent(SOURCE))
    yield tmp_path
    build.deactivate()


def run(controllers, hows):
    """One loop, one engine, point after point as in a child: ({how: what came out}, tasks left at the end, swept)."""
    rows = 120
    close = 40_000 + np.arange(rows, dtype=float)
    candles = pd.DataFrame({"timestamp": START + 60.0 * np.arange(rows), "volume": 1.0}).assign(
        **dict.fromkeys(("open", "high", "low", "close"), close)
    )
    market = Market({"binance_perpetual_BTC-USDT_1m": candles}, {}, START, START + rows * 60, "1m", 0.0006)
    outcomes, swept = {}, {}

    async def loop():
        engine = StockEngine()
        for how in hows:
            try:
                with blackout.guard():
                    outcomes[how] = await engine.run(controller_config({**VALUES, "how": how}, controllers), market)
            except Exception as error:
                outcomes[how] = error
            swept[how] = await blackout.sweep_up(asyncio.get_running_loop())
        return len(asyncio.all_tasks())

    # as a child does, whatever other tests of this process did before: without it upstream's rates task never ends
    blackout.install()
    stubs.cut_network()
    return outcomes, asyncio.run(loop()), swept


def test_each_way_is_its_own_points_error_and_the_others_finish(controllers):
    ways = ["aiohttp", "requests", "raw", "quietly"]
    outcomes, tasks, _ = run(controllers, ["not", *ways, "not again"])
    assert outcomes["not"].results == outcomes["not again"].results
    for way in ways:
        assert isinstance(outcomes[way], NetworkBlackout), way
        assert str(outcomes[way]).startswith("controllers/market_making/phones_home.py:"), way
    assert tasks == 1


def test_a_background_task_is_gone_before_the_next_point(controllers):
    outcomes, tasks, swept = run(controllers, ["background", "not"])
    assert outcomes["background"].results == outcomes["not"].results
    assert (swept["background"], swept["not"], tasks) == (1, 0, 1)


def test_hummingbots_own_ways_do_nothing_or_say_so(controllers):
    outcomes, _, swept = run(controllers, ["hummingbot", "connector"])
    assert outcomes["hummingbot"].results["total_executors"] == 0
    assert swept["hummingbot"] == 0
    assert "connector kraken is not built" in str(outcomes["connector"])

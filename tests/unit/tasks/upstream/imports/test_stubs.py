"""What is done to modules as they are imported, and to hummingbot right after."""

from __future__ import annotations

import asyncio
import logging

import pytest

from tasks.errors import NetworkBlackout
from tasks.upstream.imports import patches, stubs


def test_importing_the_engine_leaves_the_root_logger_alone():
    root = logging.getLogger()
    before = list(root.handlers), root.level
    with patches.import_quietly():
        logging.basicConfig(level=logging.DEBUG)
        root.setLevel(logging.DEBUG)
        root.addHandler(logging.NullHandler())
    assert (list(root.handlers), root.level) == before


def test_hummingbot_writes_where_it_is_told(tmp_path):
    patches.apply(tmp_path / "data")
    import hummingbot

    assert not (tmp_path / "data").exists(), "made when something asks for it"
    assert hummingbot.data_path() == str(tmp_path / "data")


def test_hummingbots_own_ways_to_the_network_are_cut():
    patches.apply()
    stubs.cut_network()
    from hummingbot.connector.time_synchronizer import TimeSynchronizer
    from hummingbot.data_feed.market_data_provider import MarketDataProvider

    async def use():
        provider = MarketDataProvider.__new__(MarketDataProvider)
        provider.initialize_rate_sources([object()])
        await provider.update_rates_task()
        await TimeSynchronizer().update_server_time_offset_with_time_provider(None)
        await TimeSynchronizer().update_server_time_if_not_initialized(None)
        with pytest.raises(NetworkBlackout, match="connector kraken is not built"):
            provider._create_non_trading_connector("kraken")
        return len(asyncio.all_tasks())

    assert asyncio.run(use()) == 1

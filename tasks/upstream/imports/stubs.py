"""What a child does without: network parts of hummingbot, and packages a back-test never uses.

install_lean_imports what a back-test never uses is imported only when something uses it: see lean.py
cut_network          hummingbot's own ways to the network do nothing or say that there is none
"""

from __future__ import annotations

from typing import Any, NoReturn

from tasks.errors import NetworkBlackout
from tasks.isolation.after_import import after_import
from tasks.upstream.imports.lean import install_lean_imports

__all__ = ["cut_network", "install_lean_imports"]


def cut_network() -> None:
    """Replace the parts of hummingbot that would reach out by themselves, now or when they are imported.

    What is awaited becomes a coroutine that does nothing; what would build a connector raises NetworkBlackout. (Not
    unittest's AsyncMock: it keeps every call it ever got, in a process that lives for millions of them.)
    """
    after_import("hummingbot.data_feed.market_data_provider", _cut_market_data_provider)
    after_import("hummingbot.connector.time_synchronizer", _cut_time_synchronizer)


async def _nothing(*args: Any, **kwargs: Any) -> None:
    """Stands where upstream awaits something from the network."""


def _no_connector(provider: Any, connector_name: str) -> NoReturn:
    raise NetworkBlackout(f"connector {connector_name} is not built: a back-test never reaches the network")


def _cut_market_data_provider(module: Any) -> None:
    module.MarketDataProvider.initialize_rate_sources = lambda provider, connector_pairs: None
    module.MarketDataProvider.update_rates_task = _nothing
    module.MarketDataProvider._create_non_trading_connector = _no_connector


def _cut_time_synchronizer(module: Any) -> None:
    module.TimeSynchronizer.update_server_time_offset_with_time_provider = _nothing
    module.TimeSynchronizer.update_server_time_if_not_initialized = _nothing

"""What a child does without: network parts of hummingbot, and packages a back-test never uses.

install_lean_imports what a back-test never uses is imported only when something uses it: see lean.py
cut_network          hummingbot's own ways to the network do nothing or say that there is none
after_import         run something as soon as a module has been imported, without importing it
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, NoReturn

from tasks.errors import NetworkBlackout
from tasks.upstream.lean import install_lean_imports

__all__ = ["after_import", "cut_network", "install_lean_imports"]


def cut_network() -> None:
    """Replace the parts of hummingbot that would reach out by themselves, now or when they are imported.

    What is awaited becomes a coroutine that does nothing; what would build a connector raises NetworkBlackout. (Not
    unittest's AsyncMock: it keeps every call it ever got, in a process that lives for millions of them.)
    """
    after_import("hummingbot.data_feed.market_data_provider", _cut_market_data_provider)
    after_import("hummingbot.connector.time_synchronizer", _cut_time_synchronizer)


def after_import(name: str, action: Callable[[ModuleType], None]) -> None:
    """Call `action(module)` once `name` has been imported: at once if it has been."""
    if name in sys.modules:
        action(sys.modules[name])
        return
    hook = next((finder for finder in sys.meta_path if isinstance(finder, _AfterImport)), None)
    if hook is None:
        hook = _AfterImport()
        sys.meta_path.insert(0, hook)
    hook.actions.setdefault(name, []).append(action)


class _AfterImport(importlib.abc.MetaPathFinder):
    def __init__(self) -> None:
        self.actions: dict[str, list[Callable[[ModuleType], None]]] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in self.actions:
            return None
        actions = self.actions.pop(fullname)  # popped first: the search below comes by here again
        spec = importlib.util.find_spec(fullname)
        if spec is None or spec.loader is None:
            self.actions[fullname] = actions
            return None
        spec.loader = _Loader(spec.loader, actions)
        return spec


class _Loader(importlib.abc.Loader):
    """A module's own loader, and what is to be done after it."""

    def __init__(self, loader: Any, actions: list[Callable[[ModuleType], None]]):
        self._loader, self._actions = loader, actions

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__ is not None
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        for action in self._actions:
            action(module)


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

"""What stands for an exchange connector in a back-test: its rules and settings, no exchange behind them.

Upstream builds the exchange's own connector whenever a controller asks for one. Without credentials and a connection
it knows no more than this, but its module and the exchange's client take seconds to import, and what it is asked for
beyond that goes to the network.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from tasks.errors import ControllerError
from tasks.upstream.names import (
    PositionMode,
    TradingRule,
)


class NotInABackTest(ControllerError, AttributeError):
    """A connector is asked for what only an exchange knows; `hasattr` takes it as absent."""


class OfflineConnector:
    """A spot exchange's."""

    def __init__(self, name: str, trading_rules: Mapping[str, TradingRule]):
        """`trading_rules`: Hummingbot's TradingRule per trading pair."""
        self.name = name
        self.display_name = name
        self.trading_rules = dict(trading_rules)

    @property
    def trading_pairs(self) -> list[str]:
        """The pairs with trading rules."""
        return list(self.trading_rules)

    def __getattr__(self, attribute: str) -> NoReturn:
        if attribute.startswith("__"):  # what Python itself looks for
            raise AttributeError(attribute)
        raise NotInABackTest(
            f"connector {self.__dict__.get('name', '')}: {attribute} is asked for; a back-test has candles, trading "
            "rules and position modes, no order book, balance or live price; other data come from files, `series:` of "
            "the sweep file"
        )


class OfflinePerpetual(OfflineConnector):
    """A perpetual exchange's; as upstream's it begins in one-way mode with leverage 1 and no positions."""

    def __init__(self, name: str, trading_rules: Mapping[str, TradingRule]):
        super().__init__(name, trading_rules)
        self.position_mode = PositionMode.ONEWAY
        self.account_positions: dict[str, object] = {}
        self._leverage: dict[str, int] = {}

    def set_position_mode(self, mode: PositionMode) -> None:
        """`mode`: Hummingbot's PositionMode."""
        self.position_mode = mode

    def set_leverage(self, trading_pair: str, leverage: int = 1) -> None:
        """Of one pair."""
        self._leverage[trading_pair] = leverage

    def get_leverage(self, trading_pair: str) -> int:
        """Of one pair."""
        return self._leverage.get(trading_pair, 1)


class OfflineConnectors(dict[str, OfflineConnector]):
    """Where hummingbot keeps connectors: each is made when it is asked for, and kept."""

    def __init__(self, trading_rules: Mapping[str, Mapping[str, TradingRule]]):
        """`trading_rules` per connector and trading pair."""
        super().__init__()
        self._trading_rules = trading_rules

    def __missing__(self, name: str) -> OfflineConnector:
        # told by its name, as upstream's ExecutorBase.is_perpetual_connector does
        kind = OfflinePerpetual if "perpetual" in name.lower() else OfflineConnector
        self[name] = kind(name, self._trading_rules.get(name, {}))
        return self[name]

    def get(self, name: str, default: Any = None) -> OfflineConnector:
        """As by index."""
        return self[name]

    def settings(self) -> dict[str, dict[str, object]]:
        """What somebody set in them, by connector and attribute; nothing for one that is as it was made."""
        changed = {}
        for name, one in self.items():
            made = vars(type(one)(one.name, one.trading_rules))
            held = {key: value for key, value in vars(one).items() if key not in made or made[key] != value}
            if held:
                changed[name] = held
        return changed

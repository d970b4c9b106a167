"""Which trading pairs a controller's config trades on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.errors import ControllerError
from tasks.upstream.names import (
    ControllerConfigBase,
    DirectionalTradingControllerConfigBase,
    MarketDict,
    MarketMakingControllerConfigBase,
)

#: Configs whose base class trades on `connector_name` and `trading_pair` alone.
_ONE_PAIR = (DirectionalTradingControllerConfigBase, MarketMakingControllerConfigBase)


def has_one_market(config: ControllerConfigBase) -> bool:
    """Whether a config has a single `connector_name` and a single `trading_pair`."""
    return all(isinstance(getattr(config, key, None), str) for key in ("connector_name", "trading_pair"))


def markets_of(config: ControllerConfigBase) -> list[tuple[str, str]]:
    """(connector, trading pair) of every market a config trades on, the main one first.

    `connector_name` and `trading_pair` where the config has them, then what its `update_markets` tells a bot to
    connect to, in alphabetical order. Raises ControllerError where there is none.
    """
    found: dict[tuple[str, str], None] = {}
    if has_one_market(config):
        found[config.connector_name, config.trading_pair] = None
    if not isinstance(config, _ONE_PAIR):
        for connector, pairs in sorted(_declared(config).items()):
            found.update(dict.fromkeys((str(connector), str(pair)) for pair in sorted(pairs)))
    if not found:
        raise ControllerError(
            f"{config.controller_name} names no market: its config has no connector_name and trading_pair, and its "
            "update_markets names none; without a market there is nothing to back-test"
        )
    return list(found)


def _declared(config: ControllerConfigBase) -> Mapping[Any, Any]:
    """What `update_markets` says; nothing where it cannot say."""
    try:
        declared = config.update_markets(MarketDict())
    except Exception:  # a controller may raise anything; the back-test goes on with what the config names itself
        return {}
    return declared if isinstance(declared, Mapping) else {}

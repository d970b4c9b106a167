"""The candle feeds that a controller wants, whichever way it says so.

get_candles_config()        what Hummingbot asks today
config.candles_config       a list in the config, often filled when the controller is made or by a validator: what
                            older Hummingbot and quants-lab read
initialize_candles_feed,    of the data provider, called while the controller was made
get_candles_feed
get_candles_df              of the data provider, likewise, for a feed that is named in no other way: a bot starts it
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tasks.errors import ControllerError
from tasks.upstream.names import (
    CandlesConfig,
    ControllerBase,
)


def wanted_feeds(controller: ControllerBase) -> list[CandlesConfig]:
    """Hummingbot's CandlesConfig of each feed, each feed and depth once, in the order above.

    To be asked after the controller was made. Raises ControllerError for an entry of `candles_config` that is none, and
    whatever `get_candles_config` raises.
    """
    asked = getattr(controller, "get_candles_config", None)
    listed = getattr(controller.config, "candles_config", None)
    found = list(asked() or ()) if callable(asked) else []
    found += [_candles(entry, controller) for entry in (listed if isinstance(listed, list | tuple) else ())]
    provider = getattr(controller, "market_data_provider", None)
    by_name = _deepest([*found, *getattr(provider, "asked_feeds", ())])
    read = _deepest(getattr(provider, "read_feeds", ()))
    # how many candles a controller reads says nothing of a feed for which it names another number itself
    return [*by_name.values(), *(one for name, one in read.items() if name not in by_name)]


def _deepest(feeds: Iterable[CandlesConfig]) -> dict[tuple[str, str, str], CandlesConfig]:
    """Each feed once, with the most candles that are asked for."""
    by_name: dict[tuple[str, str, str], CandlesConfig] = {}
    for one in feeds:
        key = one.connector, one.trading_pair, one.interval
        if key not in by_name or by_name[key].max_records < one.max_records:
            by_name[key] = one
    return by_name


def _candles(entry: Any, controller: ControllerBase) -> CandlesConfig:
    if isinstance(entry, CandlesConfig) or all(hasattr(entry, name) for name in ("connector", "interval")):
        return entry
    if isinstance(entry, Mapping):
        return CandlesConfig(**entry)  # its own error says which field is wrong
    raise ControllerError(
        f"{controller.config.controller_name}: candles_config holds {entry!r}; write each feed as "
        "{connector: binance, trading_pair: BTC-USDT, interval: 1m, max_records: 500}"
    )

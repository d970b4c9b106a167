"""Why a controller needs the live engine: what a back-test that calls `update_processed_data` once gets wrong.

The stock back-test, and the jump engine after it, call `update_processed_data` once, with all candles, and read from
row to row what stands in its `features`. That is right for a controller whose every tick is a function of the candles.
It is wrong, and the live engine is taken, for one that

- trades on several pairs;
- sets no `features`;
- looks at its executors, positions or results there, or at what its decisions have changed;
- keeps state there: called on several candles and called on the last of them alone, it ends up different;
- decides on an entry of `processed_data` that is no column of its features: one value for the whole period.

Upstream's own `update_processed_data` of market makers (the price of now, no spread multiplier) is known to be right,
and so is an empty one of a controller that says when it next wants to be asked (`next_decision_time`).
"""

from __future__ import annotations

import dis
import types
from collections.abc import Callable, Iterator
from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pydantic import BaseModel

from tasks.engine.fills import STOCK
from tasks.engine.fills.costs import Funding
from tasks.engine.live.engine import LiveOptions, Point
from tasks.engine.live.prepared import Prepared
from tasks.isolation.seeding import seed_rng
from tasks.upstream.backtest.build import controller_class
from tasks.upstream.backtest.markets import has_one_market, markets_of
from tasks.upstream.names import (
    ControllerBase,
    ControllerConfigBase,
    DirectionalTradingControllerBase,
    MarketMakingControllerBase,
)

if TYPE_CHECKING:
    from tasks.engine._base import Market

#: Candles between the calls of the first try, from the middle of the period on: some at once, an hour and a day later.
APART_S = (0, 60, 120, 3660, 3720, 90_000)

#: What a bot tells a controller of its trading.
_TOLD = frozenset({"executors_info", "positions_held", "performance_report"})
#: Attributes that ControllerBase makes; what else there is belongs to the controller.
_BASE = frozenset(
    {
        "config", "market_data_provider", "processed_data", "actions_queue", "executors_update_event",
        "executors_info_queue", "update_interval", "_status", "terminated", *_TOLD,
    }
)  # fmt: skip
#: Methods that show something and decide nothing.
_SHOWING = frozenset({"to_format_status", "get_custom_info"})


async def why_live(config_factory: Callable[[], ControllerConfigBase], market: Market) -> str:
    """Why a point needs the live engine, in words; "" where the jump engine is right.

    `config_factory` builds a fresh config of the point, the random generators seeded, each time. To be called inside
    the event loop. Says "" for a controller that raises: the run will say more.
    """
    config = config_factory()
    if not has_one_market(config):
        return "its config has no single connector_name and trading_pair"
    if len(markets_of(config)) > 1:
        return f"it trades on {len(markets_of(config))} pairs"
    kind = controller_class(config)
    update = kind.update_processed_data
    if quotes_price_of_now(config) or update is DirectionalTradingControllerBase.update_processed_data:
        return ""
    if callable(getattr(kind, "next_decision_time", None)) and not update.__code__.co_names:
        return ""
    with suppress(Exception):  # a controller may raise anything
        return await _Trial(market).reason(config_factory)
    return ""


def quotes_price_of_now(config: ControllerConfigBase) -> bool:
    """Whether a config's controller is a market maker without data of its own: it quotes around the current price."""
    update = controller_class(config).update_processed_data
    return bool(update is MarketMakingControllerBase.update_processed_data)


class _Trial:
    """A few calls of `update_processed_data` as a bot makes them."""

    def __init__(self, market: Market) -> None:
        self._prepared = Prepared(market)
        self._read: set[str] | None = None

    async def reason(self, config_factory: Callable[[], ControllerConfigBase]) -> str:
        """See why_live. Raises what the controller raises."""
        several = self._point(config_factory())
        controller = several.make(self._watched)
        rows = self._rows(several)
        read: set[str] = set()
        for row in rows:
            several.present(controller, row)
            if row == rows[-1]:
                seed_rng(0, 0)
            self._read = read
            await controller.update_processed_data()
            self._read = None
        data = controller.processed_data
        if not isinstance(data.get("features"), pd.DataFrame):
            return "its update_processed_data sets no features"
        if told := sorted(read & _TOLD):
            return f"its update_processed_data looks at {told[0]}"
        if changed := sorted((read - _BASE) & _written_elsewhere(type(controller), read)):
            return f"its update_processed_data reads self.{changed[0]}, which other methods change"
        alone = self._point(config_factory())
        other = alone.make()
        alone.present(other, rows[-1])
        seed_rng(0, 0)
        await other.update_processed_data()
        if kept := _different(vars(controller), vars(other), _BASE):
            return f"its update_processed_data keeps state in self.{kept}"
        if kept := _different(data, other.processed_data, frozenset()):
            return f"its update_processed_data keeps state: processed_data[{kept!r}] depends on earlier calls"
        used = _constants(type(controller))
        for key in data:
            if key != "features" and key in used and key not in data["features"].columns:
                return f"it decides on processed_data[{key!r}], which is no column of its features"
        return ""

    def _point(self, config: ControllerConfigBase) -> Point:
        return Point(self._prepared, STOCK, Funding(None), LiveOptions(), config, curves=False)

    def _rows(self, point: Point) -> list[int]:
        """Rows from the middle of the period on."""
        apart = [seconds // self._prepared.seconds for seconds in APART_S]
        middle = point.rows // 2
        return sorted({min(middle + rows, point.rows - 1) for rows in apart})

    def _watched(self, kind: Any) -> type[ControllerBase]:
        """The controller's class; what `update_processed_data` reads of the controller is noted."""
        trial = self

        def __getattribute__(this: Any, name: str) -> Any:
            if trial._read is not None:
                trial._read.add(name)
            return kind.__getattribute__(this, name)

        return type(kind.__name__, (kind,), {"__module__": kind.__module__, "__getattribute__": __getattribute__})


def _own_methods(kind: type) -> Iterator[tuple[str, types.FunctionType]]:
    """The functions of a controller's class and its bases up to Hummingbot's ControllerBase."""
    seen: set[str] = set()
    for one in kind.__mro__:
        if one is ControllerBase:
            return
        for name, value in vars(one).items():
            function = getattr(value, "fget", None) or getattr(value, "__func__", value)
            if isinstance(function, types.FunctionType) and name not in seen and name != "__getattribute__":
                seen.add(name)
                yield name, function


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """A function's code and that of the functions inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _written_elsewhere(kind: type, read: set[str]) -> set[str]:
    """Attributes that methods assign which `update_processed_data` does not call."""
    return {
        str(step.argval)
        for name, function in _own_methods(kind)
        if name not in read and name not in ("__init__", "update_processed_data")
        for code in _codes(function.__code__)
        for step in dis.get_instructions(code)
        if step.opname == "STORE_ATTR"
    }


def _constants(kind: type) -> set[str]:
    """Texts in the methods that decide."""
    return {
        constant
        for name, function in _own_methods(kind)
        if name not in ("__init__", "update_processed_data", *_SHOWING)
        for code in _codes(function.__code__)
        for constant in code.co_consts
        if isinstance(constant, str)
    }


def _different(one: dict[str, object], other: dict[str, object], ignored: frozenset[str]) -> str:
    """The first name whose values differ; "" where none does."""
    for name in [*one, *(name for name in other if name not in one)]:
        if name not in ignored and not (name in one and name in other and _same(one[name], other[name])):
            return str(name)
    return ""


def _same(one: Any, other: Any) -> bool:
    """Whether two values say the same; objects that nothing is known of are taken to."""
    if type(one) is not type(other):
        return False
    if isinstance(one, pd.DataFrame | pd.Series | pd.Index):
        return bool(one.equals(other))
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, int | float | Decimal | np.number):
        return bool(one == other or (one != one and other != other))
    if isinstance(one, str | bytes | set | frozenset | type(None)):
        return bool(one == other)
    return _same(dict(vars(one)), dict(vars(other))) if isinstance(one, BaseModel) else True

"""Which scheduler fits a controller: found by comparing its methods with its base class's."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import BaseModel

from tasks.engine.candles import Candles
from tasks.engine.jump.schedulers import (
    UNKNOWN_POSITION,
    DecisionScheduler,
    Declared,
    Directional,
    EveryCandle,
    MarketMaking,
    wants_rebalance,
)
from tasks.upstream import fingerprint
from tasks.upstream.backtest.provider import SweepDataProvider
from tasks.upstream.names import (
    BacktestingDataProvider,
    ControllerBase,
    DirectionalTradingControllerBase,
    DirectionalTradingControllerConfigBase,
    MarketMakingControllerBase,
    MarketMakingControllerConfigBase,
    PositionExecutorConfig,
    TripleBarrierConfig,
)

#: Methods in which the bases decide. A controller whose own are these is jumped over.
DIRECTIONAL_METHODS = (
    "determine_executor_actions", "create_actions_proposal", "can_create_executor", "stop_actions_proposal",
    "filter_executors", "_apply_executor_filter",
)  # fmt: skip
MARKET_MAKING_METHODS = (
    "determine_executor_actions", "create_actions_proposal", "get_levels_to_execute", "stop_actions_proposal",
    "executors_to_refresh", "executors_to_early_stop", "get_not_active_levels_ids", "get_level_id_from_side",
    "check_position_rebalance", "get_current_base_position", "filter_executors", "_apply_executor_filter",
)  # fmt: skip
#: What those methods read: plain attributes, and fields of the config.
_STATE = ("config", "executors_info", "positions_held", "processed_data", "market_data_provider")
_DIRECTIONAL_FIELDS = (
    "id", "connector_name", "trading_pair", "total_amount_quote", "max_executors_per_side", "cooldown_time",
)  # fmt: skip
#: What get_executor_config and triple_barrier_config of the directional base read.
_OPENING_FIELDS = (
    "connector_name", "trading_pair", "leverage", "stop_loss", "take_profit", "time_limit", "trailing_stop",
    "take_profit_order_type",
)  # fmt: skip
_MARKET_MAKING_FIELDS = (
    "id", "connector_name", "trading_pair", "total_amount_quote", "buy_spreads", "sell_spreads", "buy_amounts_pct",
    "sell_amounts_pct",
    "executor_refresh_time", "cooldown_time", "position_rebalance_threshold_pct", "skip_rebalance",
)  # fmt: skip
#: Of those, what the schedulers count with: times and counts.
_NUMBERS = ("max_executors_per_side", "cooldown_time", "executor_refresh_time")
_READING = ("__getattr__", "__getattribute__")
_REBALANCE_METHODS = ("get_spreads_and_amounts_in_quote", "get_required_base_amount")

#: What gives the price of the traded pair, before anything could replace it: the current candle's close.
_PRICE_BY_TYPE = vars(SweepDataProvider)["get_price_by_type"]


@dataclass(frozen=True)
class Choice:
    """How a run is decided."""

    #: a scheduler from (controller, ledger, view, candles, create)
    scheduler: Callable[..., DecisionScheduler]
    #: "jump" or "step"
    engine: str = "jump"
    #: why it is not "jump", or ""
    note: str = ""
    #: no code of the controller or of its config runs between the first candle and the last
    hands_off: bool = False


def choose(controller: ControllerBase, candles: Candles) -> Choice:
    """For a controller that has derived its features."""
    reason = own_logic(controller)
    if not reason and isinstance(controller, DirectionalTradingControllerBase):
        signals = _numbers(candles, "signal")
        if signals is not None:
            alike = opens_alike(controller)
            return Choice(partial(Directional, signals=signals, alike=alike), hands_off=alike)
        reason = "the features hold no column 'signal' of numbers"
    elif not reason:
        rebalances = _has_reference(controller)
        reference = _numbers(candles, "reference_price") if rebalances and _config_is_base(controller) else None
        if reference is not None or not (rebalances and wants_rebalance(controller.config)):
            return Choice(partial(MarketMaking, reference=reference, rebalances=rebalances))
        reason = UNKNOWN_POSITION
    if callable(getattr(controller, "next_decision_time", None)):
        return Choice(Declared)
    return Choice(EveryCandle, "step", reason)


def own_logic(controller: ControllerBase) -> str:
    """What of a controller's decisions is not its base's own, in words; "" when nothing is."""
    if isinstance(controller, DirectionalTradingControllerBase):
        return _own_logic(controller, DirectionalTradingControllerBase, DIRECTIONAL_METHODS, _DIRECTIONAL_FIELDS)
    if isinstance(controller, MarketMakingControllerBase):
        return _own_logic(controller, MarketMakingControllerBase, MARKET_MAKING_METHODS, _MARKET_MAKING_FIELDS)
    return f"{type(controller).__name__} decides by itself"


def opens_alike(controller: ControllerBase) -> bool:
    """Whether all that a directional controller puts into its executors' configs is its base class's doing.

    Asked of controllers whose decisions are the base's too (`own_logic`), so that where the answer is yes no
    code of
    the controller runs from one executor to the next.
    """
    config = type(controller.config)
    owners: tuple[tuple[type, type, str], ...] = (
        (type(controller), DirectionalTradingControllerBase, "get_executor_config"),
        (config, DirectionalTradingControllerConfigBase, "triple_barrier_config"),
        (SweepDataProvider, BacktestingDataProvider, "time"),
    )
    if any(_static(one, name) is not _static(base, name) for one, base, name in owners):
        return False
    if _static(SweepDataProvider, "get_price_by_type") is not _PRICE_BY_TYPE:  # replaced in this process
        return False
    if "get_executor_config" in vars(controller) or "get_price_by_type" in vars(controller.market_data_provider):
        return False
    makers = vars(sys.modules[DirectionalTradingControllerBase.__module__])
    for made in (PositionExecutorConfig, TripleBarrierConfig):
        if makers.get(made.__name__) is not made or not {"__init__", "__new__"}.isdisjoint(vars(made)):
            return False
    fields = _OPENING_FIELDS + _DIRECTIONAL_FIELDS
    if any(name not in config.model_fields or _static(config, name) is not None for name in fields):
        return False
    return not fingerprint.changed_opening()


def broken(scheduler: DecisionScheduler) -> str:
    """What a finished run relied on and a value method has changed meanwhile, in words; "" when nothing."""
    if isinstance(scheduler, EveryCandle) or (isinstance(scheduler, Directional) and scheduler.alike):
        return ""
    controller = scheduler.controller
    reason = own_logic(controller)
    if not reason and isinstance(scheduler, MarketMaking) and _has_reference(controller) != scheduler.rebalances:
        reason = UNKNOWN_POSITION
    return reason


def _own_logic(controller: ControllerBase, base: type, methods: tuple[str, ...], fields: tuple[str, ...]) -> str:
    """What of a controller is not its base's own, in words; "" when nothing that decides is."""
    cls, attributes = type(controller), vars(controller)
    for name in methods:
        if _static(cls, name) is not _static(base, name) or name in attributes:
            return f"{cls.__name__} has a {name} of its own"
    for name in ("__getattribute__", "__setattr__"):
        if _static(cls, name) is not _static(object, name):
            return f"{cls.__name__} has a {name} of its own"
    for name in _STATE:
        if name not in attributes or any(name in vars(parent) for parent in cls.__mro__):
            return f"{cls.__name__} keeps {name} its own way"
    if type(controller.processed_data) is not dict:
        return f"{cls.__name__} keeps processed_data its own way"
    config = type(controller.config)
    unknown = [name for name in fields if name not in config.model_fields]
    if unknown or any(_static(config, name) is not _static(BaseModel, name) for name in _READING):
        return f"{config.__name__} keeps {', '.join(unknown) or 'its fields'} its own way"
    for name in _NUMBERS:
        value = getattr(controller.config, name, 0)
        if not isinstance(value, int | float):
            return f"{config.__name__} holds {name} as {type(value).__name__}"
    provider = controller.market_data_provider
    if type(provider) is not SweepDataProvider or "time" in vars(provider):
        return f"{cls.__name__} keeps market_data_provider its own way"
    return fingerprint.changed_decisions(base)


def _static(cls: type, name: str) -> Any:
    """What a class holds under a name, without descriptors at work; None where it holds nothing."""
    for parent in cls.__mro__:
        if name in vars(parent):
            return vars(parent)[name]
    return None


def _has_reference(controller: ControllerBase) -> bool:
    data = controller.processed_data
    return "reference_price" in data or "reference_price" in data["features"]


def _config_is_base(controller: ControllerBase) -> bool:
    if controller.config.buy_amounts_pct is None or controller.config.sell_amounts_pct is None:
        return False
    config = type(controller.config)
    return all(_static(config, name) is _static(MarketMakingControllerConfigBase, name) for name in _REBALANCE_METHODS)


def _numbers(candles: Candles, name: str) -> Any:
    """A column of the features as numbers, shape (n,); None where it is no column or holds no numbers.

    What is no column can be rewritten by the controller's value methods, and is not known ahead.
    """
    if name not in candles.frame.columns:
        return None
    values = candles.frame[name].to_numpy()
    return values.copy() if values.dtype.kind in "iufb" else None

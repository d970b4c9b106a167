"""For which upstream source the jump-ahead engine was verified, function by function.

The engine reproduces upstream's logic instead of running it. For each function whose logic it reproduces there is the
hash of the source it was verified against, in a table per release (tasks.upstream.verified). Where a function differs,
in another release or because something replaced it in this process, that logic is not reproduced:

- a decision method of a controller base: its controllers are asked at every candle
- how the directional base makes an executor's config: it is called for each executor
- anything of the engine or of a simulator: the stock engine runs

After a new release was verified, `python -m tasks.upstream.fingerprint` prints its table; `make upstream VERSION=...`
says what has changed in it.
"""

from __future__ import annotations

import hashlib
import inspect
from functools import cache
from types import FunctionType
from typing import Any

from tasks.settings import versions
from tasks.upstream import names
from tasks.upstream.verified import table_for

#: The release whose table counts in this process, and the table.
VERIFIED_RELEASE, VERIFIED = table_for(versions()["hummingbot"])

_ENGINE = (
    "BacktestingEngineBase.run_backtesting", "BacktestingEngineBase.simulate_execution",
    "BacktestingEngineBase.collect_executors_ledger", "BacktestingEngineBase.handle_stop_action",
    "BacktestingEngineBase.manage_active_executors", "BacktestingEngineBase.prepare_market_data",
    "BacktestingEngineBase.simulate_executor", "BacktestingEngineBase.summarize_results",
    "BacktestingEngineBase.update_executors_info", "BacktestingEngineBase.update_state",
    "BacktestingEngineBase.initialize_backtesting_data_provider", "BacktestingEngineBase._get_executor_max_timestamp",
    "BacktestingEngineBase._prune_terminated_executors_view", "BacktestingEngineBase._record_terminated_executor",
    "BacktestingEngineBase._reset_simulation_state", "BacktestingEngineBase._update_positions_from_stopped_executors",
    "BacktestPositionHold.add_executor", "BacktestPositionHold.get_position_summary",
    "BacktestPositionHold.is_closed", "BacktestingDataProvider.ensure_epoch_index", "BacktestingDataProvider.time",
    "ExecutorInfo.side", "ExecutorInfo.to_dict",
    "ExecutorSimulation._empty_executor_info", "ExecutorSimulation.fill_timestamp",
    "ExecutorSimulation.get_custom_info", "ExecutorSimulation.get_executor_info_at_timestamp",
)  # fmt: skip

_SIMULATORS = (
    "DCAExecutorSimulator.break_even_price_at_index", "DCAExecutorSimulator.simulate",
    "GridExecutorSimulation.get_custom_info", "GridExecutorSimulator._generate_grid_levels",
    "GridExecutorSimulator.simulate", "OrderExecutorSimulator.simulate", "PositionExecutorSimulator.simulate",
)  # fmt: skip

_DECISIONS = {
    "DirectionalTradingControllerBase": (
        "ControllerBase.filter_executors",
        "DirectionalTradingControllerBase.can_create_executor",
        "DirectionalTradingControllerBase.create_actions_proposal",
        "DirectionalTradingControllerBase.determine_executor_actions",
        "DirectionalTradingControllerBase.stop_actions_proposal",
    ),
    "MarketMakingControllerBase": (
        "ControllerBase.filter_executors",
        "MarketMakingControllerBase.check_position_rebalance",
        "MarketMakingControllerBase.create_actions_proposal",
        "MarketMakingControllerBase.determine_executor_actions",
        "MarketMakingControllerBase.executors_to_early_stop",
        "MarketMakingControllerBase.executors_to_refresh",
        "MarketMakingControllerBase.get_current_base_position",
        "MarketMakingControllerBase.get_level_id_from_side",
        "MarketMakingControllerBase.get_levels_to_execute",
        "MarketMakingControllerBase.get_not_active_levels_ids",
        "MarketMakingControllerBase.stop_actions_proposal",
        "MarketMakingControllerConfigBase.get_required_base_amount",
        "MarketMakingControllerConfigBase.get_spreads_and_amounts_in_quote",
    ),
}

_OPENING = (
    "BacktestingDataProvider.get_price_by_type", "DirectionalTradingControllerBase.get_executor_config",
    "DirectionalTradingControllerConfigBase.triple_barrier_config", "ExecutorConfigBase.set_id",
    "ExecutorConfigBase.validate_timestamp", "PositionExecutorConfig.validate_position",
    "TripleBarrierConfig.validate_barriers",
)  # fmt: skip


def changed_engine() -> str:
    """Which function of the engine or of a simulator differs from the verified one, in words; "" when none does."""
    return _changed(_ENGINE + _SIMULATORS)


def changed_decisions(base: type) -> str:
    """The same for the decision methods of a controller base."""
    return _changed(_DECISIONS[base.__name__])


def changed_opening() -> str:
    """The same for how a directional controller's base makes an executor's config."""
    return _changed(_OPENING)


def table() -> dict[str, str]:
    """The hashes of the installed release, by "Class.function"."""
    decisions = {name for methods in _DECISIONS.values() for name in methods}
    return {name: _fingerprint(_function(name)) for name in sorted({*_ENGINE, *_SIMULATORS, *_OPENING, *decisions})}


def changes() -> dict[str, str]:
    """Every function that differs from the verified one -> what depends on it."""
    depends = {
        **dict.fromkeys(_ENGINE, "everything: the stock engine runs"),
        **dict.fromkeys(_SIMULATORS, "everything: the stock engine runs"),
        **dict.fromkeys(_OPENING, "each executor's config is made by its controller"),
        **{
            name: f"controllers on {base} are asked at every candle"
            for base, methods in _DECISIONS.items()
            for name in methods
        },
    }
    found = {name: _fingerprint(_function(name)) for name in sorted(depends)}
    return {name: depends[name] for name, now in found.items() if now != VERIFIED.get(name)}


def _changed(functions: tuple[str, ...]) -> str:
    # Once a run: the same objects as the last time, with the hashes they had, need no second look.
    if all(
        space.get(at) is held and VERIFIED.get(name) == known for space, at, held, name, known in _looked(functions)
    ):
        return ""
    changed = [name for name in functions if _fingerprint(_function(name)) != VERIFIED.get(name)]
    if not changed:
        return ""
    more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
    return f"upstream's {changed[0]}{more} is not the one that was verified (hummingbot {VERIFIED_RELEASE})"


@cache
def _looked(functions: tuple[str, ...]) -> list[tuple[Any, str, Any, str, str]]:
    """Of each function: its class's names, its name there, what lay there at the first look, "Class.function", hash."""
    places = [(*_place(name), name) for name in functions]
    return [(cls.__dict__, at, cls.__dict__.get(at), name, _fingerprint(_function(name))) for cls, at, name in places]


@cache
def _place(name: str) -> tuple[Any, str]:
    class_name, function = name.split(".")
    return getattr(names, class_name), function


def _function(name: str) -> Any:
    cls, function = _place(name)
    found = cls.__dict__.get(function)
    if isinstance(found, property):
        return found.fget
    return getattr(found, "__func__", found)


@cache
def _fingerprint(function: Any) -> str:
    """Of the source text; "" for what has none or hides it behind a wrapper, so that it never counts as verified."""
    if not isinstance(function, FunctionType) or hasattr(function, "__wrapped__"):
        return ""
    try:
        source = inspect.getsource(function)
    except (OSError, TypeError):
        return ""
    return hashlib.sha256(source.encode()).hexdigest()[:16]


if __name__ == "__main__":
    for _name, _value in table().items():
        print(f'        "{_name}": "{_value}",')  # noqa: T201  a command's answer

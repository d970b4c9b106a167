"""For which upstream source the jump-ahead engine was verified, function by function.

The engine reproduces upstream's logic instead of running it. Each function whose logic it reproduces is listed with
the hash of the source it was verified against (hummingbot 20260922). Where a function differs, in another release or
because something replaced it in this process, that logic is not reproduced:

- a decision method of a controller base: its controllers are asked at every candle
- how the directional base makes an executor's config: it is called for each executor
- anything of the engine or of a simulator: the stock engine runs

After a new release was verified (`make test-long`), `python -m tasks.upstream.fingerprint` prints the new table.
"""

from __future__ import annotations

import hashlib
import inspect
from functools import cache
from types import FunctionType
from typing import Any

from tasks.upstream import names

#: The release the table is for.
VERIFIED_RELEASE = "20260922"

#: "Class.function" -> first 16 hex digits of the SHA-256 of its source.
VERIFIED: dict[str, str] = {
    "BacktestPositionHold.add_executor": "bc4aa53fba30b9dc",
    "BacktestPositionHold.get_position_summary": "09c2eb269d22d71c",
    "BacktestPositionHold.is_closed": "f1eb8e6e42f77c30",
    "BacktestingDataProvider.ensure_epoch_index": "87f9c75d76d4eb12",
    "BacktestingDataProvider.get_price_by_type": "7290c79d76c98a1f",
    "BacktestingDataProvider.time": "7203539f6dfe025c",
    "BacktestingEngineBase._get_executor_max_timestamp": "eebbb7c27a52c168",
    "BacktestingEngineBase._prune_terminated_executors_view": "8bb794bb15a5b9c5",
    "BacktestingEngineBase._record_terminated_executor": "60e477ec0a16a397",
    "BacktestingEngineBase._reset_simulation_state": "b88e2507f08f2b0e",
    "BacktestingEngineBase._update_positions_from_stopped_executors": "cf1f78410eb3d44b",
    "BacktestingEngineBase.collect_executors_ledger": "f5c2b277eb3e704b",
    "BacktestingEngineBase.handle_stop_action": "b7c2d9a19c52ce87",
    "BacktestingEngineBase.initialize_backtesting_data_provider": "cbf2eddb0b09ca62",
    "BacktestingEngineBase.manage_active_executors": "0cbbefbc08e58b2f",
    "BacktestingEngineBase.prepare_market_data": "5fd1a9daf2643180",
    "BacktestingEngineBase.run_backtesting": "14bcbe1caa6ad0c5",
    "BacktestingEngineBase.simulate_execution": "ad01d3a95d1c25c9",
    "BacktestingEngineBase.simulate_executor": "d1fb24a7bbc1f71b",
    "BacktestingEngineBase.summarize_results": "9b187430bce7112b",
    "BacktestingEngineBase.update_executors_info": "95a3da2b71f960d1",
    "BacktestingEngineBase.update_state": "419c13dbd0cdbc08",
    "ControllerBase.filter_executors": "208ff485c6550811",
    "DCAExecutorSimulator.break_even_price_at_index": "f415e7a2aa533db1",
    "DCAExecutorSimulator.simulate": "ec25606349305fc8",
    "DirectionalTradingControllerBase.can_create_executor": "c66d74cba5247180",
    "DirectionalTradingControllerBase.create_actions_proposal": "5df8dd253671e70b",
    "DirectionalTradingControllerBase.determine_executor_actions": "579f59d6121494cc",
    "DirectionalTradingControllerBase.get_executor_config": "8c0b32365b53aaca",
    "DirectionalTradingControllerBase.stop_actions_proposal": "cd31ae80f9453a2a",
    "DirectionalTradingControllerConfigBase.triple_barrier_config": "50ff61620746a5c0",
    "ExecutorConfigBase.set_id": "5bc6b1c241b3232b",
    "ExecutorConfigBase.validate_timestamp": "06cc391341b550d6",
    "ExecutorInfo.side": "0fb06ffa9d640628",
    "ExecutorInfo.to_dict": "0ad19b879cfaee91",
    "ExecutorSimulation._empty_executor_info": "f910f185589ab9e7",
    "ExecutorSimulation.fill_timestamp": "9ca863723533fac1",
    "ExecutorSimulation.get_custom_info": "2536d22c89375e55",
    "ExecutorSimulation.get_executor_info_at_timestamp": "d2ff340f299a5403",
    "GridExecutorSimulation.get_custom_info": "f3d2dadfe816b9df",
    "GridExecutorSimulator._generate_grid_levels": "f2cade14692c64e4",
    "GridExecutorSimulator.simulate": "5e09f144918e8b17",
    "MarketMakingControllerBase.check_position_rebalance": "e69fb873ba47f6b4",
    "MarketMakingControllerBase.create_actions_proposal": "76686134c04fca5e",
    "MarketMakingControllerBase.determine_executor_actions": "579f59d6121494cc",
    "MarketMakingControllerBase.executors_to_early_stop": "346a7a6a63a874d5",
    "MarketMakingControllerBase.executors_to_refresh": "4acfae29d2213810",
    "MarketMakingControllerBase.get_current_base_position": "3d6ac758437700ee",
    "MarketMakingControllerBase.get_level_id_from_side": "7bb3748e18173fef",
    "MarketMakingControllerBase.get_levels_to_execute": "c68a4229b54674ae",
    "MarketMakingControllerBase.get_not_active_levels_ids": "55e53b8cb095570e",
    "MarketMakingControllerBase.stop_actions_proposal": "5af6c7fb10443ba4",
    "MarketMakingControllerConfigBase.get_required_base_amount": "856d698750987df2",
    "MarketMakingControllerConfigBase.get_spreads_and_amounts_in_quote": "c332e1380f616be0",
    "OrderExecutorSimulator.simulate": "803196334b6c7350",
    "PositionExecutorConfig.validate_position": "76a1745dfe195771",
    "PositionExecutorSimulator.simulate": "85381bae9ef48520",
    "TripleBarrierConfig.validate_barriers": "48e1e6fefbc4e981",
}

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
        print(f'    "{_name}": "{_value}",')  # noqa: T201  a command's answer

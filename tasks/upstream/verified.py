"""The fingerprints of Hummingbot's functions that the jump-ahead engine was verified against, a table per release.

"Class.function" -> first 16 hex digits of the SHA-256 of its source. tasks.upstream.fingerprint says what they decide,
docs/extending/hummingbot-release.md how a table is added: `python -m tasks.upstream.fingerprint` prints it.
"""

from __future__ import annotations

TABLES: dict[str, dict[str, str]] = {
    "20260922": {
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
    },
}


def table_for(release: str) -> tuple[str, dict[str, str]]:
    """The release whose table counts where `release` is installed, and the table: its own, else the newest."""
    known = release if release in TABLES else max(TABLES)
    return known, TABLES[known]

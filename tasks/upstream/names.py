"""The upstream classes the engines work with, in one place: what moves upstream is mended here."""

from tasks.upstream.imports.patches import import_quietly

with import_quietly():
    from hummingbot.connector.trading_rule import TradingRule
    from hummingbot.core.data_type.common import MarketDict, OrderType, PositionMode, PriceType, TradeType
    from hummingbot.data_feed.candles_feed.data_types import CandlesConfig
    from hummingbot.data_feed.market_data_provider import MarketDataProvider
    from hummingbot.strategy_v2.backtesting.backtesting_data_provider import BacktestingDataProvider
    from hummingbot.strategy_v2.backtesting.backtesting_engine_base import BacktestingEngineBase, BacktestPositionHold
    from hummingbot.strategy_v2.backtesting.executor_simulator_base import ExecutorSimulation
    from hummingbot.strategy_v2.backtesting.executors_simulator.dca_executor_simulator import DCAExecutorSimulator
    from hummingbot.strategy_v2.backtesting.executors_simulator.grid_executor_simulator import (
        GridExecutorSimulation,
        GridExecutorSimulator,
    )
    from hummingbot.strategy_v2.backtesting.executors_simulator.order_executor_simulator import OrderExecutorSimulator
    from hummingbot.strategy_v2.backtesting.executors_simulator.position_executor_simulator import (
        PositionExecutorSimulator,
    )
    from hummingbot.strategy_v2.controllers.controller_base import ControllerBase, ControllerConfigBase
    from hummingbot.strategy_v2.controllers.directional_trading_controller_base import (
        DirectionalTradingControllerBase,
        DirectionalTradingControllerConfigBase,
    )
    from hummingbot.strategy_v2.controllers.market_making_controller_base import (
        MarketMakingControllerBase,
        MarketMakingControllerConfigBase,
    )
    from hummingbot.strategy_v2.executors.data_types import ExecutorConfigBase
    from hummingbot.strategy_v2.executors.dca_executor.data_types import DCAExecutorConfig, DCAMode
    from hummingbot.strategy_v2.executors.grid_executor.data_types import GridExecutorConfig
    from hummingbot.strategy_v2.executors.order_executor.data_types import ExecutionStrategy, OrderExecutorConfig
    from hummingbot.strategy_v2.executors.position_executor.data_types import (
        PositionExecutorConfig,
        TrailingStop,
        TripleBarrierConfig,
    )
    from hummingbot.strategy_v2.models.base import RunnableStatus
    from hummingbot.strategy_v2.models.executor_actions import (
        CreateExecutorAction,
        StopExecutorAction,
        StoreExecutorAction,
    )
    from hummingbot.strategy_v2.models.executors import CloseType
    from hummingbot.strategy_v2.models.executors_info import ExecutorInfo, PerformanceReport
    from hummingbot.strategy_v2.utils.common import generate_unique_id

__all__ = [
    "BacktestPositionHold",
    "BacktestingDataProvider",
    "BacktestingEngineBase",
    "CandlesConfig",
    "CloseType",
    "ControllerBase",
    "ControllerConfigBase",
    "CreateExecutorAction",
    "DCAExecutorConfig",
    "DCAExecutorSimulator",
    "DCAMode",
    "DirectionalTradingControllerBase",
    "DirectionalTradingControllerConfigBase",
    "ExecutionStrategy",
    "ExecutorConfigBase",
    "ExecutorInfo",
    "ExecutorSimulation",
    "GridExecutorConfig",
    "GridExecutorSimulation",
    "GridExecutorSimulator",
    "MarketDataProvider",
    "MarketDict",
    "MarketMakingControllerBase",
    "MarketMakingControllerConfigBase",
    "OrderExecutorConfig",
    "OrderExecutorSimulator",
    "OrderType",
    "PerformanceReport",
    "PositionExecutorConfig",
    "PositionExecutorSimulator",
    "PositionMode",
    "PriceType",
    "RunnableStatus",
    "StopExecutorAction",
    "StoreExecutorAction",
    "TradeType",
    "TradingRule",
    "TrailingStop",
    "TripleBarrierConfig",
    "generate_unique_id",
]

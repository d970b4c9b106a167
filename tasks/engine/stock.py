"""The stock engine: upstream's `BacktestingEngineBase` itself, on a market instead of an exchange.

Everything that decides a result is upstream's code: the loop over the candles, the simulators, the summary. Replaced
are the data provider (no network), the preparation of the features (held back by the shift, warmed up; with shift 0
and no warm-up the same frame), what an exception says, and the silence about executors of a kind that no back-test has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.engine._base import Market, Outcome
from tasks.engine.equity import EquityCurve, kept_amounts
from tasks.engine.executors import kind_of
from tasks.engine.executors._base import side_of
from tasks.engine.fills.exchange import MarketLimits
from tasks.named_types import (
    Row,
)
from tasks.upstream.backtest.build import controller_class, upstream_class_cache
from tasks.upstream.backtest.failure import failure, unsupported
from tasks.upstream.backtest.features import prepare_market_data
from tasks.upstream.backtest.provider import SweepDataProvider
from tasks.upstream.backtest.wanted import wanted_feeds
from tasks.upstream.names import (
    BacktestingEngineBase,
    CloseType,
    ControllerBase,
    ControllerConfigBase,
    DCAExecutorSimulator,
    ExecutorInfo,
    ExecutorSimulation,
    GridExecutorSimulator,
    OrderExecutorSimulator,
    PositionExecutorSimulator,
)

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    Floats = npt.NDArray[np.float64]


class StockEngine:
    """Implements tasks.engine._base.Engine with upstream's own engine."""

    name = "stock"

    async def run(self, config: ControllerConfigBase, market: Market, *, curves: bool = True) -> Outcome:
        """Back-test one controller config.

        Raises ControllerError with the candle's time for what the controller raises, NetworkBlackout for an attempt to
        connect, CandlesMissing, CandlesNotCovering and TradingRulesMissing for what the market is missing.
        """
        provider = SweepDataProvider(market)
        engine = _Engine(provider)
        try:
            upstream_class_cache()[config.controller_name] = controller_class(config)
            answer = await engine.run_backtesting(
                config, market.start, market.end, market.resolution, market.trade_cost
            )
        except Exception as error:  # a controller may raise anything
            raise failure(error, config, provider) from error
        features: pd.DataFrame = engine.features
        outcome = Outcome(
            results=plain_results(answer["results"]),
            executors=answer["executors"],
            pnl_timeseries=answer["pnl_timeseries"],
            position_held_timeseries=answer["position_held_timeseries"],
            position_holds=answer["position_holds"],
            processed_data=answer["processed_data"],
            engine=self.name,
            timestamps=features.index.to_numpy(dtype=np.float64),
            warnings=engine.limits.warnings(),
        )
        if curves:
            curve = engine.equity_curve()
            outcome.equity, outcome.position_value = curve.equity(), curve.position_value()
            outcome.turnover = curve.turnover()
            outcome.trades = outcome.executors
        return outcome


class _Engine(BacktestingEngineBase):  # type: ignore[misc]  # upstream has no type information
    """Upstream's engine for one point, and a memory of what every executor did."""

    def __init__(self, provider: SweepDataProvider):
        # Not super().__init__(): it makes a provider of its own, which asks AllConnectorSettings for every connector.
        self.controller = None
        self.backtesting_resolution = provider.market.resolution
        self.backtesting_data_provider = provider
        self.terminated_executors_window = self.DEFAULT_TERMINATED_EXECUTORS_WINDOW
        self.position_executor_simulator = PositionExecutorSimulator()
        self.dca_executor_simulator = DCAExecutorSimulator()
        self.grid_executor_simulator = GridExecutorSimulator()
        self.order_executor_simulator = OrderExecutorSimulator()
        self._reset_simulation_state()
        self._lives: list[_Life] = []
        self.limits = MarketLimits(provider.get_trading_rules)

    async def initialize_backtesting_data_provider(self) -> None:
        self.backtesting_data_provider.attach(self.controller)
        await super().initialize_backtesting_data_provider()
        for wanted in wanted_feeds(self.controller):  # also those that are not in get_candles_config
            self.backtesting_data_provider.check_feed(wanted)

    def prepare_market_data(self) -> pd.DataFrame:
        # upstream slices the frame for every executor: faster where its columns lie in one block
        self.features = prepare_market_data(self.controller, self.backtesting_resolution).copy()
        controller: ControllerBase = self.controller
        controller.processed_data["features"] = self.features
        return self.features

    def simulate_executor(self, config: ControllerConfigBase, df: pd.DataFrame, trade_cost: float) -> Any:
        simulation = super().simulate_executor(config, df, trade_cost)
        if simulation is None:  # upstream trades nothing and says nothing
            controller: ControllerBase = self.controller
            raise unsupported(config, controller.config, self.backtesting_data_provider)
        kind = kind_of(config)
        if kind is not None:
            self.limits.note(config, kind.orders(config))
        return simulation

    def update_executors_info(self, timestamp: float) -> None:
        before, booked = self.active_executor_simulations, len(self.stopped_executors_info)
        super().update_executors_info(timestamp)
        if len(self.stopped_executors_info) > booked:
            # By their order, not by their ids: a controller may give several executors one id.
            ended = [one for one in before if one.executor_simulation.index[-1] <= timestamp]
            for simulation, info in zip(ended, self.stopped_executors_info[booked:], strict=True):
                self._lives.append(_Life(simulation, simulation.executor_simulation, info))

    def handle_stop_action(self, action: Any, timestamp: float) -> None:
        before, booked = list(self.active_executor_simulations), len(self.stopped_executors_info)
        super().handle_stop_action(action, timestamp)
        if len(self.stopped_executors_info) > booked:
            left = set(map(id, self.active_executor_simulations))
            simulation = next(one for one in before if id(one) not in left)
            lived = simulation.executor_simulation.loc[:timestamp]
            self._lives.append(_Life(simulation, lived, self.stopped_executors_info[-1]))

    def equity_curve(self) -> EquityCurve:
        """Every executor of the run, added up at every candle's close."""
        index = self.features.index
        curve = EquityCurve(self.features["close"].to_numpy(dtype=np.float64))
        for life in self._lives:
            first = int(index.searchsorted(life.frame.index[0]))
            kind = kind_of(life.simulation.config)
            assert kind is not None
            value, traded = kind.stock_exposure(
                life.simulation, life.frame, side_of(life.simulation.config), closes=life.kept is None
            )
            pnl = life.frame["net_pnl_quote"].to_numpy(dtype=np.float64)
            curve.add_executor(first, pnl, value, traded, kept=life.kept is not None)
            if life.kept is not None:
                curve.add_held(first + len(life.frame) - 1, *life.kept)
        return curve


class _Life:
    """What an executor did until it ended or was stopped."""

    __slots__ = ("frame", "kept", "simulation")

    def __init__(self, simulation: ExecutorSimulation, frame: pd.DataFrame, info: ExecutorInfo) -> None:
        self.simulation = simulation
        #: its rows up to then
        self.frame = frame
        #: what it handed over to a held position; None where it closed
        self.kept: tuple[float, float, float] | None = None
        if info.close_type == CloseType.POSITION_HOLD and info.filled_amount_quote > 0:
            self.kept = kept_amounts(info)


def plain_results(results: Row) -> Row:
    """Upstream's results with Python's own numbers, and `close_types` {} where upstream writes 0."""
    plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in results.items()}
    plain["close_types"] = {name: int(count) for name, count in (results["close_types"] or {}).items()}
    return plain

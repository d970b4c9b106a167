"""The jump-ahead engine: the stock engine's results, exactly, without looking at every candle.

A run is the stock engine's: make the controller, let it derive its features once, merge them with the engine's
candles, and step over the rows. What differs:

- An executor is simulated on arrays when it is created (tasks.engine.executors), and its end is known from then on.
- What a controller reads of its executors is built when it reads it (`view`, `lazy`).
- Where the decision methods are the base class's own, the engine goes straight to the rows on which they can act
  (`schedulers`); any other controller is asked on every row.

A controller with decision logic of its own may say when it next wants to be asked, and is skipped over until then:

    def next_decision_time(self) -> float | None:
        '''Seconds of simulated time, as market_data_provider.time() counts it; None: when an executor changes.'''

It is called after each `determine_executor_actions` that changed nothing, and it is a promise: on the rows before
that moment `determine_executor_actions` would return no action and change no state of its own, unless the state of
one of its executors changes first (created, filled, ended); then it is asked on that row. `hummingsweep verify` holds
the promise against the stock engine.
"""

from __future__ import annotations

import copy
from contextlib import nullcontext
from dataclasses import dataclass
from decimal import Decimal

from tasks.engine._base import Market, Outcome
from tasks.engine.candles import Candles
from tasks.engine.equity import EquityCurve
from tasks.engine.executors import NotReproduced, kind_of, simulate
from tasks.engine.fills import STOCK, FillRules, RunFills
from tasks.engine.fills.costs import Funding
from tasks.engine.fills.path import FinerPaths
from tasks.engine.jump.lazy import LazyList
from tasks.engine.jump.ledger import Ledger
from tasks.engine.jump.locked import Shape, WrittenTo, lock, noticed
from tasks.engine.jump.scheduler_choice import Choice, broken, choose
from tasks.engine.jump.schedulers import DecisionScheduler
from tasks.engine.jump.series import Series, results
from tasks.engine.jump.shared import FieldAccessTracker, SharedFeatures, State
from tasks.engine.jump.view import View
from tasks.engine.stock import StockEngine, plain_results
from tasks.errors import ControllerError
from tasks.isolation.process_state import ProcessState
from tasks.isolation.seeding import RngState
from tasks.market_names import price_key
from tasks.upstream import fingerprint
from tasks.upstream.backtest.build import controller_class
from tasks.upstream.backtest.failure import failure, unsupported
from tasks.upstream.backtest.features import prepare_market_data
from tasks.upstream.backtest.provider import SweepDataProvider, interval_seconds
from tasks.upstream.backtest.wanted import wanted_feeds
from tasks.upstream.names import (
    CandlesConfig,
    ControllerBase,
    ControllerConfigBase,
    ExecutorConfigBase,
    generate_unique_id,
)

#: What is its own copy.
_UNCHANGING = frozenset({str, int, float, bool, bytes, Decimal, type(None)})

#: A period of fewer candles than this is run faster by the stock engine.
FEW = 10


class JumpEngine:
    """Implements tasks.engine._base.Engine.

    `fills`: how orders fill. With stock fills the outcome equals StockEngine's in every
    field; `Outcome.engine` says how the rows were walked ("jump", "step"), or that the stock engine itself ran, and
    `engine_note` why. With other
    fills there is nothing to fall back to: what cannot be run raises ControllerError.
    `shared`: what points of one market derived before.
    """

    name = "jump"

    def __init__(self, fills: FillRules = STOCK, shared: SharedFeatures | None = None) -> None:
        self._shared = shared
        self._fills = fills
        self._funding = Funding(fills.funding)
        self._paths = FinerPaths(fills.detail)
        self._stock = StockEngine() if fills.is_stock else None

    async def run(self, config: ControllerConfigBase, market: Market, *, curves: bool = True) -> Outcome:
        """Back-test one controller config.

        Raises what StockEngine.run raises, and ControllerError for an executor of a kind no back-test can simulate.
        """
        if self._stock is not None and (market.end - market.start) // interval_seconds(market.resolution) < FEW:
            return await self._on_stock(config, market, curves, f"fewer than {FEW} candles: nothing to jump over")
        changed = fingerprint.changed_engine()
        if changed and self._stock is not None:
            return await self._on_stock(config, market, curves, changed)
        before, rng, process_state = _copied(config), RngState.now(), ProcessState.now()
        provider = SweepDataProvider(market)
        try:
            with noticed():
                return await self._run(config, market, provider, curves, rng)
        except (NotReproduced, WrittenTo) as reason:
            if self._stock is None:
                raise ControllerError(f"{config.controller_name}: {reason}: this needs stock fills") from reason
            # As if stock had run at once: the ids of executors come from the rng.
            vars(config).clear()
            vars(config).update(before)
            rng.put_back()
            process_state.put_back()
            return await self._on_stock(config, market, curves, str(reason))
        except Exception as error:  # a controller may raise anything
            raise failure(error, config, provider) from error

    async def _on_stock(self, config: ControllerConfigBase, market: Market, curves: bool, reason: str) -> Outcome:
        assert self._stock is not None
        outcome = await self._stock.run(config, market, curves=curves)
        outcome.engine_note = reason
        return outcome

    async def _run(
        self, config: ControllerConfigBase, market: Market, provider: SweepDataProvider, curves: bool, rng: RngState
    ) -> Outcome:
        if not config.id or not config.id.strip():
            config.id = generate_unique_id()
        prepared = await self._prepared(config, market, provider, rng)
        controller, candles = prepared.controller, prepared.candles
        # with stock fills, a controller that writes to what it derived is left to the stock engine
        shape = Shape(controller.processed_data) if self._stock is not None else None
        fills = RunFills(
            self._fills,
            candles,
            trade_cost=market.trade_cost,
            trading_rules=provider.get_trading_rules,
            path=self._paths.of(candles, market, controller.config.connector_name, controller.config.trading_pair),
            funding=self._funding,
        )
        funding = None if self._fills.is_stock else fills.funding_per_base(controller.config.trading_pair)
        curve = EquityCurve(candles.close, funding) if curves else None
        ledger = Ledger(candles, curve)
        view = View(controller, ledger, candles)

        def create(executor_config: ExecutorConfigBase) -> None:
            if kind_of(executor_config) is None:
                raise unsupported(executor_config, config, provider)
            ledger.create(simulate(executor_config, candles, ledger.row, fills))

        scheduler = prepared.choice.scheduler(controller, ledger, view, candles, create)
        _walk(scheduler, ledger, view, len(candles) - 1)
        if shape is not None:
            shape.check(controller.processed_data)
        changed = broken(scheduler)
        if changed:
            raise NotReproduced(changed)
        final_price = provider.prices.get(price_key(config.connector_name, config.trading_pair))
        return self._outcome(prepared, ledger, fills, curve, final_price)

    async def _prepared(
        self, config: ControllerConfigBase, market: Market, provider: SweepDataProvider, rng: RngState
    ) -> _Prepared:
        """The controller with its features, derived by itself or taken from a point that derived the same."""
        kind, before, reads = controller_class(config), _values(config), FieldAccessTracker(config)
        shared = self._shared if self._shared is not None and self._shared.admits(kind, market) else None
        with reads.watching() if shared is not None else nullcontext():
            controller = await _started(kind, config, market, provider)
        writable = self._stock is None  # with stock fills, what writes to its features is given to the stock engine
        given = shared.give(controller, before, writable=writable) if shared is not None else None
        if given is None:
            untouched = State(controller, rng) if shared is not None else None
            with reads.watching() if shared is not None else nullcontext():
                await controller.update_processed_data()
            prepare_market_data(controller, market.resolution)
            if shared is not None and untouched is not None:
                given = shared.keep(controller, before, reads, untouched, writable=writable)
        candles = given if given is not None else Candles(controller.processed_data["features"])
        if candles.oddity:
            raise NotReproduced(candles.oddity)
        choice = choose(controller, candles)
        if writable and given is not None and not choice.hands_off:
            candles = Candles(candles.frame)  # its own arrays: what the controller writes to them counts
        if not writable:
            lock(candles.frame)  # not before: the kernels are compiled for arrays that may be written to
        return _Prepared(config, controller, candles, choice)

    def _outcome(
        self,
        prepared: _Prepared,
        ledger: Ledger,
        fills: RunFills,
        curve: EquityCurve | None,
        final_price: Decimal | None,
    ) -> Outcome:
        """What a finished run gives. `final_price`: the last price of the config's pair, quote; None: there is none."""
        candles, choice = prepared.candles, prepared.choice
        series = Series(ledger, candles)
        outcome = Outcome(
            results=plain_results(results(ledger, series, prepared.config.total_amount_quote, final_price)),
            executors=LazyList(lambda: [executor.info for executor in ledger.ended]),
            pnl_timeseries=series.pnl_timeseries(),
            position_held_timeseries=series.position_held_timeseries(),
            position_holds=list(ledger.holds.values()),
            processed_data=prepared.controller.processed_data,
            engine=choice.engine,
            engine_note=choice.note,
            timestamps=candles.timestamp,
            warnings=fills.warnings(),
        )
        if not self._fills.is_stock:
            outcome.fills = LazyList(lambda: [executor.fills for executor in ledger.ended])
        if curve is not None:
            outcome.equity, outcome.position_value = curve.equity(), curve.position_value()
            outcome.turnover = curve.turnover()
            outcome.trades = ledger.trades()
        return outcome


@dataclass(frozen=True)
class _Prepared:
    """A controller that is ready to trade: its rows to step over, and on which of them it is asked."""

    config: ControllerConfigBase
    controller: ControllerBase
    candles: Candles
    choice: Choice


async def _started(
    kind: type[ControllerBase], config: ControllerConfigBase, market: Market, provider: SweepDataProvider
) -> ControllerBase:
    """A controller whose feeds are known to be there; it has derived nothing yet."""
    controller = kind(config=config, market_data_provider=provider, actions_queue=None)
    provider.attach(controller)
    await provider.initialize_candles_feed(
        CandlesConfig(
            connector=controller.config.connector_name,
            trading_pair=controller.config.trading_pair,
            interval=market.resolution,
        )
    )
    for wanted in wanted_feeds(controller):
        provider.check_feed(wanted)
    return controller


def _walk(scheduler: DecisionScheduler, ledger: Ledger, view: View, last: int) -> None:
    """Ask the controller on every row on which it can act, up to row `last`."""
    ledger.move_to(0)
    view.present(0)  # an error before the first decision is one on the first candle
    row = scheduler.next_row(0)
    while row <= last:
        scheduler.decide(row)
        row = scheduler.next_row(row + 1)
    if view.row < last:  # what the controller wrote on the last candle stays
        ledger.move_to(last)
        view.present(last)
    ledger.finish()


def _copied(config: ControllerConfigBase) -> dict[str, object]:
    """What a config holds, as deep as it can be copied: a controller may change it before a run is given up."""
    known: dict[int, object] = {}  # what two fields share, their copies share
    try:
        return {
            name: value if type(value) in _UNCHANGING else copy.deepcopy(value, known)
            for name, value in vars(config).items()
        }
    except Exception:  # a config may hold anything
        return _values(config)


def _values(config: ControllerConfigBase) -> dict[str, object]:
    """What a config holds, its lists and dicts copied."""
    return {
        name: value.copy() if isinstance(value, list | dict | set) else value for name, value in vars(config).items()
    }

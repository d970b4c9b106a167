"""The live engine: one call of the controller per candle, on what a bot would see then.

    for every row:   show the candles that are known, set price and time
                     executors that ended by themselves leave, what they kept joins the held positions
                     await update_processed_data(), determine_executor_actions()
                     create and stop executors, at the row's close

A row costs a few dozen microseconds beside the controller's own code. What the engine derives from a market (tapes,
candles of the pairs) is kept for the points to come; nothing of a point is.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tasks.engine._base import Market, Outcome
from tasks.engine.equity import EquityCurve
from tasks.engine.executors import NotReproduced
from tasks.engine.fills import STOCK, FillRules
from tasks.engine.fills.costs import Funding
from tasks.engine.jump.lazy import LazyList
from tasks.engine.jump.series import Series, results
from tasks.engine.live.executors import Executions
from tasks.engine.live.ledger import LazyPerformance, LiveLedger
from tasks.engine.live.pairs import Pair, traded_pairs
from tasks.engine.live.prepared import Prepared
from tasks.engine.live.provider import LiveFeed, LiveProvider
from tasks.engine.live.series import PairSeries, pair_results
from tasks.engine.stock import plain_results
from tasks.errors import ControllerError, HummingsweepError
from tasks.intervals import interval_seconds
from tasks.isolation.clock import clock
from tasks.market_names import feed_key, price_key
from tasks.upstream.backtest.build import controller_class
from tasks.upstream.backtest.failure import at_candle, failure
from tasks.upstream.backtest.wanted import wanted_feeds
from tasks.upstream.names import (
    ControllerBase,
    ControllerConfigBase,
    CreateExecutorAction,
    StopExecutorAction,
    StoreExecutorAction,
    generate_unique_id,
)

if TYPE_CHECKING:
    import pandas as pd

#: A market with at most so many feeds shows all of them; of a larger one a point sees those that it names.
ALL_FEEDS = 12


@dataclass(frozen=True)
class LiveOptions:
    """How a run differs from what a bot does; by default in nothing."""

    #: seconds between two calls of the controller; 0: one at every candle
    every_s: int = 0
    #: False: feeds of longer intervals show finished candles only
    unfinished: bool = True
    #: factor on the rows that every feed shows; inf: every candle since the beginning of the slice
    history: float = 1.0
    #: True: rows carry times later than their candle's open by the shift, as in a back-test
    closing_times: bool = False
    #: open time of the last row on which the controller is asked, seconds
    until: float = math.inf
    #: wall clock seconds after which the controller is asked no more; 0: no bound
    budget_s: float = 0.0


class LiveEngine:
    """Implements tasks.engine._base.Engine.

    `fills`: how orders fill. `Outcome.asked_until`: open time of the last row
    on which the controller was asked; `exhausted`: whether the time for it was over before the last row.
    """

    name = "live"

    def __init__(self, fills: FillRules = STOCK, options: LiveOptions | None = None) -> None:
        self._fills = fills
        self._funding = Funding(fills.funding)
        self._options = options or LiveOptions()
        self._markets: dict[int, Prepared] = {}

    async def run(self, config: ControllerConfigBase, market: Market, *, curves: bool = True) -> Outcome:
        """Replay one controller config.

        Raises ControllerError with the candle's time for what the controller raises, NetworkBlackout for an attempt to
        connect, CandlesMissing and CandlesNotCovering for what the market is missing.
        """
        point = Point(self._prepared(market), self._fills, self._funding, self._options, config, curves)
        try:
            return await point.run()
        except NotReproduced as reason:
            raise ControllerError(f"{config.controller_name}: {reason}: no candles can simulate this") from reason
        except Exception as error:  # a controller may raise anything
            raise failure(error, config, point.provider) from error

    def _prepared(self, market: Market) -> Prepared:
        known = self._markets.get(id(market))
        if known is None or known.market is not market:
            self._markets.clear()  # one market at a time: the frames are large
            known = self._markets[id(market)] = Prepared(market)
        return known


class Point:
    """One run."""

    def __init__(
        self,
        prepared: Prepared,
        fills: FillRules,
        funding: Funding,
        options: LiveOptions,
        config: ControllerConfigBase,
        curves: bool,
    ) -> None:
        self._prepared, self._market = prepared, prepared.market
        self._fills, self._funding, self._options, self._config = fills, funding, options, config
        self._with_curves = curves
        self.provider: LiveProvider | None = None
        #: rows on which the controller raised before its feeds were full, and what it raised last
        self._not_ready = 0
        self._raised: Exception | None = None
        self._exhausted = False

    async def run(self) -> Outcome:
        """See LiveEngine.run."""
        controller = self.make()
        await controller.on_start()
        asked_until = await self._walk(controller)
        self._ledger.finish()
        return self._outcome(controller, asked_until)

    def make(
        self, watched: Callable[[type[ControllerBase]], type[ControllerBase]] = lambda kind: kind
    ) -> ControllerBase:
        """The controller, before the first row. `watched`: puts another class in the place of the controller's."""
        config, market = self._config, self._market
        if not config.id or not config.id.strip():
            config.id = generate_unique_id()
        kind = watched(controller_class(config))
        self._books = self._prepared.books(traded_pairs(config))
        self._priced = [(price_key(*pair), book) for pair, book in self._books.by_pair.items()]
        feeds = {key: self._feed(key, feed) for key, feed in market.feeds.items()}
        self.provider = LiveProvider(feeds, market.trading_rules)
        clock.follow(self.provider)  # what the controller gets from time.time()
        self.provider.series = {name: series.known() for name, series in self._prepared.series.items()}
        self._queue: asyncio.Queue[Any] = asyncio.Queue()
        self._show_prices(0)  # controllers read the price while they are made
        self.provider._time = float(self._books.rows[0])
        controller = kind(config=config, market_data_provider=self.provider, actions_queue=self._queue)
        for_itself = getattr(controller, "shifts_itself", False) or getattr(config, "shifts_itself", False)
        shift = market.delay if for_itself else market.shift
        self._known_after = (1 - shift) * self._prepared.seconds
        self._watch(controller, feeds, shift)
        self._curves = self._new_curves() if self._with_curves else None
        self._ledger = LiveLedger(self._books, self._curves)
        self._ledger.take_over(getattr(config, "initial_positions", None) or [])
        self._executions = Executions(self._fills, self._books, self._funding, self._prepared)
        self.provider.stepping = True
        return controller

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self._books.rows)

    def present(self, controller: ControllerBase, row: int) -> None:
        """Everything as of a row, executors that ended by then included."""
        self._ledger.move_to(row)
        self._present(controller, row, float(self._books.rows[row]))

    # the loop

    async def _walk(self, controller: ControllerBase) -> float:
        """Ask the controller on every row that is wanted. Returns the open time of the last one."""
        rows, options, ledger = memoryview(self._books.rows), self._options, self._ledger
        deadline = time.perf_counter() + options.budget_s if options.budget_s else math.inf
        every, period = options.every_s, -1.0
        last = -math.inf
        for row, opened in enumerate(rows):
            if opened > options.until:
                break
            if every:
                now = opened // every
                if now == period:
                    continue
                period = now
            if time.perf_counter() > deadline:
                self._exhausted = True
                break
            ledger.move_to(row)
            self._present(controller, row, opened)
            await self._ask(controller, row)
            last = opened
        ledger.move_to(len(rows) - 1)
        self._show_prices(len(rows) - 1)
        return last

    def _present(self, controller: ControllerBase, row: int, opened: float) -> None:
        """Everything as of a row. The ledger is on that row already."""
        provider, ledger = self.provider, self._ledger
        assert provider is not None
        for feed, shown in self._watched:
            shown.advance(feed, row)
        self._show_series(opened)
        self._show_prices(row)
        provider._time = opened
        controller.executors_info = LazyList(ledger.report())
        controller.positions_held = ledger.positions_held() if ledger.holds else []
        controller.performance_report = LazyPerformance(ledger.performance)

    async def _ask(self, controller: ControllerBase, row: int) -> None:
        """One turn of ControllerBase.control_task."""
        try:
            await controller.update_processed_data()
            actions = controller.determine_executor_actions()
        except Exception as error:  # a controller may raise anything
            if self._is_full():
                raise
            self._not_ready += 1  # a bot would still wait for its candles
            self._raised = error
            return
        while not self._queue.empty():  # buy(), sell() and cancel() go this way
            self._do(self._queue.get_nowait(), row)
        if actions:
            self._do(actions, row)

    def _do(self, actions: Iterable[Any], row: int) -> None:
        for action in actions:
            if isinstance(action, CreateExecutorAction):
                config = action.executor_config
                config.controller_id = action.controller_id
                try:
                    life = self._executions.create(config, row)
                except HummingsweepError as error:
                    assert self.provider is not None
                    where = f"{self._config.controller_name} {at_candle(self.provider)}"
                    raise type(error)(f"{where}: {error}") from error
                self._ledger.create(life)
            elif isinstance(action, StopExecutorAction):
                self._ledger.stop(action.executor_id, keep_position=bool(action.keep_position))
            elif not isinstance(action, StoreExecutorAction):
                raise ControllerError(f"gives {type(action).__name__} as an action; a bot takes ExecutorAction only")

    def _show_series(self, opened: float) -> None:
        """What is known of every series on the row that opens then: as much later or earlier as candles are."""
        assert self.provider is not None
        for name, series in self._prepared.series.items():
            series.advance(self.provider.series[name], opened + self._known_after)

    def _show_prices(self, row: int) -> None:
        prices = self.provider.prices if self.provider is not None else {}
        for name, book in self._priced:
            if row >= book.first_row:
                prices[name] = Decimal(book.closes[row])

    # before and after it

    def _feed(self, key: str, feed: pd.DataFrame) -> LiveFeed:
        """A feed that holds nothing yet."""
        first = -math.inf if self._market.warmup else float(self._market.start)
        opened = feed["timestamp"]
        capacity = len(feed) - int(opened.searchsorted(first))
        return LiveFeed(key, feed.columns, capacity)

    def _watch(self, controller: ControllerBase, feeds: dict[str, LiveFeed], shift: int) -> None:
        """Find out which feeds the controller wants, and show it what is there before the first row."""
        assert self.provider is not None
        wanted: dict[str, LiveFeed] = {}
        for candles in wanted_feeds(controller):
            key = feed_key(candles.connector, candles.trading_pair, candles.interval)
            wanted[key] = self.provider.get_candles_feed(candles)
        bases = {feed_key(*pair, self._market.resolution) for pair in self._books.by_pair}
        if len(feeds) > ALL_FEEDS:
            for key in set(feeds) - set(wanted) - bases:
                del self.provider.candles_feeds[key]
        unfinished = self._options.unfinished
        self._watched = [
            (feed, self._prepared.tape(key, self._books, shift, unfinished=unfinished))
            for key, feed in self.provider.candles_feeds.items()
        ]
        for feed, _ in self._watched:
            feed.history = self._options.history
            if self._options.closing_times:
                feed.stamped_later = float(shift * feed.interval_in_seconds)
        self._wanted = list(wanted.values())
        self._without_base = [
            key
            for key in wanted
            if interval_seconds(key.rpartition("_")[2]) > self._prepared.seconds
            and f"{key.rpartition('_')[0]}_{self._market.resolution}" not in self._market.feeds
        ]
        for feed, shown in self._watched:
            shown.advance(feed, 0)
        self._show_series(float(self._books.rows[0]))

    def _is_full(self) -> bool:
        """Whether every feed that the controller names holds as many rows as it wants."""
        return all(feed.ready for feed in self._wanted)

    def _new_curves(self) -> dict[Pair, EquityCurve]:
        curves = {}
        for pair, book in self._books.by_pair.items():
            funding = None if self._fills.is_stock else self._funding.per_base(book.candles, pair.trading_pair)
            curves[pair] = EquityCurve(book.candles.close, funding)
        return curves

    def _outcome(self, controller: ControllerBase, asked_until: float) -> Outcome:
        ledger, books, config = self._ledger, self._books, self._config
        assert self.provider is not None
        main = books.main
        series: Series
        if len(books.by_pair) == 1:
            series = Series(ledger, main.candles)
            final = self.provider.prices.get(price_key(*main.pair))
            summary = results(ledger, series, config.total_amount_quote, final)
        else:
            series = PairSeries(ledger, books)
            summary = pair_results(ledger, series, books, config.total_amount_quote)
        outcome = Outcome(
            results=plain_results(summary),
            executors=LazyList(lambda: [executor.info for executor in ledger.ended]),
            pnl_timeseries=series.pnl_timeseries(),
            position_held_timeseries=series.position_held_timeseries(),
            position_holds=list(ledger.holds.values()),
            processed_data={**controller.processed_data, "features": main.candles.frame},
            engine=LiveEngine.name,
            engine_note="; ".join(self._notes()),
            timestamps=main.candles.timestamp,
        )
        outcome.warnings = self._executions.warnings()
        if not self._fills.is_stock:
            outcome.fills = LazyList(lambda: [executor.fills for executor in ledger.ended])
        outcome.asked_until = asked_until
        outcome.exhausted = self._exhausted
        if self._curves is not None:
            curves = list(self._curves.values())
            outcome.equity = sum((curve.equity() for curve in curves[1:]), curves[0].equity())
            outcome.position_value = sum((curve.position_value() for curve in curves[1:]), curves[0].position_value())
            outcome.turnover = sum((curve.turnover() for curve in curves[1:]), curves[0].turnover())
            outcome.trades = ledger.trades()
        return outcome

    def _notes(self) -> list[str]:
        """What of a bot's view was not there."""
        notes = []
        if self._not_ready:
            notes.append(
                f"not ready on {self._not_ready} candles: it raised {type(self._raised).__name__}: {self._raised} "
                "while its feeds held fewer candles than it asks for"
            )
        if self._without_base and self._options.unfinished:
            notes.append(
                f"no unfinished candles of {', '.join(self._without_base)}: there are no {self._market.resolution} "
                "candles of that pair to build them from"
            )
        for key, feed in self.provider.candles_feeds.items() if self.provider is not None else ():
            if feed.missing and self._options.history == 1.0:
                notes.append(f"{key} had up to {feed.missing} of its {feed.max_records} candles too few")
        return notes

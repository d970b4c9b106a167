"""Who is asked next, and what it says: the rows on which a controller can do something.

A scheduler gives rows in ascending order (`next_row`) and then what the controller does on that row (`decide`). Between
two of them nothing but the end of executors happens.

EveryCandle        unknown decision logic: every row
Declared     unknown decision logic of a controller that says itself when it next wants to be asked
Directional  DirectionalTradingControllerBase: rows with a signal on which it may open an executor
MarketMaking MarketMakingControllerBase: rows with a level to place, an order to refresh or a position to rebalance
"""

from __future__ import annotations

import math
import numbers
from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.engine.candles import Candles
from tasks.engine.executors._base import NotReproduced
from tasks.engine.executors.lazy_config import LazyPositionConfig
from tasks.engine.jump.ledger import WINDOW_S, Executor, Ledger
from tasks.engine.jump.view import View
from tasks.upstream.names import (
    CloseType,
    ControllerBase,
    ControllerConfigBase,
    CreateExecutorAction,
    ExecutorConfigBase,
    PositionExecutorConfig,
    PriceType,
    StopExecutorAction,
    TradeType,
)

Create = Callable[[ExecutorConfigBase], None]

UNKNOWN_POSITION = "the position to rebalance to is not known ahead"


class DecisionScheduler(ABC):
    """One per run. `create` opens an executor from its config on the current row."""

    def __init__(
        self, controller: ControllerBase, ledger: Ledger, view: View, candles: Candles, create: Create
    ) -> None:
        self.controller = controller
        self.ledger = ledger
        self.view = view
        self.candles = candles
        self.create = create
        self.rows = len(candles)

    @abstractmethod
    def next_row(self, row: int) -> int:
        """The first row >= `row` to decide on, with the ledger moved there; the number of rows when there is none."""

    @abstractmethod
    def decide(self, row: int) -> None:
        """What the controller does on a row that `next_row` gave."""


class EveryCandle(DecisionScheduler):
    """Every row."""

    def next_row(self, row: int) -> int:
        """The row itself."""
        if row < self.rows:
            self.ledger.move_to(row)
        return row

    def decide(self, row: int) -> None:
        """Ask, and do what the answer says."""
        self.view.present(row)
        for action in self.controller.determine_executor_actions():
            if isinstance(action, CreateExecutorAction):
                self.create(action.executor_config)
            elif isinstance(action, StopExecutorAction):
                self.ledger.stop(action.executor_id, keep_position=bool(action.keep_position))


class Declared(EveryCandle):
    """Rows that the controller declared, and rows on which the state of one of its executors changed.

    An executor's state changes on the row after its creation or its stop, when its order fills, when it ends, and when
    what it kept joins the held positions.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._next = 0

    def next_row(self, row: int) -> int:
        """The earlier of the declared row and the next change."""
        at = min(self._next, self.ledger.next_change())
        for executor in self.ledger.active.values():
            filled = executor.trajectory.fill_row
            if filled is not None and filled >= row:
                at = min(at, filled)
        return super().next_row(min(max(at, row), self.rows))

    def decide(self, row: int) -> None:
        """Ask, and ask when to ask again."""
        running, ended = len(self.ledger.active), len(self.ledger.ended)
        super().decide(row)
        if (running, ended) != (len(self.ledger.active), len(self.ledger.ended)):
            self._next = row + 1
            return
        wanted = self.controller.next_decision_time()
        self._next = self.rows
        if wanted is not None:
            if not isinstance(wanted, numbers.Real) or math.isnan(wanted):
                raise TypeError(f"next_decision_time gives {wanted!r}: seconds as a number, or None, are wanted")
            self._next = int(self.candles.timestamp.searchsorted(float(wanted), side="left"))


class Directional(DecisionScheduler):
    """Reproduces create_actions_proposal and can_create_executor of DirectionalTradingControllerBase."""

    def __init__(self, *args: Any, signals: npt.NDArray[np.float64], alike: bool) -> None:
        """`signals`: processed_data["signal"] on every row, numbers, shape (n,); `alike`: each executor's config is the
        one before, but for what `LazyPositionConfig` holds."""
        super().__init__(*args)
        self._signals = signals
        self._buys = memoryview(np.flatnonzero(signals > 0))
        self._sells = memoryview(np.flatnonzero(signals < 0))
        self.alike = alike
        self._pattern: Any = None

    def next_row(self, row: int) -> int:
        """The next signal for which there is room and whose side has cooled down."""
        ledger = self.ledger
        while row < self.rows:
            ledger.move_to(row)
            until = ledger.next_change()  # until then room and cooldown depend on nothing but time
            at = self._next_opening(row, until)
            if at < until:
                ledger.move_to(at)
                return at
            row = until
        return self.rows

    def _next_opening(self, row: int, until: int) -> int:
        """The first row in row .. until - 1 on which a signal opens an executor, or a later one."""
        buy, sell = bisect_left(self._buys, row), bisect_left(self._sells, row)
        buys = buy < len(self._buys) and self._buys[buy] < until
        sells = sell < len(self._sells) and self._sells[sell] < until
        at = self.rows
        if not (buys or sells):
            return at
        running = [executor.known for executor in self.ledger.running()]
        if sells:  # for a short signal upstream counts the executors of both sides
            seen = [config.timestamp for config in running]
            at = self._cooled(self._sells, sell, seen, row, until)
        if buys:
            seen = [config.timestamp for config in running if config.side == TradeType.BUY]
            at = min(at, self._cooled(self._buys, buy, seen, row, until))
        return at

    def _cooled(self, signals: memoryview[int], at: int, seen: list[float], row: int, until: int) -> int:
        """The first row of `signals`, from position `at` on, that comes after the cooldown, beside the executors that
        began at `seen`."""
        config = self.controller.config
        if len(seen) >= config.max_executors_per_side:
            return self.rows
        cooled = first_row_later_than(self.candles, max(seen, default=0), config.cooldown_time, row, until)
        if cooled > signals[at]:
            at = bisect_left(signals, cooled, at)
        return signals[at] if at < len(signals) else self.rows

    def decide(self, row: int) -> None:
        """One executor, in the signal's direction."""
        controller, config = self.controller, self.controller.config
        side = TradeType.BUY if self._signals[row] > 0 else TradeType.SELL
        if self._pattern is not None:
            time = self.view.step_to(row)
            price = Decimal(self.candles.close[row])
            amount = config.total_amount_quote / price / Decimal(config.max_executors_per_side)
            self.create(LazyPositionConfig(self._pattern, time, side, price, amount))
            return
        self.view.present(row)
        price = controller.market_data_provider.get_price_by_type(
            config.connector_name, config.trading_pair, PriceType.MidPrice
        )
        amount = config.total_amount_quote / price / Decimal(config.max_executors_per_side)
        opened = checked(controller, controller.get_executor_config(side, price, amount))
        if self.alike and type(opened) is PositionExecutorConfig:
            self._pattern = opened.model_copy()
        self.create(opened)


class MarketMaking(DecisionScheduler):
    """Reproduces create_actions_proposal, get_levels_to_execute, executors_to_refresh and check_position_rebalance of
    MarketMakingControllerBase."""

    def __init__(self, *args: Any, reference: npt.NDArray[np.float64] | None, rebalances: bool) -> None:
        """`rebalances`: whether there is a reference price at all, without which check_position_rebalance never
        answers; `reference`: processed_data["reference_price"] on every row, shape (n,), None where not known ahead."""
        super().__init__(*args)
        self._reference = reference
        self.rebalances = rebalances
        self._settings: Any = None
        self._cooldown: Any = None
        self._stopped_out: list[tuple[int, Executor]] = []  # with their position in the ledger
        self._looked_at = 0
        self._missing: list[str] = []
        self._due: list[str] = []
        self._rebalance_now = False
        self._needed_for: Any = None
        self._needed = 0.0
        self._levels: list[str] = []
        self._level_counts = (-1, -1)

    def next_row(self, row: int) -> int:
        """The next row with something to do."""
        while row < self.rows:
            self.ledger.move_to(row)
            change = self._look(row)
            if self._missing or self._due or self._rebalance_now:
                return row
            row = change
        return self.rows

    def decide(self, row: int) -> None:
        """A rebalancing order, then the missing levels, then the stops of what is too old: upstream's order."""
        self.view.present(row)
        controller = self.controller
        configs = []
        if self._rebalance_now:
            configs += self._rebalancing_orders()
            self._look_again(row)
        for level in self._missing:
            price, amount = controller.get_price_and_amount(level)
            config = controller.get_executor_config(level, price, amount)
            if config is not None:
                configs.append(checked(controller, config))
        self._look_again(row)  # upstream looks for what is too old after it made what is missing
        due = self._due
        for config in configs:
            self.create(config)
        for executor_id in due:
            self.ledger.stop(executor_id, keep_position=False)

    def _rebalancing_orders(self) -> list[CreateExecutorAction]:
        """check_position_rebalance, where no such order is running, without its search through all executors."""
        controller, config = self.controller, self.controller.config
        required = config.get_required_base_amount(Decimal(controller.processed_data["reference_price"]))
        lacking = required - controller.get_current_base_position()
        if not abs(lacking) > required * config.position_rebalance_threshold_pct:
            return []
        side = TradeType.BUY if lacking > 0 else TradeType.SELL
        action = controller.create_position_rebalance_order(side, abs(lacking))
        return [action.executor_config] if action else []

    def _look_again(self, row: int) -> None:
        """Where a value method changed the config on this row."""
        if settings_of(self.controller.config) != self._settings:
            self._look(row)

    def _look(self, row: int) -> int:
        """Note what there is to do on a row, and return the first row after it on which that can differ."""
        ledger, candles, config = self.ledger, self.candles, self.controller.config
        self._settings = settings_of(config)
        now = candles.timestamp[row]
        change = ledger.next_change()
        due: list[str] = []
        working = set()
        rebalancing = False
        retry_policy = config.executor_refresh_time
        for executor in ledger.running():
            trajectory = executor.trajectory
            placed = executor.config
            working.add(placed.level_id)
            if placed.level_id == "position_rebalance":
                rebalancing = True
            filled = trajectory.fill_row
            if filled is None or row < filled:
                if executor.retry_policy != retry_policy:
                    executor.retry_policy = retry_policy
                    executor.stale_row = first_row_later_than(
                        candles, placed.timestamp, retry_policy, trajectory.first, self.rows
                    )
                if executor.stale_row <= row:
                    due.append(placed.id)
                    change = row + 1
                elif filled is None or executor.stale_row < filled:
                    change = min(change, executor.stale_row)
        change = self._cooling(row, now, config.cooldown_time, working, change)
        self._missing = [level for level in self._level_ids(config) if level not in working]
        self._due = due
        self._rebalance_now = False
        if self.rebalances and not rebalancing and wants_rebalance(config):
            if self._reference is None:  # it did not want to when the run began
                raise NotReproduced(UNKNOWN_POSITION)
            at = self._next_imbalance(row, change)
            self._rebalance_now = at == row
            change = min(change, at) if at > row else row + 1
        return change

    def _cooling(self, row: int, now: float, cooldown: float, working: set[Any], change: int) -> int:
        """Levels that were stopped out stay covered for the cooldown, as long as the controller sees the executor."""
        ended = self.ledger.ended
        if cooldown != self._cooldown:
            self._cooldown, self._looked_at, self._stopped_out = cooldown, self.ledger.visible_from(), []
        while self._looked_at < len(ended):
            if ended[self._looked_at].close_type == CloseType.STOP_LOSS:
                self._stopped_out.append((self._looked_at, ended[self._looked_at]))
            self._looked_at += 1
        if not self._stopped_out:
            return change
        visible = self.ledger.visible_from()
        self._stopped_out = [
            (position, executor)
            for position, executor in self._stopped_out
            if position >= visible and now - executor.close_timestamp < cooldown
        ]
        for _, executor in self._stopped_out:
            working.add(executor.config.level_id)
            change = min(change, first_row_from(self.candles, executor.close_timestamp, cooldown, row, change))
            if cooldown > WINDOW_S:  # it may drop out of sight first: look again on every row from then on
                unseen = first_row_later_than(self.candles, executor.close_timestamp, WINDOW_S, row, change)
                change = min(change, max(unseen, row + 1))
        return change

    def _level_ids(self, config: ControllerConfigBase) -> list[str]:
        counts = len(config.buy_spreads), len(config.sell_spreads)
        if counts != self._level_counts:
            self._level_counts = counts
            self._levels = [f"buy_{level}" for level in range(counts[0])]
            self._levels += [f"sell_{level}" for level in range(counts[1])]
        return self._levels

    def _next_imbalance(self, row: int, until: int) -> int:
        """The first row in row .. until - 1 on which upstream's check might ask for an order, or `until`.

        In floats and on the safe side: a row too many is asked and answers no.
        """
        config = self.controller.config
        key = (config.total_amount_quote, tuple(config.buy_amounts_pct), tuple(config.sell_amounts_pct))
        if key != self._needed_for:
            _, amounts = config.get_spreads_and_amounts_in_quote(TradeType.SELL)
            self._needed_for, self._needed = key, float(sum(amounts))
        needed = self._needed
        threshold = float(config.position_rebalance_threshold_pct) * (1 - 1e-9)
        held = 0.0
        for hold in self.ledger.holds.values():
            if (hold.connector_name, hold.trading_pair) == (config.connector_name, config.trading_pair):
                held += float(hold.net_amount_base)
        assert self._reference is not None
        price = float(self._reference[row])
        if price == 0 or not abs(needed / price - held) < needed / price * threshold:
            return row
        row += 1
        size = 64
        while row < until:
            with np.errstate(divide="ignore", invalid="ignore"):
                required = needed / self._reference[row : min(row + size, until)]
                balanced = np.abs(required - held) < required * threshold
            off = np.flatnonzero(~balanced)
            if len(off):
                return row + int(off[0])
            row += size
            size *= 2
        return until


def wants_rebalance(config: ControllerConfigBase) -> bool:
    """Whether a market maker's config lets check_position_rebalance answer."""
    return "_perpetual" not in config.connector_name and not config.skip_rebalance


def settings_of(config: ControllerConfigBase) -> tuple[Any, ...]:
    """What decides which levels are missing and which executors are due."""
    return config.executor_refresh_time, config.cooldown_time, len(config.buy_spreads), len(config.sell_spreads)


def checked(controller: ControllerBase, config: ControllerConfigBase) -> Any:
    """An executor config that upstream's CreateExecutorAction accepts; raises its ValidationError for anything else."""
    if isinstance(config, ExecutorConfigBase):
        return config
    return CreateExecutorAction(controller_id=controller.config.id, executor_config=config).executor_config


def first_row_later_than(candles: Candles, moment: float, seconds: float, row: int, until: int) -> int:
    """The first row in row .. until - 1 with `time - moment > seconds`, in upstream's float arithmetic; or `until`."""
    timestamp = candles.times
    at = min(max(bisect_left(timestamp, moment + seconds), row), until)
    while at > row and timestamp[at - 1] - moment > seconds:
        at -= 1
    while at < until and not timestamp[at] - moment > seconds:
        at += 1
    return at


def first_row_from(candles: Candles, moment: float, seconds: float, row: int, until: int) -> int:
    """The first row in row .. until - 1 without `time - moment < seconds`; or `until`."""
    timestamp = candles.times
    at = min(max(bisect_left(timestamp, moment + seconds), row), until)
    while at > row and not timestamp[at - 1] - moment < seconds:
        at -= 1
    while at < until and timestamp[at] - moment < seconds:
        at += 1
    return at

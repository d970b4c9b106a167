"""The executors and held positions of a run: upstream's accounting, kept as events instead of a pass over every candle.

Upstream looks at every active executor on every candle. Here an executor's end is known when it is created; the ledger
goes from one row on which something happens to the next and notes what changed. The order of the sums is upstream's:
row by row, within a row in the order of creation. Upstream: BacktestingEngineBase.update_state, update_executors_info,
handle_stop_action, _update_positions_from_stopped_executors.
"""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Callable, Iterator
from decimal import Decimal
from sys import getrefcount
from typing import (
    Any,
    NamedTuple,
)

from tasks.engine.candles import Candles
from tasks.engine.equity import EquityCurve, kept_amounts
from tasks.engine.executors._base import Fill, NotReproduced, State, Trajectory
from tasks.engine.executors.lazy_config import LazyPositionConfig
from tasks.engine.jump.compact import Compactor, materialise
from tasks.engine.jump.info import executor_info
from tasks.market_names import price_key
from tasks.upstream.names import (
    BacktestingEngineBase,
    BacktestPositionHold,
    CloseType,
    ExecutorConfigBase,
    ExecutorInfo,
    RunnableStatus,
)

#: Seconds for which an ended executor stays visible to the controller.
WINDOW_S = BacktestingEngineBase.DEFAULT_TERMINATED_EXECUTORS_WINDOW

#: References to a config that only its trajectory holds: the trajectory's and getrefcount's own.
_UNSHARED = 2

#: From so many ended executors on, configs are put away: it takes time, and a few thousand of them are no burden.
PUT_AWAY_FROM = 5000


class Executor:
    """One executor of the run. Its ExecutorInfo is built when someone reads it."""

    __slots__ = (
        "_info", "close_timestamp", "close_type", "key", "number", "retry_policy", "row", "side", "stale_row", "state",
        "trajectory",
    )  # fmt: skip

    def __init__(self, number: int, trajectory: Trajectory) -> None:
        #: order of creation
        self.number = number
        #: its id, where another one may have the same or a controller may stop it
        self.key: str | None = None
        self.trajectory = trajectory
        self.side = trajectory.config.side
        #: the row of its end or stop; set once it ended, like the next three
        self.row = -1
        #: its state there; None where nothing was ever filled
        self.state: State | None = None
        #: hummingbot CloseType
        self.close_type: CloseType | None = None
        self.close_timestamp: Any = None
        #: the first row on which it is older than `retry_policy` seconds: MarketMaking's note
        self.stale_row = -1
        self.retry_policy: Any = None
        self._info: ExecutorInfo = None

    @property
    def config(self) -> ExecutorConfigBase:
        """Hummingbot's executor config, the object the controller made unless nobody else held it."""
        return materialise(self.trajectory)

    @property
    def known(self) -> ExecutorConfigBase | LazyPositionConfig:
        """What reads like `config`, without one being made where nobody has read it."""
        config = self.trajectory.config
        return config if type(config) is LazyPositionConfig else materialise(self.trajectory)

    def info_at(self, row: int) -> ExecutorInfo:
        """A fresh ExecutorInfo of the executor on a row before its end."""
        trajectory = self.trajectory
        materialise(trajectory)
        state = trajectory.at(row)
        return executor_info(trajectory, row, state, RunnableStatus.RUNNING, is_trading=state.filled_amount_quote > 0)

    @property
    def info(self) -> ExecutorInfo:
        """The ExecutorInfo of the ended executor, the same object each time."""
        if self._info is None:
            materialise(self.trajectory)
            self._info = executor_info(
                self.trajectory,
                self.row,
                self.state or self.trajectory.at(self.row),
                RunnableStatus.TERMINATED,
                close_timestamp=self.close_timestamp,
                close_type=self.close_type,
            )
        return self._info

    @property
    def fills(self) -> list[Fill] | None:
        """The fills of the ended executor; None where its ExecutorInfo says all there is."""
        return self.trajectory.fills(self.row)

    @property
    def was_read(self) -> bool:
        """Whether someone holds its final ExecutorInfo, and may have changed it."""
        return self._info is not None


class Trade(NamedTuple):
    """What tasks.metrics asks of an ended executor that filled something, without building its ExecutorInfo."""

    filled_amount_quote: Decimal | float
    net_pnl_quote: Decimal | float
    close_type: CloseType


class Steps:
    """What holds from a row on until the next step: a line of pnl_timeseries without its prices, column by column."""

    def __init__(self) -> None:
        self.rows = array("q")
        self.realized = array("d")
        self.volume = array("d")
        self.active = array("q")

    def note(self, row: int, realized: float, volume: float, active: int) -> None:
        """The last word on a row counts."""
        if self.rows and self.rows[-1] == row:
            self.realized[-1], self.volume[-1], self.active[-1] = realized, volume, active
            return
        self.rows.append(row)
        self.realized.append(realized)
        self.volume.append(volume)
        self.active.append(active)


class Held(NamedTuple):
    """The open held positions from a row on, until the next such entry."""

    row: int
    #: of each: (net base, average entry price, realised pnl)
    positions: tuple[tuple[Decimal, Decimal, Decimal], ...]


class Ledger:
    """The state of one run on its current row, and the history the results are made of."""

    def __init__(self, candles: Candles, curve: EquityCurve | None) -> None:
        self.candles = candles
        #: number -> running executor, in the order of creation
        self.active: dict[int, Executor] = {}
        #: every ended executor in upstream's order: the ledger
        self.ended: list[Executor] = []
        #: "{connector}_{pair}" -> BacktestPositionHold
        self.holds: dict[str, BacktestPositionHold] = {}
        self.steps = Steps()
        self.held: list[Held] = []
        self._curve = curve
        self._row = -1
        self._created = 0
        self._endings: list[tuple[int, int]] = []
        self._by_id: dict[str, int] = {}
        self._shares_ids = False
        self._vanished: list[Executor] = []  # on the current row, see _end
        self._visible = 0  # position in `ended` of the first executor inside the window
        self._pending: list[Executor] = []
        self._freezer = Compactor()
        self._kept_ids: set[str] = set()
        self._realized = 0.0
        self._volume = 0.0
        self._note(0)

    @property
    def row(self) -> int:
        """The current row; -1 before the first."""
        return self._row

    # what happens

    def next_end(self) -> int:
        """The next row on which an executor ends by itself; len(candles) when none is running."""
        endings = self._endings
        while endings and endings[0][1] not in self.active:
            heapq.heappop(endings)
        return endings[0][0] if endings else len(self.candles)

    def next_change(self) -> int:
        """The next row on which an executor ends or a held position changes by itself."""
        return min(self._row + 1, len(self.candles)) if self._pending or self._vanished else self.next_end()

    def move_to(self, row: int) -> None:
        """Take what happens by itself up to a row, this row included."""
        while self._row < row:
            change = self.next_change()
            if row < change:
                self._row = row
                return
            # What was kept on a row joins the held positions at the start of the next one.
            self._row = change
            self._vanished = []
            self._join_held(self._row)
            self._end(self._row)

    def create(self, trajectory: Trajectory | None) -> None:
        """A new executor, on the current row."""
        if trajectory is None or trajectory.close_type == CloseType.FAILED:
            return
        if trajectory.config.timestamp is None:
            raise NotReproduced("an executor without a timestamp")
        executor = Executor(self._created, trajectory)
        self._created += 1
        if type(trajectory.config) is not LazyPositionConfig:  # whose ids differ, for their moments do
            self._register(executor)
        self.active[executor.number] = executor
        # Upstream looks at an executor from the row after its creation on.
        heapq.heappush(self._endings, (max(trajectory.last, trajectory.first + 1), executor.number))
        self._note(self._row + 1)

    def stop(self, executor_id: str, *, keep_position: bool) -> None:
        """A StopExecutorAction, on the current row."""
        executor = None if executor_id in self._kept_ids else self._find(executor_id)
        if executor is None:
            return
        row = min(self._row, executor.trajectory.last)
        state = executor.trajectory.stopped(row, keep=keep_position)
        kept = keep_position and state.filled_amount_quote > 0
        close_type = CloseType.POSITION_HOLD if kept else CloseType.EARLY_STOP
        self._close(executor, row, state, close_type, self.candles.timestamp[self._row])
        self._forget(executor)
        self._note(self._row + 1)

    def finish(self) -> None:
        """Upstream's closing tick: what was created on the last row ends there too."""
        after = len(self.candles)
        self._end(after)
        self._join_held(after)

    def trades(self) -> Iterator[Trade]:
        """The ended executors that filled something, in the ledger's order."""
        for executor in self.ended:
            end = executor.info if executor.was_read else executor.state
            if end is not None:
                yield Trade(end.filled_amount_quote, end.net_pnl_quote, executor.close_type)

    # what a controller sees

    def running(self) -> list[Executor]:
        """The executors the controller sees as active on the current row, in the order of creation."""
        if not self._vanished:
            return list(self.active.values())
        return sorted([*self.active.values(), *self._vanished], key=lambda executor: executor.number)

    def executors_reader(self) -> Callable[[], list[ExecutorInfo]]:
        """A function that gives what the controller sees of its executors on the current row, whenever it is called:
        the running ones, fresh ExecutorInfo, then the ended ones of the last hour."""
        row, running = self._row, self.running()
        first, count, ended = self.visible_from(), len(self.ended), self.ended

        def read() -> list[ExecutorInfo]:
            return [one.info_at(row) for one in running] + [one.info for one in ended[first:count]]

        return read

    def visible_from(self) -> int:
        """Position in `ended` of the first executor the controller still sees on the current row."""
        cutoff = self.candles.timestamp[self._row] - WINDOW_S
        ended = self.ended
        while self._visible < len(ended):
            if ended[self._visible].close_timestamp >= cutoff:
                break
            self._visible += 1
        return self._visible

    def positions_held(self) -> list[object]:
        """PositionSummary of the open held positions at the current row's close."""
        if not self.holds:
            return []
        price = Decimal(str(self.candles.close[self._row]))
        return [hold.get_position_summary(price) for hold in self.holds.values() if not hold.is_closed]

    # within

    def _end(self, row: int) -> None:
        endings = self._endings
        if not endings or endings[0][0] > row:
            return
        numbers = []
        while endings and endings[0][0] <= row:
            numbers.append(heapq.heappop(endings)[1])
        gone = [self.active[number] for number in sorted(numbers) if number in self.active]
        for executor in gone:
            trajectory = executor.trajectory
            last = trajectory.last
            at = float(self.candles.timestamp[last])
            self._close(executor, last, trajectory.at(last), trajectory.close_type, at)
        ids = {executor.config.id for executor in gone} if self._shares_ids else set()
        for executor in gone:
            self._forget(executor)
        if gone:
            if self._shares_ids:
                # Upstream removes by id: one that shares it is shown on this row for the last time, and never booked.
                self._vanished = [other for other in self.active.values() if other.config.id in ids]
                for executor in self._vanished:
                    self._forget(executor)
            self._note(row)

    def _close(self, executor: Executor, row: int, state: State, close_type: CloseType, timestamp: float) -> None:
        executor.row = row
        executor.state = state if executor.trajectory.filled_at(row) else None
        executor.close_type, executor.close_timestamp = close_type, timestamp
        self.ended.append(executor)
        self._volume += float(state.filled_amount_quote)
        kept = close_type == CloseType.POSITION_HOLD and state.filled_amount_quote > 0
        if kept:
            self._pending.append(executor)
        else:
            self._realized += float(state.net_pnl_quote)
        trajectory = executor.trajectory
        executor.side = trajectory.config.side  # a controller that held the config may have turned it
        if self._curve is not None and trajectory.filled_at(row):
            trajectory.add_to(self._curve, row, state.net_pnl_quote, kept=kept)
            if kept:
                self._curve.add_held(row, *kept_amounts(executor.info))
        trajectory.release()
        if getrefcount(trajectory.config) > _UNSHARED:
            executor.info  # noqa: B018  # someone holds the config and may change it: its values are taken now

    def _register(self, executor: Executor) -> None:
        executor.key = executor.config.id
        namesake = self._by_id.get(executor.key)
        if namesake is not None:
            self._shares_ids = True
            if self.active[namesake].config is executor.config:
                raise NotReproduced("one config object for several executors at a time")
        self._by_id[executor.key] = executor.number

    def _forget(self, executor: Executor) -> None:
        self.active.pop(executor.number, None)
        if executor.key is not None and self._by_id.get(executor.key) == executor.number:
            del self._by_id[executor.key]
        if len(self.ended) > PUT_AWAY_FROM:
            self._freezer.compact(executor.trajectory)

    def _find(self, executor_id: str) -> Executor | None:
        if self._shares_ids:
            return next((one for one in self.active.values() if one.config.id == executor_id), None)
        return self.active.get(self._by_id.get(executor_id, -1))

    def _join_held(self, row: int) -> None:
        if not self._pending:
            return
        for executor in self._pending:
            info, config = executor.info, executor.config
            price = info.custom_info.get("current_position_average_price")
            if price is None:
                price = info.custom_info.get("close_price", 0)
            key = price_key(config.connector_name, config.trading_pair)
            if key not in self.holds:
                self.holds[key] = BacktestPositionHold(config.connector_name, config.trading_pair)
            self.holds[key].add_executor(info, Decimal(str(price)))
            self._kept_ids.add(config.id)
        self._pending.clear()
        self.held.append(
            Held(
                row,
                tuple(
                    (hold.net_amount_base, hold.avg_entry_price, hold.realized_pnl_quote)
                    for hold in self.holds.values()
                    if not hold.is_closed
                ),
            )
        )

    def _note(self, row: int) -> None:
        self.steps.note(row, self._realized, self._volume, len(self.active))

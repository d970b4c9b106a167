"""Executors and held positions on several pairs, and what a bot would report of them to its controller."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from tasks.engine.equity import EquityCurve
from tasks.engine.executors import State
from tasks.engine.jump.ledger import Executor, Held, Ledger
from tasks.engine.live.pairs import Book, Books, Pair
from tasks.market_names import price_key
from tasks.upstream.names import (
    BacktestPositionHold,
    CloseType,
    ExecutorInfo,
    PerformanceReport,
    TradeType,
)

#: Ended executors that a bot keeps in memory: StrategyV2Base.closed_executors_buffer.
REMEMBERED = 100


class LiveLedger(Ledger):
    """The jump engine's ledger over several pairs.

    `curves`: pair -> the equity curve its executors are added to; None for no curves. An executor's rows count in its
    own pair's candles, which all stand on the same moments.
    """

    def __init__(self, books: Books, curves: Mapping[Pair, EquityCurve] | None) -> None:
        super().__init__(books.main.candles, None if curves is None else curves[books.main.pair])
        self._books = books
        self._curves = curves
        #: (config's timestamp, order of creation, executor) of the ended executors that a bot would still know
        self._remembered: list[tuple[float, int, Executor]] = []
        #: for every entry of `held`: the pairs of its positions
        self.held_pairs: list[tuple[Pair, ...]] = []

    def take_over(self, positions: Iterable[Any]) -> None:
        """Positions that the account holds at the first row (Hummingbot's InitialPositionConfig), at its close.

        To be called before the first row. Raises CandlesMissing, CandlesNotCovering for a pair without candles.
        """
        for position in positions:
            book = self._books.of(position.connector_name, position.trading_pair, 0)
            price = Decimal(str(book.closes[0]))
            key = price_key(*book.pair)
            hold = self.holds.setdefault(key, BacktestPositionHold(*book.pair))
            buys = position.side == TradeType.BUY
            hold._process_order(buys, position.amount, position.amount * price)
            if self._curves is not None:
                base = float(position.amount)
                self._curves[book.pair].add_held(0, base if buys else -base, base * book.closes[0], 0.0)
        if self.holds:
            positions_open = tuple(
                (hold.net_amount_base, hold.avg_entry_price, hold.realized_pnl_quote) for hold in self._open_holds()
            )
            self.held.append(Held(0, positions_open))
            self._note_pairs()

    def report(self) -> Callable[[], list[ExecutorInfo]]:
        """A function that gives what the bot would show its controller on the current row, whenever it is called.

        Running executors and the last REMEMBERED that ended, in the order of their creation: fresh ExecutorInfo of
        the running ones. Those are asked for at the latest before the row ends.
        """
        row, running = self._row, self.running()
        ended = [executor for _, _, executor in self._remembered]

        def read() -> list[ExecutorInfo]:
            still = set(running)
            known = sorted([*running, *ended], key=_number)
            infos = [one.info_at(row) if one in still else one.info for one in known]
            for info in infos:
                info.__dict__["controller_id"] = info.config.controller_id
            return infos

        return read

    def positions_held(self) -> list[Any]:
        """PositionSummary of the open held positions at their own pair's close."""
        return [hold.get_position_summary(self._price(hold)) for hold in self._open_holds()]

    def performance(self) -> PerformanceReport:
        """Hummingbot's PerformanceReport on the current row."""
        positions = self.positions_held()
        report = PerformanceReport()
        for executor in self.ended:
            info = executor.info
            if info.close_type != CloseType.POSITION_HOLD:
                report.realized_pnl_quote += info.net_pnl_quote
                report.volume_traded += info.filled_amount_quote
            counts = report.close_type_counts
            counts[info.close_type] = counts.get(info.close_type, 0) + 1
        for executor in self.running():
            info = executor.info_at(self._row)
            report.unrealized_pnl_quote += info.net_pnl_quote
            report.volume_traded += info.filled_amount_quote
        for position in positions:
            report.realized_pnl_quote += position.realized_pnl_quote
            report.unrealized_pnl_quote += position.unrealized_pnl_quote
            report.volume_traded += position.volume_traded_quote
        report.positions_summary = positions
        report.global_pnl_quote = report.unrealized_pnl_quote + report.realized_pnl_quote
        if report.volume_traded:
            share = 100 / report.volume_traded
            report.global_pnl_pct = report.global_pnl_quote * share
            report.unrealized_pnl_pct = report.unrealized_pnl_quote * share
            report.realized_pnl_pct = report.realized_pnl_quote * share
        return report

    def _price(self, hold: BacktestPositionHold) -> Decimal:
        book: Book = self._books.by_pair[Pair(hold.connector_name, hold.trading_pair)]
        return Decimal(str(book.closes[min(self._row, len(self.candles) - 1)]))

    def _close(self, executor: Executor, row: int, state: State, close_type: CloseType, timestamp: float) -> None:
        if self._curves is not None:
            config = executor.config
            self._curve = self._curves[Pair(config.connector_name, config.trading_pair)]
        super()._close(executor, row, state, close_type, timestamp)
        insort(self._remembered, (float(executor.config.timestamp), executor.number, executor))
        if len(self._remembered) > REMEMBERED:
            del self._remembered[0]

    def _join_held(self, row: int) -> None:
        entries = len(self.held)
        super()._join_held(row)
        if len(self.held) > entries:
            self._note_pairs()

    def _open_holds(self) -> list[BacktestPositionHold]:
        return [hold for hold in self.holds.values() if not hold.is_closed]

    def _note_pairs(self) -> None:
        self.held_pairs.append(tuple(Pair(hold.connector_name, hold.trading_pair) for hold in self._open_holds()))


def _number(executor: Executor) -> int:
    return executor.number


class LazyPerformance:
    """A PerformanceReport that is made when someone reads it."""

    def __init__(self, make: Callable[[], PerformanceReport]) -> None:
        self._make: Callable[[], PerformanceReport] | None = make
        self._report: PerformanceReport | None = None

    def __getattr__(self, name: str) -> Any:
        if self._make is not None:
            self._report, self._make = self._make(), None
        return getattr(self._report, name)

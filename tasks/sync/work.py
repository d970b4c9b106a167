"""All of an order: exchanges one beside the other, feeds of one exchange together, each failing for itself."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tasks.errors import ExchangeError, HummingsweepError
from tasks.garbage import importing
from tasks.intervals import interval_seconds
from tasks.named_types import JsonObject
from tasks.protocol.messages import SweepDefinition
from tasks.suggest import nearest
from tasks.sync import feed as feeds
from tasks.sync.needs import feeds_of
from tasks.sync.orders import Event, FeedAnswer, FeedOrder, Kind, Order, RulesAnswer, RulesOrder, Status
from tasks.sync.retry import Gate, GaveUp, RetryPolicy
from tasks.sync.rules import chosen, unknown_pair, write
from tasks.upstream.live.refusals import ExchangeTrouble, OutOfReach, Refused, Unintelligible

Report = Callable[[Event], None]

#: Statuses by which exchanges say that they do not know what they were asked for.
_UNKNOWN_THING = (400, 404, 422)


async def carry_out(order: Order, report: Report, retry_policy: RetryPolicy | None = None) -> Event:
    """Download everything; the event that says how it ended. A cancellation ends it early and is told in the event.

    Raises HummingsweepError when the order cannot be carried out at all; nothing was downloaded then.
    """
    with importing():
        from tasks.upstream.live import exchange

    retry_policy = retry_policy or RetryPolicy()
    wanted = list(order.feeds)
    if order.sweep:
        wanted += await feeds_of(SweepDefinition.decode(order.sweep.encode()), Path(order.controllers))
    wanted = together(wanted)
    for one in wanted:
        check(one, exchange.candle_connectors(), exchange.intervals)
    answers = [FeedAnswer(one.connector, one.pair, one.interval, Status.INTERRUPTED) for one in wanted]
    rule_answers = [RulesAnswer(one.connector, Status.INTERRUPTED) for one in order.rules]
    async with exchange.connected(order.base_url, retry_policy.answer_s) as traffic:
        download = _Download(order, report, retry_policy, traffic)
        interrupted = False
        try:
            for rules_order, rules_answer in zip(order.rules, rule_answers, strict=True):
                await download.rules(rules_order, rules_answer)
            async with asyncio.TaskGroup() as group:
                for one, answer in zip(wanted, answers, strict=True):
                    group.create_task(download.feed(one, answer))
        except asyncio.CancelledError:
            interrupted = True
        return Event(Kind.DONE, feeds=answers, rules=rule_answers, requests=traffic.requests, interrupted=interrupted)


def together(orders: Iterable[FeedOrder]) -> list[FeedOrder]:
    """Each feed once, for the longest period asked for."""
    merged: dict[str, FeedOrder] = {}
    for one in orders:
        known = merged.get(one.key, one)
        end = None if known.end is None or one.end is None else max(known.end, one.end)
        merged[one.key] = replace(one, start=min(known.start, one.start), end=end)
    return list(merged.values())


def check(order: FeedOrder, connectors: list[str], intervals: Callable[[str], list[str]]) -> None:
    """Can Hummingbot fetch this feed? Raises HummingsweepError with the nearest that it can."""
    if order.connector not in connectors:
        close = nearest(order.connector, connectors)
        raise HummingsweepError(
            f"{order.connector!r}: Hummingbot has no candle feed of this connector; the nearest is {close}, all are "
            f"{' '.join(connectors)}"
        )
    there = intervals(order.connector)
    if order.interval not in there:
        length = math.log(interval_seconds(order.interval))
        close = min(there, key=lambda one: abs(math.log(interval_seconds(one)) - length))
        raise HummingsweepError(
            f"{order.interval!r}: {order.connector} has no candles of this interval; the nearest is {close}, all are "
            f"{' '.join(there)}"
        )


@dataclass
class _Download:
    """What all parts of an order share."""

    order: Order
    report: Report
    retry_policy: RetryPolicy
    traffic: Any
    _gates: dict[str, Gate] = field(default_factory=dict)
    _throttlers: dict[str, object] = field(default_factory=dict)
    _markets: JsonObject = field(default_factory=dict)

    async def feed(self, order: FeedOrder, answer: FeedAnswer) -> None:
        """One feed; every error ends in the answer."""
        from tasks.upstream.live import exchange

        place = feeds.Place(Path(self.order.to), self.order.encoding, self.order.again, self._progress)
        try:
            source = exchange.Feed(order.connector, order.pair, order.interval, self._throttlers.get(order.connector))
            self._throttlers.setdefault(order.connector, source.throttler)
            await feeds.download(order, source, self._gate(order.connector), place, answer)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            answer.status = Status.FAILED
            feeds.failed(answer, error)
            if isinstance(error, GaveUp):
                refused = isinstance(error.trouble, Refused) and error.trouble.status in _UNKNOWN_THING
                answer.bad_input = refused or isinstance(error.trouble, OutOfReach)
            else:
                answer.bad_input = isinstance(error, HummingsweepError) or _is_no_place(error)
            if _may_be_unknown(error) and (unknown := await self._nearest(order)):
                answer.error, answer.bad_input = unknown, True

    async def rules(self, order: RulesOrder, answer: RulesAnswer) -> None:
        """Trading rules of one connector; every error ends in the answer."""
        from tasks.upstream.backtest.rules import trading_rules

        path = Path(order.folder) / f"{order.connector}.json"
        answer.path = str(path)
        try:
            market = self._market(order.connector)
            found = await self._gate(order.connector).patiently(lambda: market.rules(self.traffic))
            rules = chosen(found, order.pairs, order.connector)
            trading_rules({order.connector: rules})  # what a sweep would refuse is not written
            write(path, rules)
            answer.status, answer.pairs = Status.DOWNLOADED, sorted(rules)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            answer.status = Status.FAILED
            answer.error = str(error) if isinstance(error, HummingsweepError) else feeds.in_words(error)
            ours = isinstance(error, HummingsweepError) and not isinstance(error, GaveUp)
            answer.bad_input = ours or _is_no_place(error)

    def _progress(self, key: str, done: int, total: int) -> None:
        self.report(Event(Kind.PROGRESS, feed=key, done=done, total=total))

    def _gate(self, connector: str) -> Gate:
        if connector not in self._gates:
            self._gates[connector] = Gate(
                connector,
                self.retry_policy,
                lambda text: self.report(Event(Kind.SAY, text=text)),
                chance=random.Random(),
            )
        return self._gates[connector]

    def _market(self, connector: str) -> Any:
        from tasks.upstream.live.market import Market

        if connector not in self._markets:
            try:
                self._markets[connector] = Market(connector)
            except KeyError:
                close = nearest(connector, Market.names())
                raise HummingsweepError(
                    f"{connector!r}: Hummingbot has no such connector; the nearest is {close}"
                ) from None
        return self._markets[connector]

    async def _nearest(self, order: FeedOrder) -> str:
        """The sentence when the exchange does not have the pair; empty when it has, or does not say."""
        try:
            pairs = await self._market(order.connector).pairs()
        except (HummingsweepError, ExchangeTrouble):
            return ""
        return "" if not pairs or order.pair in pairs else unknown_pair(order.connector, order.pair, pairs)


def _may_be_unknown(error: Exception) -> bool:
    """May it be that there is no such pair?"""
    trouble = error.trouble if isinstance(error, GaveUp) else None
    if isinstance(trouble, Refused):
        return trouble.status in _UNKNOWN_THING
    return isinstance(error, ExchangeError) and (trouble is None or isinstance(trouble, Unintelligible))


def _is_no_place(error: Exception) -> bool:
    """Is it the folder that was given where nothing can be written?"""
    kinds = (FileExistsError, NotADirectoryError, IsADirectoryError, FileNotFoundError, PermissionError)
    return isinstance(error, kinds)

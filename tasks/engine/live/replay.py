"""A back-test and its live replay side by side: which trades are the same, and why the first one is not.

Trades are executors that filled something. They are matched by the moment of their creation, pair, kind, side and
level; a match is the same when amount, price, end and pnl are. The first difference is the first moment at which an
executor, filled or not, is created or ends in one run only. Its reason is found by trying, and is what makes the
difference go: the back-test is run again without what no bot has (its own fills, candles after that moment), the replay
without one thing that a bot has and a back-test has not.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.engine.audit.truncation import changed_market, cut_market
from tasks.engine.live.engine import LiveOptions
from tasks.named_types import JsonObject
from tasks.times import iso
from tasks.upstream.backtest.provider import interval_seconds

if TYPE_CHECKING:
    from tasks.engine._base import Market, Outcome
    from tasks.upstream.names import ExecutorInfo

#: Points of a curve that travel.
MAX_POINTS = 300
#: Relative difference below which two numbers are the same.
SAME = 1e-9

#: What an executor does.
CREATED, ENDED = "created", "ended"

#: Reasons of a difference, as the answer names them.
FILLS = "fills"
LOOK_AHEAD = "look-ahead"
UNFINISHED = "unfinished candle"
HISTORY = "less history than the back-test has"
TIMES = "times of candles"
STATE = "state per tick"
PRICE = "price of now"
UNKNOWN = "none of the known reasons"
NO_TIME = "not found in the time there was"

#: (options) -> the outcome of a replay with them
Live = Callable[[LiveOptions], Awaitable["Outcome"]]
#: (market) -> the outcome of a back-test on it
BackTest = Callable[["Market"], Awaitable["Outcome"]]


@dataclass(frozen=True)
class Runs:
    """How a point is run again, on the live engine and as a back-test with the replay's fills."""

    live: Live
    back_test: BackTest
    market: Market
    #: whether the fills of the point's own back-test are the replay's
    same_fills: bool = True


@dataclass(frozen=True)
class Difference:
    """The first moment at which two runs differ."""

    #: seconds since epoch
    time: float
    #: what happens there in one of them only, in words
    what: str
    #: whether all of that is executors created, none ended
    created_only: bool = False


@dataclass
class Replay:
    """A back-test beside its live replay. Money in quote, times in seconds since epoch."""

    #: open time of the last row on which the controller was asked
    until: float
    #: share of the period's candles up to there
    covered: float
    same: int
    #: the same trade with another amount, price or end
    changed: int
    #: in the back-test only, in the replay only
    missing: int
    extra: int
    first: Difference | None
    why: str = ""
    live_pnl_quote: float = 0.0
    backtest_pnl_quote: float = 0.0
    #: time -> equity change since the start in both, thinned out
    equity: dict[str, list[float]] = field(default_factory=dict)
    note: str = ""

    @property
    def trades_same(self) -> float | None:
        """Share of the trades of both runs that are the same; None where neither traded."""
        trades = self.same + self.changed + self.missing + self.extra
        return self.same / trades if trades else None

    def to_dict(self) -> JsonObject:
        """Plain values, fit for JSON."""
        first = self.first
        return {
            "until": self.until,
            "until_utc": iso(self.until),
            "covered": self.covered,
            "trades": {"same": self.same, "changed": self.changed, "missing": self.missing, "extra": self.extra},
            "trades_same": self.trades_same,
            "first_difference": None
            if first is None
            else {"time": first.time, "time_utc": iso(first.time), "what": first.what, "why": self.why},
            "pnl_quote": self.live_pnl_quote,
            "backtest_pnl_quote": self.backtest_pnl_quote,
            "equity": self.equity,
            "note": self.note,
        }


async def replay(back_test: Outcome, runs: Runs, otherwise: str = UNKNOWN, *, budget_s: float = 0.0) -> Replay:
    """Replay a point and compare.

    `otherwise`: the reason of a difference that no trial explains (see `known_reason`). `budget_s`: seconds for each
    replay; 0: the whole period. Raises what the replay raises.
    """
    outcome = await runs.live(LiveOptions(budget_s=budget_s))
    found = compare(back_test, outcome, float(outcome.asked_until or 0.0))
    found.note = outcome.engine_note
    if found.first is not None:
        found.why = await _Trials(runs, found.first.time, budget_s).reason(back_test, otherwise)
    return found


def known_reason(need: str, quotes_price_of_now: bool, shift: int) -> str:
    """The reason of a difference that is known before anything is tried.

    `need`: why the controller needs the live engine. `quotes_price_of_now`: it is a market maker without data of its
    own, which quotes around the current price.
    """
    if need:
        return f"{STATE}: {need}"
    if quotes_price_of_now and shift:
        return f"{PRICE}: the back-test holds the reference price back by {shift} candles, a bot quotes around the last"
    return UNKNOWN


def compare(back_test: Outcome, live: Outcome, until: float) -> Replay:
    """Two runs up to a moment (seconds, included)."""
    ours, theirs = _trades(live, until), _trades(back_test, until)
    same = changed = 0
    for key, trades in theirs.items():
        for one, other in zip(trades, ours.get(key, ()), strict=False):
            if _equal(one, other, until):
                same += 1
            else:
                changed += 1
    total_ours, total_theirs = (sum(map(len, of.values())) for of in (ours, theirs))
    assert live.timestamps is not None
    row = int(live.timestamps.searchsorted(until, side="right")) - 1
    found = Replay(
        until=until,
        covered=(row + 1) / len(live.timestamps),
        same=same,
        changed=changed,
        missing=total_theirs - same - changed,
        extra=total_ours - same - changed,
        first=first_difference(back_test, live, until),
    )
    if live.equity is not None and back_test.equity is not None and back_test.timestamps is not None and row >= 0:
        places = np.unique(np.linspace(0, row, min(row + 1, MAX_POINTS)).round().astype(int))
        times = live.timestamps[places]
        beside = np.clip(back_test.timestamps.searchsorted(times, side="right") - 1, 0, None)
        found.equity = {
            "time": times.tolist(),
            "live": live.equity[places].tolist(),
            "backtest": back_test.equity[beside].tolist(),
        }
        found.live_pnl_quote, found.backtest_pnl_quote = float(live.equity[row]), found.equity["backtest"][-1]
    return found


def first_difference(one: Outcome, other: Outcome, until: float) -> Difference | None:
    """The first moment up to `until` at which executors are created or end in one of two runs only."""
    ours, theirs = _events(other, until), _events(one, until)
    for time in sorted({*ours, *theirs}):
        missing, extra = theirs[time] - ours[time], ours[time] - theirs[time]
        if missing or extra:
            parts = [f"{side} only: {_listed(events)}" for side, events in (("back-test", missing), ("live", extra))
                     if events]  # fmt: skip
            return Difference(time, "; ".join(parts), all(kind == CREATED for kind, *_ in missing + extra))
    return None


class _Trials:
    """Runs up to the first difference, each without one thing."""

    def __init__(self, runs: Runs, time: float, budget_s: float) -> None:
        self._runs, self._time, self._budget_s = runs, time, budget_s

    async def reason(self, back_test: Outcome, otherwise: str) -> str:
        """What makes the difference go away."""
        also = ""
        if not self._runs.same_fills:
            back_test, also = await self._runs.back_test(self._runs.market), f" (after {FILLS})"
            if await self._explains(back_test, LiveOptions()):
                return FILLS
        if await self._looks_ahead(back_test):
            return f"{LOOK_AHEAD}: the back-test decides otherwise when later candles are others{also}"
        for reason, options in self._options().items():
            explains = await self._explains(back_test, options)
            if explains is None:
                return NO_TIME
            if explains:
                return reason + also
        return otherwise + also

    def _options(self) -> dict[str, LiveOptions]:
        """What is tried, one thing before two: reason -> how the replay is run without it."""
        tried = {
            UNFINISHED: LiveOptions(unfinished=False),
            HISTORY: LiveOptions(history=math.inf),
            f"{UNFINISHED} and {HISTORY}": LiveOptions(unfinished=False, history=math.inf),
        }
        if self._runs.market.shift:
            alone = {TIMES: LiveOptions(closing_times=True)}
            tried |= alone | {
                f"{reason} and {TIMES}": replace(options, closing_times=True) for reason, options in tried.items()
            }
        return tried

    async def _looks_ahead(self, back_test: Outcome) -> bool:
        """Whether the back-test differs, up to the moment, from one whose candles end there or go on otherwise.

        The candle that opens at the moment is left whole: executors end in it. Where the features are held back, what
        is created must not depend on that candle either, unless by way of an executor that ended in it. A back-test
        that fails without later candles needs them.
        """
        market = self._runs.market
        closed = self._time + interval_seconds(market.resolution)
        later = [cut_market(market, closed), changed_market(market, closed)] if closed < market.end else []
        others = [(other, False) for other in later]
        if market.shift:
            others.append((changed_market(market, self._time), True))
        for other, created_only in others:
            try:
                outcome = await self._runs.back_test(other)
            except Exception:  # the controller's own
                return True
            first = first_difference(back_test, outcome, self._time)
            if first is not None and (first.created_only or not created_only):
                return True
        return False

    async def _explains(self, back_test: Outcome, options: LiveOptions) -> bool | None:
        """Whether a replay with these options does not differ up to the moment; None where it did not come so far."""
        outcome = await self._runs.live(replace(options, until=self._time, budget_s=self._budget_s))
        if outcome.exhausted:
            return None
        return first_difference(back_test, outcome, self._time) is None


def _trades(outcome: Outcome, until: float) -> dict[tuple[object, ...], list[ExecutorInfo]]:
    """Executors that filled something and were created up to a moment, by what they are matched by."""
    found: dict[tuple[object, ...], list[ExecutorInfo]] = defaultdict(list)
    for info in outcome.executors:
        if info.timestamp <= until and info.filled_amount_quote > 0:
            found[_key(info)].append(info)
    return found


def _key(info: ExecutorInfo) -> tuple[Any, ...]:
    config = info.config
    level = str(getattr(config, "level_id", None) or "")
    return info.timestamp, config.connector_name, config.trading_pair, config.type, info.side.name, level


def _equal(one: Any, other: Any, until: float) -> bool:
    if one.close_timestamp > until and other.close_timestamp > until:
        return True  # how they end is not compared
    numbers = ("filled_amount_quote", "net_pnl_quote", "cum_fees_quote")
    return (
        one.close_type == other.close_type
        and one.close_timestamp == other.close_timestamp
        and all(_near(float(getattr(one, name)), float(getattr(other, name))) for name in numbers)
    )


def _near(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=SAME, abs_tol=SAME)


def _events(outcome: Outcome, until: float) -> dict[float, Counter[tuple[Any, ...]]]:
    """time -> what begins and ends there."""
    events: dict[float, Counter[tuple[Any, ...]]] = defaultdict(Counter)
    for info in outcome.executors:
        _, _, pair, kind, side, level = _key(info)
        if info.timestamp <= until:
            events[float(info.timestamp)][CREATED, pair, kind, side, level, ""] += 1
        if info.close_timestamp is not None and info.close_timestamp <= until:
            how = info.close_type.name if info.close_type is not None else ""
            events[float(info.close_timestamp)][ENDED, pair, kind, side, level, how] += 1
    return events


def _listed(events: Counter[tuple[Any, ...]], most: int = 3) -> str:
    shown = [" ".join(part for part in (*one, f"x{count}" if count > 1 else "") if part)
             for one, count in events.items()]  # fmt: skip
    more = f" and {len(shown) - most} more" if len(shown) > most else ""
    return ", ".join(shown[:most]) + more

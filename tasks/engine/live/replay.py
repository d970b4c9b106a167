"""A back-test and its live replay side by side: which trades are the same, and why the first one is not.

Trades are executors that filled something. They are matched by the moment of their creation, pair, kind, side and
level; a match is the same when amount, price, end and pnl are. The first difference is the first moment at which an
executor, filled or not, is created or ends in one run only. Its reason is found by trying: the replay is run again up
to that moment without one thing that a bot has and a back-test has not, and the reason is what makes the difference go.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.engine.live.engine import LiveOptions
from tasks.named_types import JsonObject
from tasks.times import iso

if TYPE_CHECKING:
    from tasks.engine._base import Outcome
    from tasks.upstream.names import ExecutorInfo

#: Points of a curve that travel.
MAX_POINTS = 300
#: Relative difference below which two numbers are the same.
SAME = 1e-9

#: Reasons of a difference, as the answer names them.
FILLS = "fills"
UNFINISHED = "unfinished candle"
HISTORY = "less history than the back-test has"
STATE = "state per tick"
PRICE = "price of now"
UNKNOWN = "none of the known reasons"
NO_TIME = "not found in the time there was"

#: (options) -> the outcome of a replay with them
Live = Callable[[LiveOptions], Awaitable["Outcome"]]


@dataclass(frozen=True)
class Difference:
    """The first moment at which two runs differ."""

    #: seconds since epoch
    time: float
    #: what happens there in one of them only, in words
    what: str


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


async def replay(
    back_test: Outcome,
    live: Live,
    honest: Callable[[], Awaitable[Outcome]] | None,
    otherwise: str = UNKNOWN,
    *,
    budget_s: float = 0.0,
) -> Replay:
    """Replay a point and compare.

    `honest`: the back-test with the replay's fills, where its own are others. `otherwise`: the reason of a difference
    that no trial explains (see `known_reason`). `budget_s`: seconds for each replay; 0: the whole period. Raises what
    the replay raises.
    """
    outcome = await live(LiveOptions(budget_s=budget_s))
    found = compare(back_test, outcome, float(outcome.asked_until or 0.0))
    found.note = outcome.engine_note
    if found.first is not None:
        found.why = await _Trials(live, found.first.time, budget_s).reason(back_test, honest, otherwise)
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
            return Difference(time, "; ".join(parts))
    return None


class _Trials:
    """Replays up to the first difference, each without one thing."""

    def __init__(self, live: Live, time: float, budget_s: float) -> None:
        self._live, self._time, self._budget_s = live, time, budget_s

    async def reason(self, back_test: Outcome, honest: Callable[[], Awaitable[Outcome]] | None, otherwise: str) -> str:
        """What makes the difference go away."""
        also = ""
        if honest is not None:
            back_test, also = await honest(), f" (after {FILLS})"
            if await self._explains(back_test, LiveOptions()):
                return FILLS
        tried = {
            UNFINISHED: LiveOptions(unfinished=False),
            HISTORY: LiveOptions(history=math.inf),
            f"{UNFINISHED} and {HISTORY}": LiveOptions(unfinished=False, history=math.inf),
        }
        for reason, options in tried.items():
            explains = await self._explains(back_test, options)
            if explains is None:
                return NO_TIME
            if explains:
                return reason + also
        return otherwise + also

    async def _explains(self, back_test: Outcome, options: LiveOptions) -> bool | None:
        """Whether a replay with these options does not differ up to the moment; None where it did not come so far."""
        outcome = await self._live(replace(options, until=self._time, budget_s=self._budget_s))
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
            events[float(info.timestamp)]["created", pair, kind, side, level, ""] += 1
        if info.close_timestamp is not None and info.close_timestamp <= until:
            how = info.close_type.name if info.close_type is not None else ""
            events[float(info.close_timestamp)]["ended", pair, kind, side, level, how] += 1
    return events


def _listed(events: Counter[tuple[Any, ...]], most: int = 3) -> str:
    shown = [" ".join(part for part in (*one, f"x{count}" if count > 1 else "") if part)
             for one, count in events.items()]  # fmt: skip
    more = f" and {len(shown) - most} more" if len(shown) > most else ""
    return ", ".join(shown[:most]) + more

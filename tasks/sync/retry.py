"""Asking an exchange that may be down, busy or cut off: how often, how long to wait, when to give up.

too many requests (429, 418)    everybody stops asking this exchange until Retry-After has passed, then more slowly
down or cut off (5xx, no answer) this request waits: twice as long each time, with jitter
an answer nobody understands    the same, but only a few times
refused (other 4xx)             no second try, and none for what Hummingbot's feed does not ask for
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tasks.errors import ExchangeError
from tasks.upstream.live.refusals import ExchangeTrouble, OutOfReach, Refused, Unintelligible

#: Answers that make no sense are asked for so often, whatever the retry_policy: they rarely get better.
_UNINTELLIGIBLE_TRIES = 3
#: Exchanges count requests over so many seconds; after a 429 only this part of what was sent then is sent.
_COUNTED_S = 60.0
_PART = 0.8
#: Seconds between two requests after the first 429 at most, and after any number of them.
_FIRST_SPACING_S = 0.5
_LONGEST_SPACING_S = 5.0
#: Requests to one exchange that may be under way together.
_AT_ONCE = 8
#: Seconds within which the same exchange's trouble is not told twice.
_QUIET_S = 5.0


@dataclass(frozen=True)
class RetryPolicy:
    """How long to go on."""

    #: tries of one request
    attempts: int = 6
    #: seconds before the second try; doubled from try to try
    first_wait_s: float = 1.0
    longest_wait_s: float = 60.0
    #: the longest Retry-After that is waited for; an exchange that asks for more is left alone
    longest_order_s: float = 900.0
    #: seconds an answer may keep us waiting
    answer_s: float = 30.0
    #: seconds after its end from which on a candle counts as finished
    settle_s: float = 2.0

    def wait_s(self, failures: int, chance: random.Random) -> float:
        """Seconds to wait after so many failures: between half of the doubled wait and all of it."""
        return min(self.longest_wait_s, self.first_wait_s * 2.0 ** (failures - 1)) * chance.uniform(0.5, 1.0)


class GaveUp(ExchangeError):
    """No usable answer; `trouble` says what the last try met."""

    def __init__(self, text: str, trouble: ExchangeTrouble):
        super().__init__(text)
        self.trouble = trouble


@dataclass
class Gate:
    """What every request to one exchange passes: shut while the exchange asks to wait, then one by one.

    For one event loop. `clock` counts seconds, `sleep` waits for them.
    """

    exchange: str
    retry_policy: RetryPolicy = field(default_factory=RetryPolicy)
    say: Callable[[str], None] = lambda _: None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: random.Random = field(default_factory=random.Random)
    #: requests to this exchange at one time
    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))
    _opens: float = float("-inf")
    _spacing_s: float = 0.0
    #: when requests passed, as far back as exchanges count
    _passed: deque[float] = field(default_factory=deque)
    _told: float = float("-inf")

    async def passed(self) -> None:
        """Returns when the next request may be sent."""
        while (left := self._opens - self.clock()) > 0:
            await self.sleep(left)
        now = self.clock()
        self._opens = now + self._spacing_s
        self._passed.append(now)
        self._forget(now)

    def shut(self, seconds: float) -> None:
        """Nothing passes for so long, and what follows keeps a distance. Several at once count as one.

        The distance is that of a little fewer requests than were too many, and at least twice what it was: Hummingbot's
        own limits are too generous for long pages (Binance counts 10 for one of 1500 candles, Hummingbot 1).
        """
        now = self.clock()
        if self._opens <= now + self._spacing_s:
            self._forget(now)
            measured = _COUNTED_S / (_PART * max(1, len(self._passed)))
            wider = max(2 * self._spacing_s, min(_FIRST_SPACING_S, measured))
            self._spacing_s = min(_LONGEST_SPACING_S, wider)
        self._opens = max(self._opens, now + seconds)

    async def patiently[T](self, ask: Callable[[], Awaitable[T]]) -> T:
        """What `ask` answers, asked as often as retry_policy allows. Raises GaveUp."""
        failures = 0
        while True:
            try:
                async with self.room:
                    await self.passed()
                    return await ask()
            except ExchangeTrouble as trouble:
                failures += 1
                wait_s = self._wait_s(trouble, failures)
                self._tell(f"{self.exchange}: {trouble}; trying again in {wait_s:.1f} s")
                if isinstance(trouble, Refused) and trouble.too_many:
                    self.shut(wait_s)
                else:
                    await self.sleep(wait_s)

    def _wait_s(self, trouble: ExchangeTrouble, failures: int) -> float:
        """Seconds before the next try. Raises GaveUp when there is none."""
        most = self.retry_policy.attempts
        if isinstance(trouble, Unintelligible):
            most = min(most, _UNINTELLIGIBLE_TRIES)
        if isinstance(trouble, OutOfReach):
            raise GaveUp(f"{self.exchange}: {trouble}; ask for a later start", trouble) from trouble
        if isinstance(trouble, Refused) and not trouble.passing:
            raise GaveUp(f"{self.exchange} refuses: {trouble}", trouble) from trouble
        asked_s = trouble.retry_after_s if isinstance(trouble, Refused) else None
        if asked_s is not None and asked_s > self.retry_policy.longest_order_s:
            raise GaveUp(
                f"{self.exchange} asks to wait {asked_s:.0f} s: {trouble}; run the same command again after that",
                trouble,
            ) from trouble
        if failures >= most:
            raise GaveUp(
                f"{self.exchange}: {trouble} (tried {failures} times); run the same command again later", trouble
            ) from trouble
        wait_s = self.retry_policy.wait_s(failures, self.chance)
        return wait_s if asked_s is None else asked_s + wait_s * 0.1

    def _forget(self, now: float) -> None:
        while self._passed and self._passed[0] < now - _COUNTED_S:
            self._passed.popleft()

    def _tell(self, text: str) -> None:
        now = self.clock()
        if now - self._told >= _QUIET_S:
            self._told = now
            self.say(text)

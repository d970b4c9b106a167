"""What can go wrong between here and an exchange, by kinds. Light: hummingbot is not imported.

ExchangeTrouble
  Refused            an HTTP status of 400 or more
    Complained       status 200, and an answer that says what is wrong
  Unreachable        no connection, or one that was cut off
  Unintelligible     an answer that is not what the feed expects
  OutOfReach         nothing was asked: the feed knows that the exchange would refuse
"""

from __future__ import annotations

import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

import ujson

from tasks.times import utc_second

#: An exchange's words travel in messages up to this many characters.
_LONGEST = 300
#: Where answers say that, and why, they hold nothing; and what stands there when all is well.
_CODES, _WORDS = ("retCode", "code", "label"), ("retMsg", "msg", "message", "error", "errorMessage")
_WELL = frozenset({"", "0", "00000", "200", "1000", "200000", "ok", "success", "none", "[]"})
_TOO_MANY = re.compile(r"too (many|frequent)|rate.?limit|frequency", re.IGNORECASE)
_BUSY = re.compile(r"busy|unavailable|try again|time.?out|maintenance|internal|overload", re.IGNORECASE)


class ExchangeTrouble(Exception):
    """A request brought no usable answer."""


class Refused(ExchangeTrouble):
    """The exchange answered with an HTTP status of 400 or more."""

    def __init__(self, status: int, words: str, retry_after_s: float | None = None):
        super().__init__(f"HTTP {status}{f' ({said})' if (said := _said(words)) else ''}")
        self.status = status
        #: seconds its Retry-After header asks to wait; None without one
        self.retry_after_s = retry_after_s

    @property
    def too_many(self) -> bool:
        """Were there too many requests? 418 is what Binance sends to who goes on after a 429."""
        return self.status in (429, 418)

    @property
    def passing(self) -> bool:
        """May the same request succeed later?"""
        return self.too_many or self.status >= 500 or self.status in (408, 425)


class Complained(Refused):
    """The exchange answered with status 200, and said in the answer what is wrong (Bybit, OKX, Kraken)."""

    def __init__(self, words: str):
        ExchangeTrouble.__init__(self, _said(words))
        self.status = 429 if _TOO_MANY.search(words) else 503 if _BUSY.search(words) else 400
        self.retry_after_s = None


class OutOfReach(ExchangeTrouble):
    """Hummingbot's feed does not ask its exchange for candles as old as these."""


class Unreachable(ExchangeTrouble):
    """No connection, a connection cut off, or no answer in time."""


class Unintelligible(ExchangeTrouble):
    """The answer is not what the feed expects: no JSON, or other JSON."""


def complaint(answer: str) -> Complained | None:
    """What an answer (JSON) says is wrong; None when it does not."""
    try:
        fields: Any = ujson.loads(answer)
    except ValueError:
        return None
    if not isinstance(fields, dict):
        return None
    code = next((str(fields[name]) for name in _CODES if name in fields), "")
    words = next((text for name in _WORDS if (text := _joined(fields.get(name))).lower() not in _WELL), "")
    if (code and code.lower() in _WELL) or not (words or code):
        return None
    return Complained(f"{code}: {words}" if code and words else words or f"code {code}")


def _joined(value: Any) -> str:
    return "; ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)


def seconds_of(header: str | None, now: float) -> float | None:
    """A Retry-After header (seconds, or an HTTP date) as seconds from `now`; None when it is neither."""
    if header is None:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        moment = moment_of(header)
        return None if moment is None else max(0.0, moment - now)


def moment_of(header: str | None) -> float | None:
    """An HTTP date as seconds since the epoch; None when it is none."""
    try:
        moment = parsedate_to_datetime(header or "")
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).timestamp()


def shown_moment(seconds: float) -> str:
    """A moment as people read it."""
    return f"{utc_second(seconds)} UTC"


def _said(words: str) -> str:
    """What the exchange said, on one line; a page of HTML says nothing."""
    return "" if "<html" in words.lower() else " ".join(words.split())[:_LONGEST]

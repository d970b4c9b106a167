"""What can go wrong between here and an exchange, as three kinds. Light: hummingbot is not imported."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

#: An exchange's words travel in messages up to this many characters.
_LONGEST = 300


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


class Unreachable(ExchangeTrouble):
    """No connection, a connection cut off, or no answer in time."""


class Unintelligible(ExchangeTrouble):
    """The answer is not what the feed expects: no JSON, or other JSON."""


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
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _said(words: str) -> str:
    """What the exchange said, on one line; a page of HTML says nothing."""
    return "" if "<html" in words.lower() else " ".join(words.split())[:_LONGEST]

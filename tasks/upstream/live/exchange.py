"""Hummingbot's way to an exchange and its candle feeds, for `hummingsweep sync` (its connectors are in market.py).

With market.py the only module of the node's side that means to reach the network. It is imported by `tasks.sync` alone,
in a process that never runs a back-test. Every REST request hummingbot makes there goes through `_Line`, which
hummingbot's own factory of connections is made to give out: it counts, sends requests elsewhere (a mirror, a proxy, a
test), reads the server's clock and turns what fails into the three kinds of refusals.py.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import numpy as np
from numpy.typing import NDArray

from tasks.errors import describe
from tasks.upstream.imports.patches import import_quietly
from tasks.upstream.live.refusals import (
    ExchangeTrouble,
    OutOfReach,
    Refused,
    Unintelligible,
    Unreachable,
    complaint,
    moment_of,
    seconds_of,
)

with import_quietly():
    from hummingbot.core.api_throttler.async_request_context_base import AsyncRequestContextBase
    from hummingbot.core.web_assistant.connections.connections_factory import ConnectionsFactory
    from hummingbot.core.web_assistant.connections.rest_connection import RESTConnection
    from hummingbot.data_feed.candles_feed.candles_factory import CandlesFactory

#: The server's clock at the last answer in this task, seconds since the epoch; local time where it tells none.
_answered_at: ContextVar[float] = ContextVar("answered_at")
#: The last answer in this task as it came; None: nothing was asked.
_answer: ContextVar[str | None] = ContextVar("answer", default=None)


@dataclass
class Traffic:
    """What passed between here and the exchanges."""

    #: requests that were sent
    requests: int = 0
    #: the last answer of 400 or more, or the last cut connection: some connectors swallow the error itself
    trouble: ExchangeTrouble | None = field(default=None)


def candle_connectors() -> list[str]:
    """Every connector whose candles hummingbot can fetch."""
    return sorted(CandlesFactory._candles_map)


def intervals(connector: str) -> list[str]:
    """The intervals that a connector's feed knows, the shortest first."""
    feed_class = CandlesFactory._candles_map[connector]
    known = set(feed_class.intervals.fget(feed_class.__new__(feed_class)))
    return [interval for interval in feed_class.interval_to_seconds if interval in known]


class Feed:
    """One of hummingbot's candle feeds, asked page by page. To be made inside the event loop."""

    def __init__(self, connector: str, pair: str, interval: str, throttler: Any = None):
        self._feed = CandlesFactory._candles_map[connector](pair, interval)
        if throttler is not None:
            # as CandlesBase.attach_connector does: all feeds of one exchange share its limits
            throttler.add_rate_limits(self._feed.rate_limits)
            self._feed._api_factory._throttler = throttler

    @property
    def throttler(self) -> Any:
        """Keeps the exchange's rate limits as hummingbot knows them."""
        return self._feed._api_factory.throttler

    @property
    def longest_page(self) -> int:
        """Candles one request can bring."""
        return int(self._feed.candles_max_result_per_rest_request)

    async def prepare(self) -> None:
        """Whatever the feed must know before its first page (symbols, contract sizes). Raises ExchangeTrouble."""
        with told_apart():
            await self._feed.initialize_exchange_data()

    async def page(self, end: int, limit: int) -> tuple[NDArray[np.float64], float]:
        """Candles up to the one that opens at `end` (s), `limit` intervals back: (rows, columns of COLUMNS), open
        times in seconds; and the server's clock when it answered, seconds since the epoch.

        Raises ExchangeTrouble. What the exchange sends beyond what was asked for is in it, too.
        """
        asked_at = time.time()
        token = _answered_at.set(asked_at)
        try:
            with told_apart():
                rows = np.asarray(await self._feed.fetch_candles(end_time=end, limit=limit), dtype=np.float64)
                if not len(rows) and (trouble := complaint(_answer.get() or "")):
                    raise trouble  # most feeds take an answer that complains for one without candles
                return rows.reshape(-1, 10), _answered_at.get()
        finally:
            _answered_at.reset(token)


@asynccontextmanager
async def connected(base_url: str, answer_s: float) -> AsyncIterator[Traffic]:
    """The network, for as long as it lasts. All of hummingbot's REST requests count in what this yields.

    `base_url`: requests go there instead of the exchange (scheme, host and a path put before theirs); empty: not.
    `answer_s`: seconds an answer may keep us waiting. HTTPS_PROXY and its like are obeyed.
    """
    _silence()
    traffic = Traffic()
    session = aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=4 * answer_s, sock_connect=answer_s, sock_read=answer_s), trust_env=True
    )
    before = ConnectionsFactory._instance
    connections = _Connections()
    connections.session, connections.base_url, connections.traffic = session, base_url, traffic
    ConnectionsFactory._instance = connections
    try:
        yield traffic
    finally:
        ConnectionsFactory._instance = before
        await session.close()


class _Connections(ConnectionsFactory):  # type: ignore[misc]  # hummingbot is untyped
    """Where hummingbot gets its connections from; a singleton upstream, so that `ConnectionsFactory()` is this one."""

    session: aiohttp.ClientSession
    base_url: str
    traffic: Traffic

    def __new__(cls) -> _Connections:
        return object.__new__(cls)

    async def get_rest_connection(self) -> Any:
        return _Line(self.session, self.base_url, self.traffic)

    async def close(self) -> None:
        """The session is closed by `connected`."""


class _Line(RESTConnection):  # type: ignore[misc]  # hummingbot is untyped
    """One request and its whole answer."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, traffic: Traffic):
        super().__init__(session)
        self._base_url, self._traffic = base_url, traffic

    async def call(self, request: Any) -> Any:
        self._traffic.requests += 1
        request.url = elsewhere(request.url, self._base_url)
        try:
            response = await self._client_session.request(
                method=request.method.value,
                url=request.url,
                params=request.params,
                data=request.data,
                headers=request.headers,
            )
            async with response:
                words = await response.text(errors="replace")
        except (aiohttp.ClientError, OSError) as error:
            self._traffic.trouble = Unreachable(f"{_host(request.url)}: {describe(error)}")
            raise self._traffic.trouble from error
        _answer.set(words)
        now = moment_of(response.headers.get("Date"))
        _answered_at.set(time.time() if now is None else now)
        if response.status >= 400:
            wait_s = seconds_of(response.headers.get("Retry-After"), now or time.time())
            self._traffic.trouble = Refused(response.status, words, wait_s)
            raise self._traffic.trouble
        return await self._build_resp(response)


def elsewhere(url: str, base_url: str) -> str:
    """The same path and query below another address."""
    if not base_url:
        return url
    there, here = urlsplit(base_url), urlsplit(url)
    return urlunsplit((there.scheme, there.netloc, there.path.rstrip("/") + here.path, here.query, ""))


@contextmanager
def told_apart() -> Iterator[None]:
    """Around a call of hummingbot's: where an answer is not what it expects it raises KeyError, TypeError and more.

    Raises ExchangeTrouble for any of them.
    """
    token = _answer.set(None)
    try:
        yield
    except (ExchangeTrouble, MemoryError):
        raise
    except Exception as error:
        answer = _answer.get()
        if answer is None and isinstance(error, ValueError):  # Gate.io, Kraken, MEXC and others reach back only so far
            raise OutOfReach(" ".join(str(error).split()).rstrip(".")) from error
        raise complaint(answer or "") or Unintelligible(describe(error)) from error
    finally:
        _answer.reset(token)


def _silence() -> None:
    """Hummingbot logs what we say ourselves; and near a rate limit its throttler would start the terminal's app."""
    logging.getLogger("hummingbot").setLevel(logging.CRITICAL + 1)
    AsyncRequestContextBase._last_max_cap_warning_ts = math.inf


def _host(url: str) -> str:
    return urlsplit(url).netloc

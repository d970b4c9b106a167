"""An exchange on loopback: Binance's klines and exchangeInfo (perpetual and spot), with faults to order.

Candles are a function of pair and open time alone, so a test knows every value it must find. Nothing is random.
"""

from __future__ import annotations

import json
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

INTERVAL_S = {"1m": 60, "3m": 180, "5m": 300, "15m": 900, "1h": 3600, "4h": 14400, "1d": 86400}
MOST = {"perpetual": 1500, "spot": 1000}


def candle(symbol: str, interval: str, opens: int) -> tuple[float, ...]:
    """Of the candle that opens then (s): the four prices, volume, quote volume, trades, taker base and quote."""
    number = opens // INTERVAL_S[interval]
    base = 20_000 + zlib.crc32(symbol.encode()) % 1000 + number % 997
    change = (number * 7919) % 41 - 20
    close = base + change * 0.5
    return (
        float(base),
        max(base, close) + (number % 5) * 0.25,
        min(base, close) - (number % 3) * 0.25,
        close,
        1 + number % 13 + 0.125,
        float(base * 2),
        float(number % 99),
        0.5,
        0.25,
    )


@dataclass
class Request:
    """One request for klines as it came."""

    market: str
    symbol: str
    interval: str
    #: seconds; None: not said
    start: int | None
    end: int | None
    limit: int
    #: 0 for the first that asked for just this, 1 for the second, ...
    again: int


@dataclass
class Answer:
    """What a fault makes of an answer."""

    status: int = 200
    #: None: the candles
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    #: the connection is cut after so many bytes of the body; None: not
    cut: int | None = None
    #: changes the candles that would be sent
    rows: Callable[[list[list[Any]]], list[list[Any]]] | None = None


#: Looks at a request and says what goes wrong with it; None: nothing.
Fault = Callable[[Request], Answer | None]


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A client that hung up is part of the game."""


class Exchange:
    """A server of its own thread; `with Exchange() as exchange: exchange.url`."""

    def __init__(self) -> None:
        #: symbol -> (base, quote)
        self.symbols = {"BTCUSDT": ("BTC", "USDT"), "ETHUSDT": ("ETH", "USDT"), "DOGEUSDT": ("DOGE", "USDT")}
        #: the server's clock: seconds to be added to the true time
        self.ahead_s = 0.0
        #: open times (s) the exchange has no candle for
        self.lacking: set[int] = set()
        #: candles before this moment (s) do not exist
        self.listed = 0
        self.fault: Fault = lambda request: None
        #: klines requests in the order in which they came
        self.requests: list[Request] = []
        #: any other path that was asked for
        self.others: list[str] = []
        #: rules: "ok", or a number of requests for exchangeInfo that get a 503 first
        self.info_failures = 0
        self._lock = threading.Lock()

    def __enter__(self) -> Exchange:
        exchange = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                exchange._get(self)

            def do_POST(self) -> None:
                exchange._get(self)

            def log_message(self, *_: object) -> None:
                pass

            def date_time_string(self, timestamp: float | None = None) -> str:
                return formatdate(timestamp or exchange.now, usegmt=True)

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def now(self) -> float:
        """Its clock, seconds since the epoch."""
        return time.time() + self.ahead_s

    def forget(self) -> None:
        """No requests so far."""
        self.requests.clear()
        self.others.clear()

    def fail_once(self, answer: Answer, times: int = 1) -> None:
        """The next requests for klines get this; those after them are answered properly."""
        left = [times]

        def fault(_: Request) -> Answer | None:
            with self._lock:
                left[0] -= 1
                return answer if left[0] >= 0 else None

        self.fault = fault

    def candles(self, symbol: str, interval: str, first: int, last: int) -> list[list[Any]]:
        """As Binance sends them: those that open in [first, last] (s), the running one with what it has so far."""
        step = INTERVAL_S[interval]
        begin = max(first, self.listed)
        rows = []
        for opens in range(-(-begin // step) * step, min(last, int(self.now)) + 1, step):
            if opens in self.lacking:
                continue
            values = [f"{value:.8f}" for value in candle(symbol, interval, opens)]
            row: list[Any] = [opens * 1000, *values[:5], (opens + step) * 1000 - 1, values[5]]
            rows.append([*row, int(float(values[6])), *values[7:], "0"])
        return rows

    def _get(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path.endswith("/klines"):
            self._klines(handler, "perpetual" if "/fapi/" in parts.path else "spot", query)
            return
        with self._lock:
            self.others.append(parts.path)
        if parts.path.endswith("/exchangeInfo"):
            if self.info_failures > 0:
                self.info_failures -= 1
                _send(handler, Answer(503, b"busy"), b"")
            else:
                _send(handler, Answer(), json.dumps(self._info("/fapi/" in parts.path)).encode())
        elif parts.path.endswith("/time"):
            _send(handler, Answer(), json.dumps({"serverTime": int(self.now * 1000)}).encode())
        else:
            _send(handler, Answer(404), b"{}")

    def _klines(self, handler: BaseHTTPRequestHandler, market: str, query: dict[str, str]) -> None:
        start, end = (int(query[name]) // 1000 if name in query else None for name in ("startTime", "endTime"))
        limit = min(int(query.get("limit", 500)), MOST[market])
        with self._lock:
            asked = (query["symbol"], query["interval"], start, end)
            before = sum((one.symbol, one.interval, one.start, one.end) == asked for one in self.requests)
            request = Request(market, *asked, limit, before)
            self.requests.append(request)
        if query["symbol"] not in self.symbols:
            _send(handler, Answer(400), b'{"code":-1121,"msg":"Invalid symbol."}')
            return
        if query["interval"] not in INTERVAL_S:
            _send(handler, Answer(400), b'{"code":-1120,"msg":"Invalid interval."}')
            return
        answer = self.fault(request) or Answer()
        step = INTERVAL_S[query["interval"]]
        last = end if end is not None else int(self.now)
        first = start if start is not None else last - limit * step + 1
        # as Binance does: from the beginning when it is given, up to the end otherwise
        rows = self.candles(query["symbol"], query["interval"], first, min(last, first + (limit + 5000) * step))
        rows = rows[:limit] if start is not None else rows[-limit:]
        if answer.rows is not None:
            rows = answer.rows(rows)
        _send(handler, answer, json.dumps(rows).encode())

    def _info(self, perpetual: bool) -> dict[str, Any]:
        symbols = []
        for symbol, (base, quote) in self.symbols.items():
            filters: list[dict[str, str]] = [
                {"filterType": "PRICE_FILTER", "tickSize": "0.10", "minPrice": "0.10", "maxPrice": "1000000"},
                {"filterType": "LOT_SIZE", "minQty": "0.00100000", "stepSize": "0.001", "maxQty": "1000"},
                {"filterType": "MIN_NOTIONAL", "notional": "5.0", "minNotional": "5.0"},
            ]
            more = (
                {"pair": symbol, "contractType": "PERPETUAL", "marginAsset": quote}
                if perpetual
                else {"isSpotTradingAllowed": True, "permissions": ["SPOT"], "permissionSets": [["SPOT"]]}
            )
            symbols.append(
                {
                    "symbol": symbol,
                    "status": "TRADING",
                    "baseAsset": base,
                    "quoteAsset": quote,
                    "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
                    "filters": filters,
                    **more,
                }
            )
        return {"timezone": "UTC", "serverTime": int(self.now * 1000), "rateLimits": [], "symbols": symbols}


def _send(handler: BaseHTTPRequestHandler, answer: Answer, body: bytes) -> None:
    body = body if answer.body is None else answer.body
    handler.send_response(answer.status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    for name, value in answer.headers.items():
        handler.send_header(name, value)
    handler.end_headers()
    if answer.cut is None:
        handler.wfile.write(body)
        return
    handler.wfile.write(body[: answer.cut])
    handler.wfile.flush()
    handler.close_connection = True

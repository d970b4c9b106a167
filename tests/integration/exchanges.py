"""Other exchanges' klines as Hummingbot's feeds ask for them, on the loopback exchange of exchange.py.

    bybit, bybit_perpetual   /v5/market/kline                  newest first, errors inside an answer of 200
    okx, okx_perpetual       /api/v5/market/history-candles    newest first, both bounds outside, 100 a page
    kucoin                   /api/v1/market/candles            newest first, end outside
    gate_io                  /api/v4/spot/candlesticks         oldest first, both bounds inside
    kraken                   /0/public/OHLC                    the last 720 after `since`, no end
    hyperliquid_perpetual    POST /info                        both bounds inside

The candles are those of exchange.candle, under the pair's plain name (BTCUSDT) for all of them.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.integration.exchange import INTERVAL_S, Answer, Exchange, Request, _send, candle

#: path -> the name under which requests are noted
PATHS = {
    "/v5/market/kline": "bybit",
    "/api/v5/market/history-candles": "okx",
    "/api/v1/market/candles": "kucoin",
    "/api/v4/spot/candlesticks": "gate_io",
    "/0/public/OHLC": "kraken",
    "/info": "hyperliquid",
}
_MINUTES = {60 * minutes: minutes for minutes in (1, 3, 5, 15, 30, 60, 120, 240, 1440)}
_NAMES = {"1min": "1m", "3min": "3m", "5min": "5m", "15min": "15m", "1hour": "1h", "1H": "1h", "D": "1d", "1Dutc": "1d"}


class Exchanges(Exchange):
    """All of them at one address; what is not theirs is Binance's."""

    def _get(self, handler: Any) -> None:
        parts = urlsplit(handler.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        market = PATHS.get(parts.path)
        if parts.path == "/api/v1/bullet-public":  # KuCoin's feeds ask for a token of its stream, whatever they want
            servers = [{"endpoint": "wss://127.0.0.1:1", "pingInterval": 18_000, "pingTimeout": 10_000}]
            _send(handler, Answer(), json.dumps({"data": {"token": "t", "instanceServers": servers}}).encode())
            return
        if market is None:
            super()._get(handler)
            return
        if market == "hyperliquid":
            asked = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
            query = {name: str(value) for name, value in asked.get("req", {}).items()}
        symbol, interval, first, last = getattr(self, f"_{market}_asks")(query)
        with self._lock:
            before = sum(
                (one.symbol, one.interval, one.start, one.end) == (symbol, interval, first, last)
                for one in self.requests
            )
            request = Request(market, symbol, interval, first, last, 0, before)
            self.requests.append(request)
        answer = self.fault(request) or Answer()
        if symbol not in self.symbols:
            status, body = UNKNOWN[market]
            _send(handler, Answer(status), json.dumps(body).encode())
            return
        step = INTERVAL_S[interval]
        opens = range(-(-max(first, self.listed) // step) * step, min(last, int(self.now)) + 1, step)
        rows = [(at, *candle(symbol, interval, at)) for at in opens if at not in self.lacking]
        _send(handler, answer, json.dumps(getattr(self, f"_{market}_says")(rows, symbol)).encode())

    def _bybit_asks(self, query: dict[str, str]) -> tuple[str, str, int, int]:
        self.limit = min(int(query.get("limit", 200)), 1000)
        return (
            query["symbol"],
            _interval(query["interval"]),
            int(query["startTime"]) // 1000,
            int(query["endTime"]) // 1000,
        )

    def _bybit_says(self, rows: list[Any], symbol: str) -> Any:
        found = [
            [str(at * 1000), *map(str, (o, h, low, c, volume, quote))] for at, o, h, low, c, volume, quote, *_ in rows
        ]
        return {"retCode": 0, "retMsg": "OK", "result": {"symbol": symbol, "list": found[::-1][:1000]}}

    def _okx_asks(self, query: dict[str, str]) -> tuple[str, str, int, int]:
        symbol = query["instId"].removesuffix("-SWAP").replace("-", "")
        return symbol, _interval(query["bar"]), int(query["before"]) // 1000 + 1, int(query["after"]) // 1000 - 1

    def _okx_says(self, rows: list[Any], symbol: str) -> Any:
        found = [
            [str(at * 1000), *map(str, (o, h, low, c, volume, volume, quote)), "1"]
            for at, o, h, low, c, volume, quote, *_ in rows
        ]
        return {"code": "0", "msg": "", "data": found[::-1][:100]}

    def _kucoin_asks(self, query: dict[str, str]) -> tuple[str, str, int, int]:
        return (
            query["symbol"].replace("-", ""),
            _interval(query["type"]),
            int(query["startAt"]),
            int(query["endAt"]) - 1,
        )

    def _kucoin_says(self, rows: list[Any], symbol: str) -> Any:
        found = [[str(at), *map(str, (o, c, h, low, volume, quote))] for at, o, h, low, c, volume, quote, *_ in rows]
        return {"code": "200000", "data": found[::-1][:1500]}

    def _gate_io_asks(self, query: dict[str, str]) -> tuple[str, str, int, int]:
        return (
            query["currency_pair"].replace("_", ""),
            _interval(query["interval"]),
            int(query["from"]),
            int(query["to"]),
        )

    def _gate_io_says(self, rows: list[Any], symbol: str) -> Any:
        return [
            [str(at), *map(str, (quote, c, h, low, o, volume)), "true"] for at, o, h, low, c, volume, quote, *_ in rows
        ][:1000]

    def _kraken_asks(self, query: dict[str, str]) -> tuple[str, str, int, int]:
        symbol = query["pair"].replace("XBT", "BTC")
        return symbol, _interval(query["interval"] + "m"), int(query["since"]) + 1, int(self.now)

    def _kraken_says(self, rows: list[Any], symbol: str) -> Any:
        found = [[at, *map(str, (o, h, low, c, c, volume)), 5] for at, o, h, low, c, volume, *_ in rows[-720:]]
        return {"error": [], "result": {"XXBTZUSD": found, "last": rows[-1][0] if rows else 0}}

    def _hyperliquid_asks(self, query: dict[str, str]) -> tuple[str, str, int, int]:
        return f"{query['coin']}USDT", query["interval"], int(query["startTime"]) // 1000, int(query["endTime"]) // 1000

    def _hyperliquid_says(self, rows: list[Any], symbol: str) -> Any:
        return [
            {
                "t": at * 1000,
                "T": 0,
                "s": "BTC",
                "i": "1m",
                "o": str(o),
                "h": str(h),
                "l": str(low),
                "c": str(c),
                "v": str(v),
                "n": 3,
            }
            for at, o, h, low, c, v, *_ in rows
        ][-5000:]


#: What each says of a symbol it does not have.
UNKNOWN = {
    "bybit": (200, {"retCode": 10001, "retMsg": "Not supported symbols", "result": {}}),
    "okx": (200, {"code": "51001", "msg": "Instrument ID does not exist", "data": []}),
    "kucoin": (400, {"code": "400100", "msg": "Unsupported trading pair"}),
    "gate_io": (400, {"label": "INVALID_CURRENCY_PAIR", "message": "Invalid currency pair"}),
    "kraken": (200, {"error": ["EQuery:Unknown asset pair"]}),
    "hyperliquid": (500, None),
}


def _interval(text: str) -> str:
    named = _NAMES.get(text, text)
    if named in INTERVAL_S:
        return named
    minutes = int(named.removesuffix("m"))
    return next(name for name, seconds in INTERVAL_S.items() if seconds == minutes * 60)

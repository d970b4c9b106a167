"""What the name of a foreign file says of its market and its interval.

Binance_BTCUSDT_1h.csv, Kraken_BTCUSD_2024_minute.csv     CryptoDataDownload
XBTUSD_60.csv                                             Kraken's OHLCVT, the interval in minutes
BTC_USDT-1h.json, BTC_USDT_USDT-5m-futures.feather        freqtrade
BTCUSDT-1m-2024-01.csv, btcusdt_5m.csv, BTC-USDT 1h.csv   others
"""

from __future__ import annotations

import re

from tasks.candles.symbols import QUOTES, readings

_INTERVAL = re.compile(r"(\d+)\s?(s|sec|m|min|h|hr|hour|d|day|w|week|M|mo)(?:s|ute|utes|)?", re.IGNORECASE)
_WORDS = {"minute": "1m", "minutes": "1m", "hour": "1h", "hourly": "1h", "h": "1h", "d": "1d", "daily": "1d"}
_UNITS = {"sec": "s", "min": "m", "hr": "h", "hour": "h", "day": "d", "week": "w", "mo": "M"}
#: Kraken's OHLCVT files: minutes.
_KRAKEN = re.compile(r"(?P<symbol>[A-Z0-9.]{5,})_(?P<minutes>1|5|15|30|60|240|720|1440)")
_PAIR = re.compile(r"(?<![A-Za-z0-9])([A-Za-z0-9]{2,12})[-_/]([A-Za-z0-9]{3,5})(?![A-Za-z0-9])")


def symbols_in(stem: str) -> list[str]:
    """Every way to read the market in a name, as BASE-QUOTE; more than one: it is not clear which."""
    if kraken := _KRAKEN.fullmatch(stem):
        return readings(kraken["symbol"])
    for found in _PAIR.finditer(stem):
        if found[2].upper() in QUOTES and not _interval(found[1]) and not found[1].isdigit():
            return readings(f"{found[1]}-{found[2]}")
    for part in re.split(r"[-_ .]", stem):
        # BTCUSD1 may be a pair of USD1, or candles of a minute
        texts = [text for text in dict.fromkeys((part, part.rstrip("0123456789"))) if len(text) >= 5]
        ways = [way for text in texts for way in readings(text)]
        if ways:
            return ways
    return []


def interval_in(stem: str) -> str:
    """The interval a name says; empty when it says none."""
    if kraken := _KRAKEN.fullmatch(stem):
        minutes = int(kraken["minutes"])
        return f"{minutes}m" if minutes < 60 else f"{minutes // 60}h" if minutes < 1440 else "1d"
    found = [interval for part in re.split(r"[-_ .|]", stem) if (interval := _interval(part))]
    return found[-1] if found else ""


def _interval(part: str) -> str:
    if part.lower() in _WORDS:
        return _WORDS[part.lower()]
    found = _INTERVAL.fullmatch(part)
    if found is None:
        return ""
    unit = found[2]
    letter = "M" if unit == "M" else _UNITS.get(unit.lower(), unit.lower())
    return f"{int(found[1])}{letter}"

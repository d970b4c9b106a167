"""The intervals of candles: the one table of their names and lengths.

A month counts 30 days (2,592,000 s), as Hummingbot counts it: lengths only size a request or a lead of candles, and
candles of calendar months are never placed by arithmetic (`is_regular`).
"""

from __future__ import annotations

from tasks.errors import CandlesError

_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "M": 2592000}
#: Intervals that Hummingbot's candle feeds know, shortest first.
INTERVALS = ("1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M")
#: Interval -> seconds, of those that Hummingbot knows.
INTERVAL_SECONDS = {name: int(name[:-1]) * _UNIT_SECONDS[name[-1]] for name in INTERVALS}
#: Exchanges open weekly candles on Mondays; 1970-01-05 was the first.
_FIRST_MONDAY = 4 * 86400


def interval_seconds(interval: str) -> int:
    """Seconds of an interval such as 3m, also of one that Hummingbot does not know. Raises CandlesError."""
    number, unit = interval[:-1], interval[-1:]
    if not number.isdigit() or int(number) == 0 or unit not in _UNIT_SECONDS:
        raise CandlesError(f"{interval!r} is not an interval; write 1s, 1m, 3m, 1h, 1d")
    return int(number) * _UNIT_SECONDS[unit]


def unit_seconds(letter: str) -> int | None:
    """Seconds of a unit's letter (s, m, h, d, w, M); None for another."""
    return _UNIT_SECONDS.get(letter)


def interval_of(seconds: float) -> str:
    """The name of an interval of so many seconds; empty when there is none."""
    for unit in "wdhms":
        if seconds >= _UNIT_SECONDS[unit] and seconds % _UNIT_SECONDS[unit] == 0:
            return f"{int(seconds // _UNIT_SECONDS[unit])}{unit}"
    return ""


def is_regular(interval: str) -> bool:
    """Are its candles equally long? Those of calendar months are not."""
    return not interval.endswith("M")


def grid_offset(interval: str) -> int:
    """Seconds from the epoch to the first candle of the UTC grid."""
    return _FIRST_MONDAY if interval.endswith("w") else 0

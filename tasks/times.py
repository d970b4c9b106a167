"""Moments and durations as people read them: the one place that formats them. Moments are UTC."""

from __future__ import annotations

import math
from datetime import UTC, datetime

#: What datetime can show, seconds since epoch.
_FIRST, _LAST = -62e9, 253e9


def iso(seconds: float) -> str:
    """2024-01-31T12:00:00Z, with milliseconds where there are some; a number that is not a valid time as it is."""
    if not math.isfinite(seconds) or not _FIRST < seconds < _LAST:
        return str(seconds)
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds").replace("+00:00", "Z")


def utc_second(seconds: float) -> str:
    """2024-01-31 12:00:00"""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"


def utc_minute(seconds: float) -> str:
    """2024-01-31 12:00"""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"


def utc_day(seconds: float) -> str:
    """2024-01-31"""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"


def span(seconds: float) -> str:
    """A duration in seconds as 42 s, 3 min 20 s or 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"

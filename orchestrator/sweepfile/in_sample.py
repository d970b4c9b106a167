"""Which part of the period is run and ranked: the hold-out, the embargo before it, and where windows may begin.

Arithmetic on what the sweep file says; windows are planned in orchestrator.validation.folds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from orchestrator.sweepfile.validate import length_text
from tasks.intervals import INTERVAL_SECONDS, interval_seconds, is_regular

if TYPE_CHECKING:
    from orchestrator.sweepfile.keys import SweepKeys

#: Seconds that Hummingbot's own base configs give a position to live where the config says nothing.
DEFAULT_TIME_LIMIT_S = {"directional_trading": 45 * 60, "market_making": 45 * 60}
#: Windows begin and end at multiples of the longest interval the sweep names, but of no longer one than this.
MAX_GRAIN_S = 86400


def embargo_s(sweep: SweepKeys) -> int:
    """Seconds between training and test.

    `auto` is the longest time limit that the config and the axes give a position; where they give none, the one that
    Hummingbot's base configs have (DEFAULT_TIME_LIMIT_S), and 0 for a generic controller.
    """
    embargo = sweep.validation.embargo
    if embargo != "auto":
        return embargo
    limits = list(_time_limits({**sweep.controller, **sweep.axes}))
    if not limits:
        limits = [float(DEFAULT_TIME_LIMIT_S.get(str(sweep.controller.get("controller_type")), 0))]
    return int(max(limits))


def _time_limits(value: Any, name: str = "") -> Iterator[float]:
    """Every number under a key `time_limit`, however deep, seconds."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _time_limits(item, str(key).rpartition(".")[2])
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _time_limits(item, name)
    elif name == "time_limit" and isinstance(value, int | float) and not isinstance(value, bool):
        yield float(value)


def grain_s(sweep: SweepKeys) -> int:
    """Windows begin and end at multiples of so many seconds: the longest interval that the sweep names, a day at most.

    So that no candle of a longer interval is half inside a window.
    """
    named = [sweep.resolution, *(text for text in sweep.texts if text in INTERVAL_SECONDS and is_regular(text))]
    return min(max(map(interval_seconds, named)), MAX_GRAIN_S)


def resolution_s(sweep: SweepKeys) -> int:
    """Seconds of the candles the engine steps over."""
    return interval_seconds(sweep.resolution)


def holdout_start(sweep: SweepKeys) -> int | None:
    """First moment of the hold-out, seconds since epoch; None without one."""
    holdout = sweep.validation.holdout
    if not holdout:
        return None
    length = holdout if holdout >= 1 else holdout * (sweep.period.end - sweep.period.start)
    grain = grain_s(sweep)
    return int((sweep.period.end - length) // grain * grain)


def in_sample_end(sweep: SweepKeys) -> int:
    """Last moment that ranking, search and statistics see: the period's, or the one before embargo and hold-out."""
    first, grain = holdout_start(sweep), grain_s(sweep)
    if first is None:
        return sweep.period.end
    return (first - embargo_s(sweep)) // grain * grain - resolution_s(sweep)


def check_holdout(sweep: SweepKeys) -> tuple[tuple[str, ...], str] | None:
    """What is wrong with hold-out and embargo: the key it concerns and a sentence; None when nothing is."""
    first = holdout_start(sweep)
    if first is None:
        return None
    period, embargo = sweep.period.end - sweep.period.start, embargo_s(sweep)
    held = sweep.period.end - first
    if in_sample_end(sweep) <= sweep.period.start:
        between = f" and the embargo of {length_text(embargo)} before it" if embargo else ""
        return ("validate", "holdout"), (
            f"the hold-out of {length_text(held)}{between} leave nothing of the period of {length_text(period)}; "
            "write a shorter one, or a longer `period:`"
        )
    if embargo > held:
        return ("validate", "embargo"), (
            f"{length_text(embargo)} is longer than the hold-out of {length_text(held)}; write a shorter embargo, or a "
            "longer hold-out"
        )
    return None

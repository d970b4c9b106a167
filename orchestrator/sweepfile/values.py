"""What the values of a sweep file's keys may be: each takes what YAML gave and raises ValueError with a sentence.

The sentence says what to write instead; sweep.py adds file, key and line.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import ujson
from pydantic import ValidationInfo

from orchestrator.sweepfile.expressions import Expression, parse_objective
from tasks.errors import ExpressionError
from tasks.intervals import INTERVAL_SECONDS, INTERVALS, unit_seconds
from tasks.named_types import JsonObject
from tasks.suggest import nearest

_LONG_UNITS = r"sec|secs|seconds?|min|mins|minutes?|hr|hrs|hours?|days?|weeks?"
#: Columns of every row that are text; the same for all ranked points, or nearly.
_TEXTS = ("status", "error", "engine", "engine_note")
#: Units that moments are mistaken in, and how many make a second.
_FINER = (("milliseconds", 1e3), ("microseconds", 1e6), ("nanoseconds", 1e9))


def moment(value: Any, *, whole: bool = True) -> int:
    """Seconds since epoch, UTC, of a date (00:00), an ISO timestamp (UTC unless it has an offset) or epoch seconds.

    Fractions of a second are cut off; epoch seconds with one are refused where they must be `whole`.
    """
    number = isinstance(value, int | float)
    if isinstance(value, str):
        text = value.strip()
        if re.fullmatch(r"\d+(\.\d*)?", text):
            value, number = float(text), True
        else:
            try:
                value = datetime.fromisoformat(text)
            except ValueError:
                raise ValueError(
                    f"{value!r} is not a valid time; write a date (2024-01-31), an ISO timestamp or epoch seconds"
                ) from None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    if isinstance(value, datetime):
        value = (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is not a valid time; write a date (2024-01-31), an ISO timestamp or epoch seconds")
    if abs(value) >= 1e11:
        unit, per_s = next((unit for unit in _FINER if abs(value) < 1e8 * unit[1] * 1000), _FINER[-1])
        raise ValueError(f"{value:.0f} looks like {unit}; write epoch seconds ({value / per_s:.0f}) or a date")
    text = f"{value:.0f}"
    if re.fullmatch(r"(19|20)\d\d", text):
        raise ValueError(f"{text} is read as epoch seconds; for a year write its first day, {text}-01-01")
    if re.fullmatch(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])", text):
        raise ValueError(f"{text} is read as epoch seconds; for a date write {text[:4]}-{text[4:6]}-{text[6:]}")
    if number and whole and value != int(value):
        raise ValueError(f"{value!r} has a fraction of a second; write whole seconds ({value:.0f})")
    if value < 0:
        raise ValueError(f"{value:.0f} is before 1970")
    return int(value)


def beside(value: Path, info: ValidationInfo) -> Path:
    """Relative paths start at the sweep file."""
    return Path(info.context["folder"]) / value.expanduser() if info.context else value


def rules(value: Any, info: ValidationInfo) -> Path | JsonObject:
    """A folder of rules, or the rules themselves, connector -> pair -> rule. Raises ValueError."""
    if isinstance(value, str | Path):
        return beside(Path(value), info)
    if not isinstance(value, dict):
        raise ValueError(f"{value!r} is neither a folder of <connector>.json nor connector: {{pair: {{rules}}}}")
    for connector, pairs in value.items():
        if not isinstance(pairs, dict) or not all(isinstance(rules, dict) for rules in pairs.values()):
            raise ValueError(f"{connector} must map each trading pair to its rules, such as {{min_order_size: 0.001}}")
    return value


def funding(value: Any, info: ValidationInfo) -> Any:
    """{pair: [[seconds, rate], ...]}, inline or from a JSON file."""
    if isinstance(value, str | Path):
        file = beside(Path(value), info)
        try:
            value = ujson.loads(file.read_text())
        except FileNotFoundError:
            raise ValueError(f"{file}: no such file") from None
        except (OSError, ValueError) as error:
            raise ValueError(f"{file}: cannot be read as JSON ({error})") from None
    shape = "must be {trading pair: [[epoch seconds, rate], ...]}, inline or in a JSON file"
    if not isinstance(value, dict):
        raise ValueError(f"{shape}, not {value!r}")
    for pair, rates in value.items():
        try:
            times = [moment(at, whole=False) for at, _ in rates]
            if not all(math.isfinite(float(number(rate))) for _, rate in rates):
                raise ValueError("a rate is not finite")
        except (TypeError, ValueError) as error:
            raise ValueError(f"{pair}: {shape} ({error})") from None
        if any(after <= before for before, after in pairwise(times)):
            raise ValueError(f"{pair}: the times must ascend")
    return {str(pair): [[moment(at, whole=False), float(rate)] for at, rate in rates] for pair, rates in value.items()}


def interval(value: Any) -> str:
    """An interval that candles can have. Raises ValueError."""
    if value not in INTERVALS:
        raise ValueError(f"{value!r} is {no_interval(value)}")
    return str(value)


def interval_or_none(value: Any) -> str | None:
    """An interval, or nothing. Raises ValueError."""
    return None if value is None else interval(value)


def detail(value: Any) -> str:
    """An interval, or "" for none."""
    return "" if value in ("", None) else interval(value)


def no_interval(value: Any) -> str:
    """What to write in place of a value that is none."""
    same = _same_interval(value)
    hint = f"write {same}" if same else f"the nearest is {nearest(value, INTERVALS)}"
    return f"no interval of Hummingbot; {hint}, all are {' '.join(INTERVALS)}"


def _same_interval(value: Any) -> str | None:
    """The interval that is as long as what was written in another way: 60s, 60 (seconds), 1min, 1H, 7d."""
    parts = re.fullmatch(r"(\d{1,9})\s*([A-Za-z]*)", str(value).strip())
    if parts is None or isinstance(value, bool):
        return None
    count, unit = int(parts[1]), parts[2]
    letter = "s" if not unit else unit if unit == "M" else unit[0].lower()
    length = unit_seconds(letter)
    if length is None or not (len(unit) <= 1 or re.fullmatch(_LONG_UNITS, unit.lower())):
        return None
    return next((name for name, seconds in INTERVAL_SECONDS.items() if seconds == count * length), None)


def number(value: Any) -> Any:
    """Not true or false, which Python takes for 1 and 0."""
    if isinstance(value, bool):
        raise ValueError(f"{str(value).lower()}: must be a number (YAML reads yes and on as true, no and off as false)")
    return value


def plain_name(value: str) -> str:
    """A name that a folder can have. Raises ValueError."""
    if not slug(value) or value.startswith(".") or re.search(r"[/\\]", value) or not value.isprintable():
        raise ValueError(f"{value!r} names a folder under runs/; write letters, digits, - and _")
    return value


def config(value: JsonObject) -> JsonObject:
    """A controller's config, of values that can travel. Raises ValueError."""
    try:
        ujson.dumps(value)
    except (TypeError, OverflowError, ValueError) as error:
        raise ValueError(f"holds a value that is no plain YAML ({error})") from None
    return value


def rank_by(value: str) -> str:
    """An objective that names at least one column. Raises ValueError."""
    try:
        if not parse_objective(value)[0].names:
            raise ExpressionError(f"`{value}`: names no column, so all points are alike; write one, such as net_pnl")
    except ExpressionError as error:
        raise ValueError(str(error)) from None
    return value


def where(value: str | None) -> str | None:
    """A condition on columns; None for an empty one. Raises ValueError."""
    if value is None or not value.strip():
        return None
    try:
        condition = Expression.parse(value)
        if not condition.names:
            raise ExpressionError(f"`{value}`: names no column; write a condition, such as total_positions >= 30")
        if condition.text in _TEXTS:
            raise ExpressionError(f"`{value}`: is text and no condition; write one, such as total_positions >= 30")
    except ExpressionError as error:
        raise ValueError(str(error)) from None
    return value


def condition(value: str | None) -> str | None:
    """`skip`: an expression; which names it may read, orchestrator.sweepfile.skip knows."""
    if value is None or not value.strip():
        return None
    try:
        if not Expression.parse(value).names:
            raise ExpressionError(f"`{value}`: reads no axis; write a condition, such as fast >= slow")
    except ExpressionError as error:
        raise ValueError(str(error)) from None
    return value


def folders(value: Any) -> Any:
    """One folder may be written without a list."""
    if isinstance(value, str | Path):
        return (Path(value),)
    if not isinstance(value, list | tuple) or not all(isinstance(one, str | Path) for one in value):
        raise ValueError(f"{value!r} is not a list of folders; write import_path: [../lib]")
    return tuple(map(Path, value))


def series_names(value: dict[str, Path]) -> dict[str, Path]:
    """Names of series: letters, digits, and - _ . : between them."""
    for name in value:
        if not re.fullmatch(r"[A-Za-z0-9_.:-]{1,80}", name):
            raise ValueError(f"{name!r} is not a name of a series; write letters, digits, - _ . or :")
    return value


#: How the objectives along an axis become one; see orchestrator.analysis.across.
ACROSS = ("min", "mean", "median", "max")


def across(value: Any) -> Any:
    """{axis: how}; whether there is such an axis, orchestrator.sweepfile.together says."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"{value!r} is not axis: how; write across: {{trading_pair: min}}")
    for axis, how in value.items():
        if how not in ACROSS:
            raise ValueError(f"{axis}: {how!r} is none of {', '.join(ACROSS)}; the nearest is {nearest(how, ACROSS)}")
    return value


def slug(name: str) -> str:
    """A name as part of an id: small letters, digits, _, . and -, at most 48 characters."""
    return re.sub(r"[^a-z0-9_.]+", "-", name.lower()).strip("-.")[:48].rstrip("-.")

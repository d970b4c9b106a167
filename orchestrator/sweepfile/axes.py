"""The values of an axis, from what the sweep file says.

    [1.5, 2.0, 2.5]               as they stand; a value may be a string ("a,b" too), a list or a mapping
    {range: [first, last, step]}  last belongs to it when a step lands on it; decimals are exact (0.1 + 2 × 0.1 is 0.3)
    {linspace: [a, b, n]}         n values, evenly spaced, a and b among them
    {logspace: [a, b, n]}         n values, evenly spaced in the logarithm, a and b among them (both > 0)

Integers stay integers where every value of the axis is one. What is wrong raises ValueError with a sentence that says
what to write; sweep.py adds file, key and line.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from fractions import Fraction
from itertools import pairwise
from typing import Any

from tasks.suggest import nearest

#: An axis travels to every child as a list.
MAX_VALUES = 10_000_000

Number = int | float


def axis_values(spec: Any) -> tuple[Any, ...]:
    """The values, at least one. Raises ValueError.

    >>> axis_values({"range": [0.1, 0.3, 0.1]})
    (0.1, 0.2, 0.3)
    >>> axis_values({"logspace": [0.001, 1, 4]})
    (0.001, 0.01, 0.1, 1.0)
    """
    if isinstance(spec, list | tuple):
        if not spec:
            raise ValueError("the axis is empty; give at least one value")
        _finite(spec)
        return tuple(spec)
    if isinstance(spec, dict):
        return _generated(spec)
    raise ValueError(_no_axis(spec))


def _no_axis(spec: Any) -> str:
    """What to write in place of a single value."""
    parts = [part.strip() for part in spec.strip("[]() ").split(",")] if isinstance(spec, str) else []
    if len(parts) > 1 and all(parts):
        return f"{_shown(spec)} is one text and not a list; write [{', '.join(parts)}]"
    spec = "" if spec is None else spec
    example = _shown(spec) if not isinstance(spec, str) else spec if spec.isidentifier() else "50, 100"
    return f"not an axis; write a list such as [{example}], or {_FORMS_TEXT}"


def duplicate_value(values: Sequence[Any]) -> str:
    """The first value that is a duplicate, in words; its points are computed twice. 1, 1.0 and true are three
    values.
    """
    seen: set[Any] = set()
    for value in values:
        known = (type(value), repr(value) if isinstance(value, dict | list | tuple) else value)
        if known in seen:
            hint = ""
            if isinstance(value, bool):
                hint = " (YAML reads yes and on as true, no and off as false)"
            elif isinstance(value, int) and 0 <= value < 1000:
                hint = " (a number has no commas: 1000, not 1,000)"
            text = str(value).lower() if isinstance(value, bool) else _shown(value)
            return f"{text} is a duplicate{hint}"
        seen.add(known)
    return ""


def _finite(value: Any) -> None:
    """Raises ValueError for NaN and infinities, also within a list or mapping."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is no value to try; give finite numbers")
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            _finite(item)


def _generated(spec: dict[Any, Any]) -> tuple[Number, ...]:
    if len(spec) != 1:
        raise ValueError(f"an axis has one form, this one names {len(spec)}; write a list, or {_FORMS_TEXT}")
    form, arguments = next(iter(spec.items()))
    if form not in _FORMS:
        close = nearest(form, list(_FORMS))
        raise ValueError(f"unknown form {form!r}, the nearest is `{close}`; write a list, or {_FORMS_TEXT}")
    parts, make = _FORMS[form]
    if not isinstance(arguments, list | tuple) or len(arguments) != len(parts):
        raise ValueError(f"{form} takes [{', '.join(parts)}], not {_shown(arguments)}")
    values = make(*(_number(form, part, value) for part, value in zip(parts, arguments, strict=True)))
    for before, after in pairwise(values):
        if before == after:
            raise ValueError(f"{form}: {after} comes twice, for two steps are one and the same float; widen the step")
    return values


def _range(first: Number, last: Number, step: Number) -> tuple[Number, ...]:
    if step == 0:
        raise ValueError(f"range: step is 0 and never leads from {first} to {last}; give another step")
    start, by = _exact(first), _exact(step)
    count = (_exact(last) - start) // by + 1
    if count < 1:
        raise ValueError(f"range: step {step} leads away from {last}; start at {last}, or turn the step's sign")
    _limit("range", count)
    return _line(start, by, count, whole=isinstance(first, int) and isinstance(step, int))


def _linspace(a: Number, b: Number, n: Number) -> tuple[Number, ...]:
    count = _count("linspace", a, b, n)
    start = _exact(a)
    by = (_exact(b) - start) / max(1, count - 1)
    whole = isinstance(a, int) and isinstance(b, int) and by.denominator == 1
    return _line(start, by, count, whole=whole)


def _logspace(a: Number, b: Number, n: Number) -> tuple[Number, ...]:
    count = _count("logspace", a, b, n)
    if a <= 0 or b <= 0:
        raise ValueError(f"logspace: {a} and {b} must both be greater than 0 (they are the values, not exponents)")
    low, high = math.log10(a), math.log10(b)
    # 15 digits: 0.001 to 1 in 4 gives 0.01 and 0.1, not their neighbours; the bounds are exact
    inner = (float(f"{10 ** (low + (high - low) * k / (count - 1)):.15g}") for k in range(1, count - 1))
    return (float(a), *inner, float(b)) if count > 1 else (float(a),)


def _line(start: Fraction, by: Fraction, count: int, *, whole: bool) -> tuple[Number, ...]:
    """start + k × by, exact before the one rounding to a float."""
    bottom = math.lcm(start.denominator, by.denominator)
    first, step = int(start * bottom), int(by * bottom)
    if whole:
        return tuple(range(first, first + step * count, step)) if step else (first,)
    return tuple((first + step * k) / bottom for k in range(count))


def _count(form: str, a: Number, b: Number, n: Number) -> int:
    if not isinstance(n, int) or n < 1:
        raise ValueError(f"{form}: n is {n}; give a whole number of values, 1 or more")
    if a == b and n > 1:
        raise ValueError(f"{form}: from {a} to {b} there is one value, not {n}; give two different bounds")
    _limit(form, n)
    return n


def _limit(form: str, count: int) -> None:
    if count > MAX_VALUES:
        shown = f"{count:,}" if count < 10**15 else f"{float(min(count, 10**300)):.0e}"
        raise ValueError(f"{form}: {shown} values; an axis has at most {MAX_VALUES:,}, widen the step")


def _number(form: str, part: str, value: Any) -> Number:
    """A bound, step or count; strings such as "1e-3" are what YAML makes of numbers without a point."""
    if isinstance(value, str):
        with suppress(ValueError):
            value = int(value) if value.strip().lstrip("+-").isdigit() else float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{form}: {part} is {_shown(value)}, which is not a number")
    if not math.isfinite(value):
        raise ValueError(f"{form}: {part} is {value}; give a finite number")
    return value


def _exact(value: Number) -> Fraction:
    """The decimal a person wrote, not the binary float nearest to it."""
    return Fraction(str(value))


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


#: form -> the names of its arguments, and what makes values of them
_FORMS: dict[str, tuple[tuple[str, ...], Callable[..., tuple[Number, ...]]]] = {
    "range": (("first", "last", "step"), _range),
    "linspace": (("a", "b", "n"), _linspace),
    "logspace": (("a", "b", "n"), _logspace),
}
_FORMS_TEXT = " or ".join(f"{{{form}: [{', '.join(parts)}]}}" for form, (parts, _) in _FORMS.items())

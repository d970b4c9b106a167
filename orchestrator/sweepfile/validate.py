"""The key `validate` of a sweep file: how its answer is tested on data that the choice never saw.

    validate:
      walk_forward: {train: 60d, test: 14d, step: 14d, anchored: false, choice: best, all: false}
      holdout: 30d          # or a fraction of the period, such as 0.2
      embargo: auto         # or a length of time, such as 1d
      noise_worlds: 99      # the sweep again on so many markets of permuted candles
      noise_points: 500     # points, spread over the grid, that are run on each

Everything here is arithmetic on what the file says; windows are planned in orchestrator.validation.folds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt

from orchestrator.sweepfile.values import number
from tasks.suggest import nearest

#: Seconds of the units a length of time is written in.
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
#: Rules that choose a point of a training window, by name; the other two carry a number.
CHOICES = ("best", "neighbourhood", "median", "point")


def seconds_of(value: Any) -> int:
    """Seconds of a length of time as people write it: 90m, 12h, 60d, 2w. Raises ValueError."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhdw])", value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"{value!r} is not a length of time; write a number and s, m, h, d or w, such as 14d or 12h")
    seconds = float(found[1]) * UNITS[found[2]]
    if seconds != int(seconds):
        raise ValueError(f"{value!r} has a fraction of a second; write whole seconds")
    return int(seconds)


def length_text(seconds: float) -> str:
    """Seconds as a length of time: 14d, 36h, 90m; the inverse of `seconds_of` for whole units."""
    for unit in ("d", "h", "m"):
        if seconds >= UNITS[unit] and seconds % UNITS[unit] == 0:
            return f"{seconds / UNITS[unit]:.0f}{unit}"
    if seconds >= UNITS["d"]:
        return f"{seconds / UNITS['d']:.2f}d"
    return f"{seconds:.0f}s"


def _above_zero(seconds: int) -> int:
    if seconds <= 0:
        raise ValueError("must be longer than 0; write a length of time, such as 14d")
    return seconds


def _holdout(value: Any) -> float:
    """Seconds as a whole number, or a fraction of the period below 1."""
    if value is None:
        return 0.0
    if isinstance(value, str) and re.fullmatch(r"\s*\d*\.\d+\s*", value):
        value = float(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not 0 < value < 1:
            raise ValueError(
                f"{value!r} is neither a fraction of the period (above 0, below 1) nor a length of time; write 0.2 or "
                "30d"
            )
        return float(value)
    return float(_above_zero(seconds_of(value)))


def _embargo(value: Any) -> Any:
    return value if value == "auto" else 0 if value == 0 and not isinstance(value, bool) else seconds_of(value)


def _choice(value: Any) -> Any:
    """One of CHOICES with its number, as (name, number)."""
    forms = "best, neighbourhood, {median: 20} or {point: 17}"
    if isinstance(value, tuple):
        return value
    if isinstance(value, Mapping) and len(value) == 1:
        name, of = next(iter(value.items()))
        if name in ("median", "point"):
            least = 1 if name == "median" else 0
            if isinstance(of, bool) or not isinstance(of, int) or of < least:
                raise ValueError(f"{name}: {of!r} must be a whole number from {least} on; the choices are {forms}")
            return (name, of)
        value = name
    if value in ("best", "neighbourhood"):
        return (value, 0)
    near = nearest(value, list(CHOICES))
    raise ValueError(f"{value!r} is no choice; the nearest is {near}, the choices are {forms}")


def _lengths(value: Any) -> Any:
    return tuple(_above_zero(seconds_of(each)) for each in (value if isinstance(value, list | tuple) else [value]))


def _numbers(value: Any) -> Any:
    return tuple(number(each) for each in (value if isinstance(value, list | tuple) else [value]))


Length = Annotated[int, BeforeValidator(seconds_of), AfterValidator(_above_zero)]
Factor = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, le=2, allow_inf_nan=False)]


class WalkForward(BaseModel):
    """Training and test windows that move through the period; lengths in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    #: length of a training window, such as 60d
    train: Length
    #: length of a test window, such as 14d
    test: Length
    #: from one fold to the next; None: as long as the test
    step: Length | None = None
    #: True: every training window begins with the period
    anchored: StrictBool = False
    #: (rule, number): which point of a training window goes into the test
    choice: Annotated[tuple[str, int], BeforeValidator(_choice)] = ("best", 0)
    #: every point is run on every test window, not only the chosen ones
    all: StrictBool = False


class Robustness(BaseModel):
    """What the best points are run again with; every entry is one scenario."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    #: so many of the best points
    points: Annotated[StrictInt, Field(ge=1, le=100)] = 3
    #: factors on all costs
    costs: Annotated[tuple[Factor, ...], BeforeValidator(_numbers)] = (0.5, 1.5, 2.0, 3.0)
    #: True: with stock and with honest fills
    fills: StrictBool = True
    #: candles by which everything the controller derives comes later
    delay: Annotated[StrictInt, Field(ge=0, le=1000)] = 1
    #: noise on every candle, as fractions of its range
    jitter: Annotated[tuple[Share, ...], BeforeValidator(_numbers)] = (0.1, 0.25)
    #: seconds by which the start of the period is moved
    start_shift: Annotated[tuple[int, ...], BeforeValidator(_lengths)] = ("1h", "6h", "1d")  # type: ignore[assignment]  # validated
    #: True: the points one step away on one axis
    neighbours: StrictBool = True


def _robustness(value: Any) -> Any:
    return {} if value is True else None if value is False else value


class Validate(BaseModel):
    """The key `validate`; without it nothing is tested out of sample."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    walk_forward: WalkForward | None = None
    #: seconds (1 and more) or a fraction of the period (below 1); 0: none
    holdout: Annotated[float, BeforeValidator(_holdout)] = None  # type: ignore[assignment]  # validated
    #: seconds between what is chosen on and what it is tested on; auto: as long as a position may live
    embargo: Annotated[Literal["auto"] | int, BeforeValidator(_embargo)] = "auto"
    #: best points that are run on the hold-out, and as many random ones
    holdout_points: Annotated[StrictInt, Field(ge=1, le=1000)] = 10
    #: the best points are run again with other costs, fills, starts, ...
    robustness: Annotated[Robustness | None, BeforeValidator(_robustness)] = None
    #: worlds of permuted candles on which the sweep is run again
    noise_worlds: Annotated[StrictInt, Field(ge=0, le=10_000)] = 0
    #: points, spread over the grid, that are run in each world; of a smaller grid all
    noise_points: Annotated[StrictInt, Field(ge=1)] = 500
    #: best points replayed on the live engine
    live: Annotated[StrictInt, Field(ge=0)] = 0


#: What may be written where something else than keys and values stands.
EXAMPLES: dict[tuple[str | int, ...], str] = {
    ("validate",): ", such as {walk_forward: {train: 60d, test: 14d}, holdout: 30d}",
    ("validate", "walk_forward"): ", such as {train: 60d, test: 14d}",
    ("validate", "robustness"): ", or true",
}
#: Where in `validate` which keys stand.
MODELS: dict[tuple[str, ...], type[BaseModel]] = {
    (): Validate,
    ("walk_forward",): WalkForward,
    ("robustness",): Robustness,
}

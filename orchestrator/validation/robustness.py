"""What a point's result depends on: it is run again with one condition changed at a time.

costs       every fee, slippage and funding times a factor
fills       stock or honest
delay       everything the controller derives from a candle comes so many candles later
jitter      noise on every candle, as a fraction of its range
start       the period begins later: a result that hangs on the first candle shows it
neighbours  the points one step away on one axis, under unchanged conditions

A point that keeps less than FRAGILE of its objective is called fragile in that respect.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.sweepfile.in_sample import resolution_s
from orchestrator.sweepfile.validate import length_text
from tasks.metrics.inputs import too_short
from tasks.named_types import ConfigValues, JsonObject, JsonView

if TYPE_CHECKING:
    from orchestrator.sweepfile.sweep import Sweep
    from orchestrator.sweepfile.validate import Robustness
    from tasks.grid import Grid

#: Share of the objective that a robust point keeps.
FRAGILE = 0.5
DAY_S = 86400


@dataclass(frozen=True)
class Check:
    """One changed condition: a group, what is said of it, and the scenario's fields that change."""

    group: str
    label: str
    changes: ConfigValues


def checks_of(sweep: Sweep, asked: Robustness) -> list[Check]:
    """Every condition a sweep is asked to be run under, the plain one not among them."""
    factors = [] if _is_free(sweep) else [factor for factor in asked.costs if factor != 1]
    found = [Check("costs", f"costs x{factor:g}", {"cost": factor}) for factor in factors]
    if asked.fills and sweep.fills != "both":  # rows of both have both
        found += [
            Check("fills", f"{fills} fills", {"fills": fills}) for fills in ("stock", "honest") if fills != sweep.fills
        ]
    if asked.delay:
        candles = "1 candle" if asked.delay == 1 else f"{asked.delay} candles"
        found.append(Check("delay", f"{candles} later", {"delay": asked.delay}))
    found += [Check("jitter", f"noise of {share:.0%} of the range", {"jitter": share}) for share in asked.jitter]
    found += [
        Check("start", f"starts {length_text(seconds)} later", {"start": sweep.start + seconds, "end": sweep.end})
        for seconds in asked.start_shift
        if not _is_too_late(sweep, seconds)
    ]
    return found


def left_out(sweep: Sweep, asked: Robustness) -> list[str]:
    """The conditions asked for that could not say anything of this sweep, and why, each a sentence."""
    found = []
    if _is_free(sweep) and any(factor != 1 for factor in asked.costs):
        found.append("left out: factors on costs, for this sweep has none (write `trade_cost`)")
    late = [length_text(seconds) for seconds in asked.start_shift if _is_too_late(sweep, seconds)]
    if late:
        found.append(
            f"left out: a start {', '.join(late)} later, which leaves too little of the period of "
            f"{(sweep.end - sweep.start) / DAY_S:.3g} days"
        )
    return found


def _is_free(sweep: Sweep) -> bool:
    """Whether trading costs nothing, so that every factor on the costs gives the same rows."""
    fees = (sweep.trade_cost, sweep.maker_cost or 0, sweep.taker_cost or 0, sweep.slippage_bps)
    return not any(fees) and not any(rate for rates in sweep.funding.values() for _, rate in rates)


def _is_too_late(sweep: Sweep, seconds: int) -> bool:
    """Whether a later start leaves nothing, or a period without the yearly figures that the whole one has."""
    start, resolution = sweep.start + seconds, resolution_s(sweep)
    if start >= sweep.end:
        return True
    return bool(too_short(start, sweep.end, resolution)) and not too_short(sweep.start, sweep.end, resolution)


def neighbours(grid: Grid, point: int) -> list[tuple[str, int]]:
    """The points one step away: (what differs, point)."""
    digits = grid.digits(point)
    found = []
    for other in grid.neighbours(point):
        theirs = grid.digits(other)
        place = next(place for place, digit in enumerate(theirs) if digit != digits[place])
        axis = grid.axes[place]
        found.append((f"{axis.name} = {axis.values[theirs[place]]}", other))
    return found


def matrix(
    points: Sequence[int],
    checks: Sequence[Check],
    plain: Mapping[int, float],
    changed: Mapping[tuple[str, int], float],
    around: Mapping[int, Sequence[tuple[str, int, float]]],
    *,
    ascending: bool,
) -> JsonObject:
    """The matrix as plain data: one row a condition, one column a point.

    `plain`: point -> objective; `changed`: (label of a check, point) -> objective; `around`: point -> (what differs,
    neighbour, objective). NaN where a run failed.
    """
    rows: list[JsonObject] = [
        {"group": "plain", "label": "as it was run", "values": [_number(plain.get(p)) for p in points]}
    ]
    rows += [
        {
            "group": check.group,
            "label": check.label,
            "values": [_number(changed.get((check.label, point))) for point in points],
        }
        for check in checks
    ]
    if any(around.values()):
        worst = max if ascending else min
        found = {point: [value for _, _, value in around.get(point, ()) if math.isfinite(value)] for point in points}
        rows.append(
            {
                "group": "neighbours",
                "label": "worst neighbour",
                "values": [worst(found[point]) if found[point] else None for point in points],
            }
        )
        rows.append(
            {
                "group": "neighbours",
                "label": "mean of the neighbours",
                "values": [sum(found[point]) / len(found[point]) if found[point] else None for point in points],
            }
        )
    return {
        "points": list(points),
        "rows": rows,
        "notes": [_note(place, point, rows, ascending) for place, point in enumerate(points)],
    }


def _note(place: int, point: int, rows: Sequence[JsonView], ascending: bool) -> str:
    """One sentence on a point: in which respects it is fragile."""
    base = rows[0]["values"][place]
    if base is None:
        return f"point {point}: has no result to compare with"
    weak: dict[str, str] = {}
    for row in rows[1:]:
        value = row["values"][place]
        if value is None or not _keeps(base, value, ascending):
            weak.setdefault(row["group"], row["label"])
    if not weak:
        return f"point {point}: keeps at least {FRAGILE:.0%} of its result under every condition"
    return f"point {point}: fragile: " + ", ".join(weak.values())


def _keeps(base: float, value: float, ascending: bool) -> bool:
    """Whether a result is at least FRAGILE of what it was; one that was bad already may lose as much again."""
    lost = value - base if ascending else base - value
    return lost <= FRAGILE * abs(base)


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)

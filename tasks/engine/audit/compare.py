"""Two runs side by side, up to the last row before the cut."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.engine.audit.record import Decision, Record

if TYPE_CHECKING:
    import pandas as pd

#: Numbers closer than this, relative to the larger one, are the same: sums over another length may round differently.
SAME = 1e-9
#: The same for a field of a decision, where seconds since 1970 must still be told apart.
SAME_DECISION = 1e-12
#: ... or closer than this, relative to the largest value of the column: small differences of large numbers.
SAME_OF_COLUMN = 1e-12


@dataclass
class Difference:
    """One column or field that differs, over all cuts."""

    #: open time of the first row on which it differs, seconds
    first_time: float
    #: cuts in which it differs
    cuts: int = 1
    #: largest difference of numbers, in the column's own unit; None for what is not a number
    max_size: float | None = None
    #: the values at `first_time`
    full: str = ""
    cut: str = ""

    def add(self, other: Difference) -> None:
        """Take in the same difference of another cut."""
        self.cuts += other.cuts
        if other.first_time < self.first_time:
            self.first_time, self.full, self.cut = other.first_time, other.full, other.cut
        if other.max_size is not None:
            self.max_size = max(self.max_size or 0.0, other.max_size)


@dataclass
class Differences:
    """What two or more comparisons found, by column and field."""

    features: dict[str, Difference] = field(default_factory=dict)
    decisions: dict[str, Difference] = field(default_factory=dict)
    fills: dict[str, Difference] = field(default_factory=dict)
    #: a decision without its like in the other run was met
    unmatched: bool = False
    #: decisions differed in a cut although the controller had been told the same of its executors
    unexplained: bool = False
    #: fields that are not compared
    ignored: frozenset[str] = frozenset()

    def fields(self) -> list[str]:
        """Names of all columns and fields that differ."""
        return sorted({*self.features, *self.decisions, *self.fills})


def compare_features(full: Record, cut: Record, until: float, found: Differences) -> None:
    """Every feature column on the rows up to and including the open time `until` (seconds)."""
    assert full.merged is not None
    assert cut.merged is not None
    before, after = full.merged.loc[:until], cut.merged.loc[:until]
    if not before.index.equals(after.index):
        _missing_rows(full, cut, before.index.symmetric_difference(after.index), found)
        common = before.index.intersection(after.index)
        before, after = before.loc[common], after.loc[common]
    for column in dict.fromkeys([*before.columns, *after.columns]):
        if str(column) in full.own:
            continue
        if column not in before.columns or column not in after.columns:
            lost = column not in after.columns
            _add(
                found.features,
                column,
                Difference(
                    float(before.index[0]), full="there" if lost else "not there", cut="not there" if lost else "there"
                ),
            )
            continue
        difference = _column(before[column], after[column])
        if difference is not None:
            _add(found.features, column, difference)


def compare_decisions(
    full: Record, cut: Record, until: float, found: Differences, *, first_only: bool = True
) -> float | None:
    """Every decision on the rows up to and including the open time `until` (seconds).

    Returns the first row on which they differ. With `first_only` later rows are not looked at: they follow from it.
    """
    diverged: float | None = None
    for time in sorted({*full.decisions, *cut.decisions}):
        if time > until:
            break
        one, other = full.decisions.get(time, []), cut.decisions.get(time, [])
        if one == other:
            continue
        if _row(time, one, other, found):
            diverged = time if diverged is None else diverged
            if first_only:
                break
    return diverged


def compare_views(full: Record, cut: Record, until: float, found: Differences) -> bool:
    """What the controller was told of its executors, on the rows up to and including `until` (seconds).

    Returns whether it was told different things.
    """
    assert full.views is not None
    assert cut.views is not None
    for time in sorted(full.views):
        if time > until:
            return False
        if full.views[time] == cut.views.get(time):
            continue
        names = ("created", "is_active", "is_trading", "close_type", "close_timestamp", "filled_amount_quote",
                 "net_pnl_quote")  # fmt: skip
        ours, theirs = full.views[time][0], cut.views.get(time, ((), ()))[0]
        for one, other in zip(ours, theirs, strict=False):
            for name, a, b in zip(names, one, other, strict=True):
                if not _same(a, b):
                    _add(found.fills, name, Difference(time, 1, _size(a, b), _word(a), _word(b)))
        if len(ours) != len(theirs) or not found.fills:
            _add(found.fills, "executors_info", Difference(time, 1, None, f"{len(ours)} seen", f"{len(theirs)} seen"))
        return True
    return False


def _row(time: float, full: list[Decision], cut: list[Decision], found: Differences) -> bool:
    """Compare the decisions of one row; whether any differs."""
    differs = False
    rest = list(cut)
    for one in full:
        other = next((d for d in rest if (d.kind, d.what) == (one.kind, one.what)), None)
        if other is None:
            differs = found.unmatched = True
            _add(found.decisions, _verb(one), Difference(time, 1, None, _short(one), "nothing of the kind"))
            continue
        rest.remove(other)
        for name in dict.fromkeys([*one.fields, *other.fields]):
            a, b = one.fields.get(name), other.fields.get(name)
            if name not in found.ignored and not _same(a, b):
                differs = True
                _add(found.decisions, name, Difference(time, 1, _size(a, b), _word(a), _word(b)))
    for other in rest:
        differs = found.unmatched = True
        _add(found.decisions, _verb(other), Difference(time, 1, None, "nothing of the kind", _short(other)))
    return differs


def _missing_rows(full: Record, cut: Record, rows: Iterable[float], found: Differences) -> None:
    """The engine drops rows that hold a NaN: find the columns that are NaN in one run only."""
    named = False
    first = float(min(rows))
    a, b = _raw_row(full, first), _raw_row(cut, first)
    if a is not None and b is not None:
        for column in dict.fromkeys([*a.index, *b.index]):
            one, other = a.get(column), b.get(column)
            if _is_nan(one) != _is_nan(other):
                named = True
                _add(found.features, str(column), Difference(first, 1, None, _word(one), _word(other)))
    if not named:
        there = first in full.merged.index if full.merged is not None else False
        words = ("there", "not there") if there else ("not there", "there")
        _add(found.features, "(row)", Difference(first, 1, None, *words))


def _raw_row(record: Record, time: float) -> pd.Series[Any] | None:
    """The row of the controller's own frame that the engine merges on a row: the last one stamped at or before it."""
    if record.raw is None or "timestamp" not in record.raw.columns:
        return None
    seen = record.raw[record.raw["timestamp"] <= time]
    return None if seen.empty else seen.iloc[-1]


def _column(full: pd.Series[Any], cut: pd.Series[Any]) -> Difference | None:
    if full.dtype.kind in "biuf" and cut.dtype.kind in "biuf":
        a, b = full.to_numpy(dtype=np.float64), cut.to_numpy(dtype=np.float64)
        size = np.abs(a - b)
        scale = np.maximum(np.abs(a), np.abs(b))
        limit = SAME * scale + SAME_OF_COLUMN * (np.nanmax(scale) if len(scale) else 0.0)
        differs = ~((size <= limit) | (a == b) | (np.isnan(a) & np.isnan(b)))
        known = size[differs & np.isfinite(size)]
        largest = float(known.max()) if len(known) else None
    else:
        differs = np.array([not _same(x, y) for x, y in zip(full, cut, strict=True)], dtype=bool)
        largest = None
    if not differs.any():
        return None
    first = int(np.argmax(differs))
    return Difference(float(full.index[first]), 1, largest, _word(full.iloc[first]), _word(cut.iloc[first]))


def _add(into: dict[str, Difference], name: str, difference: Difference) -> None:
    if name in into:
        into[name].add(difference)
    else:
        into[name] = difference


def _same(a: Any, b: Any) -> bool:
    if _is_number(a) and _is_number(b):
        x, y = float(a), float(b)
        return x == y or abs(x - y) <= SAME_DECISION * max(abs(x), abs(y)) or (x != x and y != y)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(_same, a, b))
    return bool(a == b)


def _size(a: Any, b: Any) -> float | None:
    return abs(float(a) - float(b)) if _is_number(a) and _is_number(b) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal | np.number) and not isinstance(value, bool)


def _is_nan(value: Any) -> bool:
    return value is None or (isinstance(value, float | np.floating) and bool(np.isnan(value)))


def _verb(decision: Decision) -> str:
    return {"create": "created", "stop": "stopped", "raised": "raised"}[decision.kind]


def _short(decision: Decision) -> str:
    if decision.kind == "raised":
        return f"{decision.what[0]}: {decision.fields['message']}"
    return f"{decision.kind} {' '.join(decision.what)}"


def _word(value: Any) -> str:
    return "nothing" if value is None else str(value)

"""The difference between two outcomes of one point: exact, field by field."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel

from tasks.engine._base import Outcome
from tasks.named_types import JsonObject

if TYPE_CHECKING:
    import pandas as pd

    from tasks.upstream.names import BacktestPositionHold, ExecutorInfo

#: Differences reported per part of an outcome; more of the same say nothing new.
PER_PART = 5


@dataclass(frozen=True)
class Difference:
    """One value that is not the same."""

    #: such as "results.net_pnl_quote", "executors[12].config.entry_price", "pnl_timeseries[300].total_pnl"
    field: str
    #: both values, as Python writes them
    stock: str
    jump: str
    #: open time of the first candle on which it differs, seconds; None where a field belongs to no candle
    candle: float | None

    def to_dict(self) -> JsonObject:
        """For a message."""
        return asdict(self)


def compare(stock: Outcome, jump: Outcome) -> list[Difference]:
    """What differs; [] when the outcomes are equal: results, ledger, time series, held positions, processed data.

    Exact: no tolerance, Decimal equals Decimal only, NaN equals NaN. Executor ids are random, so they are compared by
    their pattern: the n-th executor of one outcome is the n-th of the other. Of each part the first few differences.
    """
    same_ids = _IdPattern()
    parts = (
        ("results", stock.results, jump.results),
        ("executors", _ledger(stock.executors), _ledger(jump.executors)),
        ("pnl_timeseries", list(stock.pnl_timeseries), list(jump.pnl_timeseries)),
        ("position_held_timeseries", list(stock.position_held_timeseries), list(jump.position_held_timeseries)),
        ("position_holds", _holds(stock.position_holds), _holds(jump.position_holds)),
        ("processed_data", stock.processed_data, jump.processed_data),
    )
    found = []
    for name, one, other in parts:
        differences = _differences(name, one, other, same_ids)
        for _, difference in zip(range(PER_PART), differences, strict=False):
            found.append(difference)
    return found


def same_data(one: Any, other: Any) -> bool:
    """Whether two controllers' `processed_data` are equal, as `compare` takes it."""
    return not any(True for _ in _differences("processed_data", one, other, _IdPattern()))


class _IdPattern:
    """Random ids of two outcomes, paired by where they first stand."""

    def __init__(self) -> None:
        self._pairs: dict[str, str] = {}
        self._back: dict[str, str] = {}

    def agree(self, one: Any, other: Any) -> bool:
        if not isinstance(one, str) or not isinstance(other, str):
            return bool(one == other)
        return self._pairs.setdefault(one, other) == other and self._back.setdefault(other, one) == one


def _ledger(executors: Sequence[ExecutorInfo]) -> list[JsonObject]:
    return [{name: getattr(info, name) for name in type(info).model_fields} | {"side": info.side} for info in executors]


def _holds(holds: Sequence[BacktestPositionHold]) -> list[JsonObject]:
    # The ids of the executors they came from are a set: their pattern cannot be told, their number can.
    return [{**vars(hold), "source_executor_ids": len(hold.source_executor_ids)} for hold in holds]


def _differences(path: str, one: Any, other: Any, ids: _IdPattern, candle: float | None = None) -> Iterator[Difference]:
    if _is(one, other, "DataFrame"):
        yield from _frames(path, one, other)
    elif _is(one, other, "Series"):
        yield from _frames(path, one.to_frame(), other.to_frame())
    elif isinstance(one, Mapping) and isinstance(other, Mapping):
        if "timestamp" in one and isinstance(one["timestamp"], int | float):
            candle = float(one["timestamp"])
        if list(one) != list(other) and set(one) == set(other) and path.endswith("close_types"):
            yield _difference(path, list(one), list(other), candle)
        for key in [*one, *(key for key in other if key not in one)]:
            if key not in one or key not in other:
                yield _difference(f"{path}.{key}", one.get(key, "missing"), other.get(key, "missing"), candle)
            elif key == "id" and path.startswith("executors"):
                if not ids.agree(one[key], other[key]):
                    yield _difference(f"{path}.{key}", one[key], other[key], candle)
            else:
                yield from _differences(f"{path}.{key}", one[key], other[key], ids, candle)
    elif isinstance(one, BaseModel) and isinstance(other, BaseModel):
        if type(one) is not type(other):
            yield _difference(path, type(one).__name__, type(other).__name__, candle)
        else:
            yield from _differences(path, dict(one), dict(other), ids, candle)
    elif isinstance(one, list | tuple) and isinstance(other, list | tuple):
        for k, (left, right) in enumerate(zip(one, other, strict=False)):
            yield from _differences(f"{path}[{k}]", left, right, ids, candle)
        if len(one) != len(other):
            yield _difference(f"{path}, number of items", len(one), len(other), candle)
    elif not _equal(one, other):
        yield _difference(path, one, other, candle)


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, float | np.floating) and isinstance(other, float | np.floating):
        return bool(one == other) or (math.isnan(one) and math.isnan(other))
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=one.dtype.kind in "fc")
    if _is_index(one) and _is_index(other):
        return one.dtype == other.dtype and bool(one.equals(other))
    if isinstance(one, bool | Enum) or isinstance(other, bool | Enum):
        return type(one) is type(other) and bool(one == other)
    if type(one).__name__ == "Decimal" or type(other).__name__ == "Decimal":
        return type(one) is type(other) and (bool(one == other) or str(one) == str(other))
    if type(one) is type(other) and "__eq__" not in {name for kind in type(one).__mro__[:-1] for name in vars(kind)}:
        return True  # an object or a function that says itself equal to nobody else: no more can be told
    try:
        return bool(one == other)
    except (TypeError, ValueError):
        return False


def _is(one: Any, other: Any, name: str) -> bool:
    return type(one).__name__ == type(other).__name__ == name


def _is_index(value: Any) -> bool:
    return type(value).__name__.endswith("Index") and hasattr(value, "equals")


def _frames(path: str, one: pd.DataFrame, other: pd.DataFrame) -> Iterator[Difference]:
    if list(one.columns) != list(other.columns):
        yield _difference(f"{path}, columns", list(one.columns), list(other.columns), None)
        return
    if not one.index.equals(other.index):
        yield _difference(f"{path}, candles", len(one), len(other), None)
        return
    for place, column in enumerate(one.columns):  # a name may stand there twice
        left, right = one.iloc[:, place], other.iloc[:, place]
        if left.dtype == right.dtype and left.equals(right):
            continue
        for candle, a, b in zip(one.index, left, right, strict=True):
            if not _equal(a, b):
                at = float(candle) if isinstance(candle, int | float | np.number) else None
                yield _difference(f"{path}.{column}", a, b, at)
                break
        else:
            if left.dtype != right.dtype:
                yield _difference(f"{path}.{column}, dtype", left.dtype, right.dtype, None)


def _difference(path: str, one: Any, other: Any, candle: float | None) -> Difference:
    return Difference(path, _written(one), _written(other), candle)


def _written(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 200 else text[:197] + "..."

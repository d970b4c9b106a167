"""A list that is built when it is read, and the comparison of outcomes."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks.engine._base import Outcome
from tasks.engine.compare import compare
from tasks.engine.jump.lazy import LazyList


def lazy() -> LazyList:
    return LazyList(lambda: iter([3, 1, 2]))


USES: list[Any] = [
    list,
    tuple,
    sorted,
    len,
    bool,
    sum,
    max,
    repr,
    lambda x: x + [4],  # noqa: RUF005  the operator is what is tested
    lambda x: [4] + x,  # noqa: RUF005
    lambda x: [*x, 5],
    lambda x: x * 2,
    lambda x: 2 * x,
    lambda x: x == [3, 1, 2],
    lambda x: x == [3, 1, 2],
    lambda x: x != [3, 1, 2],
    lambda x: x < [9],
    lambda x: 1 in x,
    lambda x: x[0],
    lambda x: x[1:],
    lambda x: x[-1],
    lambda x: x.copy(),
    lambda x: x.index(2),
    lambda x: x.count(1),
    lambda x: x.pop(),
    lambda x: list(reversed(x)),
    lambda x: [one for one in x if one > 1],
    lambda x: (x or [7]).copy(),
    lambda x: (lambda *items: items)(*x),
    lambda x: [0].__class__(x),
    lambda x: copy.copy(x),
    lambda x: copy.deepcopy(x),
    lambda x: pickle.loads(pickle.dumps(x)),
    lambda x: np.array(x).tolist(),
    lambda x: pd.Series(x).tolist(),
    lambda x: list(map(str, x)),
    lambda x: list(enumerate(x)),
    lambda x: dict.fromkeys(x),
    lambda x: (x.append(9), list(x))[1],
    lambda x: (x.sort(), list(x))[1],
    lambda x: (x.reverse(), list(x))[1],
    lambda x: (x.insert(0, 9), list(x))[1],
    lambda x: ([8].extend(x), list(x))[1],
]


@pytest.mark.parametrize("use", USES)
def test_a_lazy_list_is_a_list(use: Any) -> None:
    assert use(lazy()) == use([3, 1, 2])


def test_it_is_built_once_and_only_when_read() -> None:
    built: list[int] = []
    one = LazyList(lambda: built.append(1) or [1])
    assert isinstance(one, list)
    assert (built, one.built) == ([], False)
    assert (len(one), one[0], one.built, built) == (1, 1, True, [1])


def outcome(**changes: Any) -> Outcome:
    frame = pd.DataFrame({"close": [1.0, float("nan")]}, index=[60.0, 120.0])
    return replace(
        Outcome(
            results={"net_pnl": 0.5, "close_types": {"A": 1}},
            executors=[],
            pnl_timeseries=[{"timestamp": 60.0, "total_pnl": 1.0}, {"timestamp": 120.0, "total_pnl": float("nan")}],
            position_held_timeseries=[],
            position_holds=[],
            processed_data={"features": frame, "price": Decimal("1.0")},
            engine="stock",
        ),
        **changes,
    )


def test_equal_outcomes_have_no_difference() -> None:
    assert compare(outcome(), outcome(engine="jump")) == []


def test_a_difference_names_field_values_and_candle() -> None:
    rows = [{"timestamp": 60.0, "total_pnl": 1.0}, {"timestamp": 120.0, "total_pnl": 2.0}]
    (found,) = compare(outcome(), outcome(pnl_timeseries=rows))
    assert (found.field, found.stock, found.jump, found.candle) == ("pnl_timeseries[1].total_pnl", "nan", "2.0", 120.0)
    assert found.to_dict()["field"] == found.field


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"results": {"net_pnl": 0.5000000000000001, "close_types": {"A": 1}}}, "results.net_pnl"),
        ({"results": {"net_pnl": 0.5, "close_types": {"A": 1, "B": 1}}}, "results.close_types.B"),
        ({"results": {"close_types": {"A": 1}}}, "results.net_pnl"),
        ({"pnl_timeseries": []}, "pnl_timeseries, number of items"),
        ({"processed_data": {"features": pd.DataFrame(), "price": Decimal("1.0")}}, "processed_data.features, columns"),
        ({"processed_data": outcome().processed_data | {"price": 1.0}}, "processed_data.price"),
        ({"processed_data": outcome().processed_data | {"price": Decimal(2)}}, "processed_data.price"),
    ],
)
def test_what_differs_is_found(changes: dict[str, Any], field: str) -> None:
    assert [difference.field for difference in compare(outcome(), outcome(**changes))] == [field]


def test_a_frame_differs_at_its_first_candle() -> None:
    frame = outcome().processed_data["features"].copy()
    frame.loc[120.0, "close"] = 3.0
    (found,) = compare(outcome(), outcome(processed_data={"features": frame, "price": Decimal("1.0")}))
    assert (found.field, found.candle) == ("processed_data.features.close", 120.0)

"""What two outcomes' processed data may hold, compared exactly."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks.engine.compare import same_data


class Plain:
    pass


def _data(**more: Any) -> dict[str, Any]:
    frame = pd.DataFrame({"close": [1.0, np.nan], "name": ["a", "b"]}, index=[60, 120])
    return {
        "features": frame,
        "closes": frame["close"].copy(),
        "dates": pd.Series([1, 2], index=pd.to_datetime([0, 1], unit="s")),
        "index": pd.Index(["a", "b"]),
        "array": np.array([1.0, np.nan]),
        "one": Decimal("0.10"),
        "object": Plain(),
        "function": lambda: 1,
        "twice": pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"]),
        **more,
    }


def test_what_is_equal_is_equal() -> None:
    assert same_data(_data(), _data())


@pytest.mark.parametrize(
    "more",
    [
        {"closes": pd.Series([1.0, 2.0], index=[60, 120], name="close")},
        {"closes": pd.Series([1.0, np.nan], index=[60, 180], name="close")},
        {"closes": pd.Series([1.0, np.nan], index=[60, 120], name="open")},
        {"dates": pd.Series([1, 3], index=pd.to_datetime([0, 1], unit="s"))},
        {"dates": pd.Series([1.0, 2.0], index=pd.to_datetime([0, 1], unit="s"))},
        {"index": pd.Index(["a", "c"])},
        {"array": np.array([1.0, 2.0])},
        {"array": np.array([1.0, np.nan], dtype=np.float32)},
        {"one": 0.1},
        {"object": object()},
        {"twice": pd.DataFrame([[1, 2], [3, 5]], columns=["a", "a"])},
        {"more": 1},
    ],
)
def test_what_differs_is_found(more: dict[str, Any]) -> None:
    assert not same_data(_data(), _data(**more))
    assert not same_data(_data(**more), _data())

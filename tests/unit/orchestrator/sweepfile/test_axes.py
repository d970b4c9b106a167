"""The values of an axis."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.sweepfile import axes
from orchestrator.sweepfile.axes import axis_values, duplicate_value


@pytest.mark.parametrize(
    ("spec", "values"),
    [
        ([1, "a,b", [1, 2], None, True, {"k": 1}], (1, "a,b", [1, 2], None, True, {"k": 1})),
        ([1, 1.0, True, "1", 0, False], (1, 1.0, True, "1", 0, False)),
        ({"range": [20, 200, 60]}, (20, 80, 140, 200)),
        ({"range": [20, 199, 60]}, (20, 80, 140)),
        ({"range": [200, 20, -90]}, (200, 110, 20)),
        ({"range": [0.1, 0.5, 0.1]}, (0.1, 0.2, 0.3, 0.4, 0.5)),
        ({"range": [1, 2, 0.5]}, (1.0, 1.5, 2.0)),
        ({"range": [5, 5, 1]}, (5,)),
        ({"range": ["1e-3", "3e-3", "1e-3"]}, (0.001, 0.002, 0.003)),
        ({"linspace": [0, 1, 5]}, (0.0, 0.25, 0.5, 0.75, 1.0)),
        ({"linspace": [10, 30, 3]}, (10, 20, 30)),
        ({"linspace": [30, 10, 3]}, (30, 20, 10)),
        ({"linspace": [0.1, 0.4, 4]}, (0.1, 0.2, 0.3, 0.4)),
        ({"linspace": [7, 9, 1]}, (7,)),
        ({"logspace": [0.001, 1, 4]}, (0.001, 0.01, 0.1, 1.0)),
        ({"logspace": [100, 1, 3]}, (100.0, 10.0, 1.0)),
        ({"logspace": [5, 5, 1]}, (5.0,)),
    ],
)
def test_values(spec: Any, values: tuple[Any, ...]) -> None:
    found = axis_values(spec)
    assert found == values
    assert [type(value) for value in found] == [type(value) for value in values]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ([], "empty"),
        ([1.0, float("nan")], "nan"),
        ({"linspace": [1, 1 + 2.3e-16, 5]}, "comes twice"),
        (5, r"write a list such as \[5\]"),
        (None, "not an axis"),
        ({}, "one form"),
        ({"range": [1, 2, 1], "linspace": [1, 2, 2]}, "one form"),
        ({"rnage": [1, 2, 1]}, "nearest is `range`"),
        ({"range": [1, 2]}, r"takes \[first, last, step\]"),
        ({"range": 5}, "takes"),
        ({"range": [1, 2, 0]}, "step is 0"),
        ({"range": [1, 2, -1]}, "leads away"),
        ({"range": [1, "two", 1]}, "last is 'two'"),
        ({"range": [1, True, 1]}, "not a number"),
        ({"range": [1, float("inf"), 1]}, "finite"),
        ({"range": [0, 1, 1e-12]}, "at most 10,000,000"),
        ({"linspace": [0, 1, 0]}, "n is 0"),
        ({"linspace": [0, 1, 2.5]}, "n is 2.5"),
        ({"linspace": [1, 1, 3]}, "one value"),
        ({"linspace": [0, 1, 10**9]}, "at most"),
        ({"logspace": [0, 1, 3]}, "greater than 0"),
        ({"logspace": [-1, 1, 3]}, "greater than 0"),
    ],
)
def test_what_is_no_axis(spec: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        axis_values(spec)


@given(
    st.integers(-10_000, 10_000),
    st.integers(1, 500).flatmap(lambda step: st.sampled_from([step, -step])),
    st.integers(1, 300),
    st.integers(0, 4),
)
def test_a_range_of_decimals_has_the_values_a_person_would_write(first: int, step: int, n: int, digits: int) -> None:
    scale = 10**digits
    spec = {"range": [first / scale, (first + step * (n - 1)) / scale, step / scale]}
    assert axis_values(spec) == tuple(float(f"{first + step * k}e-{digits}") for k in range(n))


def test_the_most_values_are_counted_before_they_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(axes, "MAX_VALUES", 5)
    assert len(axis_values({"range": [1, 5, 1]})) == 5
    with pytest.raises(ValueError, match="6 values"):
        axis_values({"range": [1, 6, 1]})


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([0.01, 0.01, 0.010], "0.01 is a duplicate"),
        (["BTC-USDT", "ETH-USDT", "BTC-USDT"], "'BTC-USDT' is a duplicate"),
        ([1, 1], "1 is a duplicate"),
        ([[1, 2], [1, 2]], r"\[1, 2\] is a duplicate"),
        ([1, 0, 2, 0], "0 is a duplicate .a number has no commas: 1000, not 1,000"),  # [1,000, 2,000]
        ([True, False, True], "true is a duplicate .YAML reads yes and on as true"),  # [on, off, yes]
    ],
)
def test_a_value_that_stands_twice_is_said(values: list[Any], words: str) -> None:
    assert axis_values(values) == tuple(values)
    assert re.search(words, duplicate_value(values))


def test_values_of_other_types_are_others() -> None:
    assert duplicate_value([1, 1.0, True, "1", [1], 2]) == ""

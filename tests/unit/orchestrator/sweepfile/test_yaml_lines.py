"""YAML with lines: what is refused, and Python's own values on their way into it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from orchestrator.sweepfile.yaml_lines import MarkedError, dump, load

LAUGHS = "a: &a [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdefg", "bcdefgh", strict=True)
)


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        ("a: 1\nb: x\x00y\n", "no YAML has .U.0000", 2),
        ("a: 1\nb: !!binary aGVsbG8=\n", "binary", 2),
        ("a:\n- !!set {1, 2}\n", "set", 2),
        ("a: !!timestamp 2024-01-01\n", "timestamp", 1),
        ('a: 1\nb: ["\\ud800"]\n', "half of a character .U.D800", 2),
        ('a: 1\n"\\udfff": 2\n', "half of a character .U.DFFF", 2),
        ("grid:\n  on: [1]\n", "YAML reads the key on as true or false; put quotes around it: 'on'", 2),
        (LAUGHS, "too large", None),
    ],
)
def test_what_is_refused(text: str, words: str, line: int | None) -> None:
    with pytest.raises(MarkedError, match=words) as caught:
        load(text)
    assert line is None or caught.value.line == line


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (Path("a/b"), "a/b"),
        (range(3), [0, 1, 2]),
        ((1, 2), [1, 2]),
        (np.arange(3), [0, 1, 2]),
        ([np.float64(0.1), np.int64(2)], [0.1, 2]),
        (pd.Series([1.5, 2.0]), [1.5, 2.0]),
        (Decimal("0.001"), 0.001),
        (Decimal("0.12345678901234567890"), "0.12345678901234567890"),
        (date(2024, 1, 2), "2024-01-02"),
        (datetime(2024, 1, 2, tzinfo=UTC), "2024-01-02T00:00:00+00:00"),
        (pd.Timestamp("2024-01-02"), "2024-01-02T00:00:00"),
        (np.datetime64("2024-01-02"), "2024-01-02"),
        ({"a": {"b": np.bool_(True)}}, {"a": {"b": True}}),
        (None, None),
    ],
)
def test_pythons_values(value: Any, read: Any) -> None:
    assert load(dump({"key": value})).data == {"key": read}


def test_what_no_file_can_hold() -> None:
    with pytest.raises(ValueError, match=r"set.*cannot stand in a sweep file"):
        dump({"grid": {"a": {1, 2}}})

"""What makes a sweep another one is said, once."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from orchestrator.results.identity import another_sweep
from orchestrator.results.store import Store
from tests.unit.orchestrator.stores import GRID, definition


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"controllers": "b" * 64}, "the controllers"),
        ({"slices": {"a": "1" * 64}, "lead": {"a": 5}}, "the candles"),
        ({"controllers": "b" * 64, "trade_cost": 0.001}, "trade_cost, the controllers"),
        ({"end": 1706659201}, "period"),
        ({"end": definition().end - 86400, "candles_end": definition().end}, "what is held out at the period's end"),
        ({"grid": dict(reversed(GRID.items()))}, "grid"),
        ({"grid": {**GRID, "std": [1, 2.5]}}, "grid"),  # 1 and 1.0 are equal to Python, but other values of a config
        ({}, "name"),
    ],
)
def test_what_changed(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    now = dataclasses.replace(definition("test-other"), **changes)
    with Store.create(tmp_path) as store:
        assert another_sweep(store, now) == ""
        store.add_sweep(definition(), "", {})
        said = another_sweep(store, now)
        assert f"than test-0123456789, for these changed: {words}; its points are computed as test-other" in said
        assert str(tmp_path) in said
        store.add_sweep(now, "", {})
        assert another_sweep(store, now) == ""
        assert another_sweep(store, definition()) == ""

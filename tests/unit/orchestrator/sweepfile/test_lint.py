"""Keys without effect are said, and only those."""

from __future__ import annotations

import re
from typing import Any

import pytest

from orchestrator.sweepfile.lint import unused
from tests.unit.orchestrator.sweepfile.test_sweep import sweep

INSIDE = {"BTC-USDT": [[1704096000, 0.0001]]}
OUTSIDE = {"BTC-USDT": [[1672617600, 0.0001]]}


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"maker_cost": 0.0002}, "maker_cost: without effect.*write fills: honest"),
        ({"taker_cost": 0.0002, "slippage_bps": 1}, "taker_cost, slippage_bps: without effect"),
        ({"maker_cost": 0.0}, "maker_cost: without effect"),
        ({"funding": INSIDE}, "funding: without effect"),
        ({"fills": "honest", "engine": "stock"}, "engine: stock has no honest fills"),
        ({"fills": "both", "engine": "stock"}, "engine: stock has no honest fills"),
        ({"grid": {"a": [0.01, 0.02, 0.01]}}, "grid.a: 0.01 is a duplicate: its points are computed twice"),
        ({"fills": "honest", "funding": {**INSIDE, "X-USDT": INSIDE["BTC-USDT"]}}, "neither .* has X-USDT, so none"),
        ({"fills": "honest", "funding": OUTSIDE}, "none of the times of BTC-USDT lies in the period"),
    ],
)
def test_what_has_no_effect_is_said(keys: dict[str, Any], words: str) -> None:
    (said,) = unused(sweep(**keys))
    assert re.match("folder/my sweep.yml(, line [0-9]+)?: ", said)
    assert re.search(words, said), said


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"engine": "stock"},
        {"slippage_bps": 0},
        {"fills": "honest", "maker_cost": 0.0, "taker_cost": 0.0005, "slippage_bps": 1, "funding": INSIDE},
        {"fills": "both", "funding": INSIDE},
    ],
)
def test_what_has_an_effect_is_not(keys: dict[str, Any]) -> None:
    assert list(unused(sweep(**keys))) == []

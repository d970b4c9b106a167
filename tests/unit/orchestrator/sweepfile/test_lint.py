"""Keys without effect are said, and only those."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.sweepfile.lint import lint
from orchestrator.sweepfile.sweep import parse
from tests.unit.orchestrator.sweepfile.test_sweep import SWEEP, sweep

INSIDE = {"BTC-USDT": [[1704096000, 0.0001]]}
OUTSIDE = {"BTC-USDT": [[1672617600, 0.0001]]}


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"fills": "stock", "maker_cost": 0.0002}, "maker_cost: without effect.*write fills: honest"),
        ({"fills": "stock", "taker_cost": 0.0002, "slippage_bps": 1}, "taker_cost, slippage_bps: without effect"),
        ({"fills": "stock", "maker_cost": 0.0}, "maker_cost: without effect"),
        ({"fills": "stock", "funding": INSIDE}, "funding: without effect"),
        ({"fills": "honest", "engine": "stock"}, "engine: stock has no honest fills"),
        ({"fills": "stock", "fill_ticks": 2}, "fill_ticks: without effect, for stock fills"),
        ({"fills": "touch", "fill_ticks": 2}, "fill_ticks: without effect under fills: touch"),
        ({"fills": "through", "fill_volume_share": 0.2}, "fill_volume_share: without effect under fills: through"),
        ({"fills": "both", "engine": "stock"}, "engine: stock has no honest fills"),
        ({"grid": {"a": [0.01, 0.02, 0.01]}}, "grid.a: 0.01 is a duplicate: its points are computed twice"),
        ({"fills": "honest", "funding": {**INSIDE, "X-USDT": INSIDE["BTC-USDT"]}}, "neither .* has X-USDT, so none"),
        ({"fills": "honest", "funding": OUTSIDE}, "none of the times of BTC-USDT lies in the period"),
    ],
)
def test_what_has_no_effect_is_said(keys: dict[str, Any], words: str) -> None:
    (said,) = lint(sweep(**keys))
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
    assert list(lint(sweep(**keys))) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x: [020, 30]", "grid.x.0: 020 is read as 16 (a leading 0 makes it octal); write 20 or 16"),
        ("x: [1_000, 30]", "grid.x.0: 1_000 is read as 1000 (as YAML does); write 1000"),
        ("x: [1:30, 30]", "grid.x.0: 1:30 is read as 90"),
        ("stop_loss: [0.1, 3]", "grid.stop_loss: 3 is 300%; it is a fraction: if 3% is meant, write 0.03"),
        ("barrier.stop: [0.1]", "controller has no barrier, so the keys beside stop have the defaults"),
    ],
)
def test_numbers_that_may_mean_something_else_are_asked_about(text: str, words: str) -> None:
    head = yaml.safe_dump({name: value for name, value in SWEEP.items() if name != "grid"})
    said = list(lint(parse(f"{head}grid:\n  {text}\n", Path("a.yml"))))
    assert any(words in one and "a.yml, line" in one for one in said), said


def test_plain_numbers_are_not_asked_about() -> None:
    head = yaml.safe_dump({name: value for name, value in SWEEP.items() if name != "grid"})
    text = f"{head}grid:\n  x: [0, 0.5, 10, -3, 1e-3, 0x10]\n  stop_loss: [0.03]\n"
    assert list(lint(parse(text, Path("a.yml")))) == []

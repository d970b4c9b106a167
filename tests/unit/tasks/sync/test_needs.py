"""Which feeds a sweep asks for, with a controller made of arithmetic in place of hummingbot's."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tasks.messages import FeedNeed
from tasks.sync.needs import feeds_of
from tests.unit.orchestrator.stores import definition


@pytest.fixture(autouse=True)
def build(monkeypatch):
    """A controller whose history is the product of two axes."""
    module = ModuleType("tasks.upstream.build")
    module.controller_config = lambda values, controllers, config_id: values
    module.feed_needs = lambda config, resolution, shift: [
        FeedNeed("venue", "BTC-USDT", "1m", config["fast"] * config["factor"])
    ]
    monkeypatch.setitem(sys.modules, "tasks.upstream.build", module)


def test_axes_that_ask_for_more_together_than_each_alone():
    sweep = definition(grid={"fast": [5, 60, 7], "factor": [2, 20, 1]})
    (order,) = asyncio.run(feeds_of(sweep, Path()))
    assert sweep.start - order.start == 60 * 20 * 60

"""Which feeds a sweep asks for, with a controller made of arithmetic in place of hummingbot's."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tasks.errors import ControllerError
from tasks.protocol.messages import FeedNeed
from tasks.sync.needs import feeds_of
from tests.unit.orchestrator.stores import definition


@pytest.fixture(autouse=True)
def build(monkeypatch):
    """A controller whose history is the product of two axes."""
    module = ModuleType("tasks.upstream.backtest.build")
    module.controller_config = lambda values, controllers, config_id: values
    module.feed_needs = lambda config, resolution, shift: [
        FeedNeed("venue", "BTC-USDT", "1m", config["fast"] * config["factor"])
    ]
    monkeypatch.setitem(sys.modules, "tasks.upstream.backtest.build", module)
    return module


def test_axes_that_ask_for_more_together_than_each_alone():
    sweep = definition(grid={"fast": [5, 60, 7], "factor": [2, 20, 1]})
    (order,) = asyncio.run(feeds_of(sweep, Path()))
    assert sweep.start - order.start == 60 * 20 * 60


def test_a_sweep_whose_every_point_is_refused_is_refused(build):
    def refuse(values, controllers, config_id):
        raise ControllerError("no such field")

    build.controller_config = refuse
    with pytest.raises(ControllerError, match="no such field"):
        asyncio.run(feeds_of(definition(grid={"fast": [5, 6], "factor": [1, 2]}), Path()))


def test_points_that_are_refused_leave_the_others_their_feeds(build):
    def fast_below_factor(values, controllers, config_id):
        if values["fast"] >= values["factor"]:
            raise ControllerError("fast must be below factor")
        return values

    build.controller_config = fast_below_factor
    sweep = definition(grid={"fast": [5, 60, 7], "factor": [2, 20, 1]})
    (order,) = asyncio.run(feeds_of(sweep, Path()))
    assert sweep.start - order.start == 7 * 20 * 60

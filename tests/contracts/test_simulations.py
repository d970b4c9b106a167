"""The simulation of every kind of executor under every rung of the fill ladder keeps its promises."""

from __future__ import annotations

from tasks.engine.fills import STOCK, FillRules
from tests.contracts.simulation import FillsCase, SimulationCase


class TestStock(SimulationCase):
    rules = STOCK


class TestTouch(FillsCase):
    rules = FillRules("touch")


class TestThrough(FillsCase):
    rules = FillRules("through", ticks=2)


class TestHonest(FillsCase):
    rules = FillRules()


class TestBestPath(FillsCase):
    rules = FillRules(path="best", slippage_bps=2.0)


class TestNearestPath(FillsCase):
    rules = FillRules(path="nearest", volume_share=0.02)

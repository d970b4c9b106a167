"""The engines keep what tests/contracts/engine.py says."""

from __future__ import annotations

from tasks.engine._base import Engine
from tasks.engine.fills import FillRules
from tasks.engine.jump.engine import JumpEngine
from tasks.engine.live.engine import LiveEngine
from tasks.engine.stock import StockEngine
from tests.contracts.engine import EngineCase


class TestStock(EngineCase):
    def make(self) -> Engine:
        return StockEngine()


class TestJump(EngineCase):
    def make(self) -> Engine:
        return JumpEngine()


class TestJumpWithHonestFills(EngineCase):
    def make(self) -> Engine:
        return JumpEngine(FillRules())


class TestLive(EngineCase):
    def make(self) -> Engine:
        return LiveEngine()


class TestLiveWithHonestFills(EngineCase):
    def make(self) -> Engine:
        return LiveEngine(FillRules())

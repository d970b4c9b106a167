"""Which controllers need the live engine, and in which words."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from benchmarks.workloads.controllers import Bollinger, BollingerConfig
from tasks.engine._base import Market
from tasks.engine.live.need import why_live
from tests.unit.tasks.engine.live.test_decisions import config_of


def reason(market: Market, config_factory: Any) -> str:
    return asyncio.run(why_live(config_factory, market))


@pytest.mark.parametrize(
    "case", ["bands", "closed candles only", "DCA", "a grid a signal", "simple maker", "dynamic maker"]
)
def test_a_function_of_the_candles_is_left_to_the_jump_engine(case: str, two_pairs: Market) -> None:
    assert reason(two_pairs, lambda: config_of(case)) == ""


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("hourly buyer", "its update_processed_data sets no features"),
        ("grid keeper", "its update_processed_data sets no features"),
        ("patient", ""),
        ("caller", "its update_processed_data sets no features"),
        ("counter", "its update_processed_data keeps state in self.mean"),
        ("pairs", "its config has no single connector_name and trading_pair"),
    ],
)
def test_what_a_back_test_would_call_wrongly_is_named(case: str, said: str, two_pairs: Market) -> None:
    assert reason(two_pairs, lambda: config_of(case)) == said


class LooksAtExecutors(Bollinger):
    async def update_processed_data(self) -> None:
        await super().update_processed_data()
        self.busy = bool(self.filter_executors(filter_func=lambda one: one.is_active))


class ReadsWhatItsDecisionsWrite(Bollinger):
    losses = 0

    async def update_processed_data(self) -> None:
        await super().update_processed_data()
        self.careful = self.losses > 3

    def determine_executor_actions(self) -> list[Any]:
        self.losses = sum(one.net_pnl_quote < 0 for one in self.executors_info)
        return super().determine_executor_actions()


class DecidesOnAnEntry(Bollinger):
    async def update_processed_data(self) -> None:
        await super().update_processed_data()
        self.processed_data["trend"] = float(self.processed_data["features"]["close"].diff().iloc[-1])

    def can_create_executor(self, signal: int) -> bool:
        return self.processed_data["trend"] * signal > 0 and super().can_create_executor(signal)


class KeepsACache(Bollinger):
    async def update_processed_data(self) -> None:
        await super().update_processed_data()
        self.last_frame = self.processed_data["features"]


class ShowsAnEntry(Bollinger):
    async def update_processed_data(self) -> None:
        await super().update_processed_data()
        self.processed_data["mean"] = float(self.processed_data["features"]["close"].mean())

    def to_format_status(self) -> list[str]:
        return [f"mean {self.processed_data['mean']}"]


def config_for(kind: Any) -> Any:
    """A config class of its own: the child remembers the controller of each."""
    values = {"controller_name": "variant", "interval": "5m", "length": 20}
    made = type(f"{kind.__name__}Config", (BollingerConfig,), {"get_controller_class": lambda self: kind})
    return made(id="x", connector_name="binance_perpetual", trading_pair="BTC-USDT", **values)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (LooksAtExecutors, "its update_processed_data looks at executors_info"),
        (ReadsWhatItsDecisionsWrite, "its update_processed_data reads self.losses, which other methods change"),
        (DecidesOnAnEntry, "it decides on processed_data['trend'], which is no column of its features"),
        (KeepsACache, ""),
        (ShowsAnEntry, ""),
    ],
)
def test_features_alone_do_not_make_a_controller_a_function_of_its_candles(
    kind: Any, said: str, two_pairs: Market
) -> None:
    assert reason(two_pairs, lambda: config_for(kind)) == said

"""Features shared by points: the same to the last bit, and never where a difference could be seen."""

from __future__ import annotations

import asyncio
import gc
import random
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks.engine._base import Market, Outcome
from tasks.engine.bench_controllers import Bollinger, BollingerConfig
from tasks.engine.bench_market import PAIR, market_of, random_walk
from tasks.engine.compare import compare
from tasks.engine.fills import HonestSimulators
from tasks.engine.jump.engine import JumpEngine
from tasks.engine.jump.shared import SharedFeatures
from tasks.engine.stock import StockEngine
from tasks.upstream.module_state import ModuleState
from tasks.upstream.names import DirectionalTradingControllerBase


@pytest.fixture(scope="module")
def market() -> Market:
    return market_of(random_walk(400, seed=4, volatility=0.002))


def config(controller: type[Bollinger] = Bollinger, **values: Any) -> Any:
    chosen: Any = BollingerConfig
    if controller is not Bollinger:
        chosen = type("BollingerConfig", (BollingerConfig,), {"get_controller_class": lambda self: controller})
    common = {"id": "case", "connector_name": "binance_perpetual", "trading_pair": PAIR, "cooldown_time": 60}
    return chosen(**{**common, "total_amount_quote": Decimal(1000), "length": 20, "deviations": 1.0, **values})


def run(engine: Any, one: Any, market: Market) -> Outcome:
    random.seed(3)
    outcome: Outcome = asyncio.run(engine.run(one, market, curves=False))
    return outcome


def shares(market: Market, controller: type[Bollinger], first: dict[str, Any], second: dict[str, Any]) -> bool:
    """Whether the second point took the first one's features; both equal the stock engine's results either way."""
    shared = SharedFeatures()
    engine = JumpEngine(shared=shared)
    for values in (first, second):
        found = run(engine, config(controller, **values), market)
        assert compare(run(StockEngine(), config(controller, **values), market), found) == []
        assert len(found.executors) > 0
    return shared.hits > 0


def test_points_that_differ_only_in_how_they_trade_share_their_features(market: Market) -> None:
    first, second = {"stop_loss": "0.01"}, {"stop_loss": "0.003", "take_profit": "0.002", "id": "other"}
    assert shares(market, Bollinger, first, second)


def test_points_that_differ_in_what_the_indicators_read_do_not(market: Market) -> None:
    assert not shares(market, Bollinger, {"length": 20}, {"length": 21})
    assert not shares(market, Bollinger, {"deviations": 1.0}, {"deviations": 1.5})


class ReadsWhenMade(Bollinger):
    def __init__(self, config: Any, *args: Any, **kwargs: Any) -> None:
        self.factor = 1 + config.cooldown_time / 60
        super().__init__(config, *args, **kwargs)

    async def update_processed_data(self) -> None:
        await super().update_processed_data()
        self.processed_data["features"]["signal"] *= -1 if self.factor > 2 else 1


class ReadsOnOneRoad(Bollinger):
    async def update_processed_data(self) -> None:
        await super().update_processed_data()
        if self.config.leverage > 10:
            self.processed_data["features"]["signal"] *= -1 if self.config.cooldown_time > 60 else 1


class DumpsConfig(Bollinger):
    async def update_processed_data(self) -> None:
        await super().update_processed_data()
        self.processed_data["features"]["signal"] *= -1 if self.config.model_dump()["cooldown_time"] > 60 else 1


class LooksIntoVars(Bollinger):
    async def update_processed_data(self) -> None:
        await super().update_processed_data()
        self.processed_data["features"]["signal"] *= -1 if vars(self.config)["cooldown_time"] > 60 else 1


class ReadsWithItsFeeds(Bollinger):
    def get_candles_config(self) -> Any:
        self.sign = -1 if self.config.cooldown_time > 60 else 1
        return super().get_candles_config()

    async def update_processed_data(self) -> None:
        await super().update_processed_data()
        self.processed_data["features"]["signal"] *= self.sign


@pytest.mark.parametrize("controller", [ReadsWhenMade, ReadsOnOneRoad, DumpsConfig, LooksIntoVars, ReadsWithItsFeeds])
def test_every_way_of_reading_a_field_is_seen(market: Market, controller: type[Bollinger]) -> None:
    assert not shares(market, controller, {"leverage": 20}, {"leverage": 20, "cooldown_time": 120})


def test_a_field_read_on_a_road_not_taken_counts_for_nothing(market: Market) -> None:
    assert shares(market, ReadsOnOneRoad, {"leverage": 5}, {"leverage": 5, "cooldown_time": 120})


class ChangesWhatItRead(Bollinger):
    def __init__(self, config: Any, *args: Any, **kwargs: Any) -> None:
        self.sign = -1 if config.cooldown_time > 60 else 1
        config.cooldown_time = 60
        super().__init__(config, *args, **kwargs)

    async def update_processed_data(self) -> None:
        await super().update_processed_data()
        self.processed_data["features"]["signal"] *= self.sign


class KeepsState(Bollinger):
    async def update_processed_data(self) -> None:
        await super().update_processed_data()
        self.rows = len(self.processed_data["features"])

    def determine_executor_actions(self) -> Any:
        return super().determine_executor_actions() if self.rows else []


class FillsAList(Bollinger):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.seen: list[int] = []

    async def update_processed_data(self) -> None:
        await super().update_processed_data()
        self.seen.append(len(self.processed_data["features"]))

    def determine_executor_actions(self) -> Any:
        return super().determine_executor_actions() if self.seen else []


class KeepsAnObject(Bollinger):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.window = np.lib.stride_tricks.sliding_window_view
        self.helper = object()


class ThrowsDice(Bollinger):
    async def update_processed_data(self) -> None:
        await super().update_processed_data()
        self.processed_data["features"]["noise"] = random.random()


class ThrowsNumpysDice(Bollinger):
    async def update_processed_data(self) -> None:
        await super().update_processed_data()
        np.random.seed(1)
        self.processed_data["features"]["noise"] = np.random.rand()


class ChangesItsConfig(Bollinger):
    async def update_processed_data(self) -> None:
        await super().update_processed_data()
        self.config.cooldown_time = 240


@pytest.mark.parametrize(
    "controller",
    [ChangesWhatItRead, KeepsState, FillsAList, KeepsAnObject, ThrowsDice, ThrowsNumpysDice, ChangesItsConfig],
)
def test_a_controller_whose_sharing_could_be_seen_is_not_shared(market: Market, controller: type[Bollinger]) -> None:
    assert not shares(market, controller, {}, {"cooldown_time": 120})


class WithNotes(Bollinger):
    """What it notes while it trades, it finds in its data."""

    def __init__(self, config: Any, *args: Any, **kwargs: Any) -> None:
        self.notes: list[float] = []
        super().__init__(config, *args, **kwargs)

    async def update_processed_data(self) -> None:
        await super().update_processed_data()
        self.lay_down(self.processed_data)

    def lay_down(self, data: dict[str, Any]) -> None:
        data["notes"] = self.notes

    def found(self) -> Any:
        return self.processed_data["notes"]

    def determine_executor_actions(self) -> Any:
        self.notes.append(self.market_data_provider.time())
        return super().determine_executor_actions() if len(self.found()) > 200 else []


class WithNotesInside(WithNotes):
    def lay_down(self, data: dict[str, Any]) -> None:
        data["notes"] = {"inside": (1, [self.notes])}

    def found(self) -> Any:
        return self.processed_data["notes"]["inside"][1][0]


class WithItselfInside(WithNotes):
    def lay_down(self, data: dict[str, Any]) -> None:
        data["notes"] = self

    def found(self) -> Any:
        return self.processed_data["notes"].notes


class WithItsMethodInside(WithNotes):
    def lay_down(self, data: dict[str, Any]) -> None:
        data["notes"] = self.mine

    def mine(self) -> Any:
        return self.notes

    def found(self) -> Any:
        return self.processed_data["notes"]()


class WithAFunctionInside(WithNotes):
    def lay_down(self, data: dict[str, Any]) -> None:
        data["notes"] = lambda: self.notes

    def found(self) -> Any:
        return self.processed_data["notes"]()


class WithListsInCells(Bollinger):
    async def update_processed_data(self) -> None:
        await super().update_processed_data()
        features = self.processed_data["features"]
        features["notes"] = [[] for _ in range(len(features))]

    def determine_executor_actions(self) -> Any:
        notes = self.processed_data["features"]["notes"].iloc[0]
        notes.append(1)
        return super().determine_executor_actions() if len(notes) > 200 else []


@pytest.mark.parametrize(
    "controller",
    [WithNotes, WithNotesInside, WithItselfInside, WithItsMethodInside, WithAFunctionInside, WithListsInCells],
)
def test_data_that_no_copy_stands_for_is_not_shared(market: Market, controller: type[Bollinger]) -> None:
    shared = SharedFeatures()
    engine = JumpEngine(shared=shared)
    for stop_loss in ("0.01", "0.003"):
        found = run(engine, config(controller, stop_loss=stop_loss), market)
        assert found.results == run(StockEngine(), config(controller, stop_loss=stop_loss), market).results
        assert len(found.executors) > 0
    assert shared.hits == 0


class WithPlainData(Bollinger):
    async def update_processed_data(self) -> None:
        await super().update_processed_data()
        features = self.processed_data["features"]
        features["side"] = ["long" if signal > 0 else None for signal in features["signal"]]
        features["side"] = features["side"].fillna("none")
        self.processed_data["levels"] = {"low": [1.0, Decimal(2)], "close": features["close"].to_numpy(copy=True)}
        self.processed_data["table"] = features.tail(5).copy()


def test_plain_data_of_all_kinds_is_shared(market: Market) -> None:
    assert shares(market, WithPlainData, {"stop_loss": "0.01"}, {"stop_loss": "0.003"})


class WritesTimes(Bollinger):
    """Moves a candle's time while it trades."""

    def determine_executor_actions(self) -> Any:
        self.processed_data["features"].index.to_numpy()[-1] += 0.001
        return super().determine_executor_actions()


def test_who_writes_into_the_times_of_its_features_runs_on_the_stock_engine(market: Market) -> None:
    shares(market, WritesTimes, {"stop_loss": "0.01"}, {"stop_loss": "0.003"})  # both equal to stock's
    engine = JumpEngine(HonestSimulators(maker_cost=0.0002, taker_cost=0.0005), SharedFeatures())
    first, second = (run(engine, config(WritesTimes), market).results for _ in range(2))
    assert first == second


class SpoilsItsFrame(Bollinger):
    """Writes into its features while it trades: the next point must not see it."""

    def determine_executor_actions(self) -> Any:
        actions = super().determine_executor_actions()
        self.processed_data["features"].loc[:, "signal"] = 0
        return actions


def test_what_one_point_writes_into_its_features_no_other_sees(market: Market) -> None:
    shared = SharedFeatures()
    engine = JumpEngine(shared=shared)
    run(engine, config(SpoilsItsFrame), market)
    found = run(engine, config(SpoilsItsFrame), market)
    fresh = run(JumpEngine(), config(SpoilsItsFrame), market)
    assert compare(fresh, found) == []


class RearrangesWhenItEnds(Bollinger):
    """Changes all of its frame but the values, unless its stop is wide."""

    get_executor_config = DirectionalTradingControllerBase.get_executor_config

    def __del__(self) -> None:
        if self.config.stop_loss > Decimal("0.02"):
            return
        features = self.processed_data["features"]
        features.index.name, features.columns.name = "spoiled", "spoiled"
        features.attrs["spoiled"] = True
        features.drop(columns=["signal", "close"], inplace=True)
        features.insert(0, "spoiled", 1.0)
        self.processed_data["spoiled"] = True


def test_how_one_point_rearranges_its_frame_no_other_sees(market: Market) -> None:
    shared = SharedFeatures()
    engine = JumpEngine(shared=shared)
    for stop_loss in ("0.01", "0.005"):
        run(engine, config(RearrangesWhenItEnds, stop_loss=stop_loss), market)
        gc.collect()
    found = run(engine, config(RearrangesWhenItEnds, stop_loss="0.03"), market).processed_data
    fresh = run(JumpEngine(), config(RearrangesWhenItEnds, stop_loss="0.03"), market).processed_data
    assert shared.hits == 2
    assert list(found) == list(fresh)
    pd.testing.assert_frame_equal(found["features"], fresh["features"])
    assert found["features"].columns.name is None
    assert not found["features"].attrs


class WritesWhenItEnds(Bollinger):
    """All it opens is its base class's doing; it spoils its features when it is gone."""

    get_executor_config = DirectionalTradingControllerBase.get_executor_config

    def __del__(self) -> None:
        self.processed_data["features"]["signal"] = 0
        self.processed_data["features"].loc[:, "close"] = 1.0


def test_what_a_point_writes_when_it_has_ended_no_other_sees(market: Market) -> None:
    shared = SharedFeatures()
    engine = JumpEngine(shared=shared)
    for stop_loss in ("0.01", "0.005", "0.003"):
        values = {"stop_loss": stop_loss}
        found = run(engine, config(WritesWhenItEnds, **values), market)
        gc.collect()
        assert found.results == run(StockEngine(), config(**values), market).results
    assert shared.hits == 2


class WritesCandles(Bollinger):
    """With honest fills, what a controller writes into the candles that are still to come counts."""

    def get_executor_config(self, trade_type: Any, price: Decimal, amount: Decimal) -> Any:
        features = self.processed_data["features"]
        features.loc[features.index > self.market_data_provider.time(), "close"] *= 1.0005
        return DirectionalTradingControllerBase.get_executor_config(self, trade_type, price, amount)


def test_honest_fills_of_a_point_do_not_depend_on_the_one_before(market: Market) -> None:
    shared = SharedFeatures()
    engine = JumpEngine(simulators=HonestSimulators(maker_cost=0.0002, taker_cost=0.0005), shared=shared)
    first, second = (run(engine, config(WritesCandles), market).results for _ in range(2))
    assert shared.hits == 1
    assert first == second


def test_another_market_has_features_of_its_own(market: Market) -> None:
    shared = SharedFeatures()
    engine = JumpEngine(shared=shared)
    run(engine, config(), market)
    other = replace(market, shift=1)
    assert compare(run(JumpEngine(), config(), other), run(engine, config(), other)) == []
    assert shared.hits == 0


def test_memory_is_bounded_and_the_oldest_goes_first(market: Market) -> None:
    one = SharedFeatures()
    run(JumpEngine(shared=one), config(), market)
    size = next(iter(one._kept.values())).size
    shared = SharedFeatures(limit=2 * size)
    engine = JumpEngine(shared=shared)
    for length in (20, 21, 22, 20, 22):
        run(engine, config(length=length), market)
    assert shared.hits == 1
    assert len(shared._kept) == 2

    small = SharedFeatures(limit=2 * size, largest=size - 1)
    for _ in range(2):
        run(JumpEngine(shared=small), config(), market)
    assert not small._kept


def test_it_knows_which_fields_features_depend_on(market: Market) -> None:
    shared = SharedFeatures()
    run(JumpEngine(shared=shared), config(), market)
    assert {"length", "deviations"} <= shared.names()
    assert not {"stop_loss", "cooldown_time", "id"} & shared.names()


def test_the_class_of_a_config_is_left_as_it_was(market: Market) -> None:
    run(JumpEngine(shared=SharedFeatures()), config(), market)
    assert "__getattribute__" not in vars(BollingerConfig)
    assert "__setattr__" not in vars(BollingerConfig)


def test_a_controller_that_leaves_something_in_its_modules_is_not_shared(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = {"stop_loss": "0.01"}, {"stop_loss": "0.003"}
    assert shares(market, Bollinger, *points)
    monkeypatch.setattr(ModuleState, "unchanged", lambda self: False)
    assert not shares(market, Bollinger, *points)

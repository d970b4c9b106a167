"""Features shared by points: the same to the last bit, and never where a difference could be seen."""

from __future__ import annotations

import asyncio
import decimal
import gc
import os
import random
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.workloads.controllers import Bollinger, BollingerConfig
from benchmarks.workloads.market import PAIR, market_of, random_walk
from tasks.engine._base import Market, Outcome
from tasks.engine.compare import compare
from tasks.engine.fills import FillRules
from tasks.engine.jump.engine import JumpEngine
from tasks.engine.jump.shared import SharedFeatures
from tasks.engine.stock import StockEngine
from tasks.errors import ControllerError
from tasks.isolation.module_state import ModuleState
from tasks.isolation.process_state import ProcessState
from tasks.upstream.names import DirectionalTradingControllerBase


@pytest.fixture(scope="module")
def market() -> Market:
    return market_of(random_walk(110, seed=4, volatility=0.002))


def config(controller: type[Bollinger] = Bollinger, **values: Any) -> Any:
    chosen: Any = BollingerConfig
    if controller is not Bollinger:
        chosen = type("BollingerConfig", (BollingerConfig,), {"get_controller_class": lambda self: controller})
    common = {"id": "case", "connector_name": "binance_perpetual", "trading_pair": PAIR, "cooldown_time": 60}
    return chosen(**{**common, "total_amount_quote": Decimal(1000), "length": 20, "deviations": 1.0, **values})


def run(engine: Any, one: Any, market: Market) -> Outcome:
    random.seed(3)
    process_state = ProcessState.now()
    outcome: Outcome = asyncio.run(engine.run(one, market, curves=False))
    process_state.put_back()
    return outcome


def shares(market: Market, controller: type[Bollinger], first: dict[str, Any], second: dict[str, Any]) -> bool:
    """Whether the second point took the first one's features; both equal the stock engine's results either way."""
    shared = SharedFeatures(proofs=0)
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


class FillsAListInAFunction(Bollinger):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        seen: list[int] = []
        self.note, self.seen = lambda one: seen.append(one), lambda: seen

    async def update_processed_data(self) -> None:
        await super().update_processed_data()
        self.note(1)

    def determine_executor_actions(self) -> Any:
        return super().determine_executor_actions() if self.seen() else []


class Tracker:
    def __init__(self) -> None:
        self.seen: list[int] = []

    def note(self, one: int) -> None:
        self.seen.append(one)

    def noted(self) -> list[int]:
        return self.seen


class FillsAnotherObject(FillsAListInAFunction):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        tracker = Tracker()
        self.note, self.seen = tracker.note, tracker.noted


class FillsAListByItsMethod(FillsAListInAFunction):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        seen: list[int] = []
        self.note, self.seen = seen.append, seen.copy


class FillsAQueue(FillsAListInAFunction):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.queue: asyncio.Queue[int] = asyncio.Queue()

    async def update_processed_data(self) -> None:
        await Bollinger.update_processed_data(self)
        self.queue.put_nowait(1)

    def determine_executor_actions(self) -> Any:
        return Bollinger.determine_executor_actions(self) if self.queue.qsize() else []


class LeavesItWithTheProvider(Bollinger):
    def holder(self) -> Any:
        return self.market_data_provider

    async def update_processed_data(self) -> None:
        await super().update_processed_data()
        self.holder().left = 1

    def determine_executor_actions(self) -> Any:
        return super().determine_executor_actions() if "left" in vars(self.holder()) else []


class LeavesItWithTheConnector(LeavesItWithTheProvider):
    def holder(self) -> Any:
        return self.market_data_provider.get_connector(self.config.connector_name)


class LeavesItInTheEnvironment(Bollinger):
    async def update_processed_data(self) -> None:
        await super().update_processed_data()
        os.environ["LEFT"] = os.environ.get("LEFT", "") + "1"


class RoundsCoarsely(Bollinger):
    async def update_processed_data(self) -> None:
        await super().update_processed_data()
        decimal.getcontext().prec = 9


@pytest.mark.parametrize(
    "controller",
    [
        *(ChangesWhatItRead, KeepsState, FillsAList, KeepsAnObject, ThrowsDice, ThrowsNumpysDice, ChangesItsConfig),
        *(FillsAListInAFunction, FillsAnotherObject, FillsAListByItsMethod, FillsAQueue, LeavesItWithTheProvider),
        *(LeavesItWithTheConnector, LeavesItInTheEnvironment, RoundsCoarsely),
    ],
)
def test_a_controller_whose_sharing_could_be_seen_is_not_shared(market: Market, controller: type[Bollinger]) -> None:
    assert not shares(market, controller, {}, {"cooldown_time": 120})


class Halving(BollingerConfig):
    """Derives a value from its fields before anybody listens."""

    def model_post_init(self, context: Any) -> None:
        object.__setattr__(self, "half", self.length // 2)

    @cached_property
    def double(self) -> int:
        return self.length * 2

    def get_controller_class(self) -> Any:
        return ReadsTheHalf


class ReadsTheHalf(Bollinger):
    async def update_processed_data(self) -> None:
        await super().update_processed_data()
        features = self.processed_data["features"]
        features["signal"] = np.sign(features["close"].diff(self.derived()).fillna(0))

    def derived(self) -> int:
        return int(self.config.half)


class Doubling(Halving):
    def get_controller_class(self) -> Any:
        return ReadsTheDouble


class Touching(Doubling):
    def model_post_init(self, context: Any) -> None:
        self.double  # noqa: B018


class ReadsTheDouble(ReadsTheHalf):
    def derived(self) -> int:
        return int(self.config.double) // 2


@pytest.mark.parametrize("kind", [Halving, Doubling, Touching])
def test_what_a_config_derived_from_its_fields_is_not_taken_for_none_of_them(
    market: Market, kind: type[BollingerConfig]
) -> None:
    shared = SharedFeatures(proofs=0)
    engine = JumpEngine(shared=shared)
    common = {"id": "case", "connector_name": "binance_perpetual", "trading_pair": PAIR}
    for values in ({"length": 20}, {"length": 40}, {"length": 20, "cooldown_time": 240}):
        found = run(engine, kind(**common, **values), market)
        assert compare(run(StockEngine(), kind(**common, **values), market), found) == []
    assert shared.hits == 0


class ReadsUnheard(Bollinger):
    async def update_processed_data(self) -> None:
        await super().update_processed_data()
        if object.__getattribute__(self.config, "cooldown_time") > 100:
            self.processed_data["features"]["signal"] *= -1


def test_a_field_counts_when_points_that_differ_in_it_have_derived_the_same(market: Market) -> None:
    shared = SharedFeatures(proofs=2)
    engine = JumpEngine(shared=shared)
    hits = []
    for values in ({}, {"stop_loss": "0.1"}, {"stop_loss": "0.2"}, {"stop_loss": "0.3"}, {"cooldown_time": 5}):
        run(engine, config(**values), market)
        hits.append(shared.hits)
    assert hits == [0, 0, 0, 1, 1]


def test_a_field_read_unheard_is_found_by_what_comes_out(market: Market) -> None:
    shared = SharedFeatures(proofs=1)
    engine = JumpEngine(shared=shared)
    for cooldown_time in (60, 120, 60, 120):
        values = {"cooldown_time": cooldown_time}
        found = run(engine, config(ReadsUnheard, **values), market)
        assert compare(run(StockEngine(), config(ReadsUnheard, **values), market), found) == []
    assert shared.hits == 0


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
        return super().determine_executor_actions() if len(self.found()) > 80 else []


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
        return super().determine_executor_actions() if len(notes) > 80 else []


@pytest.mark.parametrize(
    "controller",
    [WithNotes, WithNotesInside, WithItselfInside, WithItsMethodInside, WithAFunctionInside, WithListsInCells],
)
def test_data_that_no_copy_stands_for_is_not_shared(market: Market, controller: type[Bollinger]) -> None:
    shared = SharedFeatures(proofs=0)
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


@pytest.fixture
def written_in_place() -> Iterator[None]:
    """Without copy-on-write, which pandas_ta turns on for the process: with it pandas refuses such a controller."""
    with pd.option_context("mode.copy_on_write", False):
        yield


@pytest.mark.usefixtures("written_in_place")
def test_who_writes_into_the_times_of_its_features_runs_on_the_stock_engine(market: Market) -> None:
    shares(market, WritesTimes, {"stop_loss": "0.01"}, {"stop_loss": "0.003"})  # both equal to stock's
    engine = JumpEngine(FillRules(maker_cost=0.0002, taker_cost=0.0005), SharedFeatures(proofs=0))
    first, second = (run(engine, config(WritesTimes), market).results for _ in range(2))
    assert first == second


class SpoilsItsFrame(Bollinger):
    """Writes into its features while it trades: the next point must not see it."""

    def determine_executor_actions(self) -> Any:
        actions = super().determine_executor_actions()
        self.processed_data["features"].loc[:, "signal"] = 0
        return actions


def test_what_one_point_writes_into_its_features_no_other_sees(market: Market) -> None:
    shared = SharedFeatures(proofs=0)
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
    shared = SharedFeatures(proofs=0)
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
    shared = SharedFeatures(proofs=0)
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
    shared = SharedFeatures(proofs=0)
    engine = JumpEngine(fills=FillRules(maker_cost=0.0002, taker_cost=0.0005), shared=shared)
    first, second = (run(engine, config(WritesCandles), market).results for _ in range(2))
    assert shared.hits == 1
    assert first == second


def test_another_market_has_features_of_its_own(market: Market) -> None:
    shared = SharedFeatures(proofs=0)
    engine = JumpEngine(shared=shared)
    run(engine, config(), market)
    other = replace(market, shift=1)
    assert compare(run(JumpEngine(), config(), other), run(engine, config(), other)) == []
    assert shared.hits == 0


def test_memory_is_bounded_and_the_oldest_goes_first(market: Market) -> None:
    one = SharedFeatures(proofs=0)
    run(JumpEngine(shared=one), config(), market)
    size = next(iter(one._kept.values())).size
    shared = SharedFeatures(limit=2 * size, proofs=0)
    engine = JumpEngine(shared=shared)
    for length in (20, 21, 22, 20, 22):
        run(engine, config(length=length), market)
    assert shared.hits == 1
    assert len(shared._kept) == 2

    small = SharedFeatures(limit=2 * size, largest=size - 1, proofs=0)
    for _ in range(2):
        run(JumpEngine(shared=small), config(), market)
    assert not small._kept


def test_it_knows_which_fields_features_depend_on(market: Market) -> None:
    shared = SharedFeatures(proofs=0)
    run(JumpEngine(shared=shared), config(), market)
    assert {"length", "deviations"} <= shared.names()
    assert not {"stop_loss", "cooldown_time", "id"} & shared.names()


def test_the_class_of_a_config_is_left_as_it_was(market: Market) -> None:
    run(JumpEngine(shared=SharedFeatures(proofs=0)), config(), market)
    assert "__getattribute__" not in vars(BollingerConfig)
    assert "__setattr__" not in vars(BollingerConfig)


def test_a_controller_that_leaves_something_in_its_modules_is_not_shared(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = {"stop_loss": "0.01"}, {"stop_loss": "0.003"}
    assert shares(market, Bollinger, *points)
    monkeypatch.setattr(ModuleState, "unchanged", lambda self: False)
    assert not shares(market, Bollinger, *points)


class ReplacesAColumn(Bollinger):
    def change(self, features: pd.DataFrame) -> None:
        features["close"] = features["close"] * 1.1

    def determine_executor_actions(self) -> Any:
        if self.market_data_provider.time() == self.market_data_provider.start_time + 100 * 60:
            self.change(self.processed_data["features"])
        return super().determine_executor_actions()


class SortsBackwards(ReplacesAColumn):
    def change(self, features: pd.DataFrame) -> None:
        features.sort_index(ascending=False, inplace=True)


class DropsAColumn(ReplacesAColumn):
    def change(self, features: pd.DataFrame) -> None:
        features.drop(columns=["volume"], inplace=True)


class ReplacesTheIndex(ReplacesAColumn):
    def change(self, features: pd.DataFrame) -> None:
        features.index = features.index + 1


class ReplacesTheFrame(ReplacesAColumn):
    def change(self, features: pd.DataFrame) -> None:
        self.processed_data["features"] = features * 1.1


class AddsAColumn(ReplacesAColumn):
    def change(self, features: pd.DataFrame) -> None:
        features["more"] = 1.0


@pytest.mark.parametrize(
    ("controller", "engine"),
    [
        *((kind, "stock") for kind in (ReplacesAColumn, SortsBackwards, DropsAColumn, ReplacesTheIndex)),
        (ReplacesTheFrame, "stock"),
        (AddsAColumn, "step"),
    ],
)
def test_who_bends_its_features_while_it_trades_runs_on_the_stock_engine(
    market: Market, controller: type[Bollinger], engine: str
) -> None:
    def outcome(of: Any) -> Any:
        try:
            return run(of, config(controller), market)
        except ControllerError as error:
            return str(error)

    stock, found = outcome(StockEngine()), outcome(JumpEngine(shared=SharedFeatures(proofs=0)))
    if isinstance(stock, str):
        assert found == stock
    else:
        assert found.engine == engine
        assert compare(stock, found) == []


class ChangesItsFeeds(Bollinger):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.met = []

    def feeds(self) -> list[pd.DataFrame]:
        return list(self.market_data_provider.candles_feeds.values())

    async def update_processed_data(self) -> None:
        for feed in self.feeds():
            self.met += [column for column in feed.columns if column == "ma"]
            feed["ma"] = feed["close"].rolling(self.config.length).mean()
            feed.loc[:, "close"] = feed["close"] * 1.01
        assert not self.met
        await super().update_processed_data()


class ChangesItsFeedsByName(ChangesItsFeeds):
    def feeds(self) -> list[pd.DataFrame]:
        provider = self.market_data_provider
        return [provider.candles_feeds[key] for key in provider.candles_feeds]


@pytest.mark.parametrize("controller", [ChangesItsFeeds, ChangesItsFeedsByName])
def test_what_one_point_makes_of_its_feeds_no_other_sees(market: Market, controller: type[Bollinger]) -> None:
    before = {key: feed.copy() for key, feed in market.feeds.items()}
    engine = JumpEngine(shared=SharedFeatures(proofs=0))
    for length in (20, 40, 20):
        found = run(engine, config(controller, length=length), market)
        assert compare(run(StockEngine(), config(controller, length=length), market), found) == []
    for key, feed in market.feeds.items():
        pd.testing.assert_frame_equal(feed, before[key])

"""What a controller under the future_mask can reach, and what it has back afterwards."""

import gc
import weakref
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from tasks.engine._base import Market
from tasks.engine.audit.future_mask import FutureMask

START = 1_704_067_200
KEY = "binance_perpetual_BTC-USDT"


def feed(rows: int, seconds: int) -> pd.DataFrame:
    times = START + float(seconds) * np.arange(rows)
    return pd.DataFrame({"timestamp": times, "close": np.arange(rows, dtype=float)})


def blinded() -> tuple[FutureMask, Any]:
    feeds = {f"{KEY}_1m": feed(60, 60), f"{KEY}_3m": feed(20, 180)}
    market = Market(
        feeds=feeds, trading_rules={}, start=START, end=START + 3540, resolution="1m", trade_cost=0.0, shift=1,
        warmup=True,
    )  # fmt: skip
    close = feeds[f"{KEY}_1m"]["close"]
    stamped = feeds[f"{KEY}_1m"].set_index("timestamp")
    controller = SimpleNamespace(
        market_data_provider=SimpleNamespace(candles_feeds=dict(feeds)),
        processed_data={"features": stamped, "signal": 1},
        series=stamped["close"],
        dated=close.set_axis(pd.to_datetime(feeds[f"{KEY}_1m"]["timestamp"], unit="s", utc=True)),
        array=close.to_numpy(),
        numbers=close.tolist(),
        bare=pd.DataFrame({"close": close}),
        executors_info=[],
        name="it",
    )
    return FutureMask(market), controller


def test_everything_with_a_time_ends_at_the_row_and_comes_back() -> None:
    future_mask, controller = blinded()
    before = (
        dict(vars(controller)),
        dict(controller.processed_data),
        dict(controller.market_data_provider.candles_feeds),
    )
    for row in (0, 10, 59):
        with future_mask.on(controller, START + 60.0 * row):
            feeds = controller.market_data_provider.candles_feeds
            assert len(feeds[f"{KEY}_1m"]) == row + 1
            assert len(feeds[f"{KEY}_3m"]) == (row + 1) // 3  # what has closed when the row closes
            held = [controller.series, controller.dated, controller.array, controller.numbers, controller.bare]
            assert {len(value) for value in [*held, controller.processed_data["features"]]} == {row + 1}
            assert controller.name == "it"
    after = vars(controller), controller.processed_data, controller.market_data_provider.candles_feeds
    for was, is_now in zip(before, after, strict=True):
        assert all(is_now[name] is value for name, value in was.items())


def test_what_the_controller_puts_there_itself_stays() -> None:
    future_mask, controller = blinded()
    with future_mask.on(controller, START + 600.0):
        controller.series = None
        controller.processed_data["features"] = "its own"
    assert controller.series is None
    assert controller.processed_data["features"] == "its own"


def test_a_list_that_grows_as_long_as_a_table_is_no_table() -> None:
    future_mask, controller = blinded()
    with future_mask.on(controller, START):
        pass
    controller.executors_info.extend(range(20))  # as many as there are candles of 3m
    controller.fresh = list(range(60))
    with future_mask.on(controller, START + 60.0):
        assert len(controller.executors_info) == 20
        assert len(controller.fresh) == 60


def test_a_table_made_anew_at_every_row_is_not_kept() -> None:
    future_mask, controller = blinded()
    made = []
    for row in range(5):
        controller.fresh_table = feed(60, 60)
        made.append(weakref.ref(controller.fresh_table))
        with future_mask.on(controller, START + 60.0 * row):
            assert len(controller.fresh_table) == row + 1
    gc.collect()
    assert [table() is None for table in made] == [True, True, True, True, False]

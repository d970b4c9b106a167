"""A scenario's market: what a window holds and what it cannot reach, noise on candles, everything a candle later."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.workloads.market import START, market_of, random_walk
from tasks.candles.formats import CandleFile, candle_file
from tasks.candles.resample import slice_for
from tasks.engine._base import Market
from tasks.engine.jitter import jittered
from tasks.engine.scenarios import market_of as market_under
from tasks.intervals import interval_seconds
from tasks.protocol.messages import FeedNeed, Kind, SweepDefinition
from tasks.protocol.scenario import PLAIN, Scenario

PAIR = "binance_perpetual_BTC-USDT"
INTERVALS = ("1m", "3m", "1h")
WARMUP = {"1m": 5, "3m": 100, "1h": 30}
HOUR = 3600
#: candles begin here; the period two days later
PERIOD = (START + 48 * HOUR, START + 96 * HOUR)


def resampled(minutes: pd.DataFrame, interval: str) -> pd.DataFrame:
    stamp = minutes["timestamp"] // interval_seconds(interval) * interval_seconds(interval)
    how = {"timestamp": "first", "open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    return minutes.groupby(stamp, sort=True).agg(how).reset_index(drop=True)


MINUTES = random_walk(120 * 60, seed=4)
FEEDS = {f"{PAIR}_{interval}": resampled(MINUTES, interval) for interval in INTERVALS}


def definition(**changes: Any) -> SweepDefinition:
    fields: dict[str, Any] = {
        "sweep": "s-1",
        "kind": Kind.RUN,
        "controller": {},
        "grid": {"a": [1, 2]},
        "start": PERIOD[0],
        "end": PERIOD[1],
        "resolution": "1m",
        "trade_cost": 0.0006,
        "engine": "jump",
        "shift": 1,
        "fills": "stock",
        "warmup": True,
        "point_timeout_s": 60,
        "seed": 1,
        "warmup_candles": {f"{PAIR}_{interval}": count for interval, count in WARMUP.items()},
    }
    return SweepDefinition(**{**fields, **changes})


def sliced(start: float, end: float) -> dict[str, pd.DataFrame]:
    """The feeds as a sweep over this period gets them: from the warm-up before it to its end."""
    found = {}
    for feed, frame in FEEDS.items():
        interval = feed.rpartition("_")[2]
        first = start - WARMUP[interval] * interval_seconds(interval)
        inside = (frame["timestamp"] >= first) & (frame["timestamp"] <= end)
        found[feed] = frame[inside].reset_index(drop=True)
    return found


def market(about: SweepDefinition, feeds: dict[str, pd.DataFrame] | None = None) -> Market:
    whole = market_of(MINUTES)
    return dataclasses.replace(
        whole,
        feeds=feeds or sliced(about.start, about.candles_end or about.end),
        start=about.start,
        end=about.end,
        shift=about.shift,
        warmup=True,
    )


def under(scenario: Scenario, **changes: Any) -> Market:
    about = definition(**changes)
    return market_under(market(about), scenario, scenario.applied(about))


@given(first=st.integers(0, 40), length=st.integers(1, 40), before=st.sampled_from([0, 1, 17, 60]))
def test_nothing_after_a_windows_end_can_be_reached_from_its_market(first: int, length: int, before: int) -> None:
    about = definition()
    whole = market(about)
    end = min(PERIOD[0] + (first + length) * HOUR, PERIOD[1]) - before * 60
    scenario = Scenario(start=PERIOD[0] + first * HOUR, end=end)
    if end <= PERIOD[0] + first * HOUR:
        return
    found = market_under(whole, scenario, scenario.applied(about))
    assert (found.start, found.end) == (scenario.start, end)
    for feed, frame in found.feeds.items():
        seconds = interval_seconds(feed.rpartition("_")[2])
        assert frame["timestamp"].max() <= end
        assert isinstance(frame.index, pd.RangeIndex)
        assert frame.index[0] == 0
        if end < PERIOD[1]:
            # a candle's high, low and close are known when it closes: at the end of the window's last minute at most
            assert frame["timestamp"].max() + seconds <= end + 60
            for column in frame.columns:
                assert not np.shares_memory(frame[column].to_numpy(), whole.feeds[feed][column].to_numpy())


@given(first=st.integers(0, 40), length=st.integers(1, 20))
def test_a_window_holds_what_a_plain_sweep_over_it_would_hold(first: int, length: int) -> None:
    start = PERIOD[0] + first * HOUR
    end = min(start + length * HOUR, PERIOD[1]) - 60
    found = under(Scenario(start=start, end=end))
    for feed, expected in sliced(start, end).items():
        pd.testing.assert_frame_equal(found.feeds[feed], expected)


def test_a_window_holds_what_the_slicer_cuts_for_a_sweep_over_it(tmp_path: Any) -> None:
    path = tmp_path / "candles_binance_perpetual_BTC-USDT_1m.csv"
    MINUTES.to_csv(path, index=False)
    files: list[CandleFile] = [candle_file(path)]
    start, end = PERIOD[0] + 7 * HOUR, PERIOD[0] + 20 * HOUR - 60

    def cut(first: int, last: int) -> dict[str, pd.DataFrame]:
        needs = [FeedNeed("binance_perpetual", "BTC-USDT", each, WARMUP[each]) for each in INTERVALS]
        return {need.key: slice_for(need, files, first, last).table.to_pandas() for need in needs}

    about = definition()
    scenario = Scenario(start=start, end=end)
    found = market_under(market(about, cut(*PERIOD)), scenario, scenario.applied(about))
    for feed, expected in cut(start, end).items():
        pd.testing.assert_frame_equal(found.feeds[feed], expected)


def test_the_plain_sweep_does_not_hold_its_holdout() -> None:
    about = definition(end=PERIOD[1] - 24 * HOUR - 60, candles_end=PERIOD[1])
    whole = market(about)
    assert whole.feeds[f"{PAIR}_1m"]["timestamp"].max() == PERIOD[1]
    found = market_under(whole, PLAIN, about)
    for feed, frame in found.feeds.items():
        assert frame["timestamp"].max() <= about.end
        assert not np.shares_memory(frame["close"].to_numpy(), whole.feeds[feed]["close"].to_numpy())
    held = Scenario(start=PERIOD[1] - 24 * HOUR, end=PERIOD[1])
    last = market_under(whole, held, held.applied(about))
    assert last.feeds[f"{PAIR}_1m"]["timestamp"].max() == PERIOD[1]


def test_the_plain_sweep_maps_its_candles_without_a_copy() -> None:
    about = definition()
    whole = market(about)
    found = market_under(whole, PLAIN, about)
    assert all(found.feeds[feed] is frame for feed, frame in whole.feeds.items())


def test_a_start_moved_by_hours_keeps_the_warmup_and_the_end() -> None:
    found = under(Scenario(start=PERIOD[0] + 6 * HOUR, end=PERIOD[1]))
    frame = found.feeds[f"{PAIR}_3m"]
    assert frame["timestamp"].iloc[0] == PERIOD[0] + 6 * HOUR - 100 * 180
    assert frame["timestamp"].iloc[-1] == PERIOD[1]


def test_a_delay_holds_back_controllers_that_shift_for_themselves_too() -> None:
    found = under(Scenario(delay=1))
    assert (found.shift, found.delay) == (2, 1)
    assert under(PLAIN).delay == 0


class TestJitter:
    def test_candles_stay_candles(self) -> None:
        for frame in jittered(FEEDS, 2.0, 7).values():
            body_high, body_low = frame[["open", "close"]].max(axis=1), frame[["open", "close"]].min(axis=1)
            assert (frame["high"] >= body_high).all()
            assert (frame["low"] <= body_low).all()
            assert (frame["low"] > 0).all()

    def test_it_is_the_same_for_the_same_seed_and_no_frame_is_changed(self) -> None:
        before = {feed: frame.copy() for feed, frame in FEEDS.items()}
        first, again, other = (jittered(FEEDS, 0.1, seed) for seed in (7, 7, 8))
        for feed, frame in FEEDS.items():
            pd.testing.assert_frame_equal(frame, before[feed])
            pd.testing.assert_frame_equal(first[feed], again[feed])
            assert not first[feed]["close"].equals(other[feed]["close"])

    def test_it_moves_prices_by_the_share_of_the_range_at_most(self) -> None:
        old, new = MINUTES, jittered({f"{PAIR}_1m": MINUTES}, 0.25, 7)[f"{PAIR}_1m"]
        size = (new["close"] - old["close"]).abs() / (old["high"] - old["low"]).replace(0.0, np.nan)
        assert size.max() <= 0.25 + 1e-9
        assert size.mean() == pytest.approx(0.125, rel=0.05)
        assert new["volume"].equals(old["volume"])

    def test_coarser_feeds_are_made_of_the_finest_again(self) -> None:
        found = jittered(FEEDS, 0.1, 7)
        expected = resampled(found[f"{PAIR}_1m"], "1h")
        prices = ["open", "high", "low", "close"]
        pd.testing.assert_frame_equal(found[f"{PAIR}_1h"][prices], expected[prices])

    def test_a_candle_that_the_finest_feed_does_not_cover_gets_noise_of_its_own(self) -> None:
        feeds = {f"{PAIR}_1m": MINUTES.iloc[3000:].reset_index(drop=True), f"{PAIR}_1h": FEEDS[f"{PAIR}_1h"]}
        found = jittered(feeds, 0.1, 7)[f"{PAIR}_1h"]
        assert (found["close"].iloc[:50] != FEEDS[f"{PAIR}_1h"]["close"].iloc[:50]).all()

    def test_a_market_under_jitter_is_noisy_in_its_window_too(self) -> None:
        whole = under(Scenario(jitter=0.1)).feeds[f"{PAIR}_1m"]
        part = under(Scenario(start=PERIOD[0] + HOUR, end=PERIOD[1], jitter=0.1)).feeds[f"{PAIR}_1m"]
        assert not whole["close"].equals(sliced(*PERIOD)[f"{PAIR}_1m"]["close"])
        joined = whole.merge(part, on="timestamp")
        assert len(joined) == len(part)
        assert joined["close_x"].equals(joined["close_y"])


def test_a_noise_world_permutes_series_and_funding_with_the_candles() -> None:
    about = definition()
    times = np.arange(PERIOD[0] - 24 * HOUR, PERIOD[1], 4 * HOUR, dtype=np.float64)
    mood = pd.DataFrame({"timestamp": times, "value": np.arange(len(times), dtype=np.float64)})
    plain = dataclasses.replace(market(about), series={"mood": mood}, funding={"BTC-USDT": mood.to_numpy().tolist()})
    world = market_under(plain, Scenario(noise=1), Scenario(noise=1).applied(about))
    told = world.series["mood"]
    assert (told["timestamp"] == mood["timestamp"]).all()
    assert sorted(told["value"]) == sorted(mood["value"])
    assert (told["value"] != mood["value"]).mean() > 0.5
    assert world.funding["BTC-USDT"] == told.to_numpy().tolist()
    same = market_under(plain, PLAIN, about)
    assert same.series == plain.series
    assert same.funding == plain.funding

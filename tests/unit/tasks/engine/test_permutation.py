"""A world of permuted candles has the same candles in another order, and nothing that could be foreseen."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.workloads.market import START, random_walk
from tasks.engine.permutation import PRICES, permuted, permuted_rates, permuted_rows
from tasks.errors import CandlesError

DAY = 86400
FEED = "binance_perpetual_BTC-USDT_1m"
#: warm-up of 500 minutes, then three days, then a hold-out of one
PERIOD = START + 500 * 60
END = PERIOD + 3 * DAY - 60


def candles(seed: int = 0, rows: int = 500 + 4 * 1440) -> pd.DataFrame:
    frame = random_walk(rows, seed=seed, tick=1e-6)
    # a gap between the close and the next open
    frame["open"] = frame["open"] * (1 + 0.0001 * np.sin(np.arange(rows)))
    frame["high"] = frame[["open", "high", "close"]].max(axis=1)
    frame["low"] = frame[["open", "low", "close"]].min(axis=1)
    return frame


def shapes(frame: pd.DataFrame) -> np.ndarray:
    logs = np.log(frame[PRICES].to_numpy())
    return np.sort((logs - logs[:, :1])[:, 3])


def resampled(frame: pd.DataFrame, minutes: int) -> pd.DataFrame:
    bucket = frame["timestamp"] // (60 * minutes) * (60 * minutes)
    return (
        frame.groupby(bucket)
        .agg({"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"})
        .reset_index()
    )


def test_first_and_last_price_and_every_candles_shape_stay() -> None:
    frame = candles()
    world = permuted({FEED: frame}, 1, 7, PERIOD, END)[FEED]
    inside = (frame["timestamp"] >= PERIOD) & (frame["timestamp"] <= END)
    old, new = frame[inside], world[inside]
    assert new["open"].iloc[0] == pytest.approx(old["open"].iloc[0])
    assert new["close"].iloc[-1] == pytest.approx(old["close"].iloc[-1])
    np.testing.assert_allclose(shapes(new), shapes(old), atol=1e-9)
    assert sorted(new["volume"]) == sorted(old["volume"])
    assert (world["timestamp"] == frame["timestamp"]).all()
    assert not np.allclose(new["close"], old["close"])


def test_candles_are_candles() -> None:
    world = permuted({FEED: candles()}, 2, 7, PERIOD, END)[FEED]
    assert (world["high"] >= world[["open", "close"]].max(axis=1) * (1 - 1e-12)).all()
    assert (world["low"] <= world[["open", "close"]].min(axis=1) * (1 + 1e-12)).all()


def test_nothing_after_the_period_is_looked_at() -> None:
    frame = candles()
    changed = frame.copy()
    changed.loc[changed["timestamp"] > END, PRICES] *= 3
    one, other = (permuted({FEED: each}, 1, 7, PERIOD, END)[FEED] for each in (frame, changed))
    before = frame["timestamp"] <= END
    pd.testing.assert_frame_equal(one[before], other[before])


def test_the_same_world_is_the_same_and_another_is_another() -> None:
    frame = candles()
    one, again, other = (permuted({FEED: frame}, world, 7, PERIOD, END)[FEED] for world in (1, 1, 2))
    pd.testing.assert_frame_equal(one, again)
    assert not np.allclose(one["close"], other["close"])
    assert not np.allclose(permuted({FEED: frame}, 1, 8, PERIOD, END)[FEED]["close"], one["close"])


def test_what_happens_within_a_day_can_no_longer_be_foreseen() -> None:
    rows = 500 + 4 * 1440
    frame = candles()
    # every candle goes back half of the one before
    moves = np.random.default_rng(3).normal(0, 0.001, rows)
    moves[1:] -= 0.5 * moves[:-1]
    close = 30000 * np.exp(np.cumsum(moves))
    frame["close"], frame["open"] = close, np.append(30000, close[:-1])
    frame["high"], frame["low"] = frame[["open", "close"]].max(axis=1), frame[["open", "close"]].min(axis=1)

    def foreseen(one: pd.DataFrame) -> float:
        steps = np.diff(np.log(one["close"].to_numpy()[500 : 500 + 3 * 1440]))
        return float(np.corrcoef(steps[1:], steps[:-1])[0, 1])

    assert foreseen(frame) < -0.3
    assert abs(foreseen(permuted({FEED: frame}, 1, 7, PERIOD, END)[FEED])) < 0.06


def test_quiet_days_stay_quiet() -> None:
    frame = candles()
    middle = START + DAY
    for name in ("high", "close", "low", "open"):
        quiet = (frame["timestamp"] >= middle) & (frame["timestamp"] < middle + DAY)
        first = frame.loc[quiet, "open"].iloc[0]
        frame.loc[quiet, name] = first + (frame.loc[quiet, name] - first) * 0.01
    world = permuted({FEED: frame}, 1, 7, START + DAY, START + 4 * DAY - 60)[FEED]
    inside = world[(world["timestamp"] >= START + DAY) & (world["timestamp"] < START + 4 * DAY)]
    by_day = np.log(inside["close"] / inside["open"]).groupby(inside["timestamp"] // DAY).std()
    assert by_day.min() < 0.05 * by_day.max()


def test_a_longer_feed_is_built_from_the_finest_and_joins_on_to_it() -> None:
    frame = candles()
    long = resampled(frame, 15)
    # warm-up that the finest feed does not reach
    early = resampled(candles(5, 3000), 15).iloc[:100].copy()
    early["timestamp"] = long["timestamp"].iloc[0] - 900 * np.arange(100, 0, -1)
    both = pd.concat([early, long], ignore_index=True)
    feeds = {"binance_perpetual_BTC-USDT_15m": both, FEED: frame}
    world = permuted(feeds, 1, 7, PERIOD, END)
    assert list(world) == list(feeds)
    made, fine = world["binance_perpetual_BTC-USDT_15m"], world[FEED]
    expected = resampled(fine[fine["timestamp"] <= END], 15)
    got = made[made["timestamp"].isin(expected["timestamp"])].reset_index(drop=True)
    np.testing.assert_allclose(got[["timestamp", *PRICES, "volume"]], expected[["timestamp", *PRICES, "volume"]])
    assert made["close"].iloc[99] == pytest.approx(fine["open"].iloc[0])


def test_markets_with_the_same_times_are_permuted_together() -> None:
    frame = candles()
    twin = frame.copy()
    twin[PRICES] *= 2.0
    world = permuted({FEED: frame, "kucoin_BTC-USDT_1m": twin}, 1, 7, PERIOD, END)
    before = frame["timestamp"] <= END
    np.testing.assert_allclose(world["kucoin_BTC-USDT_1m"][PRICES][before], 2 * world[FEED][PRICES][before])


def test_the_frames_given_are_not_changed() -> None:
    frame = candles()
    kept = frame.copy()
    permuted({FEED: frame}, 1, 7, PERIOD, END)
    pd.testing.assert_frame_equal(frame, kept)


def test_a_price_of_zero_is_refused_with_the_feeds_name() -> None:
    frame = candles()
    frame.loc[600, "low"] = 0.0
    with pytest.raises(CandlesError, match=f"{FEED} has prices that are not above 0"):
        permuted({FEED: frame}, 1, 7, PERIOD, END)


@pytest.mark.parametrize("rows", [0, 1, 2, 3])
def test_a_feed_of_hardly_any_candles_stays_a_feed(rows: int) -> None:
    frame = candles(rows=600).iloc[:rows]
    assert len(permuted({FEED: frame}, 1, 7, START, END)[FEED]) == rows


def mood(rows_a_day: int = 3, *, days: int = 40) -> tuple[pd.DataFrame, int, int]:
    """A series with warm-up of five days, a period and five days after it; first and last moment of the period."""
    start = START // DAY * DAY + 5 * DAY
    count = (days + 10) * rows_a_day
    times = start - 5 * DAY + np.arange(count) * (DAY / rows_a_day)
    frame = pd.DataFrame(
        {"timestamp": times, "value": np.arange(count, dtype=np.float64), "word": [*map(str, range(count))]}
    )
    return frame, start, start + days * DAY - 60


def test_rows_of_a_series_come_in_another_order_within_the_period_and_within_the_warm_up() -> None:
    frame, start, end = mood()
    made = permuted_rows(frame, 1, 7, start, end)
    assert (made["timestamp"] == frame["timestamp"]).all()
    assert (made["word"] == made["value"].astype(int).astype(str)).all()
    for part in (frame["timestamp"] < start, (frame["timestamp"] >= start) & (frame["timestamp"] <= end)):
        assert sorted(made["value"][part]) == sorted(frame["value"][part])
        assert (made["value"][part] != frame["value"][part]).mean() > 0.5
    after = frame["timestamp"] > end
    assert (made["value"][after] == frame["value"][after]).all()
    pd.testing.assert_frame_equal(made, permuted_rows(frame, 1, 7, start, end))
    assert not made.equals(permuted_rows(frame, 2, 7, start, end))
    assert frame.equals(mood()[0])


@pytest.mark.parametrize("rows_a_day", [1, 3])
def test_the_days_of_a_series_move_as_the_days_of_the_candles(rows_a_day: int) -> None:
    """A series that says how wild each day was says so in every world, and no longer says where its candles went."""
    _, start, end = mood()
    candle = random_walk(50 * 1440, seed=1)
    candle["timestamp"] = start - 5 * DAY + 60.0 * np.arange(50 * 1440)
    candle["volume"] = candle["timestamp"] // DAY
    series, _, _ = mood(rows_a_day)
    series["value"] = series["timestamp"] // DAY
    world = permuted({FEED: candle}, 3, 7, start, end)[FEED]
    told = permuted_rows(series, 3, 7, start, end)
    of_candles = world.groupby(world["timestamp"] // DAY)["volume"].first()
    inside = told[(told["timestamp"] >= start) & (told["timestamp"] <= end)]
    assert (inside["value"].to_numpy() == of_candles[inside["timestamp"] // DAY].to_numpy()).all()
    assert (inside["value"] != inside["timestamp"] // DAY).mean() > 0.8


def test_days_without_rows_do_not_move_the_others() -> None:
    frame, start, end = mood(1)
    some = frame[frame["value"] % 3 != 2]  # the first and the last day of the period have none
    assert some["timestamp"][some["timestamp"] >= start].iloc[0] > start + DAY - 1
    whole, part = (permuted_rows(each, 1, 7, start, end) for each in (frame, some))
    order = [value for value in whole["value"] if value % 3 != 2]
    inside = (some["timestamp"] >= start).to_numpy() & (some["timestamp"] <= end).to_numpy()
    kept = [value for value in order if value in set(some["value"][inside])]
    assert part["value"][inside].tolist() == kept


def test_rows_of_one_moment_stay_together_and_the_next_payment_as_far_ahead() -> None:
    frame, start, end = mood(2)
    pairs = pd.concat([frame.assign(pair=pair) for pair in ("BTC", "ETH", "SOL")])
    pairs = pairs[(pairs["pair"] != "SOL") | (pairs["value"] % 4 == 0)].sort_values("timestamp", kind="stable")
    pairs["next_funding_utc_timestamp"] = pairs["timestamp"] + 3600 + pairs["value"]
    made = permuted_rows(pairs.reset_index(drop=True), 1, 7, start, end)
    groups = made.groupby("timestamp")
    assert (groups["value"].nunique() == 1).all()
    for _, rows in groups:
        assert rows["pair"].tolist() == (["BTC", "ETH", "SOL"] if rows["value"].iloc[0] % 4 == 0 else ["BTC", "ETH"])
    np.testing.assert_allclose(made["next_funding_utc_timestamp"] - made["timestamp"], 3600 + made["value"])


def test_funding_rates_come_in_another_order_and_add_up_to_the_same() -> None:
    frame, start, end = mood()
    rates = frame[["timestamp", "value"]].to_numpy().tolist()
    made = permuted_rates(rates, 1, 7, start, end)
    assert [at for at, _ in made] == [at for at, _ in rates]
    assert sorted(rate for _, rate in made) == sorted(rate for _, rate in rates)
    assert made != rates
    assert permuted_rates([], 1, 7, start, end) == []
    assert permuted_rates([[start, 0.1]], 1, 7, start, end) == [[start, 0.1]]


@given(st.lists(st.floats(0, 30 * DAY), max_size=40), st.integers(0, 30 * DAY), st.integers(0, 20 * DAY))
def test_any_series_keeps_its_moments_and_its_rows(times: list[float], after: int, length: int) -> None:
    frame = pd.DataFrame({"timestamp": sorted(START + at for at in times), "value": np.arange(len(times), dtype=float)})
    made = permuted_rows(frame, 1, 7, START + after, START + after + length)
    assert len(made) == len(frame)
    assert set(made["timestamp"]) == set(frame["timestamp"])
    assert sorted(made["value"]) == sorted(frame["value"])

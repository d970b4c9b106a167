import numpy as np
import pytest

from tasks.candles.formats import find
from tasks.candles.resample import decimal_sums, resample, slice_for, sources_for
from tasks.candles.slicer import slice_file
from tasks.candles.slices import to_table
from tasks.errors import CandlesBroken, CandlesError, CandlesMissing, CandlesNotCovering
from tasks.intervals import interval_seconds
from tasks.protocol.messages import FeedNeed

from .conftest import MONDAY, candles, csv_lines


def need(interval: str, depth: int = 0) -> FeedNeed:
    return FeedNeed("binance", "BTC-USDT", interval, depth)


def slowly(columns, seconds: int):
    """Coarse candles one by one, sums in decimal arithmetic."""
    from decimal import Decimal

    rows = []
    times = columns["timestamp"]
    for open_time in sorted({time // seconds * seconds for time in times}):
        at = np.flatnonzero(times // seconds * seconds == open_time)
        row = {
            "timestamp": open_time,
            "open": columns["open"][at[0]],
            "high": max(columns["high"][at]),
            "low": min(columns["low"][at]),
            "close": columns["close"][at[-1]],
        }
        for name in list(columns)[5:]:
            row[name] = float(sum(Decimal(repr(float(value))) for value in columns[name][at]))
        rows.append(row)
    return rows


@pytest.mark.parametrize("interval", ["3m", "5m", "15m", "1h"])
def test_a_derived_feed_is_what_the_exchange_would_have_sent(interval: str) -> None:
    columns = candles(600, columns=10)
    derived = resample(to_table(columns), interval)
    assert derived.to_pylist() == slowly(columns, interval_seconds(interval))


def test_intervals_that_are_not_whole_are_left_out() -> None:
    columns = candles(10, start=MONDAY + 60)  # minutes 1 to 10
    first, until = MONDAY + 60, MONDAY + 11 * 60
    opens = resample(to_table(columns), "3m", first, until)["timestamp"].to_pylist()
    assert opens == [MONDAY + 180, MONDAY + 360]


def test_candles_missing_inside_an_interval_do_not_drop_it() -> None:
    columns = {name: np.delete(values, [3, 4]) for name, values in candles(9).items()}
    derived = resample(to_table(columns), "3m").to_pylist()
    assert [row["timestamp"] for row in derived] == [MONDAY, MONDAY + 180, MONDAY + 360]
    assert derived[1]["open"] == columns["open"][3]


def test_weeks_begin_on_monday() -> None:
    columns = candles(20, 86400, start=MONDAY)
    assert resample(to_table(columns), "1w", MONDAY, MONDAY + 20 * 86400)["timestamp"].to_pylist() == [
        MONDAY,
        MONDAY + 7 * 86400,
    ]
    with pytest.raises(CandlesError, match="1M"):
        resample(to_table(columns), "1M")


@pytest.mark.parametrize(
    ("values", "total"),
    [
        ([0.1, 0.2], 0.3),
        ([0.7, 0.1, 0.1], 0.9),
        ([1e15, 0.1], 1e15 + 0.1),
        ([2.0**53 - 1, 2.0], 2.0**53),
    ],
)
def test_sums_are_those_of_decimals(values: list[float], total: float) -> None:
    assert decimal_sums(np.array(values), np.array([0])).tolist() == [total]


def test_a_derived_slice_equals_one_from_a_file_of_that_interval(write, tmp_path) -> None:
    columns = candles(3000, columns=10)
    write(columns)
    derived = slice_for(need("5m", 20), find(tmp_path), MONDAY + 30_000, MONDAY + 90_000)
    coarse = resample(to_table(columns), "5m")
    direct = slice_file(
        write({name: coarse[name].to_numpy() for name in coarse.column_names}, "candles_okx_BTC-USDT_5m.csv"),
        MONDAY + 30_000,
        MONDAY + 90_000,
        20,
    )
    assert (derived.digest, derived.lead, derived.interval) == (direct.digest, direct.lead, "5m")


def test_the_last_candle_is_left_out_when_its_end_is_not_there(write, tmp_path) -> None:
    write(candles(101))  # minutes 0 to 100
    piece = slice_for(need("3m", 0), find(tmp_path), MONDAY, MONDAY + 100 * 60)
    assert piece.last == MONDAY + 96 * 60  # 99 to 101 is not whole


def test_its_own_file_goes_before_the_coarsest_finer_one(write, tmp_path) -> None:
    for seconds, interval in ((1, "1s"), (60, "1m"), (180, "3m"), (300, "5m"), (900, "15m")):
        write(candles(50, seconds), f"candles_binance_BTC-USDT_{interval}.csv")
    write(candles(50), "candles_okx_BTC-USDT_1m.csv")

    def intervals(of: str) -> list[str]:
        return [parts[0].interval for parts in sources_for(need(of), find(tmp_path))]

    assert intervals("5m") == ["5m", "1m", "1s"]
    assert intervals("1h") == ["15m", "5m", "3m", "1m", "1s"]
    assert intervals("1M") == []


def test_a_file_that_does_not_cover_gives_way_to_a_finer_one(write, tmp_path) -> None:
    write(candles(10, 300), "candles_binance_BTC-USDT_5m.csv")
    write(candles(1000), "candles_binance_BTC-USDT_1m.csv")
    assert len(slice_for(need("5m"), find(tmp_path), MONDAY, MONDAY + 30_000)) == 101
    with pytest.raises(CandlesNotCovering, match=r"_5m\.csv"):
        slice_for(need("5m"), find(tmp_path), MONDAY, MONDAY + 300_000)


def test_two_files_of_one_feed_must_agree(write, tmp_path) -> None:
    columns = candles(100)
    write(columns)
    other = write({name: values[:80] for name, values in columns.items()}, "more/candles_binance_BTC-USDT_1m.csv")
    assert len(slice_for(need("1m"), find(tmp_path), MONDAY, MONDAY + 4000)) == 67
    write([line.replace(",100,", ",101,") for line in csv_lines(columns)], "more/candles_binance_BTC-USDT_1m.csv")
    with pytest.raises(CandlesBroken, match="differ; keep one of them") as caught:
        slice_for(need("1m"), find(tmp_path), MONDAY, MONDAY + 4000)
    assert str(other.path) in str(caught.value)


def test_dated_parts_of_the_dashboard_serve_a_sweep(write, tmp_path) -> None:
    columns = candles(2880)
    for day in (0, 1):
        part = {name: values[1440 * day : 1440 * day + 1440] for name, values in columns.items()}
        write(part, f"binance_BTC-USDT_2024010{day + 1}_2024010{day + 1}.csv")
    piece = slice_for(need("15m", 4), find(tmp_path), MONDAY + 80_000, MONDAY + 90_000, "error")
    assert len(piece) == 16
    assert piece.lead == 4


def test_a_missing_feed_says_what_is_there_and_what_to_do(write, tmp_path) -> None:
    write(candles(10), "candles_okx_ETH-USDT_1h.csv")
    with pytest.raises(CandlesMissing) as caught:
        slice_for(need("1m"), find(tmp_path), MONDAY, MONDAY + 60)
    for word in ("binance BTC-USDT 1m", "okx ETH-USDT 1h", "candles_binance_BTC-USDT_1m.csv", "hummingsweep sync"):
        assert word in str(caught.value)


def test_gaps_are_filled_before_candles_are_derived(write, tmp_path) -> None:
    lines = csv_lines(candles(100))
    write(lines[:31] + lines[35:])  # minutes 30 to 33
    warned = slice_for(need("3m"), find(tmp_path), MONDAY, MONDAY + 5000)
    filled = slice_for(need("3m"), find(tmp_path), MONDAY, MONDAY + 5000, "fill")
    assert warned.gaps[0].missing == 4
    assert len(filled) == len(warned) + 1  # 30 to 32 is missing altogether

from pathlib import Path

import numpy as np
import pytest

from tasks.candles import formats
from tasks.candles.formats import Layout, candle_file, find
from tasks.errors import CandlesError, CandlesMissing
from tasks.intervals import interval_seconds
from tasks.times import iso

from .conftest import candles


@pytest.mark.parametrize(
    ("name", "connector", "pair", "interval", "layout"),
    [
        ("candles_binance_BTC-USDT_1m.csv", "binance", "BTC-USDT", "1m", Layout.HUMMINGBOT),
        (
            "candles_binance_perpetual_1000PEPE-USDT_15m.csv.gz",
            "binance_perpetual",
            "1000PEPE-USDT",
            "15m",
            "hummingbot",
        ),
        ("candles_gate_io_perpetual_kPEPE-USDC_1M.parquet", "gate_io_perpetual", "kPEPE-USDC", "1M", "hummingbot"),
        ("binance_perpetual|DOGE-USDT|1m.parquet", "binance_perpetual", "DOGE-USDT", "1m", Layout.QUANTS_LAB),
        ("quants_lab_okx_perpetual_ETH-USDT_4h.parquet", "okx_perpetual", "ETH-USDT", "4h", Layout.QUANTS_LAB),
    ],
)
def test_names_say_connector_pair_and_interval(
    name: str, connector: str, pair: str, interval: str, layout: str
) -> None:
    file = candle_file(Path(name))
    assert file is not None
    assert (file.connector, file.pair, file.interval, file.layout) == (connector, pair, interval, layout)
    assert file.key == f"{connector}_{pair}_{interval}"


@pytest.mark.parametrize(
    "name", ["candles.csv", "candles_binance_BTCUSDT_1m.csv", "notes.md", "BTCUSDT-1m-2024-01.zip"]
)
def test_other_names_are_not_candle_files(name: str) -> None:
    assert candle_file(Path(name)) is None


@pytest.mark.parametrize(("seconds", "interval"), [(1, "1s"), (60, "1m"), (180, "3m"), (3600, "1h"), (86400, "1d")])
def test_the_interval_of_the_dashboards_files_is_their_spacing(write, seconds: int, interval: str) -> None:
    columns = candles(20, seconds)
    columns["timestamp"] = columns["timestamp"] * 1000
    file = write(columns, "binance_perpetual_BTC-USDT_20240101_20240102.csv")
    assert (file.connector, file.pair, file.interval, file.dated) == ("binance_perpetual", "BTC-USDT", interval, True)


def test_find_looks_one_folder_deep_and_at_no_hidden_file(write, tmp_path: Path) -> None:
    write(candles(2))
    write(candles(2), "sub/candles_okx_ETH-USDT_1m.csv")
    for name in (".candles_okx_A-B_1m.csv", "README.md"):
        (tmp_path / name).write_text("x")
    assert [file.key for file in find(tmp_path)] == ["binance_BTC-USDT_1m", "okx_ETH-USDT_1m"]
    with pytest.raises(CandlesMissing, match="no such candle folder"):
        find(tmp_path / "nowhere")


def test_real_files_are_found(shared_data: Path) -> None:
    assert {file.key for file in find(shared_data)} == {
        "binance_perpetual_BTC-USDT_1m",
        "coinbase_BTC-USD_1s",
        "binance_perpetual_DOGE-USDT_1m",
    }


@pytest.mark.parametrize(
    ("time", "scale"), [(1704067200, 1), (1694556000000.0, 1e3), (1735689600000000, 1e6), (1735689600000000000, 1e9)]
)
def test_the_unit_is_told_from_the_size(time: float, scale: float) -> None:
    assert formats.scale_of(time) == scale
    assert formats.scales_of(np.array([time])).tolist() == [scale]


def test_iso_times() -> None:
    assert formats.parse_time('"2024-01-01 00:00:00"') == formats.parse_time("2024-01-01T02:00:00+02:00") == 1704067200
    assert iso(1704067200) == "2024-01-01T00:00:00Z"


@pytest.mark.parametrize("interval", ["", "m", "0m", "1x", "1", "-1m"])
def test_what_is_no_interval_is_refused(interval: str) -> None:
    with pytest.raises(CandlesError, match="not an interval"):
        interval_seconds(interval)


def test_weeks_begin_on_monday_and_long_candles_may_follow_a_venues_day() -> None:
    monday = np.array([1704067200.0])
    assert formats.first_off_grid(monday, "1w") is None
    assert formats.first_off_grid(monday + 30, "1m") == 0
    assert formats.first_off_grid(monday + 16 * 3600 + 86400 * np.arange(3.0), "1d") is None
    assert formats.first_off_grid(monday + np.array([0.0, 86400, 2 * 86400 + 60]), "1d") == 2

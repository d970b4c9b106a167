"""Finer candles for the fills: what of a candle folder becomes slices, and what is said of the rest."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from orchestrator.execution.fill_detail import finer_slices
from tasks.candles.formats import find
from tasks.protocol.messages import FeedNeed

START = 1_704_067_200
KEY = "binance_BTC-USDT_1s"
NEEDS = [FeedNeed("binance", "BTC-USDT", "1m", 20), FeedNeed("binance", "BTC-USDT", "1h", 20)]


def write(folder: Path, interval: str, first: int, rows: int) -> None:
    seconds = {"1s": 1, "1m": 60}[interval]
    lines = [f"{START + first + row * seconds},100,101,99,100,1" for row in range(rows)]
    header = "timestamp,open,high,low,close,volume"
    (folder / f"candles_binance_BTC-USDT_{interval}.csv").write_text("\n".join([header, *lines]) + "\n")


def found(folder: Path, **changes: Any) -> tuple[dict[str, list[float]], list[str]]:
    """Open times (seconds since START) of every slice that was made for an hour, and what was said."""
    keys = {"fill_detail": "1s", "fills": "honest", "resolution": "1m", "start": START}
    sweep: Any = SimpleNamespace(period=SimpleNamespace(end=START + 3600), **(keys | changes))
    blobs: dict[str, bytes] = {}

    def put(data: bytes) -> str:
        address = hashlib.sha256(data).hexdigest()
        blobs[address] = data
        return address

    said: list[str] = []
    addresses = finer_slices(sweep, NEEDS, find(folder), put, said.append)
    times = {
        key: pa.ipc.open_file(pa.py_buffer(blobs[address])).read_all().column("timestamp").to_pylist()
        for key, address in addresses.items()
    }
    return {key: [time - START for time in column] for key, column in times.items()}, said


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, "1m", -3600, 180)
    return tmp_path


def test_the_seconds_of_the_period_become_one_slice_per_traded_pair(folder: Path) -> None:
    write(folder, "1s", -600, 7200)
    slices, said = found(folder)
    assert list(slices) == [KEY]
    assert (slices[KEY][0], slices[KEY][-1], len(slices[KEY])) == (0, 3600, 3601)
    assert said == []


def test_seconds_of_a_part_are_taken_and_the_rest_is_said(folder: Path) -> None:
    write(folder, "1s", 1800, 900)
    slices, said = found(folder)
    assert (slices[KEY][0], slices[KEY][-1]) == (1800, 2699)
    assert said == [f"{KEY}: covers 25% of the period; elsewhere orders fill in candles of 1m"]


@pytest.mark.parametrize("first", [None, -7200, 7200])
def test_without_seconds_in_the_period_orders_fill_in_the_rows_and_that_is_said(
    folder: Path, first: int | None
) -> None:
    if first is not None:
        write(folder, "1s", first, 600)
    slices, said = found(folder)
    assert slices == {}
    assert said == [f"{KEY}: no candles in the period, so orders fill in the 1m candles"]


@pytest.mark.parametrize("changes", [{"fill_detail": ""}, {"fills": "stock"}])
def test_nobody_who_does_not_ask_gets_any(folder: Path, changes: dict[str, str]) -> None:
    write(folder, "1s", 0, 3600)
    assert found(folder, **changes) == ({}, [])

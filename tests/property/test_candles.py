"""A slice equals what a filter on the whole file gives, whatever the file and the period; faults never slip through."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.candles.csvmap import open_csv
from tasks.candles.formats import COLUMNS, CandleFile, candle_file
from tasks.candles.resample import resample
from tasks.candles.slicer import slice_file
from tasks.candles.slices import Columns, to_table
from tasks.errors import CandlesBroken, CandlesNotCovering
from tests.cases import cases

START = 1704067200
PRICES = st.floats(1e-8, 1e8, allow_nan=False)


@st.composite
def feeds(draw: st.DrawFn) -> Columns:
    """Up to 300 candles with gaps, of one minute, values of very different lengths."""
    count = draw(st.integers(1, 300))
    missing = draw(st.sets(st.integers(1, count), max_size=10))
    minutes = np.array([minute for minute in range(count + len(missing)) if minute not in missing], np.float64)
    seed = np.random.default_rng(draw(st.integers(0, 2**32)))
    digits = draw(st.integers(0, 17))
    columns: Columns = {"timestamp": START + 60 * minutes}
    for name in COLUMNS[1 : draw(st.sampled_from([6, 10]))]:
        # a price is above 0
        columns[name] = np.fmax(np.round(10 ** seed.uniform(-4, 9, len(minutes)), digits), 1e-4)
    return columns


def write(columns: Columns, folder: str, scale: int, encoding: str, rows: int) -> CandleFile:
    path = Path(folder) / f"candles_binance_BTC-USDT_1m.{encoding}"
    stamps = (columns["timestamp"] * scale).astype(np.int64)
    if encoding == "parquet":
        table = pa.table({**columns, "timestamp": stamps})
        pq.write_table(table, path, row_group_size=rows)
    else:
        lines = [",".join(columns)]
        others = [values for name, values in columns.items() if name != "timestamp"]
        for stamp, *values in zip(stamps, *others, strict=True):
            lines.append(",".join([str(stamp), *(repr(float(value)) for value in values)]))
        path.write_text("\n".join(lines) + "\n")
    file = candle_file(path)
    assert file is not None
    return file


@settings(max_examples=cases(150), deadline=None)
@given(
    feeds(),
    st.integers(-100, 20_000),
    st.integers(0, 20_000),
    st.integers(0, 50),
    st.sampled_from([1, 1000, 10**6]),
    st.sampled_from(["csv", "parquet"]),
    st.integers(1, 400),
)
def test_a_slice_equals_a_filter_of_the_whole(
    columns: Columns, offset: int, length: int, lead: int, scale: int, encoding: str, rows: int
) -> None:
    start, end = START + offset, START + offset + length
    times = columns["timestamp"]
    expected = (times >= start - 60 * lead) & (times <= end)
    with tempfile.TemporaryDirectory() as folder:
        file = write(columns, folder, scale, encoding, rows)
        try:
            piece = slice_file(file, start, end, lead)
        except CandlesNotCovering:
            assert times[0] > start or times[-1] + 60 < end or not expected.any()
            return
        assert times[0] <= start
        assert times[-1] + 60 >= end
        for name, values in columns.items():
            assert np.array_equal(piece.columns[name], values[expected]), name
        assert piece.lead == int((times[expected] < start).sum())
        everything = set(START + 60 * np.arange((times[-1] - START) // 60 + 1)) - set(times)
        missing = [time for time in everything if start - 60 * lead <= time <= end]
        told = [gap.after + 60 * n for gap in piece.gaps for n in range(1, gap.missing + 1)]
        assert set(missing) <= set(told) <= everything
        filled = slice_file(file, start, end, lead, gaps="fill")
        assert len(filled) == len(piece) + len(missing)


@settings(max_examples=cases(150), deadline=None)
@given(feeds(), st.floats(-1000, 30_000), st.sampled_from([1, 1000]))
def test_locating_finds_the_first_line_not_before_a_time(columns: Columns, offset: float, scale: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = write(columns, folder, scale, "csv", 1)
        mapped = open_csv(file.path)
        target = (START + offset) * scale
        at = mapped.locate(target)
        earlier = mapped.block(mapped.begin, at)["timestamp"].to_pylist()
        later = mapped.block(at, mapped.end)["timestamp"].to_pylist()
        assert [*earlier, *later] == (columns["timestamp"] * scale).tolist()
        assert all(time < target for time in earlier)
        assert all(time >= target for time in later)


@settings(max_examples=cases(150), deadline=None)
@given(feeds(), st.data(), st.sampled_from(["csv", "parquet"]))
def test_rows_out_of_order_in_the_period_are_never_served(columns: Columns, data: st.DataObject, encoding: str) -> None:
    count = len(columns["timestamp"])
    if count < 2:
        return
    one = data.draw(st.integers(0, count - 1))
    other = data.draw(st.integers(0, count - 1).filter(lambda place: place != one))
    kind = data.draw(st.sampled_from(["swap", "repeat", "NaN"]))
    spoilt = {name: values.copy() for name, values in columns.items()}
    for name, values in spoilt.items():
        if kind == "swap":
            values[[one, other]] = values[[other, one]]
        elif kind == "repeat":
            spoilt[name] = np.insert(values, one, values[one])
    if kind == "NaN":
        spoilt["close"][one] = math.nan
    times = columns["timestamp"]
    with tempfile.TemporaryDirectory() as folder:
        file = write(spoilt, folder, 1, encoding, 37)
        try:
            slice_file(file, times[0], times[-1])
        except CandlesBroken as error:
            assert str(file.path) in str(error)
            return
    raise AssertionError(f"{kind} was served")


@settings(max_examples=cases(100), deadline=None)
@given(feeds(), st.sampled_from(["3m", "5m", "15m", "1h"]))
def test_derived_candles_keep_what_must_be_kept(columns: Columns, interval: str) -> None:
    derived = resample(to_table(columns), interval)
    seconds = {"3m": 180, "5m": 300, "15m": 900, "1h": 3600}[interval]
    groups = columns["timestamp"] // seconds * seconds
    assert derived["timestamp"].to_pylist() == sorted(set(groups))
    for row in derived.to_pylist():
        rows = groups == row["timestamp"]
        assert row["open"] == columns["open"][rows][0]
        assert row["close"] == columns["close"][rows][-1]
        assert row["high"] == columns["high"][rows].max()
        assert row["low"] == columns["low"][rows].min()
        assert math.isclose(row["volume"], math.fsum(columns["volume"][rows]), rel_tol=1e-12)

"""Files as other programs leave them: read as they are meant, or refused; wrong candles are never served in silence."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.candles.check import examine
from tasks.candles.formats import CandleFile, candle_file, find
from tasks.candles.importer import import_feeds
from tasks.candles.slicer import default_cache, slice_file
from tasks.candles.slices import Columns
from tasks.candles.validation import contradiction, other_spacing
from tasks.errors import CandlesBroken, CandlesError, CandlesNotCovering
from tests.conftest import REPOSITORY

from .conftest import MONDAY, candles, csv_lines

PERIOD = MONDAY + 60 * 1000, MONDAY + 60 * 1100


def parquet_file(tmp_path: Path, table: pa.Table, **options: object) -> CandleFile:
    path = tmp_path / "candles_binance_BTC-USDT_1m.parquet"
    pq.write_table(table, path, row_group_size=100, **options)
    file = candle_file(path)
    assert file is not None
    return file


def plain(columns: Columns, path: Path) -> Path:
    path.write_text("\n".join(csv_lines(columns)) + "\n")
    return path


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", ["quoted after a byte order mark", "quoted comma before", "quoted comma after"])
def test_quotes(write, kind: str, packed: bool) -> None:
    columns = candles(2000)
    expected = slice_file(write(columns), *PERIOD)
    lines = csv_lines(columns)
    if kind == "quoted after a byte order mark":
        lines = [",".join(f'"{field}"' for field in line.split(",")) for line in lines]
        lines[0] = "\ufeff" + lines[0]
    elif kind == "quoted comma before":
        lines = ["note," + lines[0], *('"a,b",' + line for line in lines[1:])]
    else:
        lines = [lines[0] + ",note", *(line + ',"a,b"' for line in lines[1:])]
    file = write(lines)
    if packed:
        path = file.path.with_name(file.path.name + ".gz")
        path.write_bytes(gzip.compress(file.path.read_bytes()))
        file = candle_file(path)
    assert slice_file(file, *PERIOD, cache=file.path.parent / "cache").digest == expected.digest


def test_a_nested_column_before_the_times(write, tmp_path: Path) -> None:
    columns = candles(2000)
    expected = slice_file(write(columns), *PERIOD)
    # the second number inside looks like times of another week, and has their place when columns are counted
    nested = pa.array([{"a": 1, "b": MONDAY + 7 * 86400 + 60 * row} for row in range(2000)])
    assert slice_file(parquet_file(tmp_path, pa.table({"meta": nested, **columns})), *PERIOD).digest == expected.digest


@pytest.mark.parametrize("kind", ["date", "time of day", "duration"])
def test_times_of_a_type_that_is_no_moment(tmp_path: Path, kind: str) -> None:
    columns: dict[str, object] = {**candles(2000)}
    seconds = np.asarray(columns["timestamp"], np.int64)
    columns["timestamp"] = (
        pa.array(seconds // 86400, pa.int32()).cast(pa.date32())
        if kind == "date"
        else pa.array(seconds % 86400 * 10**6).cast(pa.time64("us"))
        if kind == "time of day"
        else pa.array(seconds).cast(pa.duration("s"))
    )
    file = parquet_file(tmp_path, pa.table(columns))
    with pytest.raises(CandlesBroken, match="there twice" if kind == "date" else "is no time"):
        slice_file(file, *PERIOD)
    assert not examine(file).sound


def test_days_as_dates(tmp_path: Path) -> None:
    columns: dict[str, object] = {**candles(100, 86400)}
    days = np.asarray(columns["timestamp"], np.int64) // 86400
    columns["timestamp"] = pa.array(days, pa.int32()).cast(pa.date32())
    path = tmp_path / "candles_binance_BTC-USDT_1d.parquet"
    pq.write_table(pa.table(columns), path)
    file = candle_file(path)
    assert file is not None
    assert len(slice_file(file, MONDAY + 86400 * 10, MONDAY + 86400 * 20)) == 11


@pytest.mark.parametrize("kind", ["decimal128", "decimal256", "dictionary"])
def test_decimals_are_the_numbers_they_are_written_as(tmp_path: Path, kind: str) -> None:
    columns = candles(2000)
    # one that Arrow's own cast rounds twice
    columns["high"][1050], columns["close"][1050] = 41879.7, 41879.7
    wide = pa.decimal256(38, 8) if kind == "decimal256" else pa.decimal128(18, 8)
    exact: dict[str, pa.Array] = {
        name: pa.array([Decimal(repr(float(value))) for value in values], wide) for name, values in columns.items()
    }
    if kind == "dictionary":
        exact = {name: values.dictionary_encode() for name, values in exact.items()}
    exact["timestamp"] = pa.array(columns["timestamp"])
    file = parquet_file(tmp_path, pa.table(exact))
    served = slice_file(file, *PERIOD).columns
    assert all((served[name] == values[1000:1101]).all() for name, values in columns.items())
    assert examine(file).sound


def test_bytes_a_disk_has_lost(tmp_path: Path) -> None:
    columns = candles(2000)
    file = parquet_file(tmp_path, pa.table(columns), compression=None, use_dictionary=False)
    data = bytearray(file.path.read_bytes())
    at = data.find(columns["volume"][1050:1060].tobytes())
    data[at : at + 80] = bytes(80)
    file.path.write_bytes(data)
    with pytest.raises(CandlesBroken, match="damaged: volume of row group 10"):
        slice_file(file, *PERIOD)
    assert "damaged" in [finding.kind for finding in examine(file).findings]


@pytest.mark.parametrize("value", [0.0, -5.0])
def test_what_is_no_price(write, value: float) -> None:
    columns = candles(2000)
    columns["low"][1050] = value
    with pytest.raises(CandlesBroken, match=r"line 1052: low is .*: no price"):
        slice_file(write(columns), *PERIOD)


def test_candles_that_contradict_themselves_are_said() -> None:
    columns: Columns = candles(100)
    assert contradiction(columns) == ""
    columns["high"][50] = columns["low"][50] - 1
    assert contradiction(columns).startswith("1 candles contradict themselves")
    assert "2024-01-01T00:50:00Z" in contradiction(columns)


def test_candles_of_another_interval_than_the_name_says(write) -> None:
    lines = csv_lines(candles(1000, 300))
    for content in (lines, lines[:300] + lines[310:]):  # as they are, and with a gap
        file = write(content)
        with pytest.raises(CandlesBroken, match="open 5m apart, its name says 1m"):
            slice_file(file, *PERIOD)
        found = [str(one) for one in examine(file).findings]
        assert found == ["error: other interval: its candles open 5m apart, its name says 1m"]
        with pytest.raises(CandlesBroken, match="open 5m apart, not 1m; give it the name"):
            import_feeds(file.path, file.path.parent / "to")
    with pytest.raises(CandlesNotCovering):
        slice_file(write(candles(10)), *PERIOD)


def test_months_are_28_to_31_days_apart(tmp_path: Path, write) -> None:
    moments = [datetime(2024, month, 1, tzinfo=UTC).timestamp() for month in (1, 2, 3, 4, 5, 8, 9)]
    months = candles(7) | {"timestamp": np.array(moments)}
    given = {"connector": "binance", "pair": "BTC-USDT", "interval": "1M"}
    assert import_feeds(plain(months, tmp_path / "months.csv"), tmp_path / "to", **given)[0].rows == 7
    (file,) = find(tmp_path / "to")
    assert examine(file).sound
    with pytest.raises(CandlesBroken, match="open 1m apart, not 1M"):
        import_feeds(plain(candles(100), tmp_path / "minutes.csv"), tmp_path / "to", **given)
    minutes = write(candles(100), "candles_binance_BTC-USDT_1M.csv")
    assert "other interval" in [finding.kind for finding in examine(minutes).findings]


def test_missing_candles_are_no_other_interval() -> None:
    grid = MONDAY + 60.0 * np.arange(1000)
    assert other_spacing(grid[np.random.default_rng(0).random(1000) < 0.05], "1m") == ""
    assert other_spacing(grid[[0, 2]], "1m") == ""
    assert other_spacing(grid[[0, 2, 6]], "1m") == ""
    assert other_spacing(grid[[0, 2, 4]], "1m") == ""  # too few to tell
    assert other_spacing(grid[0:30:2], "1m") == "2m"
    assert other_spacing(grid[[*range(0, 900, 2), 901]], "1m") == ""


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("gzip", "its name says .csv, but it looks compressed (gzip); unpack or convert it"),
        ("utf-16", "its name says .csv, but it looks like UTF-16, not UTF-8; unpack or convert it"),
        ("bytes", r"no column .* \(its first line says: \\x00\\x1b\[31m\ufffd"),
    ],
)
def test_bytes_are_not_written_to_the_terminal(write, kind: str, message: str) -> None:
    file = write(candles(100))
    text = file.path.read_text()
    content = {
        "gzip": gzip.compress(text.encode(), mtime=0),
        "utf-16": text.encode("utf-16"),
        "bytes": b"\x00\x1b[31m\xff" * 10 + b"\n" + text.encode(),
    }
    file.path.write_bytes(content[kind])
    pattern = message if kind == "bytes" else re.escape(message)
    with pytest.raises(CandlesBroken, match=pattern) as refused:
        slice_file(file, *PERIOD)
    (finding,) = examine(file).findings
    assert re.search(pattern, finding.first)
    assert str(refused.value).isprintable()
    assert finding.first.isprintable()


@pytest.mark.parametrize("fault", ["a file in its place", "no permission"])
def test_a_cache_that_cannot_be_written(write, tmp_path: Path, monkeypatch, fault: str) -> None:
    path = tmp_path / "candles_binance_BTC-USDT_1m.csv.gz"
    path.write_bytes(gzip.compress(write(candles(2000)).path.read_bytes()))
    cache = tmp_path / "cache"
    if fault == "no permission":
        monkeypatch.setattr("tempfile.mkstemp", denied)
    else:
        cache.write_text("")
    with pytest.raises(CandlesError, match=f"{cache}: .*cannot be converted into it .*make the folder writable"):
        slice_file(candle_file(path), *PERIOD, cache=cache)


def test_copies_are_kept_in_the_cache_folder_of_the_settings(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HUMMINGSWEEP_CACHE", str(tmp_path))
    assert default_cache() == tmp_path / "candles"


def denied(**_: object) -> None:
    raise PermissionError(13, "Permission denied")


def test_a_parquet_file_whose_columns_are_of_another_type_than_its_schema_says_does_not_end_the_process() -> None:
    """pyarrow asked for the statistics of such a column throws where none may: the command was gone, without a word.

    In a process of its own, which would be gone as well.
    """
    code = (
        "from tests.fuzz.doors import DOORS\n"
        "from tests.fuzz.explore import CORPUS\n"
        "door = next(door for door in DOORS if door.name == 'parquet')\n"
        "data = (CORPUS / 'parquet' / 'a-column-of-another-type').read_bytes()\n"
        "try:\n    door.enter(data)\nexcept door.may_raise as error:\n    assert str(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, check=False)
    assert done.returncode == 0, done.stderr

"""Slices out of CSV, gzip and Parquet; what is broken is named."""

import gzip
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.candles.csvmap import CsvMap, open_csv
from tasks.candles.formats import candle_file, find
from tasks.candles.slicer import slice_file, slice_files
from tasks.candles.slices import Slice
from tasks.errors import CandlesBroken, CandlesError, CandlesMissing, CandlesNotCovering

from .conftest import MONDAY, candles, csv_lines


def close(piece: Slice) -> list[float]:
    return piece.columns["close"].tolist()


def minutes(first: int, last: int) -> tuple[int, int]:
    return MONDAY + 60 * first, MONDAY + 60 * last


def test_a_slice_is_the_period_and_its_lead(write) -> None:
    columns = candles(500, columns=10)
    piece = slice_file(write(columns), *minutes(100, 200), 30)
    assert piece.table.column_names == list(columns)
    assert all(np.array_equal(piece.columns[name], columns[name][70:201]) for name in columns)
    assert (piece.lead, piece.gaps, piece.first, piece.last) == (30, (), MONDAY + 4200, MONDAY + 12000)


def test_the_lead_is_what_is_really_there(write) -> None:
    assert slice_file(write(candles(500)), *minutes(10, 20), 30).lead == 10


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("scale", [1, 1e3, 1e6, 1e9])
def test_every_unit_and_order_of_columns_gives_the_same_slice(write, scale: float, shuffled: bool) -> None:
    columns = candles(300)
    expected = slice_file(write(columns), *minutes(50, 60), 5)
    columns["timestamp"] = columns["timestamp"] * scale
    if shuffled:
        columns = {name: columns[name] for name in ("close", "volume", "timestamp", "low", "open", "high")}
        columns = {"unnamed": np.arange(300.0), **columns}
    file = write(["," + ",".join(list(columns)[1:]), *csv_lines(columns)[1:]] if shuffled else columns)
    assert slice_file(file, *minutes(50, 60), 5).digest == expected.digest


@pytest.mark.parametrize("kind", ["floats", "iso", "quoted", "crlf", "blank lines", "byte order mark"])
def test_ways_of_writing_a_csv(write, kind: str) -> None:
    columns = candles(300)
    expected = slice_file(write(columns), *minutes(50, 60))
    lines = csv_lines(columns)
    if kind == "floats":
        lines = [lines[0], *(line.replace(",", ".0,", 1) for line in lines[1:])]
    elif kind == "iso":
        stamps = [str(np.datetime64(int(time), "s")).replace("T", " ") for time in columns["timestamp"]]
        lines = [lines[0], *(f"{s},{line.split(',', 1)[1]}" for s, line in zip(stamps, lines[1:], strict=True))]
    elif kind == "quoted":
        lines = [",".join(f'"{field}"' for field in line.split(",")) for line in lines]
    elif kind == "crlf":
        lines = [line + "\r" for line in lines]
    elif kind == "blank lines":
        lines = [line for number, line in enumerate(lines) for line in ([line, ""] if number % 7 == 3 else [line])]
        lines += ["", ""]
    else:
        lines[0] = "\ufeff" + lines[0]
    assert slice_file(write(lines), *minutes(50, 60)).digest == expected.digest


@pytest.mark.parametrize("kind", ["plain", "quants-lab", "milliseconds", "datetimes", "no statistics", "small groups"])
def test_parquet_gives_the_slice_a_csv_gives(write, tmp_path: Path, kind: str) -> None:
    columns = candles(2000)
    expected = slice_file(write(columns), *minutes(1000, 1100), 20)
    table = pa.table(columns)
    moments = columns["timestamp"].astype("datetime64[s]").astype("datetime64[ns]")
    name, more = "candles_binance_BTC-USDT_1m.parquet", {}
    if kind == "quants-lab":
        name = "binance|BTC-USDT|1m.parquet"
        table = table.append_column("__index_level_0__", pa.array(moments))
    elif kind == "milliseconds":
        table = table.set_column(0, "timestamp", pa.array((columns["timestamp"] * 1000).astype(np.int64)))
    elif kind == "datetimes":
        table = table.set_column(0, "timestamp", pa.array(moments))
    elif kind == "no statistics":
        more = {"write_statistics": False}
    pq.write_table(table, tmp_path / name, row_group_size=100 if kind == "small groups" else None, **more)
    file = candle_file(tmp_path / name)
    assert file is not None
    assert slice_file(file, *minutes(1000, 1100), 20).digest == expected.digest


def test_only_the_row_groups_of_the_period_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "candles_binance_BTC-USDT_1m.parquet"
    pq.write_table(pa.table(candles(10_000)), path, row_group_size=100)
    read: list[int] = []
    real = pq.ParquetFile.read_row_groups

    def spy(self: pq.ParquetFile, groups: list[int], **more: object) -> pa.Table:
        read.extend(groups)
        return real(self, groups, **more)

    monkeypatch.setattr(pq.ParquetFile, "read_row_groups", spy)
    file = candle_file(path)
    assert file is not None
    assert len(slice_file(file, *minutes(5010, 5020))) == 11
    assert read == [50]


def test_a_compressed_csv_is_converted_once_and_again_when_it_changes(tmp_path: Path) -> None:
    path, cache, said = tmp_path / "candles_binance_BTC-USDT_1m.csv.gz", tmp_path / "cache", []
    columns = candles(3000)
    path.write_bytes(gzip.compress(("\n".join(csv_lines(columns)) + "\n").encode()))
    file = candle_file(path)
    assert file is not None
    pieces = [slice_file(file, *minutes(2000, 2100), 10, cache=cache, say=said.append) for _ in range(2)]
    assert close(pieces[0]) == close(pieces[1]) == columns["close"][1990:2101].tolist()
    assert len(said) == 1
    assert path.name in said[0]
    columns["close"] = columns["close"] + 1
    path.write_bytes(gzip.compress(("\n".join(csv_lines(columns)) + "\n").encode(), mtime=1))
    assert close(slice_file(file, *minutes(2000, 2100), 10, cache=cache)) == columns["close"][1990:2101].tolist()
    assert len(list(cache.iterdir())) == 1


def test_real_candles_in_all_three_formats(shared_data: Path, tmp_path: Path) -> None:
    starts = {"csv": 1641600000, "parquet": 1749000000, "csv.gz": 1475900000}
    for file in find(shared_data):
        step = 1 if file.interval == "1s" else 60
        start = starts[file.encoding]
        piece = slice_file(file, start, start + 500 * step, 20, gaps="error", cache=tmp_path)
        assert piece.columns["timestamp"].tolist() == [start + step * n for n in range(-20, 501)]
        assert (piece.columns["high"] >= piece.columns["low"]).all()


# --- what is broken ---


def spoil(kind: str) -> tuple[list[str], str]:
    """Lines of a spoilt file of 1,000 candles, and what the error must say. The fault lies in minute 500."""
    lines = csv_lines(candles(1000))
    at = 501  # place in the list; an editor counts from 1
    fields = lines[at].split(",")
    if kind == "unsorted":
        lines[at], lines[at + 1] = lines[at + 1], lines[at]
        return lines, f"line {at + 2}: timestamp {fields[0]} .*not sorted"
    if kind == "duplicate":
        lines.insert(at, lines[at])
        return lines, f"line {at + 2}: .*there twice"
    if kind == "NaN":
        lines[at] = ",".join([*fields[:4], "nan", fields[5]])
        return lines, f"line {at + 1}: close is nan"
    if kind == "empty field":
        lines[at] = ",".join([*fields[:4], "", fields[5]])
        return lines, f"line {at + 1}: close is nan"
    if kind == "infinite":
        lines[at] = ",".join([*fields[:5], "inf"])
        return lines, f"line {at + 1}: volume is inf"
    if kind == "word":
        lines[at] = ",".join([*fields[:4], "12,5x".replace(",", "."), fields[5]])
        return lines, f"line {at + 1}: close is '12.5x', not a number"
    if kind == "cut line":
        lines[at] = ",".join(fields[:3])
        return lines, f"line {at + 1}: 3 fields instead of 6"
    if kind == "mixed units":
        lines[at:] = [line.replace(",", "000,", 1) for line in lines[at:]]
        return lines, f"line {at + 1}: timestamp {fields[0]}000 is in milliseconds, .*mixed units"
    assert kind == "off the grid"
    lines[at] = ",".join([str(int(fields[0]) + 1), *fields[1:]])
    return lines, f"line {at + 1}: .*no 1m candle opens then"


KINDS = ["unsorted", "duplicate", "NaN", "empty field", "infinite", "word", "cut line", "mixed units", "off the grid"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_in_the_period_is_named_by_line(write, kind: str) -> None:
    lines, says = spoil(kind)
    file = write(lines)
    with pytest.raises(CandlesBroken, match=says) as caught:
        slice_file(file, *minutes(450, 550))
    assert str(file.path) in str(caught.value)
    assert "hummingsweep candles check" in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_in_a_compressed_file_is_named_by_line(tmp_path: Path, kind: str) -> None:
    lines, says = spoil(kind)
    path = tmp_path / "candles_binance_BTC-USDT_1m.csv.gz"
    path.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode()))
    file = candle_file(path)
    assert file is not None
    if kind in ("word", "cut line"):
        says = "cannot be unpacked and read as CSV"
    with pytest.raises(CandlesBroken, match=says):
        slice_file(file, *minutes(450, 550), cache=tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_fault_in_parquet_is_named_by_row(tmp_path: Path) -> None:
    columns = candles(1000)
    columns["timestamp"][[500, 501]] = columns["timestamp"][[501, 500]]
    path = tmp_path / "candles_binance_BTC-USDT_1m.parquet"
    pq.write_table(pa.table(columns), path, row_group_size=100)
    file = candle_file(path)
    assert file is not None
    with pytest.raises(CandlesBroken, match=r"row 502: .*not sorted"):
        slice_file(file, *minutes(450, 550))


@pytest.mark.parametrize("kind", ["newest first", "shuffled", "halves exchanged"])
@pytest.mark.parametrize("encoding", ["csv", "parquet"])
def test_an_unsorted_file_is_refused_wherever_the_period_lies(write, tmp_path: Path, kind: str, encoding: str) -> None:
    columns = candles(1000)
    order = {
        "newest first": np.arange(1000)[::-1],
        "shuffled": np.random.default_rng(3).permutation(1000),
        "halves exchanged": np.concatenate((np.arange(500, 1000), np.arange(500))),
    }[kind]
    columns = {name: values[order] for name, values in columns.items()}
    file = write(columns)
    if encoding == "parquet":
        path = tmp_path / "candles_binance_BTC-USDT_1m.parquet"
        pq.write_table(pa.table(columns), path, row_group_size=50)
        file = candle_file(path)
        assert file is not None
    for first in (0, 100, 480, 900):
        with pytest.raises(CandlesBroken, match="not sorted"):
            slice_file(file, *minutes(first, first + 40))


def test_a_candle_that_lies_far_from_its_place_is_no_gap(write) -> None:
    lines = csv_lines(candles(5000))
    lines.insert(4001, lines.pop(1501))  # minute 1500 now lies between 4000 and 4001
    with pytest.raises(CandlesBroken, match=r"line 4002: .*not sorted"):
        slice_file(write(lines), *minutes(1450, 1550))


@pytest.mark.parametrize("lost", [3, 12, 30])
def test_a_file_that_ends_in_the_middle_of_a_line_is_refused(write, lost: int) -> None:
    file = write(candles(1000))
    file.path.write_bytes(file.path.read_bytes()[:-lost])
    with pytest.raises(CandlesBroken, match="last line"):
        slice_file(file, *minutes(900, 999))


def test_an_open_end_that_the_period_does_not_touch_is_left_alone(write) -> None:
    file = write(candles(1000))
    file.path.write_bytes(file.path.read_bytes().rstrip(b"\n"))
    assert len(slice_file(file, *minutes(900, 997))) == 98
    with pytest.raises(CandlesBroken, match="newline"):
        slice_file(file, *minutes(900, 999))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"timestamp,open,high,low,close,volume\n", "only a header"),
        (b"timestamp,open,high,low,close,volume", "only one line"),
        (b"1704067200,1,1,1,1,1\n1704067260,1,1,1,1,1\n", "no header"),
        (b"time,open,high,low,close,volume\n1704067200,1,1,1,1,1\n", "no column timestamp"),
        (b"timestamp,open,open,high,low,close,volume\n1704067200,1,1,1,1,1,1\n", "two columns are named open"),
        (b"timestamp,open,high,low,close,volume\nsoon,1,1,1,1,1\n", "no timestamp in 'soon"),
        (b"\x00\xff" * 400, "only one line"),
    ],
)
def test_files_that_are_no_candles(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "candles_binance_BTC-USDT_1m.csv"
    path.write_bytes(content)
    file = candle_file(path)
    assert file is not None
    with pytest.raises(CandlesBroken, match=says):
        slice_file(file, *minutes(0, 1))


@pytest.mark.parametrize("name", ["candles_binance_BTC-USDT_1m.parquet", "candles_binance_BTC-USDT_1m.csv.gz"])
def test_a_cut_off_binary_file_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith("parquet"):
        pq.write_table(pa.table(candles(3000)), path)
    else:
        path.write_bytes(gzip.compress(("\n".join(csv_lines(candles(3000))) + "\n").encode()))
    path.write_bytes(path.read_bytes()[:-100])
    file = candle_file(path)
    assert file is not None
    with pytest.raises(CandlesBroken, match=re.escape(str(path))):
        slice_file(file, *minutes(10, 20), cache=tmp_path / "cache")


def test_a_file_that_vanished(write) -> None:
    file = write(candles(10))
    file.path.unlink()
    with pytest.raises(CandlesMissing):
        slice_file(file, *minutes(1, 2))


# --- coverage and gaps ---


def test_the_last_candle_may_open_before_the_end(write) -> None:
    file = write(candles(100))  # the last one opens in minute 99 and closes in minute 100
    assert len(slice_file(file, *minutes(0, 100))) == 100
    with pytest.raises(CandlesNotCovering, match="2024-01-01T00:00:00Z to 2024-01-01T01:40:00Z"):
        slice_file(file, MONDAY, MONDAY + 6001)
    with pytest.raises(CandlesNotCovering, match="does not cover the period 2023-12-31T23:59:59Z"):
        slice_file(file, MONDAY - 1, MONDAY + 600)


def gappy() -> list[str]:
    lines = csv_lines(candles(300))
    return lines[:101] + lines[104:]  # minutes 100 to 102 are missing


def test_gaps_are_reported_refused_or_filled(write) -> None:
    file = write(gappy())
    warned = slice_file(file, *minutes(50, 150))
    assert [(gap.after, gap.missing) for gap in warned.gaps] == [(MONDAY + 99 * 60, 3)]
    assert str(warned.gaps[0]) == "2024-01-01T01:39:00Z (3 missing)"
    assert len(warned) == 98
    with pytest.raises(CandlesBroken, match=r"3 candles of 1m are missing after 2024-01-01T01:39:00Z.*gaps: fill"):
        slice_file(file, *minutes(50, 150), gaps="error")
    filled = slice_file(file, *minutes(50, 150), gaps="fill")
    before = candles(300)["close"][99]
    assert (len(filled), filled.gaps) == (101, ())
    assert [filled.columns[name][51] for name in ("open", "high", "low", "close", "volume")] == [before] * 4 + [0.0]


@pytest.mark.parametrize("policy", ["error", "fill"])
@pytest.mark.parametrize(("first", "last", "rows"), [(101, 150, 50), (50, 101, 52), (101, 101, 1)])
def test_a_gap_at_the_edge_of_the_period_is_a_gap(write, policy: str, first: int, last: int, rows: int) -> None:
    file = write(gappy())
    if policy == "error":
        with pytest.raises(CandlesBroken, match="missing after"):
            slice_file(file, *minutes(first, last), gaps=policy)
    else:
        assert len(slice_file(file, *minutes(first, last), gaps=policy)) == rows


def test_a_gap_elsewhere_is_none_of_the_periods(write) -> None:
    file = write(gappy())
    assert slice_file(file, *minutes(103, 150), gaps="error").gaps == ()
    assert slice_file(file, *minutes(50, 99), gaps="error").gaps == ()


def test_a_period_inside_a_gap(write) -> None:
    with pytest.raises(CandlesNotCovering, match="no 1m candle opens between"):
        slice_file(write(gappy()), *minutes(101, 102))


def test_dated_parts_are_one_feed(write) -> None:
    columns = candles(3000)
    parts = [
        write(
            {name: values[first:last] for name, values in columns.items()},
            f"binance_BTC-USDT_2024010{number}_20240109.csv",
        )
        for number, (first, last) in enumerate([(0, 1440), (1435, 2000), (2000, 3000)], 1)
    ]
    whole = slice_file(write(columns), *minutes(1000, 2500), 100)
    assert slice_files(parts, *minutes(1000, 2500), 100, gaps="error").digest == whole.digest
    assert slice_files([parts[0], parts[2]], *minutes(1000, 2500), 100).gaps[0].missing == 560
    other = {name: values[1435:2000] + (name == "close") for name, values in columns.items()}
    with pytest.raises(CandlesBroken, match="overlap and differ in close at 2024-01-01T23:55:00Z"):
        slice_files([parts[0], write(other, "binance_BTC-USDT_20240102_20240109.csv")], *minutes(1000, 1900))


# --- locating, travelling ---


def test_locating_takes_as_many_probes_in_a_large_file(write) -> None:
    def probes(count: int) -> int:
        mapped = open_csv(write(candles(count)).path)
        chance = np.random.default_rng(1)
        most = 0
        for time in chance.uniform(mapped.first, mapped.last, 50):
            before = mapped.probes
            offset = mapped.locate(time)
            most = max(most, mapped.probes - before)
            at = float(bytes(mapped.path.read_bytes()[offset : offset + 10]))
            assert at - 60 < time <= at
        return most

    small, large = probes(1000), probes(200_000)
    assert small <= 12
    assert large <= 12


class TenGigabytes:
    """A sorted CSV of 10.4 GB as `mmap` shows one, its lines made when they are looked at."""

    HEAD, FIRST, ROWS, WIDTH = b"timestamp,open,high,low,close,volume\n", 1_000_000_000, 200_000_000, 52

    def line(self, row: int) -> bytes:
        prices = b",40000.01,40000.02,40000.00,40000.01,1.234"
        return b"%d%s\n" % (self.FIRST + row, prices[: self.WIDTH - 11])

    def __len__(self) -> int:
        return len(self.HEAD) + self.ROWS * self.WIDTH

    def __getitem__(self, part: slice) -> bytes:
        start, stop, _ = part.indices(len(self))
        first, last = max(0, start - len(self.HEAD)) // self.WIDTH, -(-(stop - len(self.HEAD)) // self.WIDTH)
        assert last - first < 1000, "somebody reads the whole file"
        text = b"".join(self.line(row) for row in range(first, last))
        offset = len(self.HEAD) + first * self.WIDTH
        if start < len(self.HEAD):
            return (self.HEAD + text)[start:stop]
        return text[start - offset : stop - offset]

    def find(self, _: bytes, start: int = 0, stop: int | None = None) -> int:
        if start < len(self.HEAD):
            return len(self.HEAD) - 1
        found = start + (-(start - len(self.HEAD)) - 1) % self.WIDTH
        return found if found < (len(self) if stop is None else stop) else -1

    def rfind(self, _: bytes, start: int, stop: int) -> int:
        found = stop - 1 - (stop - len(self.HEAD)) % self.WIDTH
        return found if found >= start else -1


def test_locating_in_ten_gigabytes_looks_at_as_few_lines() -> None:
    data = TenGigabytes()
    assert len(data) > 10e9
    assert len(data.line(0)) == len(data.line(data.ROWS - 1)) == data.WIDTH
    mapped = CsvMap(Path("huge.csv"), data)
    chance = np.random.default_rng(1)
    for row in chance.integers(0, data.ROWS, 200):
        before = mapped.probes
        assert mapped.locate(float(data.FIRST + row)) == len(data.HEAD) + row * data.WIDTH
        assert mapped.probes - before <= 12


def test_a_slice_travels(write) -> None:
    piece = slice_file(write(gappy()), *minutes(50, 150), 10)
    back = Slice.from_compressed(piece.compressed())
    assert (back.digest, back.lead, back.gaps, back.interval) == (piece.digest, 10, piece.gaps, "1m")
    assert pa.ipc.open_file(piece.ipc()).read_all().equals(piece.table)
    with pytest.raises(CandlesError, match="not a compressed slice"):
        Slice.from_compressed(b"junk")

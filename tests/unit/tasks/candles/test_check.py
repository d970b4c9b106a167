import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.candles.check import examine
from tasks.candles.formats import candle_file, find
from tasks.candles.slicer import slice_file
from tasks.errors import CandlesBroken

from .conftest import MONDAY, candles, csv_lines
from .test_slicer import KINDS, spoil


def kinds(examination) -> dict[str, int]:
    return {finding.kind: finding.count for finding in examination.findings}


def test_sound_candles(write) -> None:
    found = examine(write(candles(1000, columns=10)))
    assert (found.rows, found.first, found.last) == (1000, MONDAY, MONDAY + 999 * 60)
    assert (found.sound, found.findings, found.gaps) == (True, (), ())


def test_real_candles_are_sound(shared_data: Path) -> None:
    found = {one.file.key: one for one in map(examine, find(shared_data))}
    assert {key: (one.rows, one.sound, one.missing) for key, one in found.items()} == {
        "binance_perpetual_BTC-USDT_1m": (45031, True, 0),
        "coinbase_BTC-USD_1s": (259195, True, 0),
        "binance_perpetual_DOGE-USDT_1m": (43199, True, 0),
    }
    assert kinds(found["coinbase_BTC-USD_1s"]) == {"flat": 34}


EXPECTED = {
    "unsorted": ("unsorted", "line 503"),
    "duplicate": ("duplicate", "line 503"),
    "NaN": ("NaN", "line 502"),
    "empty field": ("NaN", "line 502"),
    "infinite": ("NaN", "line 502"),
    "word": ("NaN", "line 502"),
    "cut line": ("cut line", "line 502: 3 of 6"),
    "mixed units": ("mixed units", "line 502"),
    "off the grid": ("off the grid", "line 502"),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_what_a_sweep_refuses_is_an_error(write, tmp_path: Path, kind: str, packed: bool) -> None:
    file = write(spoil(kind)[0])
    if packed:
        path = file.path.with_name(file.path.name + ".gz")
        path.write_bytes(gzip.compress(file.path.read_bytes()))
        file = candle_file(path)
    found = examine(file)
    word, where = EXPECTED[kind]
    assert not found.sound
    assert word in kinds(found)
    first = next(finding.first for finding in found.findings if finding.kind == word)
    assert first.startswith(where)


def test_one_fault_does_not_show_up_as_another(write) -> None:
    for kind in ("unsorted", "duplicate", "mixed units"):
        assert list(kinds(examine(write(spoil(kind)[0])))) == [EXPECTED[kind][0]]


def test_lines_are_counted_past_those_left_out(write) -> None:
    lines = spoil("cut line")[0]
    lines[700] = "1,2"
    lines[800] = lines[800].rsplit(",", 1)[0] + ",nan"
    found = {finding.kind: finding for finding in examine(write(lines)).findings}
    assert found["cut line"].count == 2
    assert found["NaN"].first.startswith("line 801 ")


def test_a_cut_line_that_is_not_utf_8_prints_no_traceback(write, capfd: pytest.CaptureFixture[str]) -> None:
    """Arrow decodes the line for its handler, and prints what it raises there."""
    file = write(candles(100))
    lines = file.path.read_bytes().splitlines(keepends=True)
    lines[30] = lines[30][:20] + b"\xad\n"
    file.path.write_bytes(b"".join(lines))
    found = examine(file)
    assert kinds(found)["cut line"] == 1
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("close", 0.0, "not positive"),
        ("open", -3.0, "not positive"),
        ("volume", -1.0, "negative volume"),
        ("high", 50.0, "high too low"),
        ("low", 150.0, "low too high"),
    ],
)
def test_prices_that_cannot_be(write, name: str, value: float, kind: str) -> None:
    columns = candles(1000)
    columns[name][500] = value
    found = examine(write(columns))
    assert not found.sound
    assert kinds(found)[kind] == 1


def test_gaps_flat_stretches_jumps_and_spikes_are_warnings(write) -> None:
    columns = candles(2000)
    for name in ("open", "high", "low", "close"):
        columns[name][300:600] = columns["close"][299]
        columns[name][1500:] *= 1.5
    columns["high"][1000] *= 2
    lines = csv_lines(columns)
    found = examine(write(lines[:1801] + lines[1811:]))
    assert found.sound
    assert kinds(found) == {"gap": 1, "flat": 1, "jump": 1, "spike": 1}
    assert (len(found.gaps), found.missing) == (1, 10)


def test_parquet_names_rows(tmp_path: Path) -> None:
    columns = candles(100)
    columns["close"][40] = np.nan
    path = tmp_path / "binance|BTC-USDT|1m.parquet"
    pq.write_table(pa.table(columns).append_column("__index_level_0__", pa.array(range(100))), path)
    found = examine(candle_file(path))
    assert [str(finding) for finding in found.findings] == [
        "error: NaN: row 41 (2024-01-01T00:40:00Z): close is not a number"
    ]


@pytest.mark.parametrize("content", [b"", b"junk", b"timestamp,open,high,low,close,volume\n"])
@pytest.mark.parametrize("name", ["csv", "csv.gz", "parquet"])
def test_what_cannot_be_read_is_a_finding(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / f"candles_binance_BTC-USDT_1m.{name}"
    path.write_bytes(content)
    found = examine(candle_file(path))
    assert (found.sound, found.rows, len(found.findings)) == (False, 0, 1)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("cut_off", [1, 3])
def test_an_open_end_is_an_error(write, tmp_path: Path, packed: bool, cut_off: int) -> None:
    """Half a number is a number: 12.5 out of 12.538."""
    file = write(candles(10))
    text = file.path.read_bytes()[:-cut_off]
    file.path.write_bytes(text)
    if packed:
        path = file.path.with_name(file.path.name + ".gz")
        path.write_bytes(gzip.compress(text))
        file = candle_file(path)
    found = examine(file)
    assert (found.sound, kinds(found)) == (False, {"open end": 1})
    with pytest.raises(CandlesBroken, match="last line: does not end in a newline"):
        slice_file(file, MONDAY, MONDAY + 600, cache=tmp_path)


def test_a_line_break_in_quotes_is_an_error_as_it_is_for_a_sweep(write) -> None:
    lines = csv_lines(candles(100))
    file = write([lines[0] + ",note", *(line + ',"a\nb"' for line in lines[1:])])
    with pytest.raises(CandlesBroken, match="the last line is cut off"):
        slice_file(file, MONDAY, MONDAY + 600)
    assert "the last line is cut off" in examine(file).findings[0].first

import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.candles.binance import binance_pair
from tasks.candles.formats import candle_file, find
from tasks.candles.importer import import_feeds
from tasks.candles.slicer import slice_file
from tasks.candles.slices import Columns, Slice
from tasks.errors import CandlesBroken, CandlesError, CandlesMissing

from .conftest import MONDAY, candles, csv_lines

HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore"
)


def klines(columns: Columns, scale: float = 1e3, header: bool = False) -> bytes:
    """Binance's twelve columns."""
    lines = [HEADER] if header else []
    for row in zip(*columns.values(), strict=True):
        time, *prices = row[:6]
        fields = [int(time * scale), *prices, int((time + 60) * scale - 1), *row[6:], 0]
        lines.append(",".join(str(field) for field in fields))
    return ("\n".join(lines) + "\n").encode()


def zipped(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name.replace(".zip", ".csv"), content)
    return path


def test_binances_monthly_zips_become_one_feed(tmp_path: Path) -> None:
    """Headerless in milliseconds before 2025, with a header for futures, microseconds for spot since."""
    columns = candles(3000, columns=10)
    source, to, said = tmp_path / "zips", tmp_path / "candles", []
    source.mkdir()
    for name, first, last, scale, header in (
        ("BTCUSDT-1m-2024-01.zip", 0, 1000, 1e3, False),
        ("BTCUSDT-1m-2024-02.zip", 1000, 2000, 1e3, True),
        ("BTCUSDT-1m-2025-01.zip", 2000, 3000, 1e6, False),
    ):
        part = {key: values[first:last] for key, values in columns.items()}
        zipped(source, name, klines(part, scale, header))
    taken = import_feeds(source, to, connector="binance", say=said.append)
    assert [(one.pair, one.interval, one.rows, one.gaps) for one in taken] == [("BTC-USDT", "1m", 3000, ())]
    assert len(said) == 3
    file = find(to)[0]
    assert file.path.name == "candles_binance_BTC-USDT_1m.parquet"
    assert slice_file(file, MONDAY, MONDAY + 2999 * 60).digest == Slice.of(columns, "1m", MONDAY).digest


def test_what_the_names_do_not_say_must_be_given(tmp_path: Path) -> None:
    path = zipped(tmp_path, "BTCUSDT-1m-2024-01.zip", klines(candles(10, columns=10)))
    with pytest.raises(CandlesError, match="--connector binance"):
        import_feeds(path, tmp_path / "to")
    with pytest.raises(CandlesError, match="--pair"):
        binance_pair("USDT")
    plain = tmp_path / "prices.csv"
    plain.write_text("\n".join(csv_lines(candles(10))) + "\n")
    with pytest.raises(CandlesError, match="--connector, --pair and --interval"):
        import_feeds(plain, tmp_path / "to")
    assert import_feeds(plain, tmp_path / "to", connector="okx", pair="A-B", interval="1m")[0].rows == 10
    with pytest.raises(CandlesMissing, match="no candle files"):
        (tmp_path / "empty").mkdir()
        import_feeds(tmp_path / "empty", tmp_path / "to")


def test_every_layout_of_a_folder_is_imported(write, tmp_path: Path) -> None:
    source, to = tmp_path / "source", tmp_path / "to"
    source.mkdir()
    write(candles(50), "source/candles_binance_BTC-USDT_1m.csv")
    write(candles(50, 300), "source/okx_ETH-USDT_20240101_20240102.csv")
    pq.write_table(pa.table(candles(50, 3600)), source / "gate_io|SOL-USDT|1h.parquet")
    (source / "README.md").write_text("not candles")
    taken = {one.path.name: one.rows for one in import_feeds(source, to)}
    assert taken == {
        "candles_binance_BTC-USDT_1m.parquet": 50,
        "candles_okx_ETH-USDT_5m.parquet": 50,
        "candles_gate_io_SOL-USDT_1h.parquet": 50,
    }


def test_what_is_there_already_is_joined(write, tmp_path: Path) -> None:
    columns, to = candles(200), tmp_path / "to"
    for first, last in ((0, 100), (90, 200)):
        file = write({name: values[first:last] for name, values in columns.items()})
        taken = import_feeds(file.path, to)
    assert taken[0].rows == 200
    before = find(to)[0].path.read_bytes()
    columns["close"][50] += 1
    with pytest.raises(CandlesBroken, match="differ in close"):
        import_feeds(write(columns).path, to)
    assert find(to)[0].path.read_bytes() == before
    assert [path.name for path in to.iterdir()] == ["candles_binance_BTC-USDT_1m.parquet"]


@pytest.mark.parametrize("stored", [6, 10])
def test_no_column_is_lost(write, tmp_path: Path, stored: int) -> None:
    """Neither those of the stored feed nor those that come in."""
    to = tmp_path / "to"
    import_feeds(write(candles(100, columns=stored)).path, to)
    (file,) = find(to)
    before = file.path.read_bytes()
    other = write(candles(100, columns=16 - stored)).path
    poor, rich = (file.path, other) if stored == 6 else (other, file.path)
    with pytest.raises(CandlesError, match=f"{poor}: has no quote_asset_volume, .* as {rich} has"):
        import_feeds(other, to)
    assert file.path.read_bytes() == before


def test_no_column_is_lost_within_a_folder(write, tmp_path: Path) -> None:
    for first, last, columns in ((0, 100, 6), (100, 200, 10)):
        part = {name: values[first:last] for name, values in candles(200, columns=columns).items()}
        write(part, f"source/okx_ETH-USDT_2024010{columns % 9}_20240111.csv")
    with pytest.raises(CandlesError, match="one feed of both would lose them"):
        import_feeds(tmp_path / "source", tmp_path / "to")
    assert not (tmp_path / "to").exists()


def test_a_folder_can_be_imported_into_itself(write, tmp_path: Path) -> None:
    write(candles(100))
    for _ in range(2):
        assert import_feeds(tmp_path, tmp_path)[0].rows == 100


def test_gaps_are_reported(write, tmp_path: Path) -> None:
    lines = csv_lines(candles(100))
    taken = import_feeds(write(lines[:50] + lines[55:]).path, tmp_path / "to")
    assert [gap.missing for gap in taken[0].gaps] == [5]


def test_broken_archives_are_named(tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT-1m-2024-01.zip"
    path.write_bytes(b"junk")
    with pytest.raises(CandlesBroken, match="cannot be unpacked"):
        import_feeds(path, tmp_path / "to", connector="binance")
    zipped(tmp_path, path.name, b"1,2,3\n4,5,6\n")
    with pytest.raises(CandlesBroken, match="twelve columns"):
        import_feeds(path, tmp_path / "to", connector="binance")
    columns = candles(10, columns=10)
    columns["timestamp"][5] = columns["timestamp"][4]
    zipped(tmp_path, path.name, klines(columns))
    with pytest.raises(CandlesBroken, match=r"line 6: .*there twice"):
        import_feeds(path, tmp_path / "to", connector="binance")
    assert not (tmp_path / "to").exists()


@pytest.mark.parametrize("below", [".", "x", "x/y"])
def test_a_folder_to_write_into_that_is_a_file(write, tmp_path: Path, below: str) -> None:
    file = tmp_path / "to"
    file.write_text("")
    with pytest.raises(CandlesError, match=f"{file}: is a file; give --to a folder"):
        import_feeds(write(candles(10)).path, file / below)


def test_a_folder_that_cannot_be_written(write, tmp_path: Path, monkeypatch) -> None:
    def denied(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    file = write(candles(10)).path
    monkeypatch.setattr("tempfile.mkstemp", denied)
    with pytest.raises(CandlesError, match=r"_1m.parquet: cannot be written \(Permission denied\); give --to"):
        import_feeds(file, tmp_path / "to")


def test_a_group_of_what_is_written_is_small(write, tmp_path: Path) -> None:
    import_feeds(write(candles(40_000)).path, tmp_path / "to")
    file = candle_file(next((tmp_path / "to").iterdir()))
    assert file is not None
    assert pq.ParquetFile(file.path).metadata.num_row_groups == 3
    assert np.array_equal(
        slice_file(file, MONDAY + 60_000, MONDAY + 120_000).columns["close"], candles(40_000)["close"][1000:2001]
    )

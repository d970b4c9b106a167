"""Every candle format runs through the same cases. A new one is a subclass of `CandleFormatCase` that writes it."""

from __future__ import annotations

import csv
import gzip
import json
import zipfile
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from tasks.candles.formats import COLUMNS, candle_file
from tasks.candles.importer import import_feeds
from tasks.candles.slicer import read
from tasks.candles.slices import Columns, select, to_table
from tests.unit.tasks.candles.conftest import MONDAY, candles, csv_lines

CONNECTOR, PAIR, INTERVAL = "kraken", "BTC-USD", "1m"


def text(value: float) -> str:
    """Exactly, whole numbers without decimals."""
    return str(int(value)) if value == int(value) else repr(float(value))


def written(path: Path, rows: Iterable[Sequence[str]], delimiter: str = ",", before: str = "") -> Path:
    """Rows of fields as a text."""
    with path.open("w", newline="") as file:
        file.write(before)
        csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return path


def stamp(seconds: float, pattern: str) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime(pattern)


class CandleFormatCase:
    """What importing any format must give."""

    #: candles that are written: two days, so that dates in text change
    count = 2 * 1440
    #: columns beside the first six that the format carries
    also: tuple[str, ...] = ()
    #: options that the name leaves open
    options: dict[str, str] = {"connector": CONNECTOR, "pair": PAIR}  # noqa: RUF012
    #: words that importing it must say
    said: str = ""

    def write(self, folder: Path, found: Columns) -> Path:
        """The candles in this format; file or folder."""
        raise NotImplementedError

    def made(self) -> Columns:
        return candles(self.count, columns=10, start=MONDAY + 20 * 86400)

    def expected(self, made: Columns) -> Columns:
        return {name: made[name] for name in (*COLUMNS[:6], *self.also)}

    def taken(self, tmp_path: Path, made: Columns) -> tuple[Columns, list[str]]:
        (tmp_path / "in").mkdir()
        source, said = self.write(tmp_path / "in", made), []
        [feed] = import_feeds(source, tmp_path / "out", say=said.append, **self.options)
        assert (feed.connector, feed.pair, feed.interval) == (CONNECTOR, PAIR, INTERVAL)
        file = candle_file(feed.path)
        assert file is not None
        return read([file], -np.inf, np.inf).columns, said

    def test_every_candle_comes_in_exactly(self, tmp_path: Path) -> None:
        made = self.made()
        came, said = self.taken(tmp_path, made)
        expected = self.expected(made)
        assert sorted(came) == sorted(expected)
        for name, values in expected.items():
            assert (came[name] == values).all(), name
        assert self.said in "\n".join(said)

    def test_missing_candles_stay_missing(self, tmp_path: Path) -> None:
        made = select(self.made(), np.r_[0:100, 150 : self.count])
        came, _ = self.taken(tmp_path, made)
        assert (came["timestamp"] == made["timestamp"]).all()


class TestHummingbot(CandleFormatCase):
    also = COLUMNS[6:]
    options: dict[str, str] = {}  # noqa: RUF012

    def write(self, folder: Path, found: Columns) -> Path:
        path = folder / f"candles_{CONNECTOR}_{PAIR}_{INTERVAL}.csv"
        path.write_text("\n".join(csv_lines(found)) + "\n")
        return path


class TestHummingbotCompressed(CandleFormatCase):
    also = COLUMNS[6:]
    options: dict[str, str] = {}  # noqa: RUF012

    def write(self, folder: Path, found: Columns) -> Path:
        path = folder / f"candles_{CONNECTOR}_{PAIR}_{INTERVAL}.csv.gz"
        path.write_bytes(gzip.compress(("\n".join(csv_lines(found)) + "\n").encode()))
        return path


class TestQuantsLab(CandleFormatCase):
    also = COLUMNS[6:]
    options: dict[str, str] = {}  # noqa: RUF012

    def write(self, folder: Path, found: Columns) -> Path:
        path = folder / f"{CONNECTOR}|{PAIR}|{INTERVAL}.parquet"
        parquet.write_table(to_table(found), path)
        return path


class TestDashboard(CandleFormatCase):
    also = COLUMNS[6:]
    options: dict[str, str] = {}  # noqa: RUF012

    def write(self, folder: Path, found: Columns) -> Path:
        half = len(found["timestamp"]) // 2
        for name, part in (("20240101_20240102", slice(0, half)), ("20240102_20240103", slice(half, None))):
            lines = csv_lines(select(found, part))
            (folder / f"{CONNECTOR}_{PAIR}_{name}.csv").write_text("\n".join(lines) + "\n")
        return folder


class TestNewestFirst(CandleFormatCase):
    said = "newest first: sorted"

    def write(self, folder: Path, found: Columns) -> Path:
        lines = csv_lines(self.expected(found))
        path = folder / "btc.csv"
        path.write_text("\n".join([lines[0], *reversed(lines[1:])]) + "\n")
        return path


class TestNewestFirstUnderHummingbotsName(TestNewestFirst):
    options: dict[str, str] = {}  # noqa: RUF012

    def write(self, folder: Path, found: Columns) -> Path:
        return super().write(folder, found).rename(folder / f"candles_{CONNECTOR}_{PAIR}_{INTERVAL}.csv")


class TestCryptoDataDownload(CandleFormatCase):
    options = {"connector": CONNECTOR}  # noqa: RUF012
    also = ("quote_asset_volume", "n_trades")
    said = "times taken from the column Unix"

    def made(self) -> Columns:
        made = super().made()
        return made | {"n_trades": np.floor(made["n_trades"])}

    def write(self, folder: Path, found: Columns) -> Path:
        header = ["Unix", "Date", "Symbol", "Open", "High", "Low", "Close", "Volume BTC", "Volume USD", "tradecount"]
        rows = [
            [text(row[0] * 1000), stamp(row[0], "%Y-%m-%d %H:%M:%S"), "BTC/USD", *map(text, row[1:])]
            for row in zip(*self.expected(found).values(), strict=True)
        ]
        path = folder / "Kraken_BTCUSD_2024_minute.csv"
        return written(path, [header, *reversed(rows)], before="https://www.example.org/data\n")


class TestKrakensOhlcvt(CandleFormatCase):
    options = {"connector": CONNECTOR}  # noqa: RUF012
    also = ("n_trades",)
    said = "no header"

    def made(self) -> Columns:
        made = super().made()
        return made | {"n_trades": np.floor(made["n_trades"])}

    def write(self, folder: Path, found: Columns) -> Path:
        rows = zip(*self.expected(found).values(), strict=True)
        return written(folder / "XBTUSD_1.csv", [[*map(text, row)] for row in rows])


class TestSemicolonsAndDecimalCommas(CandleFormatCase):
    said = "decimals behind a comma"

    def write(self, folder: Path, found: Columns) -> Path:
        rows = [[text(value).replace(".", ",") for value in row] for row in zip(*self.expected(found).values())]  # noqa: B905
        return written(folder / "btc.csv", [["open_time", *COLUMNS[1:6]], *rows], ";")


class TestMetaTrader5(CandleFormatCase):
    def write(self, folder: Path, found: Columns) -> Path:
        header = ["<DATE>", "<TIME>", "<OPEN>", "<HIGH>", "<LOW>", "<CLOSE>", "<TICKVOL>", "<SPREAD>"]
        rows = [
            [stamp(row[0], "%Y.%m.%d"), stamp(row[0], "%H:%M:%S"), *map(text, row[1:]), "0"]
            for row in zip(*self.expected(found).values(), strict=True)
        ]
        return written(folder / "btc.tsv", [header, *rows], "\t")


class TestMetaTrader4(CandleFormatCase):
    def write(self, folder: Path, found: Columns) -> Path:
        rows = [
            [stamp(row[0], "%Y.%m.%d"), stamp(row[0], "%H:%M"), *map(text, row[1:])]
            for row in zip(*self.expected(found).values(), strict=True)
        ]
        return written(folder / "BTCUSD1.csv", rows)


class TestEuropeanDates(CandleFormatCase):
    said = "dates read as day, month"
    pattern = "%d/%m/%Y %H:%M"

    def write(self, folder: Path, found: Columns) -> Path:
        rows = [
            [stamp(row[0], self.pattern), *map(text, row[1:])]
            for row in zip(*self.expected(found).values(), strict=True)
        ]
        return written(folder / "btc.csv", [["Date", "Open", "High", "Low", "Close", "Volume"], *rows])


class TestAmericanDates(TestEuropeanDates):
    said = "dates read as month, day"
    pattern = "%m/%d/%Y %I:%M %p"


class TestDatesThatCouldBeBoth(TestEuropeanDates):
    said = "so its candles follow each other"
    pattern = "%m/%d/%Y %H:%M:%S"

    def made(self) -> Columns:
        return candles(self.count, columns=10, start=MONDAY + 86400)


class TestTextTimesInUtc(TestEuropeanDates):
    said = "times taken from the column Date"
    pattern = "%Y-%m-%d %H:%M:%S UTC"


class TestCompactTimes(TestEuropeanDates):
    said = ""
    pattern = "%Y%m%d %H%M%S"


class TestMicroseconds(CandleFormatCase):
    def write(self, folder: Path, found: Columns) -> Path:
        rows = [[text(row[0] * 1e6), *map(text, row[1:])] for row in zip(*self.expected(found).values(), strict=True)]
        return written(folder / "btc.csv", [["datetime", "o", "h", "l", "c", "vol"], *rows], before="# made by us\n\n")


class TestCcxtJson(CandleFormatCase):
    def write(self, folder: Path, found: Columns) -> Path:
        rows = [[int(row[0] * 1000), *row[1:]] for row in zip(*self.expected(found).values(), strict=True)]
        path = folder / "BTC_USD-1m.json"
        path.write_text(json.dumps(rows, default=float))
        return path


class TestBybitJson(CandleFormatCase):
    """Texts in lists, newest first, deep in the answer."""

    also = ("quote_asset_volume",)
    said = "newest first: sorted"

    def write(self, folder: Path, found: Columns) -> Path:
        rows = [[text(row[0] * 1000), *map(text, row[1:])] for row in zip(*self.expected(found).values(), strict=True)]
        path = folder / "answer.json"
        path.write_text(json.dumps({"retCode": 0, "result": {"symbol": "BTCUSD", "list": rows[::-1]}}))
        return path


class TestCoinbaseJson(CandleFormatCase):
    """time, low, high, open, close, volume"""

    def write(self, folder: Path, found: Columns) -> Path:
        order = ("timestamp", "low", "high", "open", "close", "volume")
        rows = [[*map(float, row)] for row in zip(*(found[name] for name in order), strict=True)]
        path = folder / "candles.json"
        path.write_text(json.dumps(rows))
        return path


class TestObjectsOfLists(CandleFormatCase):
    def write(self, folder: Path, found: Columns) -> Path:
        named = dict(zip("tohlcv", (self.expected(found)[name].tolist() for name in COLUMNS[:6]), strict=True))
        path = folder / "history.json"
        path.write_text(json.dumps({"s": "ok", **named}))
        return path


class TestFreqtradeFeather(CandleFormatCase):
    options = {"connector": CONNECTOR}  # noqa: RUF012

    def write(self, folder: Path, found: Columns) -> Path:
        table = to_table(self.expected(found)).rename_columns(["date", *COLUMNS[1:6]])
        times = pa.array((found["timestamp"] * 1000).astype(np.int64), pa.timestamp("ms", "UTC"))
        path = folder / "BTC_USD-1m.feather"
        feather.write_feather(table.set_column(0, "date", times), path)
        return path


class TestBinancesTree(CandleFormatCase):
    also = COLUMNS[6:]
    options = {"connector": CONNECTOR, "pair": PAIR}  # noqa: RUF012

    def write(self, folder: Path, found: Columns) -> Path:
        deep = folder / "data" / "spot" / "daily" / "klines" / "BTCUSD" / "1m"
        deep.mkdir(parents=True)
        whole = len(found["timestamp"]) == self.count
        for day in range(2):
            part = select(found, slice(day * 1440, (day + 1) * 1440)) if whole else found
            lines = [
                ",".join([text(row[0] * 1000), *map(text, row[1:6]), "0", *map(text, row[6:]), "0"])
                for row in zip(*part.values(), strict=True)
            ]
            with zipfile.ZipFile(deep / f"BTCUSD-1m-2024-01-2{day}.zip", "w") as archive:
                archive.writestr("klines.csv", "\n".join(lines) + "\n")
            if not whole:
                break
        return folder


@pytest.mark.parametrize("seconds", [3600, 86400])
def test_longer_candles_with_dates_alone_are_read(tmp_path: Path, seconds: int) -> None:
    made = candles(40, seconds=seconds, start=MONDAY)
    pattern = "%b %d, %Y" if seconds == 86400 else "%Y-%m-%d %I-%p"
    rows = [[stamp(row[0], pattern), *map(text, row[1:])] for row in zip(*made.values(), strict=True)]
    path = written(tmp_path / "BTC-USD.csv", [["Date", "Open", "High", "Low", "Close", "Volume"], *rows])
    [feed] = import_feeds(path, tmp_path / "out", connector=CONNECTOR)
    assert (feed.pair, feed.interval, feed.first) == (PAIR, {3600: "1h", 86400: "1d"}[seconds], MONDAY)

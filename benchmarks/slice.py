"""A week of one-minute candles out of a large CSV: by position against the ways that read the file.

    python benchmarks/slice.py [--mb 750] [--runs 3] [--folder DIR] [--json]

Makes a seeded synthetic CSV of at least so many megabytes in a temporary folder (removed afterwards) and takes the same
week out of its middle in every way; all of them must give equal frames. Seconds are from call to DataFrame, the least
of the runs, the file in the page cache, beside them the CPU seconds of all threads (other work on the machine shows in
the first and not in the second); `cold_s` is by position after the file was dropped from the page cache.
`probes` are the lines looked at to locate a time, the most over 100 times, in the large file and in one of 10 MB.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv, parquet

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tasks.candles.csvmap import open_csv
from tasks.candles.formats import COLUMNS, CandleFile, Layout
from tasks.candles.mirror import Mirror
from tasks.candles.slicer import slice_file

START = 1262304000  # 2010-01-01
WEEK_S = 7 * 86400
BATCH = 500_000


def generate(path: Path, megabytes: float) -> int:
    """Write synthetic one-minute candles, ten columns, until the file is so large; returns the rows."""
    chance, rows, close = np.random.default_rng(0), 0, 30_000.0
    batch = min(BATCH, int(megabytes * 10_000) + 1)
    with path.open("wb") as file:
        while file.tell() < megabytes * 1e6:
            walk = np.round(np.maximum(close + np.cumsum(chance.normal(0, 3, batch)), 1000), 2)
            opens = np.concatenate(([close], walk[:-1]))
            close = float(walk[-1])
            volume = np.round(chance.uniform(1, 500, batch), 3)
            table = pa.table(
                {
                    "timestamp": START + 60 * np.arange(rows, rows + batch),
                    "open": opens,
                    "high": np.round(np.maximum(opens, walk) + 1.5, 2),
                    "low": np.round(np.minimum(opens, walk) - 1.5, 2),
                    "close": walk,
                    "volume": volume,
                    "quote_asset_volume": np.round(volume * walk, 5),
                    "n_trades": chance.integers(1, 5000, batch),
                    "taker_buy_base_volume": np.round(volume / 2, 3),
                    "taker_buy_quote_volume": np.round(volume * walk / 2, 5),
                }
            )
            csv.write_csv(table, file, csv.WriteOptions(include_header=rows == 0, quoting_style="none"))
            rows += batch
    return rows


def by_position(file: CandleFile, start: int, end: int) -> pd.DataFrame:
    """This project."""
    return slice_file(file, start, end).table.to_pandas()


def pandas_full(file: CandleFile, start: int, end: int) -> pd.DataFrame:
    """pandas.read_csv of everything, then a filter."""
    frame = pd.read_csv(file.path)
    return frame[(frame["timestamp"] >= start) & (frame["timestamp"] <= end)]


def pyarrow_full(file: CandleFile, start: int, end: int) -> pd.DataFrame:
    """pyarrow.csv.read_csv of everything (all cores), then a filter."""
    table = csv.read_csv(file.path)
    times = table["timestamp"].to_numpy()
    first, last = np.searchsorted(times, start), np.searchsorted(times, end, side="right")
    return table.slice(first, last - first).to_pandas()


def two_phases(file: CandleFile, start: int, end: int) -> pd.DataFrame:
    """The timestamp column first, then skiprows and nrows."""
    times = pd.read_csv(file.path, usecols=["timestamp"])["timestamp"].to_numpy()
    first, last = np.searchsorted(times, start), np.searchsorted(times, end, side="right")
    return pd.read_csv(file.path, skiprows=range(1, first + 1), nrows=last - first)


def measure(megabytes: float = 750, runs: int = 3, folder: Path | None = None) -> dict[str, Any]:
    """All figures as one document. Raises AssertionError when two ways differ."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="hummingsweep-bench-") as work:
        file = _file(Path(work), "csv")
        rows = generate(file.path, megabytes)
        start = START + 60 * (rows // 2)
        end = start + WEEK_S
        ways: dict[str, Callable[[CandleFile, int, int], pd.DataFrame]] = {
            "by position": by_position,
            "pyarrow full read": pyarrow_full,
            "pandas full read": pandas_full,
            "timestamps, then skiprows": two_phases,
        }
        found: dict[str, Any] = {}
        expected: pd.DataFrame | None = None
        for name, way in ways.items():
            # what takes milliseconds is repeated more often
            repeats = runs * 10 if way is by_position else runs
            seconds, cpu, frame = timed(lambda way=way: way(file, start, end), repeats)
            frame = frame.astype(float).reset_index(drop=True)
            expected = frame if expected is None else expected
            assert frame.equals(expected), f"{name} gives other candles"
            found[name] = {"seconds": seconds, "cpu_s": cpu}
        for name in ways:
            found[name]["times_as_long"] = found[name]["seconds"] / found["by position"]["seconds"]
        drop_from_cache(file.path)
        cold, _, _ = timed(lambda: by_position(file, start, end), 1)
        assert expected is not None
        document = {
            "file_mb": file.path.stat().st_size / 1e6,
            "rows": rows,
            "slice_rows": len(expected),
            "ways": found,
            "cold_s": cold,
            "probes": {"large": most_probes(file.path)},
        }
        document |= _parquet(Path(work), file, start, end, runs)
        small = Path(work) / "small.csv"
        generate(small, 10)
        document["probes"]["10 MB"] = most_probes(small)
        document["mirror"] = _mirror(Path(work) / "mirror", file, start, end, runs)
        return document


def most_probes(path: Path) -> int:
    """The most lines looked at to locate one of 100 times, without the fixed number of looks on opening."""
    mapped, most = open_csv(path), 0
    for moment in np.random.default_rng(1).uniform(mapped.first, mapped.last, 100):
        before = mapped.probes
        mapped.locate(moment)
        most = max(most, mapped.probes - before)
    return most


def timed(work: Callable[[], Any], runs: int) -> tuple[float, float, Any]:
    """Least wall-clock seconds, least CPU seconds, and the last result."""
    seconds, cpu, result = [], [], None
    for _ in range(runs):
        began, busy = time.perf_counter(), time.process_time()
        result = work()
        seconds.append(time.perf_counter() - began)
        cpu.append(time.process_time() - busy)
    return min(seconds), min(cpu), result


def drop_from_cache(path: Path) -> None:
    """Ask the system to forget the file's pages (Linux)."""
    if hasattr(os, "posix_fadvise"):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _parquet(work: Path, source: CandleFile, start: int, end: int, runs: int) -> dict[str, Any]:
    """The same candles as Parquet with pyarrow's row groups, and with those `candles import` writes."""
    table = csv.read_csv(source.path).select(COLUMNS)
    found: dict[str, Any] = {}
    expected = by_position(source, start, end)
    for name, rows in (("parquet, groups of 1,048,576", 1 << 20), ("parquet, groups of 16,384", 1 << 14)):
        file = _file(work, "parquet")
        parquet.write_table(table, file.path, row_group_size=rows)
        seconds, cpu, frame = timed(lambda file=file: by_position(file, start, end), runs * 3)
        assert frame.equals(expected), f"{name} gives other candles"
        found[name] = {"seconds": seconds, "cpu_s": cpu, "file_mb": file.path.stat().st_size / 1e6}
    return {"parquet": found}


def _mirror(folder: Path, file: CandleFile, start: int, end: int, runs: int) -> dict[str, Any]:
    """Opening a slice that lies in the mirror."""
    piece, mirror = slice_file(file, start, end), Mirror(folder, 1 << 30)
    mirror.frame(piece.digest, piece.ipc)
    seconds, _, frame = timed(lambda: mirror.frame(piece.digest, piece.ipc), runs * 10)
    assert frame.equals(piece.table.to_pandas())
    return {"frame_s": seconds}


def _file(folder: Path, encoding: str) -> CandleFile:
    path = folder / f"candles_synthetic_BTC-USDT_1m.{encoding}"
    return CandleFile("synthetic", "BTC-USDT", "1m", path, Layout.HUMMINGBOT)


def lines(document: dict[str, Any]) -> list[str]:
    """The document as people read it."""
    told = [
        f"{document['slice_rows']:,} of {document['rows']:,} candles out of a CSV of {document['file_mb']:.0f} MB, "
        "all ways equal"
    ]
    for name, way in document["ways"].items():
        ratio, cpu_ms = f"{way['times_as_long']:8.1f}x", f"CPU {way['cpu_s'] * 1e3:10.2f} ms"
        told.append(f"  {name:28s} {way['seconds'] * 1e3:10.2f} ms  {ratio}  {cpu_ms}")
    told.append(f"  {'by position, not in cache':28s} {document['cold_s'] * 1e3:10.2f} ms")
    for name, way in document["parquet"].items():
        told.append(f"  {name:28s} {way['seconds'] * 1e3:10.2f} ms             CPU {way['cpu_s'] * 1e3:10.2f} ms")
    told.append(f"  {'open in the mirror':28s} {document['mirror']['frame_s'] * 1e3:10.2f} ms")
    told.append(f"probes to locate a time: {', '.join(f'{n} in {name}' for name, n in document['probes'].items())}")
    return told


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--mb", type=float, default=750, help="megabytes of the CSV")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the temporary folder is made")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    document = measure(chosen.mb, chosen.runs, chosen.folder)
    print(json.dumps(document, indent=2) if chosen.json else "\n".join(lines(document)))


if __name__ == "__main__":
    main()

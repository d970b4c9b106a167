"""Series: files as people have them become one kind of table, and what cannot be used is named."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.candles.series import read_series
from tasks.errors import CandlesError

START = 1_704_067_200  # 2024-01-01
END = START + 3 * 86_400


def rows_of(data: bytes) -> dict[str, list[object]]:
    found: dict[str, list[object]] = pa.ipc.open_file(pa.py_buffer(data)).read_all().to_pydict()
    return found


@pytest.mark.parametrize(
    ("times", "suffix"),
    [
        ([f"{START + 3600}", f"{START}"], "csv"),
        ([f"{(START + 3600) * 1000}", f"{START * 1000}"], "csv"),
        ([f"{(START + 3600) * 1_000_000_000}", f"{START * 1_000_000_000}"], "csv"),
        (["2024-01-01 01:00:00", "2024-01-01 00:00:00"], "csv"),
        (["2024-01-01T01:00:00Z", "2024-01-01T00:00:00Z"], "csv"),
    ],
)
def test_times_of_any_unit_become_seconds_in_order(tmp_path: Path, times: list[str], suffix: str) -> None:
    file = tmp_path / f"rates.{suffix}"
    file.write_text("rate,timestamp,note\n" + "".join(f"{n},{time},x{n}\n" for n, time in enumerate(times)))
    found = rows_of(read_series(file, END))
    assert found == {"timestamp": [START, START + 3600.0], "rate": [1.0, 0.0], "note": ["x1", "x0"]}


def test_parquet_with_moments_and_counts(tmp_path: Path) -> None:
    table = pa.table({
        "timestamp": pa.array([START * 1000, (START + 60) * 1000], pa.timestamp("ms", tz="UTC")),
        "n": pa.array([1, 2], pa.int32()), "listed": [True, False],
    })  # fmt: skip
    pq.write_table(table, tmp_path / "oi.parquet")
    found = rows_of(read_series(tmp_path / "oi.parquet", END))
    assert found == {"timestamp": [START, START + 60.0], "n": [1.0, 2.0], "listed": [True, False]}


def test_what_comes_after_the_period_stays_at_home(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text(f"timestamp,x\n{START},1\n{END},2\n{END + 1},3\n")
    assert rows_of(read_series(file, END))["x"] == [1.0, 2.0]


def test_the_same_rows_give_the_same_bytes_whatever_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"timestamp,x\n{START},1\n{START + 1},2\n")
    (tmp_path / "b.csv").write_text(f"timestamp,x\n{(START + 1) * 1000},2\n{START * 1000},1\n")
    assert read_series(tmp_path / "a.csv", END) == read_series(tmp_path / "b.csv", END)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("time,x\n1,2\n", "has no column timestamp; its columns are time, x"),
        (f"timestamp,x\n{START},1\n{START * 1000},2\n", "timestamp mixes units"),
        ("timestamp,x\nyesterday,1\n", "timestamp is not a time"),
        ("timestamp,x\n9999-12-31 00:00:00,1\n", "timestamp is not between the years 1678 and 2261"),
        ("timestamp,x\n1704067200,9999-12-31\n", "x is not between the years 1678 and 2261"),
        ("timestamp,x,x\n1704067200,1,2\n", "has two columns 'x'"),
        ("timestamp,timestamp\n1704067200,1\n", "has two columns 'timestamp'"),
        (f"timestamp,x\n{START},1\n,2\n", "1 rows have no timestamp"),
        ("", "is no CSV or Parquet file"),
        ("timestamp,x\n", "has no rows"),
        ("timestamp,x\n-inf,1\n", "some rows have no timestamp, or an infinite one"),
    ],
)
def test_what_cannot_be_used_is_named_with_the_file(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "bad.csv"
    file.write_text(text)
    with pytest.raises(CandlesError, match=rf"bad\.csv: .*{said}|bad\.csv: {said}"):
        read_series(file, END)


def test_a_missing_file_says_what_a_series_is(tmp_path: Path) -> None:
    with pytest.raises(CandlesError, match=r"none\.csv: no such file; `series:` names CSV or Parquet"):
        read_series(tmp_path / "none.csv", END)

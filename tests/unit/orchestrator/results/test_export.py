"""A row written and read back equals the row computed."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import json
import math
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.report.page import write_report
from orchestrator.results import store_reader
from orchestrator.results.columns import LEADING, to_rows
from orchestrator.results.export import write
from orchestrator.results.store import Store
from orchestrator.results.trade_tables import encoded
from tasks.errors import HummingsweepError, StoreError
from tasks.protocol.messages import Rows
from tests.unit.orchestrator.stores import DECIDED, chunk, definition, failed, fill, ok

GRID = {"x": [0.1, 2.5], "pair": ["BTC-USDT", "a,b"], "spreads": [[0.1, 0.2], "0.3"]}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.create(tmp_path / "out") as made:
        yield made


def written(store: Store, sweep: str, format: str, *, raw: bool = False, **options: Any) -> bytes:
    stream = io.BytesIO()
    count = write(store, sweep, format, stream, raw=raw, **options)
    assert count == sum(1 for _ in store.rows(sweep, **options))
    return stream.getvalue()


def same(one: Any, other: Any) -> bool:
    """Equal, NaN to NaN, and floats to the last bit."""
    if isinstance(one, float) and isinstance(other, float):
        return (math.isnan(one) and math.isnan(other)) or (
            one == other and math.copysign(1, one) == math.copysign(1, other)
        )
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other) and (type(one) is type(other) or not isinstance(one, str))


from_csv = {
    pa.int64(): int,
    pa.float64(): float,
    pa.bool_(): {"True": True, "False": False}.__getitem__,
    pa.string(): str,
}

values = {
    "real": st.floats(),
    "number": st.one_of(st.floats(), st.integers(-(2**53), 2**53)),
    "whole": st.integers(-(2**63), 2**63 - 1),
    "flag": st.booleans(),
    "text": st.text(min_size=1),
    "counts": st.dictionaries(st.text(), st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats()), max_size=3),
    "anything": st.one_of(st.integers(), st.floats(), st.text(), st.booleans(), st.lists(st.floats(), max_size=2)),
}
results = st.fixed_dictionaries({name: st.none() | strategy for name, strategy in values.items()})


@settings(max_examples=40)
@given(st.lists(results, min_size=1, max_size=8), st.integers(1, 8))
def test_rows_survive_the_journey(rows: list[dict[str, Any]], batch: int) -> None:
    """Computed -> message -> store -> CSV, JSON, Parquet, in chunks that differ in columns."""
    computed = [ok(point, **row) if point % 3 else failed(point) for point, row in enumerate(rows, 1)]
    grid = {"x": list(range(9))}
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder, Store.create(Path(folder)) as store:
        patch.setattr(store_reader, "BATCH", batch)
        sweep = fill(store, [], grid)
        for row in computed:
            store.insert(sweep, Rows.decode(chunk([row]).encode()))
        names = store.columns(sweep)
        expected = [{name: {**row, "x": row["point"], **DECIDED}.get(name) for name in names} for row in computed]
        stored = list(store.rows(sweep))
        assert all(map(same, stored, expected))
        assert all(map(same, json.loads(written(store, sweep, "json")), expected))
        as_parquet = pq.read_table(pa.BufferReader(written(store, sweep, "parquet")))
        assert as_parquet.schema == store.table(sweep).schema
        assert all(same_numbers(one, other) for one, other in zip(to_rows(as_parquet), expected, strict=True))
        read = list(csv.reader(io.StringIO(written(store, sweep, "csv", raw=True).decode(), newline="")))
        assert read[0] == names
        schema = store.table(sweep).schema
        for line, row in zip(read[1:], expected, strict=True):
            for name, text in zip(names, line, strict=True):
                field = schema.field(name)
                if text == "":
                    assert row[name] in (None, "")
                    continue
                found = from_csv[field.type](text)
                found = json.loads(found) if field.metadata else found
                assert same_numbers({name: found}, {name: row[name]})


def same_numbers(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """As `same`, but a column of integers and floats holds floats."""
    return all(
        same(a, b) or (isinstance(a, float) and isinstance(b, int) and a == b)
        for a, b in zip(one.values(), other.values(), strict=True)
    )


def test_axes_in_every_format(store: Store) -> None:
    sweep = fill(store, [ok(0, net_pnl=0.1), ok(7, net_pnl=1)], GRID)
    lines = written(store, sweep, "csv").decode().splitlines()
    assert [line.rsplit(",", len(DECIDED))[0] for line in lines] == [
        "point,status,error,engine,seconds,x,pair,spreads,net_pnl",
        '0,ok,,jump,0.25,0.1,BTC-USDT,"[0.1,0.2]",0.1',
        '7,ok,,jump,0.25,2.5,"a,b","""0.3""",1',
    ]
    assert json.loads(written(store, sweep, "json"))[0]["spreads"] == [0.1, 0.2]
    parquet = pq.read_table(pa.BufferReader(written(store, sweep, "parquet")))
    assert [row["spreads"] for row in to_rows(parquet)] == [[0.1, 0.2], "0.3"]


def test_what_decided_the_rows_in_every_format(store: Store) -> None:
    """Each value is another than the others and than the usual one, so that no two columns can be exchanged."""
    decided = dataclasses.replace(
        definition(grid={"shift": [0, 7], "fills": ["a", "b"]}),
        shift=2,
        fills="both",
        warmup=False,
        trade_cost=0.001,
        maker_cost=0.0,
        taker_cost=0.003,
        slippage_bps=1.5,
        seed=11,
        versions={"hummingsweep": "0.2", "hummingbot": "20250101"},
        slices={"z": "2" * 64, "a": "1" * 64},
        trading_rules={"a": {"X": {"min": "1"}}},
        funding={"X-Y": [[60, 0.25]]},
        controllers="c" * 15 + "d" + "e" * 48,
    )
    expected = {
        "period_start": decided.start,
        "period_end": decided.end,
        "resolution": decided.resolution,
        "shift": 2,
        "fills": "both",
        "warmup": False,
        "trade_cost": 0.001,
        "maker_cost": 0.0,
        "taker_cost": 0.003,
        "slippage_bps": 1.5,
        "seed": 11,
        "hummingbot_version": "20250101",
        "hummingsweep_version": "0.2",
        "candles_digest": hashlib.sha256(f'{{"a":"{"1" * 64}","z":"{"2" * 64}"}}'.encode()).hexdigest()[:16],
        "trading_rules_digest": hashlib.sha256(b'{"a":{"X":{"min":"1"}}}').hexdigest()[:16],
        "funding_digest": hashlib.sha256(b'{"X-Y":[[60,0.25]]}').hexdigest()[:16],
        "controllers_digest": "c" * 15 + "d",
    }
    store.add_sweep(decided, "", {})
    store.insert(decided.sweep, chunk([ok(3, net_pnl=0.5), failed(2)]))
    names = store.columns(decided.sweep)
    assert names == [*LEADING, "axis_shift", "axis_fills", "net_pnl", *expected]

    read = list(csv.reader(io.StringIO(written(store, decided.sweep, "csv").decode())))
    assert read[0] == names
    assert [line[-len(expected) :] for line in read[1:]] == [[str(value) for value in expected.values()]] * 2
    parquet = pq.read_table(pa.BufferReader(written(store, decided.sweep, "parquet")))
    period, deciding = ["int64", "int64", "string"], ["int64", "string", "bool", *["double"] * 4, "int64"]
    types = [*period, *deciding, *["string"] * 6]
    assert {name: str(parquet.schema.field(name).type) for name in expected} == dict(zip(expected, types, strict=True))
    for rows in (json.loads(written(store, decided.sweep, "json")), parquet.to_pylist()):
        assert [(row["axis_shift"], row["axis_fills"]) for row in rows] == [(7, "a"), (7, "b")]
        for row in rows:
            assert list(row) == names
            assert {name: row[name] for name in expected} == expected


def test_pandas_reads_all_three_alike(store: Store, tmp_path: Path) -> None:
    rows = [
        ok(point, net_pnl=1 / (point + 3), total_positions=point, close_types={"TAKE_PROFIT": 1}) for point in range(8)
    ]
    sweep = fill(store, rows, GRID)
    for format in ("csv", "json", "parquet"):
        write(store, sweep, format, tmp_path / f"rows.{format}")
    from_csv = pd.read_csv(tmp_path / "rows.csv", float_precision="round_trip")
    from_json = pd.DataFrame(json.loads((tmp_path / "rows.json").read_text()))
    from_parquet = pd.read_parquet(tmp_path / "rows.parquet")
    for frame in (from_csv, from_json, from_parquet):
        assert list(frame["net_pnl"]) == [1 / (point + 3) for point in range(8)]
        assert list(frame["total_positions"]) == list(range(8))
        assert list(frame.columns) == store.columns(sweep)


@pytest.mark.parametrize("format", ["csv", "json", "parquet"])
def test_no_rows_and_one_status(store: Store, format: str) -> None:
    sweep = fill(store, [ok(0, net_pnl=1.0), failed(1), ok(2, net_pnl=2.0)])
    assert written(store, sweep, format, status="timeout")
    assert written(store, sweep, format, status="error")
    if format == "json":
        assert [row["point"] for row in json.loads(written(store, sweep, "json", status="ok"))] == [0, 2]
        assert json.loads(written(store, sweep, "json", status="crashed")) == []


def test_the_stream_stays_open(store: Store) -> None:
    sweep = fill(store, [ok(0)])
    for format in ("csv", "json", "parquet"):
        stream = io.BytesIO()
        write(store, sweep, format, stream)
        assert not stream.closed


def test_what_is_refused(store: Store, tmp_path: Path) -> None:
    sweep = fill(store, [ok(0)])
    with pytest.raises(HummingsweepError, match="format xlsx: is none of csv, json, parquet"):
        write(store, sweep, "xlsx", io.BytesIO())
    with pytest.raises(HummingsweepError, match="status fine: is none of ok, error, crashed, timeout, skipped"):
        write(store, sweep, "csv", io.BytesIO(), status="fine")
    with pytest.raises(StoreError, match="cannot be written"):
        write(store, sweep, "csv", tmp_path / "none" / "rows.csv")


def test_no_answer_is_written_over_a_store(store: Store, tmp_path: Path) -> None:
    sweep = fill(store, [ok(0)])
    (tmp_path / "link.csv").symlink_to(tmp_path / "out" / "results.sqlite")
    for place in ("out/results.sqlite", "out/results.sqlite-wal", "out/Results.SQLite", "out/results.lock", "link.csv"):
        with pytest.raises(StoreError, match="is a file of the result store"):
            write(store, sweep, "csv", tmp_path / place)
        with pytest.raises(StoreError, match="is a file of the result store"):
            write_report(store, sweep, tmp_path / place)
    assert [row["point"] for row in store.rows(sweep)] == [0]


def test_no_folder_is_made_for_an_answer(store: Store, tmp_path: Path) -> None:
    sweep = fill(store, [ok(0)])
    with pytest.raises(StoreError, match=r"there is no folder .*none; make it, or name another file with --to"):
        write(store, sweep, "csv", tmp_path / "none" / "rows.csv")
    with pytest.raises(StoreError, match=r"there is no folder .*none; make it, or name another file with --to"):
        write_report(store, sweep, tmp_path / "none" / "page.html")
    assert not (tmp_path / "none").exists()


def test_a_file_is_replaced_only_when_it_is_complete(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = fill(store, [ok(0)])
    file = tmp_path / "rows.json"
    file.write_text("before")

    def broken(*_: Any, **__: Any) -> Iterator[dict[str, Any]]:
        yield {"point": 0}
        raise StoreError("damaged")

    monkeypatch.setattr(Store, "rows", broken)
    with pytest.raises(StoreError, match="damaged"):
        write(store, sweep, "json", file)
    assert file.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir() if path.name != "out"] == ["rows.json"]


def test_a_folder_or_a_device_in_place_of_a_file(store: Store, tmp_path: Path) -> None:
    sweep = fill(store, [ok(0)])
    assert write(store, sweep, "csv", Path("/dev/null")) == 1
    assert Path("/dev/null").is_char_device()
    with pytest.raises(StoreError, match="cannot be written"):
        write(store, sweep, "csv", tmp_path)
    assert tmp_path.is_dir()


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_a_text_that_a_spreadsheet_would_run_is_escaped_in_csv(store: Store, text: str) -> None:
    sweep = fill(store, [ok(0, note=text, **{text: 1})])
    names, cells = csv.reader(io.StringIO(written(store, sweep, "csv").decode(), newline=""))
    assert cells[names.index("note")] == f"'{text}"
    assert f"'{text}" in names
    names, cells = csv.reader(io.StringIO(written(store, sweep, "csv", raw=True).decode(), newline=""))
    assert cells[names.index("note")] == text
    assert text in names


def test_numbers_and_other_texts_are_left_as_they_are(store: Store) -> None:
    sweep = fill(store, [ok(0, loss=-1.5, text="-1.5", far=float("-inf"), pair="BTC-USDT", many=[-1, "=1"])])
    names, cells = csv.reader(io.StringIO(written(store, sweep, "csv").decode()))
    found = dict(zip(names, cells, strict=True))
    assert [found[name] for name in ("loss", "text", "far", "pair", "many")] == [
        "-1.5", "-1.5", "-inf", "BTC-USDT", '[-1,"=1"]',
    ]  # fmt: skip


def test_tables_of_trades_are_escaped_too() -> None:
    tables = {"executors": pd.DataFrame({"level": ["=1+1", None, "a"], "pnl": [-1.0, 2.0, 3.0]})}
    assert encoded(tables, "csv", "executors") == b"level,pnl\n'=1+1,-1.0\n,2.0\na,3.0\n"
    assert encoded(tables, "csv", "executors", raw=True).startswith(b"level,pnl\n=1+1,-1.0\n")

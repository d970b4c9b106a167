"""Folders that hold what no version should have stored: bad rows, damaged documents, other programs' databases."""

from __future__ import annotations

import hashlib
import io
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from orchestrator.results.database import FILE
from orchestrator.results.export import write
from orchestrator.results.store import Store
from orchestrator.results.store_reader import StoreReader
from orchestrator.results.sweep_notes import sweep_file_of
from orchestrator.results.sweep_ref import SweepRef
from tasks.errors import StoreError
from tests.unit.orchestrator.stores import failed, fill, ok

BAD = [-1, 1.5, "seven", 12, 10**12, b"\x00"]


def with_bad_rows(folder: Path) -> str:
    """A store with the rows 0, 2 and 4, and rows that an earlier version took from a hostile node."""
    with Store.create(folder) as store:
        sweep = fill(store, [ok(0, net_pnl=1.0), ok(2, net_pnl=2.0), failed(4)])
    with closing(sqlite3.connect(folder / FILE)) as connection, connection:
        scope, shape = connection.execute("SELECT scope, shape FROM rows WHERE point = 0").fetchone()
        rows = [(scope, point, "ok", shape, "[1.0]") for point in BAD] + [(scope, 3, "splendid", shape, "[1.0]")]
        connection.executemany("INSERT INTO rows (scope, point, status, shape, result) VALUES (?, ?, ?, ?, ?)", rows)
    return sweep


def test_a_folder_with_rows_that_fit_no_grid_can_be_read(tmp_path: Path) -> None:
    sweep = with_bad_rows(tmp_path)
    with StoreReader.open(tmp_path) as store:
        assert [row["point"] for row in store.rows(sweep)] == [0, 2, 4]
        assert [row["point"] for row in store.rows(sweep, points=[-1, 0, 3, 12])] == [0]
        assert store.table(sweep).column("point").to_pylist() == [0, 2, 4]
        assert sum(store.counts(sweep).values()) == 3
        assert store.errors(sweep) == [("ValueError: no", 1)]
        assert list(store.missing_runs(sweep, 12)) == [(1, 1), (5, 11)]
        assert set(store.statuses(sweep, range(12))) == {0, 2, 4}
        assert store.unfit(sweep) == len(BAD) + 1
        for format in ("csv", "json", "parquet"):
            assert write(store, sweep, format, io.BytesIO()) == 3


def test_the_next_writer_moves_them_aside_says_so_and_computes_their_points(tmp_path: Path) -> None:
    sweep = with_bad_rows(tmp_path)
    with Store.create(tmp_path) as store:
        assert store.mended.startswith(f"{len(BAD) + 1} rows of {tmp_path} do not fit their sweep")
        assert store.unfit(sweep) == 0
        (kept,) = (tmp_path / "set-aside").iterdir()
        assert {str(row["point"]) for row in json.loads(kept.read_text())} == {*map(str, BAD), "3"}
        assert list(store.missing_runs(sweep, 12)) == [(1, 1), (3, 3), (5, 11)]
    with Store.create(tmp_path) as store:
        assert store.mended == ""


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE sweeps SET meta = '[1]'",
        "UPDATE sweeps SET meta = '{'",
        "UPDATE sweeps SET definition = X'00'",
        "UPDATE sweeps SET definition = '{\"sweep\": 7}'",
        "UPDATE shapes SET names = 'x'",
        "UPDATE shapes SET names = '[]'",
        "UPDATE rows SET result = '['",
        "UPDATE rows SET result = '7'",
        "UPDATE rows SET result = '[1, 2, 3]'",
        "UPDATE rows SET shape = 99",
        "DELETE FROM shapes",
        "DROP TABLE columns",
    ],
)
def test_a_damaged_store_is_one_sentence(tmp_path: Path, change: str) -> None:
    with Store.create(tmp_path) as store:
        sweep = fill(store, [ok(0, net_pnl=1.0)])
    with closing(sqlite3.connect(tmp_path / FILE)) as connection, connection:
        connection.execute(change)

    def read(what: Any) -> None:
        with StoreReader.open(tmp_path) as store:
            what(store)

    with pytest.raises(StoreError):
        read(lambda store: list(store.rows(sweep)))
    with pytest.raises(StoreError):
        read(lambda store: store.table(sweep))


@pytest.mark.parametrize("version", [0, 1, 2])
def test_another_programs_database_is_never_written_into(tmp_path: Path, version: int) -> None:
    """Tables of ours were made in it, and one that called itself version 1 was altered."""
    with closing(sqlite3.connect(tmp_path / FILE)) as connection, connection:
        connection.execute("CREATE TABLE rows (sweep, price)")
        connection.execute("INSERT INTO rows VALUES (1, 2)")
        connection.execute(f"PRAGMA user_version = {version}")
    before = hashlib.sha256((tmp_path / FILE).read_bytes()).digest()
    for attempt in (Store.create, StoreReader.open):
        with pytest.raises(StoreError, match="is a database of another program"):
            attempt(tmp_path)
    with pytest.raises(StoreError, match="is a database of another program"):
        SweepRef.find(str(tmp_path))
    assert hashlib.sha256((tmp_path / FILE).read_bytes()).digest() == before
    assert {file.name for file in tmp_path.iterdir()} <= {FILE, "results.lock"}


def noted(folder: Path, notes: object) -> str:
    """A store whose sweep has these notes."""
    with Store.create(folder) as store:
        sweep = fill(store, [ok(0, net_pnl=1.0)])
    with closing(sqlite3.connect(folder / FILE)) as connection, connection:
        connection.execute("UPDATE sweeps SET meta = ?", (json.dumps(notes),))
    return sweep


def test_a_folder_of_an_earlier_version_that_noted_less_is_ranked_by_net_pnl(tmp_path: Path) -> None:
    """`report` ended in a KeyError."""
    sweep = noted(tmp_path, {})
    with StoreReader.open(tmp_path) as store:
        meta = store.meta(sweep)
        assert (meta["rank_by"], meta["where"]) == ("net_pnl", None)
        with pytest.raises(StoreError, match="does not say which sweep file it is of"):
            sweep_file_of(meta, store.folder)


@pytest.mark.parametrize(
    "notes",
    [
        {"rank_by": 7}, {"where": []}, {"across": 7}, {"file": 7}, {"audit": 7}, {"live": [1]}, {"trust": "luck"},
        {"trust": {"verdict": "luck"}}, {"no_answer": 7}, {"looks": {}}, [], 7, None,
    ],
)  # fmt: skip
def test_notes_that_no_version_wrote_are_one_sentence(tmp_path: Path, notes: object) -> None:
    """`report` and `promote` ended in an AttributeError or a TypeError."""
    noted(tmp_path, notes)
    with StoreReader.open(tmp_path) as store, pytest.raises(StoreError, match="is damaged"):
        store.latest()


def test_a_damaged_schema_whose_names_are_no_text_is_one_sentence(tmp_path: Path) -> None:
    """SQLite quotes the name in its error; to read that was a UnicodeDecodeError."""
    with Store.create(tmp_path) as store:
        fill(store, [ok(0)])
    with closing(sqlite3.connect(tmp_path / FILE)) as connection, connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET name = CAST(x'ff83' AS TEXT), sql = 'x' WHERE name = 'chunks'")
    with pytest.raises(StoreError, match="damaged"):
        StoreReader.open(tmp_path)

"""The result store: what is kept, what is refused, what survives."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.results import store_reader
from orchestrator.results.database import FILE
from orchestrator.results.store import Store
from orchestrator.results.store_reader import StoreReader
from orchestrator.results.sweep_ref import SweepRef, resolve
from tasks.errors import StoreError
from tasks.grid import Grid
from tasks.protocol.messages import Rows, Status
from tests.unit.orchestrator.stores import DECIDED, chunk, definition, failed, fill, ok


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.create(tmp_path / "out") as made:
        yield made


class TestRows:
    def test_a_row_comes_back_with_its_axes_and_every_column(self, store: Store) -> None:
        sweep = fill(store, [ok(5, net_pnl=0.1, close_types={"TAKE_PROFIT": 2}, note=None), failed(3)])
        rows = list(store.rows(sweep))
        assert rows == [
            {
                **failed(3),
                "length": 10,
                "std": 2.5,
                "trading_pair": "ETH-USDT",
                "net_pnl": None,
                "close_types": None,
                "note": None,
                **DECIDED,
            },
            {
                **ok(5),
                "length": 20,
                "std": 1.0,
                "trading_pair": "ETH-USDT",
                "net_pnl": 0.1,
                "close_types": {"TAKE_PROFIT": 2},
                "note": None,
                **DECIDED,
            },
        ]
        assert [list(row) for row in rows] == [store.columns(sweep)] * 2

    def test_the_columns_do_not_depend_on_the_order_of_chunks(self, tmp_path: Path) -> None:
        chunks = [
            [ok(0, zeta=1, net_pnl=2, alpha=3, accuracy=4)],
            [failed(1)],
            [ok(2, accuracy=4, beta=1, net_pnl=2)],
        ]
        found = set()
        for number, order in enumerate([(0, 1, 2), (2, 1, 0), (1, 0, 2)]):
            with Store.create(tmp_path / str(number)) as store:
                sweep = fill(store, [])
                for place in order:
                    store.insert(sweep, chunk(chunks[place]))
                found.add(
                    (tuple(store.columns(sweep)), str(list(store.rows(sweep))), str(store.table(sweep).to_pylist()))
                )
        assert len(found) == 1
        names = next(iter(found))[0]
        assert names[5 : -len(DECIDED)] == (
            "length",
            "std",
            "trading_pair",
            "net_pnl",
            "accuracy",
            "alpha",
            "beta",
            "zeta",
        )

    def test_a_point_keeps_its_row(self, store: Store) -> None:
        sweep = fill(store, [ok(1, net_pnl=1.0)])
        assert store.insert(sweep, chunk([ok(1, net_pnl=2.0), ok(2, net_pnl=3.0)])) == 1
        assert store.insert(sweep, chunk([failed(1), failed(2)])) == 0
        assert [row["net_pnl"] for row in store.rows(sweep)] == [1.0, 3.0]

    def test_failed_points_can_be_forgotten_and_ok_ones_cannot(self, store: Store) -> None:
        sweep = fill(store, [ok(0), failed(1), failed(2, status="timeout"), failed(3, status="crashed")])
        assert store.forget_failed(sweep) == 3
        assert list(store.missing_runs(sweep, 12)) == [(1, 11)]
        store.insert(sweep, chunk([ok(1)]))
        assert store.counts(sweep) == {Status.OK: 2}

    def test_counts_errors_and_nodes(self, store: Store) -> None:
        sweep = fill(store, [ok(0), failed(1, "a"), failed(2, "b"), failed(3, "b")])
        store.insert(sweep, chunk([ok(4), ok(5)], node="there/1"))
        store.insert(sweep, chunk([ok(4), ok(5)], node="late/1"))
        assert store.counts(sweep) == {Status.OK: 3, Status.ERROR: 3}
        assert store.errors(sweep) == [("b", 2), ("a", 1)]
        assert store.nodes(sweep) == [
            {"node": "here/0", "points": 4, "seconds": 1.5},
            {"node": "there/1", "points": 2, "seconds": 1.5},
        ]

    def test_points_and_status(self, store: Store) -> None:
        sweep = fill(store, [ok(0), failed(1), ok(2), ok(3)])
        assert [row["point"] for row in store.rows(sweep, points=[3, 11, 0])] == [3, 0]
        assert [row["point"] for row in store.rows(sweep, status="error")] == [1]
        assert [row["point"] for row in store.rows(sweep, points=[1, 2], status=Status.OK)] == [2]

    def test_a_result_named_like_an_axis_leaves_the_axis_its_own_column(self, store: Store) -> None:
        sweep = fill(store, [ok(0, std=9.0)])
        row = next(store.rows(sweep))
        assert (row["axis_std"], row["std"], row["length"]) == (1.0, 9.0, 10)
        assert store.table(sweep).to_pylist()[0]["axis_std"] == 1.0

    def test_an_error_with_half_a_character(self, store: Store) -> None:
        sweep = fill(store, [failed(0, "bad \ud800"), ok(1, text="\ud800")])
        assert next(store.rows(sweep))["error"] == "bad \\ud800"
        assert store.table(sweep).column("text").to_pylist() == [None, "\\ud800"]

    def test_a_chunk_without_rows(self, store: Store) -> None:
        sweep = fill(store, [])
        assert store.insert(sweep, Rows("1:0-0", "n", 0.0, {})) == 0
        assert list(store.rows(sweep)) == []
        assert store.table(sweep).num_rows == 0


class TestDecided:
    def test_a_row_ends_with_what_decided_it(self, tmp_path: Path) -> None:
        decided = dataclasses.replace(
            definition(grid={"shift": [0, 1]}),
            shift=2,
            fills="both",
            trade_cost=0.001,
            maker_cost=0.0,
            versions={"hummingbot": "1", "hummingsweep": "2"},
            slices={"a": "b" * 64},
            controllers="c" * 64,
        )
        with Store.create(tmp_path / "decided") as store:
            store.add_sweep(decided, "", {})
            store.insert(decided.sweep, chunk([ok(1, net_pnl=0.5)]))
            row = next(iter(store.rows(decided.sweep)))
        assert (row["axis_shift"], row["shift"], row["fills"]) == (1, 2, "both")
        assert (row["trade_cost"], row["maker_cost"], row["taker_cost"]) == (0.001, 0.0, 0.001)
        assert (row["hummingbot_version"], row["hummingsweep_version"]) == ("1", "2")
        assert row["controllers_digest"] == "c" * 16
        assert row["candles_digest"] != DECIDED["candles_digest"]


class TestTable:
    def test_types(self, store: Store) -> None:
        rows = [
            ok(0, whole=1, real=1, text="a", flag=True, mixed=1, big=2**60, huge=2**70, nothing=None, when={"a": 1}),
            ok(1, whole=2, real=0.1, text=None, flag=None, mixed="x", big=1, huge=1, nothing=None, when={}),
        ]
        table = store.table(fill(store, rows))
        types = {field.name: str(field.type) for field in table.schema if field.name not in DECIDED}
        assert types == {
            "point": "int64",
            "status": "string",
            "error": "string",
            "engine": "string",
            "seconds": "double",
            "length": "int64",
            "std": "double",
            "trading_pair": "string",
            "whole": "int64",
            "real": "double",
            "text": "string",
            "flag": "bool",
            "mixed": "string",
            "big": "int64",
            "huge": "string",
            "nothing": "double",
            "when": "string",
        }
        assert table.column("mixed").to_pylist() == ["1", '"x"']
        assert table.column("big").to_pylist() == [2**60, 1]
        assert table.column("when").to_pylist() == ['{"a":1}', "{}"]

    def test_axes_of_lists_and_mixed_numbers(self, store: Store) -> None:
        grid = {"spreads": ["0.1,0.2", [0.1, 0.3]], "size": [1, 2.5], "on": [True, False]}
        table = store.table(fill(store, [ok(point) for point in range(8)], grid))
        assert table.column("spreads").to_pylist()[3:5] == ['"0.1,0.2"', "[0.1,0.3]"]
        assert table.column("size").to_pylist()[:3] == [1.0, 1.0, 2.5]
        assert table.column("on").to_pylist()[:2] == [True, False]

    def test_batches_hold_every_row_once(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(store_reader, "BATCH", 2)
        sweep = fill(store, [ok(point, net_pnl=point / 3) for point in range(5)])
        schema, batches = store.batches(sweep)
        assert [batch.num_rows for batch in batches] == [2, 2, 1]
        assert store.table(sweep).schema == schema
        assert store.table(sweep).column("net_pnl").to_pylist() == [point / 3 for point in range(5)]


class TestMissing:
    @given(st.sets(st.integers(0, 40)), st.integers(1, 41), st.integers(1, 4))
    def test_it_is_the_grid_minus_the_stored_points(self, stored: set[int], size: int, page: int) -> None:
        with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder, Store.create(Path(folder)) as store:
            patch.setattr(store_reader, "GAPS", page)
            sweep = fill(store, [ok(point) for point in sorted(stored)], {"x": list(range(41))})
            runs = list(store.missing_runs(sweep, size))
        points = [point for first, last in runs for point in range(first, last + 1)]
        assert points == [point for point in range(size) if point not in stored]
        assert all(one[1] + 1 < other[0] for one, other in pairwise(runs))

    def test_a_grid_of_a_million_million_points(self, store: Store) -> None:
        grid = {name: list(range(1000)) for name in "abcd"}
        sweep = fill(store, [ok(0), ok(7), ok(10**12 - 1)], grid)
        assert Grid.from_mapping(grid).size == 10**12
        assert list(store.missing_runs(sweep, 10**12)) == [(1, 6), (8, 10**12 - 2)]
        assert [row["d"] for row in store.rows(sweep)] == [0, 7, 999]
        assert store.table(sweep).column("point").to_pylist()[-1] == 10**12 - 1

    def test_points_stored_while_it_is_read_are_not_given_twice(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(store_reader, "GAPS", 1)
        sweep = fill(store, [ok(2), ok(5)], {"x": list(range(9))})
        given_out = []
        for first, last in store.missing_runs(sweep, 9):
            points = list(range(first, last + 1))
            store.insert(sweep, chunk([ok(point) for point in points]))
            given_out += points
        assert given_out == [0, 1, 3, 4, 6, 7, 8]


class TestSweeps:
    def test_several_in_one_folder(self, store: Store) -> None:
        for name in ("one-1", "two-2"):
            store.add_sweep(definition(name), f"name: {name}", {"rank_by": "net_pnl"})
        store.insert("one-1", chunk([ok(0, a=1)]))
        store.insert("two-2", chunk([ok(0, b=1)]))
        assert store.latest() == "two-2"
        store.add_sweep(definition("one-1"), "name: one again", {"where": "a > 1"})
        assert [found.sweep for found in store.sweeps()] == ["one-1", "two-2"]
        assert store.meta("one-1") == {"rank_by": "net_pnl", "where": "a > 1"}
        assert store.sweep_file("one-1") == "name: one again"
        last = -len(DECIDED) - 1
        assert store.columns("one-1")[last] == "a"
        assert store.columns("two-2")[last] == "b"
        assert store.definition("two-2") == definition("two-2")

    def test_notes(self, store: Store) -> None:
        sweep = fill(store, [])
        before = store.meta(sweep)
        store.set_meta(sweep, "audit", {"clean": True, "worst": float("inf")})
        store.set_meta(sweep, "other", 1)
        assert store.meta(sweep) == {**before, "audit": {"clean": True, "worst": float("inf")}, "other": 1}

    def test_one_that_is_not_there(self, store: Store) -> None:
        with pytest.raises(StoreError, match="holds no sweep yet"):
            store.latest()
        fill(store, [])
        for ask in (store.counts, store.definition, store.table, store.columns, lambda name: list(store.rows(name))):
            with pytest.raises(StoreError, match="holds no sweep nix; there are: test-0123456789"):
                ask("nix")


class TestReaders:
    def test_see_whole_chunks_while_they_are_written(self, store: Store) -> None:
        sweep = fill(store, [], {"x": list(range(2000))})
        seen: list[int] = []
        failures: list[BaseException] = []
        done = threading.Event()

        def read() -> None:
            try:
                with StoreReader.open(store.folder) as reader:
                    while not done.is_set():
                        seen.append(sum(1 for _ in reader.rows(sweep)))
                        seen.append(sum(reader.counts(sweep).values()))
            except BaseException as failure:
                failures.append(failure)

        thread = threading.Thread(target=read)
        thread.start()
        for start in range(0, 2000, 50):
            store.insert(sweep, chunk([ok(point, net_pnl=point / 7) for point in range(start, start + 50)]))
        done.set()
        thread.join()
        assert not failures
        assert seen == sorted(seen)
        assert all(count % 50 == 0 for count in seen)

    def test_keep_their_moment(self, store: Store) -> None:
        sweep = fill(store, [ok(0), ok(1)])
        reading = store.rows(sweep)
        next(reading)
        store.insert(sweep, chunk([ok(2, late=1)]))
        assert [row["point"] for row in reading] == [1]
        assert [row["point"] for row in store.rows(sweep)] == [0, 1, 2]

    def test_cannot_write(self, store: Store) -> None:
        fill(store, [ok(0)])
        with (
            StoreReader.open(store.folder)._reading() as connection,
            pytest.raises(sqlite3.OperationalError, match="readonly"),
        ):
            connection.execute("DELETE FROM rows")

    def test_need_a_store(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="holds no results"):
            StoreReader.open(tmp_path)
        assert list(tmp_path.iterdir()) == []


class TestOneWriter:
    def test_writes_nothing_once_it_is_closed(self, store: Store) -> None:
        sweep = fill(store, [ok(0)])
        store.close()
        with pytest.raises(StoreError, match="is closed"):
            store.insert(sweep, chunk([ok(1)]))
        assert [row["point"] for row in store.rows(sweep)] == [0]

    def test_the_second_is_told_who_the_first_is(self, store: Store) -> None:
        with pytest.raises(StoreError, match=rf"process {os.getpid()} writes here"):
            Store.create(store.folder)

    def test_a_killed_writer_leaves_whole_chunks_and_no_lock(self, tmp_path: Path) -> None:
        code = (
            "import sys; from pathlib import Path; from itertools import count\n"
            "from orchestrator.results.store import Store\n"
            "from tests.unit.orchestrator.stores import chunk, fill, ok\n"
            "store = Store.create(Path(sys.argv[1]))\n"
            "sweep = fill(store, [], {'x': list(range(100_000))})\n"
            "for start in count(0, 10):\n"
            "    store.insert(sweep, chunk([ok(point) for point in range(start, start + 10)]))\n"
            "    print(start, flush=True)\n"
        )
        writer = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        for line in writer.stdout:
            if int(line) >= 200:
                break
        with pytest.raises(StoreError, match=f"process {writer.pid} writes here"):
            Store.create(tmp_path)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        with Store.create(tmp_path) as store:
            count = store.counts(store.latest())[Status.OK]
            assert count >= 210
            assert count % 10 == 0
            assert list(store.missing_runs(store.latest(), 100_000)) == [(count, 99_999)]

    def test_a_closed_folder_is_free(self, tmp_path: Path) -> None:
        for _ in range(2):
            with Store.create(tmp_path) as store:
                fill(store, [ok(0)])
        assert sorted(path.name for path in tmp_path.iterdir()) == ["results.lock", FILE]


class TestTrouble:
    def test_folders_that_cannot_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        for folder in (tmp_path / "file", tmp_path / "file" / "below"):
            with pytest.raises(StoreError, match=r"not writable .*--out"):
                Store.create(folder)

    def test_a_full_disk_loses_nothing_and_can_be_gone_on_with(self, store: Store) -> None:
        sweep = fill(store, [ok(0)], {"x": list(range(1000))})
        connection = store._connection
        assert connection is not None
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
        rows = chunk([ok(point, text="x" * 1000) for point in range(1, 500)])
        with pytest.raises(StoreError, match=r"full; make room on the disk .*everything stored before is kept"):
            store.insert(sweep, rows)
        assert [row["point"] for row in store.rows(sweep)] == [0]
        assert store.columns(sweep)[-len(DECIDED) - 1] == "x"
        connection.execute("PRAGMA max_page_count = 1000000")
        assert store.insert(sweep, rows) == 499
        assert store.table(sweep).column("text").to_pylist()[:2] == [None, "x" * 1000]

    @pytest.mark.parametrize("opened", [Store.create, StoreReader.open])
    def test_a_damaged_file(self, tmp_path: Path, opened: object) -> None:
        (tmp_path / FILE).write_bytes(b"no database at all" * 1000)
        with pytest.raises(StoreError, match=r"not a database; the file is damaged: move it away"):
            opened(tmp_path)  # type: ignore[operator]
        assert (tmp_path / FILE).read_bytes().startswith(b"no database")

    def test_a_file_cut_off(self, tmp_path: Path) -> None:
        with Store.create(tmp_path) as store:
            sweep = fill(store, [ok(point, text="x" * 500) for point in range(12)])
        file = tmp_path / FILE
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 3])
        with pytest.raises(StoreError, match="damaged"), StoreReader.open(tmp_path) as reader:
            list(reader.rows(sweep))

    def test_a_file_of_a_later_version(self, tmp_path: Path) -> None:
        with Store.create(tmp_path) as store:
            fill(store, [])
        connection = sqlite3.connect(tmp_path / FILE)
        connection.execute("PRAGMA user_version = 99")
        connection.close()
        for opened in (Store.create, StoreReader.open):
            with pytest.raises(StoreError, match="later hummingsweep"):
                opened(tmp_path)

    def test_another_program_that_holds_the_file_is_waited_for(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with Store.create(tmp_path) as store:
            sweep = fill(store, [])
            other = sqlite3.connect(tmp_path / FILE, isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            assert store._connection is not None
            store._connection.execute("PRAGMA busy_timeout = 20")
            with pytest.raises(StoreError, match="locked; another program holds the file"):
                store.insert(sweep, chunk([ok(0)]))
            other.execute("ROLLBACK")
            other.close()
            assert store.insert(sweep, chunk([ok(0)])) == 1


class TestSweepRef:
    @pytest.fixture
    def runs(self, tmp_path: Path) -> Path:
        for name in ("alpha", "beta"):
            with Store.create(tmp_path / "runs" / name) as store:
                store.add_sweep(definition(f"{name}-0000000001"), "", {})
                store.add_sweep(definition(f"{name}-0000000002"), "", {})
        return tmp_path / "runs"

    def test_every_way_to_name_one(self, runs: Path, tmp_path: Path) -> None:
        alpha = runs / "alpha"
        assert SweepRef.find(str(alpha), runs) == (alpha, "alpha-0000000002")
        assert SweepRef.find(str(alpha / FILE), runs) == (alpha, "alpha-0000000002")
        assert SweepRef.find("alpha", runs) == (alpha, "alpha-0000000002")
        assert SweepRef.find("alpha-0000000001", runs) == (alpha, "alpha-0000000001")
        file = tmp_path / "sweep.yml"
        file.write_text(
            "name: beta\ngrid: {a: [1]}\nperiod: {start: 2024-01-01, end: 2024-02-01}\n"
            "controller: {controller_type: t, controller_name: c, connector_name: b, trading_pair: A-B}\n"
        )
        assert resolve(str(file), runs) == runs / "beta"

    @pytest.mark.parametrize("text", ["x" * 5000, "a/" + "y" * 300, "a\0b"])
    def test_a_name_that_no_file_can_have(self, text: str) -> None:
        with pytest.raises(StoreError, match="no folder or sweep has such a name"):
            resolve(text)

    def test_what_names_none(self, runs: Path, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match=r"gamma: no output folder, .*alpha, .*beta\)"):
            resolve("gamma", runs)
        with pytest.raises(StoreError, match="there are: none"):
            resolve("gamma", tmp_path / "none")


def test_many_chunks_in_any_order(store: Store) -> None:
    sweep = fill(store, [], {"x": list(range(20_000))})
    chunks = [range(start, start + 100) for start in range(0, 20_000, 100)]
    random.Random(0).shuffle(chunks)
    results = {f"metric_{number}": number / 7 for number in range(40)}
    for points in chunks:
        store.insert(sweep, chunk([ok(point, **results, own=point / 3) for point in points]))
    assert list(store.missing_runs(sweep, 20_000)) == []
    assert store.table(sweep).column("own").to_pylist() == [point / 3 for point in range(20_000)]
    assert store.counts(sweep) == {Status.OK: 20_000}


def test_a_folder_that_cannot_be_written_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store.create(tmp_path) as store:
        sweep = fill(store, [ok(0)])
    connect = sqlite3.connect

    def without_write_access(address: str, **options: Any) -> sqlite3.Connection:
        # what SQLite says of a WAL store in a read-only folder
        return connect(address if "immutable" in address else "file:/none?mode=ro", **options)

    monkeypatch.setattr(sqlite3, "connect", without_write_access)
    with StoreReader.open(tmp_path) as reader:
        assert [row["point"] for row in reader.rows(sweep)] == [0]


def test_rows_of_a_scenario_stand_beside_those_of_the_plain_sweep(tmp_path: Path) -> None:
    with Store.create(tmp_path) as store:
        store.add_sweep(definition(), "text", {})
        name = store.latest()
        window = "start=60,end=120"
        store.insert(name, Rows.from_dicts("1:0-1", "n/1", 1.0, [ok(0), ok(1)]))
        assert store.insert(name, Rows.from_dicts(f"1:0-0@{window}", "n/1", 1.0, [ok(0)])) == 1
        assert store.insert(name, Rows.from_dicts(f"2:0-0@{window}", "n/1", 1.0, [ok(0)])) == 0
        assert store.scenarios(name) == [window]
        assert sum(store.counts(name).values()) == 2
        assert sum(store.counts(name, window).values()) == 1
        assert list(store.missing_runs(name, 3, window)) == [(1, 2)]
        assert store.table(name, scenario=window)["period_end"].to_pylist() == [120]
        assert store.counts(name, "noise=1") == {}


def test_a_store_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    with Store.create(tmp_path) as store:
        store.add_sweep(definition(), "text", {})
        name = store.latest()
        store.insert(name, Rows.from_dicts("1:0-1", "n/1", 1.0, [ok(0), ok(1)]))
        before = list(store.rows(name))
    with contextlib.closing(sqlite3.connect(tmp_path / FILE)) as connection:
        connection.executescript(
            "PRAGMA user_version = 1; DROP TABLE scopes; ALTER TABLE rows RENAME COLUMN scope TO sweep;"
            "ALTER TABLE columns RENAME COLUMN scope TO sweep; ALTER TABLE chunks RENAME COLUMN scope TO sweep;"
        )
    with StoreReader.open(tmp_path) as store:
        assert list(store.rows(name)) == before
        assert list(store.missing_runs(name, 3)) == [(2, 2)]

"""What every result store promises. A new one is a subclass of `StoreCase`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.results.store import Store
from orchestrator.results.store_reader import StoreReader
from tasks.errors import StoreError
from tasks.protocol.messages import Status
from tests.unit.orchestrator.stores import chunk, definition, failed, ok

SWEEP = definition()
SIZE = 12


class StoreCase:
    """The promises, as tests."""

    def create(self, folder: Path) -> Store:
        """A store to write to, made where there is none."""
        raise NotImplementedError

    def open(self, folder: Path) -> StoreReader:
        """The same store, for a reader of its own."""
        raise NotImplementedError

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        with self.create(tmp_path) as store:
            store.add_sweep(SWEEP, "name: test\n", {"seed": 0})
            yield store

    def test_a_chunk_that_comes_twice_changes_nothing(self, store: Store) -> None:
        assert store.insert(SWEEP.sweep, chunk([ok(0, net_pnl=1.0), ok(1, net_pnl=2.0)])) == 2
        before = list(store.rows(SWEEP.sweep))
        assert store.insert(SWEEP.sweep, chunk([ok(0, net_pnl=1.0), ok(1, net_pnl=2.0)])) == 0
        assert list(store.rows(SWEEP.sweep)) == before

    def test_a_point_that_has_a_row_keeps_it(self, store: Store) -> None:
        store.insert(SWEEP.sweep, chunk([ok(1, net_pnl=1.0)]))
        assert store.insert(SWEEP.sweep, chunk([ok(1, net_pnl=9.0), ok(2, net_pnl=2.0)], "1:1-2")) == 1
        assert [row["net_pnl"] for row in store.rows(SWEEP.sweep)] == [1.0, 2.0]

    def test_what_is_missing_is_the_grid_minus_the_rows(self, store: Store) -> None:
        for point in (3, 0, 7, 4):
            store.insert(SWEEP.sweep, chunk([ok(point)]))
        assert list(store.missing_runs(SWEEP.sweep, SIZE)) == [(1, 2), (5, 6), (8, 11)]
        store.insert(SWEEP.sweep, chunk([ok(point) for point in range(SIZE)]))
        assert list(store.missing_runs(SWEEP.sweep, SIZE)) == []

    def test_scenarios_are_kept_apart(self, store: Store) -> None:
        store.insert(SWEEP.sweep, chunk([ok(0, net_pnl=1.0)]))
        store.insert(SWEEP.sweep, chunk([ok(0, net_pnl=-1.0)], "1:0-0@cost=2"))
        assert [row["net_pnl"] for row in store.rows(SWEEP.sweep)] == [1.0]
        assert [row["net_pnl"] for row in store.rows(SWEEP.sweep, scenario="cost=2")] == [-1.0]
        assert store.scenarios(SWEEP.sweep) == ["cost=2"]
        assert list(store.missing_runs(SWEEP.sweep, 2, "cost=2")) == [(1, 1)]

    def test_rows_come_back_as_they_went_in(self, store: Store) -> None:
        values = {
            "net_pnl": 0.1 + 0.2,
            "big": 2**53 + 1,
            "small": 5e-324,
            "none": None,
            "text": "ü\n",
            "close_types": {},
        }
        store.insert(SWEEP.sweep, chunk([ok(3, **values), failed(4)]))
        good, bad = store.rows(SWEEP.sweep)
        assert {name: good[name] for name in values} == values
        assert math.copysign(1, good["small"]) == 1
        assert (bad["status"], bad["error"], bad["net_pnl"]) == ("error", "ValueError: no", None)

    def test_failed_points_can_be_asked_for_again(self, store: Store) -> None:
        store.insert(SWEEP.sweep, chunk([ok(0), failed(1), failed(2, status="timeout")]))
        assert store.counts(SWEEP.sweep) == {Status.OK: 1, Status.ERROR: 1, Status.TIMEOUT: 1}
        assert store.forget_failed(SWEEP.sweep) == 2
        assert list(store.missing_runs(SWEEP.sweep, 3)) == [(1, 2)]

    def test_what_was_stored_is_there_for_the_next_process(self, store: Store, tmp_path: Path) -> None:
        store.insert(SWEEP.sweep, chunk([ok(5, net_pnl=1.5)]))
        store.set_meta(SWEEP.sweep, "audit", {"verdict": "clean"})
        with self.open(tmp_path) as reader:  # while the writer is still there
            assert [row["net_pnl"] for row in reader.rows(SWEEP.sweep)] == [1.5]
        store.close()
        with self.create(tmp_path) as again:
            notes = again.meta(SWEEP.sweep)
            assert (notes["seed"], notes["audit"]) == (0, {"verdict": "clean"})
            assert again.definition(SWEEP.sweep) == SWEEP
            assert again.latest() == SWEEP.sweep

    def test_there_is_one_writer(self, store: Store, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="writ"):
            self.create(tmp_path)

    def test_a_reader_writes_nothing(self, store: Store, tmp_path: Path) -> None:
        writing = ("add_sweep", "set_meta", "insert", "copy_rows", "forget_failed")
        assert all(hasattr(store, name) for name in writing)
        assert not any(hasattr(self.open(tmp_path), name) for name in writing)

    def test_a_folder_without_a_store_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError):
            self.open(tmp_path / "nothing")

    def test_a_sweep_that_is_not_there_is_told(self, store: Store) -> None:
        with pytest.raises(StoreError):
            store.sweep("test-ffffffffff")

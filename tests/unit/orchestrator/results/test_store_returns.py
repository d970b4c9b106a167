"""The returns of a sweep's points in the store."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from orchestrator.results.store import Store
from tasks.protocol.messages import Rows
from tasks.protocol.returns import RETURNS, encode_row
from tests import made

GRID = {"a": list(range(10)), "b": [1, 2]}


def rows(chunk: str, points: list[int], values: np.ndarray, failed: tuple[int, ...] = ()) -> Rows:
    return Rows.from_dicts(
        chunk,
        "node/0",
        1.0,
        [
            {"point": point, "status": "error", "error": "no"}
            if point in failed
            else {"point": point, "status": "ok", "net_pnl": 0.0, RETURNS: encode_row(values[point], 7200)}
            for point in points
        ],
    )


def matrix() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(20, 84)).astype(np.float32)


def empty(folder: Path) -> tuple[Store, str]:
    store = Store.create(folder)
    definition = made.definition("s-0123456789", GRID)
    store.add_sweep(definition, "", {})
    return store, definition.sweep


def test_they_are_read_as_one_matrix_in_the_order_of_the_points(tmp_path: Path) -> None:
    values = matrix()
    store, sweep = empty(tmp_path)
    with store:
        store.insert(sweep, rows("1:10-19", list(range(10, 20)), values))
        store.insert(sweep, rows("1:0-9", [9, 8, 7, 6, 5, 4, 3, 2, 1, 0], values))
        found = store.returns(sweep)
    assert found is not None
    assert found.points.tolist() == list(range(20))
    np.testing.assert_array_equal(found.values, values.T)
    assert (found.interval, found.without, len(found.ends)) == ("2h", 0, 84)


def test_failed_points_are_left_out_until_they_are_computed_again(tmp_path: Path) -> None:
    values = matrix()
    store, sweep = empty(tmp_path)
    with store:
        store.insert(sweep, rows("1:0-3", [0, 1, 2, 3], values, failed=(1,)))
        first = store.returns(sweep)
        store.forget_failed(sweep)
        store.insert(sweep, rows("2:1-1", [1], values))
        second = store.returns(sweep)
    assert first is not None
    assert second is not None
    assert first.points.tolist() == [0, 2, 3]
    assert second.points.tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(second.values, values[:4].T)


def test_a_point_that_comes_twice_keeps_its_first_returns(tmp_path: Path) -> None:
    values = matrix()
    store, sweep = empty(tmp_path)
    with store:
        store.insert(sweep, rows("1:0-1", [0, 1], values))
        store.insert(sweep, rows("2:1-2", [1, 2], values + 1))
        found = store.returns(sweep)
    assert found is not None
    np.testing.assert_array_equal(found.values[:, 1], values[1])


def test_scenarios_have_returns_of_their_own(tmp_path: Path) -> None:
    values = matrix()
    store, sweep = empty(tmp_path)
    with store:
        store.insert(sweep, rows("1:0-1", [0, 1], values))
        store.insert(sweep, rows("1:0-1@noise=3", [0, 1], values + 1))
        plain, noise = store.returns(sweep), store.returns(sweep, "noise=3")
    assert plain is not None
    assert noise is not None
    np.testing.assert_array_equal(noise.values, values[:2].T + 1)


def test_rows_without_returns_are_counted_and_a_store_without_any_says_so(tmp_path: Path) -> None:
    store, sweep = empty(tmp_path)
    with store:
        assert store.returns(sweep) is None
        store.insert(sweep, Rows.from_dicts("1:5-5", "n/0", 1.0, [{"point": 5, "status": "ok", "net_pnl": 1.0}]))
        assert store.returns(sweep) is None
        store.insert(sweep, rows("1:0-1", [0, 1], matrix()))
        found = store.returns(sweep)
    assert found is not None
    assert found.without == 1

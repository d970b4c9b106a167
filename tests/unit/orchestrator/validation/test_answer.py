"""The walk-forward from a store's rows: while they come, complete, and as rows of windows."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator.results.export import write
from orchestrator.results.store import Store
from orchestrator.sweepfile.sweep import Sweep
from orchestrator.validation.answer import chosen_points, points_to_test, walk_answer
from orchestrator.validation.folds import Window, windows_of
from orchestrator.validation.planned import planned_candles
from orchestrator.validation.window_rows import WindowRows
from tasks.protocol.chunks import Chunk
from tasks.protocol.messages import Rows, SweepDefinition
from tasks.protocol.returns import RETURNS, encode_row, period_ends, returns_interval
from tasks.protocol.scenario import Scenario
from tests.unit.orchestrator.sweepfile.test_validate import sweep

GRID = {"a": list(range(30))}


def asked(**keys: Any) -> Sweep:
    walk = {"train": "40d", "test": "10d", **keys}
    return sweep(grid=GRID, validate={"embargo": 0, "holdout": "20d", "walk_forward": walk})


def insert(
    store: Store, definition: SweepDefinition, window: Window, objective: dict[int, float], interval: int = 0
) -> None:
    """Rows of points on a window: their objective, and returns that make it; `interval`: theirs, seconds."""
    interval = interval or returns_interval(window.start, window.end, 60)
    count = len(period_ends(window.start, window.end, 60, interval))
    rows: list[dict[str, Any]] = []
    for point, value in objective.items():
        returns = np.full(count, (1 + value) ** (1 / count) - 1, dtype=np.float32)
        row = {"point": point, "status": "ok", "error": "", "engine": "jump", "seconds": 0.1, "net_pnl": value}
        rows.append({**row, "total_positions": 7, RETURNS: encode_row(returns, interval)})
    chunk = Chunk.of(1, objective, window.scenario)
    store.insert(definition.sweep, Rows.from_dicts(chunk.id, "here/1", 1.0, rows))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.create(tmp_path / "out") as made:
        yield made


def filled(store: Store, about: Sweep, good: int = 5, interval: int = 0) -> str:
    """Every training window has every point; the best is `good` plus the fold's number; chosen points are tested."""
    definition = dataclasses.replace(about.definition(), sweep="test-0123456789")
    store.add_sweep(definition, about.text, {})
    for fold in windows_of(about).folds:
        best = good + fold.number
        insert(store, definition, fold.train, {point: 0.5 - abs(point - best) / 100 for point in GRID["a"]}, interval)
        one = chosen_points(store, definition.sweep, about, fold)
        tested = (
            GRID["a"] if about.validation.walk_forward and about.validation.walk_forward.all else points_to_test(one)
        )
        insert(store, definition, fold.test, {point: 0.1 - abs(point - best) / 100 for point in tested}, interval)
    return definition.sweep


def test_the_answer_is_what_was_chosen_in_training_and_done_in_the_test(store: Store) -> None:
    about = asked()
    answer = walk_answer(store, filled(store, about), about)
    assert answer is not None
    assert [fold["point"] for fold in answer["folds"]] == [5, 6, 7]
    assert answer["folds"][0]["objective_in"] == 0.5
    assert answer["folds"][0]["return_out"] == pytest.approx(0.1, rel=1e-4)
    assert answer["joined"]["return"] == pytest.approx(1.1**3 - 1, rel=1e-4)
    assert answer["joined"]["efficiency"] == pytest.approx((0.1 / 10) / (0.5 / 40), rel=1e-2)
    assert answer["control"]["beaten"] == 1.0
    assert answer["parameters"][0]["values"] == [5, 6, 7]
    assert answer["planned"] == 3
    assert answer["cost"]["train_candles"] == 3 * 30 * 40 * 1440


def test_returns_that_an_earlier_version_kept_at_the_sweeps_interval_give_the_same_answer(store: Store) -> None:
    about = asked()
    interval = returns_interval(about.start, about.end, 60)
    answer = walk_answer(store, filled(store, about, interval=interval), about)
    assert answer is not None
    with Store.create(store.folder.parent / "now") as now:
        again = walk_answer(now, filled(now, about), about)
    assert again is not None
    assert (answer["joined"]["interval_s"], answer["joined"]["intervals"]) == (interval, 3 * 10 * 86400 / interval)
    for name in ("interval_s", "intervals", "return", "efficiency", "winning_windows"):
        assert again["joined"][name] == pytest.approx(answer["joined"][name], rel=1e-5)
    assert again["joined"]["curve"]["time"] == answer["joined"]["curve"]["time"]


def test_folds_appear_as_their_rows_come(store: Store) -> None:
    about = asked()
    definition = dataclasses.replace(about.definition(), sweep="test-0123456789")
    store.add_sweep(definition, about.text, {})
    answer = walk_answer(store, definition.sweep, about)
    assert answer is not None
    assert (answer["folds"], answer["joined"]) == ([], None)
    fold = windows_of(about).folds[0]
    insert(store, definition, fold.train, {point: point / 100 for point in GRID["a"]})
    insert(store, definition, fold.test, {29: 0.1})
    answer = walk_answer(store, definition.sweep, about)
    assert answer is not None
    assert len(answer["folds"]) == 1
    assert answer["planned"] == 3


def test_with_all_points_on_all_tests_ranks_are_compared_and_paths_drawn(store: Store) -> None:
    about = asked(all=True)
    answer = walk_answer(store, filled(store, about), about)
    assert answer is not None
    assert answer["rank_correlation"] == pytest.approx([1.0, 1.0, 1.0])
    assert answer["paths"]["splits"] == 3
    assert answer["paths"]["paths"] == 2


def test_a_fold_is_chosen_without_its_test(store: Store) -> None:
    about = asked()
    name = filled(store, about)
    folds = windows_of(about).folds
    before = [chosen_points(store, name, about, fold) for fold in folds]
    definition = store.definition(name)
    insert(store, definition, folds[1].test, {point: 9.0 for point in GRID["a"] if point not in before[1].order})
    assert [chosen_points(store, name, about, fold) for fold in folds] == before


def test_rows_of_windows_say_window_role_start_and_end(store: Store) -> None:
    about = asked()
    name = filled(store, about)
    windows = windows_of(about)
    source = WindowRows(store, name, windows)
    stream = io.BytesIO()
    count = write(source, name, "json", stream)
    rows = json.loads(stream.getvalue())
    assert (
        count
        == len(rows)
        == 3 * 30 + sum(len(points_to_test(chosen_points(store, name, about, fold))) for fold in windows.folds)
    )
    assert list(rows[0])[:5] == ["window", "role", "start", "end", "point"]
    assert (rows[0]["window"], rows[0]["role"]) == ("train 1", "train")
    assert (rows[0]["start"], rows[0]["end"]) == (windows.folds[0].train.start, windows.folds[0].train.end)
    lines = io.BytesIO()
    write(source, name, "csv", lines)
    assert len(lines.getvalue().splitlines()) == count + 1


def test_rows_of_windows_as_parquet_hold_columns_that_only_some_windows_have(store: Store, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    about = asked()
    name = filled(store, about)
    first = windows_of(about).folds[0].train
    row = {"point": 3, "status": "ok", "error": "", "engine": "jump", "seconds": 0.1, "net_pnl": 1, "extra": "text"}
    other = Window(first.start, first.end + 60)
    chunk = Chunk.of(2, [3], Scenario(start=other.start, end=other.end))
    store.insert(name, Rows.from_dicts(chunk.id, "here/1", 1.0, [row]))
    windows = dataclasses.replace(windows_of(about), holdout=other)
    to = tmp_path / "rows.parquet"
    count = write(WindowRows(store, name, windows), name, "parquet", to)
    table = pq.read_table(to)
    assert table.num_rows == count
    assert table.column("extra").to_pylist()[-1] == "text"
    assert table.column("extra").to_pylist()[0] is None
    assert str(table.schema.field("net_pnl").type) == "double"


def test_an_estimate_counts_the_candles_of_every_window() -> None:
    planned = planned_candles(asked())
    assert planned is not None
    assert planned["plain_candles"] == 30 * 70 * 1440
    assert planned["train_candles"] == 3 * 30 * 40 * 1440
    assert planned["test_candles"] == 3 * 20 * 10 * 1440
    assert planned["holdout_candles"] == 20 * (20 * 1440 + 1)
    assert planned_candles(sweep()) is None


def test_an_estimate_counts_noise_worlds_and_changed_conditions() -> None:
    days = 90 * 1440 + 1
    planned = planned_candles(sweep(grid=GRID, validate={"noise_worlds": 99, "noise_points": 20}))
    assert planned is not None
    assert planned["noise_candles"] == 99 * 20 * days
    robustness = {"points": 2, "costs": [2.0], "jitter": [], "start_shift": ["1d"], "fills": False}
    planned = planned_candles(sweep(grid=GRID, validate={"robustness": robustness}))
    assert planned is not None
    # twice the costs, a candle later, and a day later
    assert planned["robustness_candles"] == 2 * (2 * days + days - 1440)
    assert "noise_candles" not in planned


def test_a_fold_in_which_no_point_could_be_chosen_is_part_of_the_answer(store: Store) -> None:
    about = asked()
    definition = dataclasses.replace(about.definition(), sweep="test-0123456789")
    store.add_sweep(definition, about.text, {})
    fold = windows_of(about).folds[0]
    failed = [{"point": point, "status": "error", "error": "no", "engine": "", "seconds": 0.1} for point in GRID["a"]]
    store.insert(
        definition.sweep, Rows.from_dicts(Chunk.of(1, GRID["a"], fold.train.scenario).id, "here/1", 1.0, failed)
    )
    answer = walk_answer(store, definition.sweep, about)
    assert answer is not None
    assert [each["point"] for each in answer["folds"]] == [None]
    assert answer["joined"] is None

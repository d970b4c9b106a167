"""Windows through real server and children: what they equal, what they cannot see, and that they are computed once."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from orchestrator.results.store_reader import StoreReader
from tests.integration.conftest import START, Place, write_candles

HOUR = 3600
#: Columns of a row that are no result; the digest is of the slices, which reach further than a window.
NOT_RESULTS = {"window", "role", "start", "end", "seconds", "engine_note", "candles_digest"}
SEMANTICS: dict[str, dict[str, Any]] = {
    "honest": {"shift": 1, "warmup": True, "fills": "honest", "engine": "jump"},
    "stock": {"shift": 0, "warmup": False, "fills": "stock", "engine": "stock"},
}


@pytest.fixture
def walking(place: Place) -> Place:
    """Four points over 20 hours, in folds of five and three hours, four hours held out; an embargo of an hour."""
    write_candles(place.folder / "candles", rows=24 * 60)
    place.sweep |= {
        "grid": {"length": [5, 10], "take_profit": [0.002, 0.004]},
        "period": {"start": START + 2 * HOUR, "end": START + 22 * HOUR},
        "validate": {
            "walk_forward": {"train": "5h", "test": "3h"},
            "holdout": "4h",
            "embargo": "1h",
            "holdout_points": 2,
        },
    }
    return place


def window_rows(place: Place) -> list[dict[str, Any]]:
    finished = place.run("rows", "runs/test", "--windows", "--format", "json")
    assert finished.code == 0, finished.err
    rows: list[dict[str, Any]] = json.loads(finished.out)
    return rows


def results(row: dict[str, Any]) -> dict[str, Any]:
    """What a row says of a point, whatever window it is of; NaN as text, for it equals nothing."""
    return {
        name: "nan" if isinstance(value, float) and math.isnan(value) else value
        for name, value in row.items()
        if name not in NOT_RESULTS
    }


@pytest.mark.parametrize("semantics", SEMANTICS)
def test_a_windows_rows_equal_a_plain_sweep_over_it(walking: Place, semantics: str) -> None:
    walking.sweep |= SEMANTICS[semantics]
    walking.sweep["grid"] = {"length": [10], "interval": ["1m", "3m"]}
    finished = walking.run("run", walking.file, "--no-report", "--no-audit", "--json")
    assert finished.code == 0, finished.err
    rows = window_rows(walking)
    by_window: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for row in rows:
        by_window.setdefault((row["start"], row["end"]), []).append(row)
    assert {row["role"] for row in rows} == {"train", "test", "holdout"}
    del walking.sweep["validate"]
    traded = 0
    for start, end in (sorted(by_window)[1], sorted(by_window)[-1]):
        walking.sweep["period"] = {"start": start, "end": end}
        plain = walking.run("run", walking.file, "--no-report", "--no-audit", "--out", f"runs/{start}", "--json")
        assert plain.code == 0, plain.err
        expected = {row["point"]: results(row) for row in walking.rows(f"runs/{start}")}
        for row in by_window[start, end]:
            assert results(row) == expected[row["point"]]
            traded += row["total_positions"]
    assert traded > 0


def test_a_controller_that_searches_for_the_future_finds_the_end_of_its_window(walking: Place) -> None:
    walking.sweep["controller"] |= {"controller_name": "searching"}
    walking.sweep["grid"] = {"length": [5, 10], "interval": ["1m", "3m", "1h"]}
    walking.sweep["validate"]["walk_forward"]["all"] = True
    finished = walking.run("run", walking.file, "--no-report", "--no-audit", "--json")
    assert finished.code == 3, finished.err
    rows = window_rows(walking)
    assert len(rows) > 20
    for row in rows:
        found = int(row["error"].rpartition("opens at ")[2].split()[0].rstrip(".;"))
        # a shifted candle is stamped with the moment it closes: the window's last minute at the latest
        assert row["start"] < found <= row["end"] + 60
    for row in walking.rows():  # nor does the plain sweep see the embargo and the hold-out
        found = int(row["error"].rpartition("opens at ")[2].split()[0].rstrip(".;"))
        assert found <= START + 17 * HOUR  # the close of the last candle before the embargo


def test_windows_are_computed_once_and_the_walk_is_the_same_again(walking: Place) -> None:
    first = walking.run("run", walking.file, "--no-report", "--no-audit", "--json")
    assert first.code == 0, first.err
    before = walking.stored()
    walk = walking.run("walk", "runs/test", "--json")
    assert walk.code == 0, walk.err
    again = walking.run("run", walking.file, "--no-report", "--no-audit", "--json")
    assert again.code == 0, again.err
    assert walking.stored() == before
    assert walking.run("walk", "runs/test", "--json").document == walk.document
    assert again.document["out_of_sample"]["holdout"]["looks"] == 1
    # other folds share windows: only what is new is computed
    walking.sweep["validate"]["walk_forward"]["anchored"] = True
    anchored = walking.run("run", walking.file, "--no-report", "--no-audit", "--json")
    assert anchored.code == 0, anchored.err
    assert anchored.document["computed"] == 0
    assert anchored.document["out_of_sample"]["holdout"]["looks"] == 1


def test_a_window_and_the_plain_sweep_over_it_are_computed_once_in_a_folder(walking: Place) -> None:
    """A walk-forward and then the plain sweep in one folder, the other way round in another; both are as if alone."""
    quiet = ("--no-report", "--no-audit", "--json")
    walked = walking.run("run", walking.file, *quiet)
    assert walked.code == 0, walked.err
    assert walked.document["reused"] == {"rows": 0, "sweeps": {}}
    validate = walking.sweep.pop("validate")
    whole = walking.sweep["period"]
    window = [row for row in window_rows(walking) if row["window"] == "train 2"]
    walking.sweep["period"] = {"start": window[0]["start"], "end": window[0]["end"]}
    alone = walking.run("run", walking.file, *quiet, "--out", "runs/alone")
    assert alone.code == 0, alone.err
    assert alone.document["computed"] == len(window) == 4

    plain = walking.run("run", walking.file, *quiet)
    assert plain.code == 0, plain.err
    assert (plain.document["computed"], plain.document["done"]) == (0, 4)
    assert plain.document["reused"] == {"rows": 4, "sweeps": {walked.document["sweep"]: 4}}
    assert list(map(results, walking.rows())) == list(map(results, walking.rows("runs/alone")))
    assert plain.document["trust"] == alone.document["trust"]

    walking.sweep |= {"period": whole, "validate": validate}
    again = walking.run("run", walking.file, *quiet, "--out", "runs/alone")
    assert again.code == 0, again.err
    assert again.document["reused"] == {"rows": 4, "sweeps": {alone.document["sweep"]: 4}}
    mine, first = again.document["out_of_sample"], walked.document["out_of_sample"]
    for answer in (mine, first):
        del answer["walk_forward"]["seconds"]
    assert mine == first
    with (
        StoreReader.open(walking.folder / "runs/alone") as one,
        StoreReader.open(walking.folder / "runs/test") as other,
    ):
        scenario, sweep = f"start={window[0]['start']},end={window[0]['end']}", walked.document["sweep"]
        found = [store.returns(sweep, scenario) for store in (one, other)]
        plain_returns = other.returns(plain.document["sweep"])
        assert found[0] is not None
        assert found[1] is not None
        assert plain_returns is not None
        assert found[0].values.any()
        assert found[0].values.tolist() == found[1].values.tolist() == plain_returns.values.tolist()
        assert not {chunk for chunk in one.chunks(sweep) if chunk.endswith(f"@{scenario}")}


def test_the_walk_says_what_was_chosen_and_what_it_did(walking: Place) -> None:
    finished = walking.run("run", walking.file, "--no-audit", "--json")
    assert finished.code == 0, finished.err
    answer = finished.document["out_of_sample"]["walk_forward"]
    rows = window_rows(walking)
    for fold in answer["folds"]:
        train = [row for row in rows if (row["start"], row["end"]) == (fold["train_start"], fold["train_end"])]
        assert len(train) == 4
        best = max(train, key=lambda row: (row["net_pnl"], -row["point"]))
        assert (fold["point"], fold["objective_in"]) == (best["point"], best["net_pnl"])
        test = [row for row in rows if (row["start"], row["end"]) == (fold["test_start"], fold["test_end"])]
        assert fold["objective_out"] == next(row["net_pnl"] for row in test if row["point"] == fold["point"])
    assert answer["joined"]["windows"] == len(answer["folds"]) == answer["planned"] == 3
    shown = walking.run("walk", "runs/test")
    assert shown.code == 0
    assert "out of sample: 3 test windows" in shown.out
    assert "hold-out" in shown.out


def test_without_a_look_the_holdout_has_no_rows(walking: Place) -> None:
    finished = walking.run("run", walking.file, "--no-report", "--no-audit", "--no-holdout-look", "--json")
    assert finished.code == 0, finished.err
    assert "holdout" not in finished.document["out_of_sample"]
    assert {row["role"] for row in window_rows(walking)} == {"train", "test"}


def test_looks_of_other_sweeps_at_the_same_holdout_are_counted(walking: Place) -> None:
    assert walking.run("run", walking.file, "--no-report", "--no-audit").code == 0
    walking.sweep["grid"]["length"] = [6, 12]
    finished = walking.run("run", walking.file, "--no-report", "--no-audit", "--json")
    assert finished.code == 0, finished.err
    assert finished.document["out_of_sample"]["holdout"]["looks"] == 2
    shown = walking.run("run", walking.file, "--no-report", "--no-audit")
    assert "looked at 2 times" in shown.out


def test_robustness_is_a_matrix_of_changed_conditions(walking: Place) -> None:
    assert walking.run("run", walking.file, "--no-report", "--no-audit", "--no-holdout-look").code == 0
    finished = walking.run(
        "robustness", "runs/test", "--best", 2, "--cost", 0.5, "--cost", 3, "--start-shift", "1h", "--json"
    )
    assert finished.code in (0, 1), finished.err
    answer = finished.document
    by_label = {row["label"]: row["values"] for row in answer["rows"]}
    plain = by_label["as it was run"]
    assert by_label["costs x0.5"][0] > plain[0] > by_label["costs x3"][0]
    assert {"stock fills", "1 candle later", "starts 1h later", "worst neighbour"} <= set(by_label)
    assert all(len(values) == 2 for values in by_label.values())


def test_a_test_window_without_candles_is_one_line_and_exit_2(walking: Place) -> None:
    file = Path(walking.folder, "candles", "candles_binance_perpetual_BTC-USDT_1m.csv")
    lines = file.read_text().splitlines()
    hole = range(9 * 60, 10 * 60)  # minutes of the first test window
    file.write_text("\n".join(line for row, line in enumerate(lines) if row - 1 not in hole) + "\n")
    finished = walking.run("run", walking.file)
    assert finished.code == 2
    assert "test window 1" in finished.err
    assert "are missing" in finished.err


def test_a_sweep_without_windows_says_so(place: Place) -> None:
    assert place.run("run", place.file, "--no-report", "--no-audit").code == 0
    for command in (("walk", "runs/test"), ("rows", "runs/test", "--windows")):
        finished = place.run(*command)
        assert finished.code == 2
        assert "asks for no windows" in finished.err

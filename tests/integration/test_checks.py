"""verify and audit from the command line: what is equal is said to be equal, what cheats is caught."""

from __future__ import annotations

import pytest

from tests.integration.conftest import Place


def test_verify_finds_no_difference(place: Place) -> None:
    finished = place.run("verify", place.file, "--sample", "4", "--json")
    assert finished.code == 0, finished.out + finished.err
    assert (finished.document["points"], finished.document["equal"]) == (4, 4)
    assert {row["engine"] for row in finished.document["rows"]} == {"jump"}


def test_verify_counts_a_point_that_fails_alike_apart(place: Place) -> None:
    place.sweep["grid"] = {"trouble": ["sleep:0", "raise", "sleep:0.1"]}
    finished = place.run("verify", place.file, "--sample", "3", "--json")
    assert finished.code == 0, finished.out + finished.err
    assert (finished.document["equal"], finished.document["failed_alike"]) == (2, 1)


def test_an_honest_controller_is_clean(place: Place) -> None:
    finished = place.run("audit", place.file, "--sample", "2", "--cuts", "4", "--json")
    assert finished.code == 0, finished.out + finished.err
    assert finished.document["clean"] is True


@pytest.mark.parametrize("cheat", ["whole", "peek", "centred", "last"])
def test_a_cheat_is_caught(place: Place, cheat: str) -> None:
    place.sweep["grid"] = {"cheat": [cheat], "length": [10]}
    finished = place.run("audit", place.file, "--sample", "1", "--cuts", "4")
    assert finished.code == 1, finished.out + finished.err
    assert "look-ahead" in finished.out
    assert "signal" in finished.out


def test_a_run_says_first_that_its_best_points_look_ahead(place: Place) -> None:
    place.sweep["grid"] = {"cheat": ["whole"], "length": [10]}
    ran = place.run("run", place.file, "--no-report")
    assert ran.code == 1, ran.err
    assert ran.out.startswith("LOOK-AHEAD: "), ran.out


def test_without_the_shift_the_merge_of_open_times_is_a_finding(place: Place) -> None:
    place.sweep |= {"shift": 0, "grid": {"interval": ["5m"], "length": [10]}}
    finished = place.run("audit", place.file, "--sample", "1", "--cuts", "8")
    assert finished.code == 1, finished.out + finished.err
    place.sweep["shift"] = 1
    assert place.run("audit", place.file, "--sample", "1", "--cuts", "8").code == 0

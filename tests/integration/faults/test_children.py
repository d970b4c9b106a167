"""A child dies, or a point does what a child does not survive."""

from __future__ import annotations

import os
import resource
import signal
from typing import Any

import pytest

from tests.integration.conftest import Cluster, Place
from tests.integration.faults.conftest import LENGTHS, finish, results, started


def test_a_child_is_killed(sweep: Place, cluster: Cluster, undisturbed: list[dict[str, Any]]) -> None:
    node = cluster.add_node(children=2)
    process = started(sweep)
    os.kill(cluster.children_of(node)[0], signal.SIGKILL)
    finish(process)
    assert results(sweep.rows()) == undisturbed


def test_a_point_that_kills_its_child_stands_alone(
    sweep: Place, cluster: Cluster, undisturbed: list[dict[str, Any]]
) -> None:
    cluster.add_node(children=2)
    sweep.sweep["grid"] = {"trouble": ["sleep:0"], "length": LENGTHS}
    sweep.sweep["controller"]["die_at_length"] = 17
    finished = sweep.run("run", sweep.file, "--no-audit", "--no-report")
    assert finished.code == 3, finished.err
    rows = sweep.rows()
    assert [row["length"] for row in rows if row["status"] == "crashed"] == [17]
    fine = [row for row in rows if row["status"] == "ok"]
    assert results(fine) == [row for row in undisturbed if row["length"] != 17]


@pytest.mark.parametrize("way", ["descriptors", "stop"])
def test_a_point_that_breaks_the_event_loop_harms_no_other(sweep: Place, cluster: Cluster, way: str) -> None:
    cluster.add_node(children=2)
    sweep.sweep["grid"] = {"length": LENGTHS[:2], "trouble": ["sleep:0", way, "sleep:0.1"]}
    finished = sweep.run("run", sweep.file, "--no-audit", "--no-report")
    assert finished.code == 3, finished.err
    assert {row["trouble"] for row in sweep.rows() if row["status"] != "ok"} == {way}


def test_a_point_that_breaks_the_handing_in_of_rows_loses_none(sweep: Place, cluster: Cluster) -> None:
    """They were acknowledged and gone, and the orchestrator sent their points again for ever."""
    cluster.add_node(children=1)
    sweep.sweep["grid"] = {"length": LENGTHS[:3], "trouble": ["unpack"]}
    finish(sweep.start("run", sweep.file, "--no-audit", "--no-report"))
    assert [(row["length"], row["status"]) for row in sweep.rows()] == [(length, "ok") for length in LENGTHS[:3]]


def test_a_point_that_leaves_no_descriptor_harms_no_other(sweep: Place, cluster: Cluster) -> None:
    """It may end well itself: what it needs is opened before."""
    cluster.add_node(children=1)
    sweep.sweep["grid"] = {"length": LENGTHS[:2], "trouble": ["sleep:0", "leak", "sleep:0.1"]}
    for name in ("test", "after"):  # the node serves others after it
        sweep.run("run", sweep.file, "--no-audit", "--no-report", "--out", f"runs/{name}")
        rows = sweep.rows(f"runs/{name}")
        assert {row["status"] for row in rows if row["trouble"] != "leak"} == {"ok"}
        sweep.sweep["grid"] = {"length": LENGTHS[:2], "trouble": ["sleep:0"]}


def test_native_code_that_never_comes_back_is_a_timeout(sweep: Place, cluster: Cluster) -> None:
    cluster.add_node(children=2)
    sweep.sweep["grid"] = {"trouble": ["sleep:0", "native", "sleep:0.1"]}
    sweep.sweep["point_timeout"] = 5
    finished = sweep.run("run", sweep.file, "--no-audit", "--no-report")
    assert finished.code == 3, finished.err
    assert [row["status"] for row in sweep.rows()] == ["ok", "timeout", "ok"]


def test_a_child_that_is_stopped(sweep: Place, cluster: Cluster, undisturbed: list[dict[str, Any]]) -> None:
    """Its own deadline stands still with it."""
    node = cluster.add_node(children=1)
    sweep.sweep["point_timeout"] = 3  # of points of 0.25 s: on a loaded machine they need more than a second
    process = started(sweep)
    os.kill(cluster.children_of(node)[0], signal.SIGSTOP)
    finish(process)
    assert results(sweep.rows()) == undisturbed


def test_a_child_without_memory(sweep: Place, cluster: Cluster) -> None:
    limit = 6 << 30
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (limit, before[1]))  # the node inherits it
    try:
        cluster.add_node(children=1)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    sweep.sweep["grid"] = {"trouble": ["sleep:0", "memory", "sleep:0.1"]}
    finished = sweep.run("run", sweep.file, "--no-audit", "--no-report")
    assert finished.code == 3, finished.err
    rows = sweep.rows()
    assert [row["status"] for row in rows] == ["ok", "error", "ok"]
    assert "MemoryError" in rows[1]["error"]


def test_a_controller_that_prints_a_lot_does_not_fill_the_disk(
    sweep: Place, cluster: Cluster, undisturbed: list[dict[str, Any]]
) -> None:
    cluster.add_node(children=2)
    sweep.sweep["grid"] = {"trouble": ["noise"], "length": LENGTHS}
    finish(started(sweep))
    assert results(sweep.rows()) == undisturbed
    log = (cluster.folder / "node0.log").read_text()
    assert "a line a candle, and it says what everybody knows already 0\n" in log
    assert "the rest is left out" in log
    assert len(log) < 1 << 20  # one point prints six times as much


def test_what_a_point_sets_in_its_process_reaches_no_other(
    sweep: Place, cluster: Cluster, undisturbed: list[dict[str, Any]]
) -> None:
    cluster.add_node(children=1)
    sweep.sweep["grid"] = {"length": LENGTHS, "trouble": ["precision", "sleep:0"]}
    finish(started(sweep))
    rows = sweep.rows()
    alike = {row["length"]: row["net_pnl"] for row in undisturbed}
    assert {row["length"]: row["net_pnl"] for row in rows if row["trouble"] == "sleep:0"} == alike
    assert {row["length"]: row["net_pnl"] for row in rows if row["trouble"] == "precision"} != alike

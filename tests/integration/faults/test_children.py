"""A child dies, or a point does what a child does not survive."""

from __future__ import annotations

import os
import resource
import signal
from typing import Any

import pytest

from tasks.broker.connect import connect
from tests.integration.conftest import Cluster, Place, settings_of
from tests.integration.faults.conftest import LENGTHS, finish, results, started


def test_a_child_is_killed(served: Place, serving_cluster: Cluster, undisturbed: list[dict[str, Any]]) -> None:
    process = started(served)
    os.kill(serving_cluster.children_of(serving_cluster.nodes[0])[0], signal.SIGKILL)
    finish(process)
    assert results(served.rows()) == undisturbed


def test_a_point_that_kills_its_child_stands_alone(served: Place, undisturbed: list[dict[str, Any]]) -> None:
    served.sweep["grid"] = {"trouble": ["sleep:0"], "length": LENGTHS}
    served.sweep["controller"]["die_at_length"] = 17
    finished = served.run("run", served.file, "--no-audit", "--no-report")
    assert finished.code == 3, finished.err
    rows = served.rows()
    assert [row["length"] for row in rows if row["status"] == "crashed"] == [17]
    fine = [row for row in rows if row["status"] == "ok"]
    assert results(fine) == [row for row in undisturbed if row["length"] != 17]


@pytest.mark.parametrize("way", ["descriptors", "stop"])
def test_a_point_that_breaks_the_event_loop_harms_no_other(served: Place, way: str) -> None:
    served.sweep["grid"] = {"length": LENGTHS[:1], "trouble": ["sleep:0", way, "sleep:0.1"]}
    finished = served.run("run", served.file, "--no-audit", "--no-report")
    assert finished.code == 3, finished.err
    assert {row["trouble"] for row in served.rows() if row["status"] != "ok"} == {way}


def test_a_point_that_breaks_the_handing_in_of_rows_loses_none(served: Place) -> None:
    """They were acknowledged and gone, and the orchestrator sent their points again for ever."""
    served.sweep["grid"] = {"length": LENGTHS[:2], "trouble": ["unpack"]}
    finish(served.start("run", served.file, "--no-audit", "--no-report"))
    assert [(row["length"], row["status"]) for row in served.rows()] == [(length, "ok") for length in LENGTHS[:2]]


def test_a_point_that_leaves_no_descriptor_harms_no_other(served: Place) -> None:
    """It may end well itself: what it needs is opened before."""
    served.sweep["grid"] = {"length": LENGTHS[:1], "trouble": ["sleep:0", "leak", "sleep:0.1"]}
    for name in ("test", "after"):  # the node serves others after it
        served.run("run", served.file, "--no-audit", "--no-report", "--out", f"runs/{name}")
        rows = served.rows(f"runs/{name}")
        assert {row["status"] for row in rows if row["trouble"] != "leak"} == {"ok"}
        served.sweep["grid"] = {"length": LENGTHS[:2], "trouble": ["sleep:0"]}


def test_a_point_cannot_use_its_childs_connection_to_the_broker(served: Place, serving_cluster: Cluster) -> None:
    """What it wrote was done in the node's name, and the child then took the answers to it for those to its own."""
    served.sweep["grid"] = {"length": LENGTHS[:2], "trouble": ["sleep:0", "client:spoiled", "write:spoiled"]}
    finished = served.run("run", served.file, "--no-audit", "--no-report")
    assert finished.code == 3, finished.err
    status = {row["trouble"]: row["status"] for row in served.rows()}
    assert status == {"sleep:0": "ok", "client:spoiled": "error", "write:spoiled": "ok"}
    errors = {row["error"] for row in served.rows() if row["error"]}
    assert all("asked for this process's own connection to the broker" in error for error in errors), errors
    assert not connect(settings_of(serving_cluster), patient=False).exists("hs:spoiled")


def test_native_code_that_never_comes_back_is_a_timeout(served: Place) -> None:
    served.sweep["grid"] = {"trouble": ["sleep:0", "native", "sleep:0.1"]}
    served.sweep["point_timeout"] = 5
    finished = served.run("run", served.file, "--no-audit", "--no-report")
    assert finished.code == 3, finished.err
    assert [row["status"] for row in served.rows()] == ["ok", "timeout", "ok"]


def test_a_child_that_is_stopped(served: Place, serving_cluster: Cluster, undisturbed: list[dict[str, Any]]) -> None:
    """Its own deadline stands still with it."""
    served.sweep["point_timeout"] = 6  # of points of 0.25 s: on a loaded machine they need more than a second
    process = started(served)
    os.kill(serving_cluster.children_of(serving_cluster.nodes[0])[0], signal.SIGSTOP)
    finish(process)
    assert results(served.rows()) == undisturbed


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
    served: Place, serving_cluster: Cluster, undisturbed: list[dict[str, Any]]
) -> None:
    served.sweep["grid"] = {"trouble": ["noise"], "length": LENGTHS}
    finish(started(served))
    assert results(served.rows()) == undisturbed
    log = (serving_cluster.folder / "node0.log").read_text()
    assert "a line a candle, and it says what everybody knows already 0\n" in log
    assert "the rest is left out" in log
    assert len(log) < 1 << 20  # one point prints more


def test_what_a_point_sets_in_its_process_reaches_no_other(served: Place, undisturbed: list[dict[str, Any]]) -> None:
    served.sweep["grid"] = {"length": LENGTHS, "trouble": ["precision", "sleep:0"]}
    finish(started(served))
    rows = served.rows()
    alike = {row["length"]: row["net_pnl"] for row in undisturbed}
    assert {row["length"]: row["net_pnl"] for row in rows if row["trouble"] == "sleep:0"} == alike
    assert {row["length"]: row["net_pnl"] for row in rows if row["trouble"] == "precision"} != alike

"""A node dies, is silent for a while, leaves, or works for longer than the broker waits."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.integration.conftest import Cluster, Place, broker_at, eventually
from tests.integration.faults.conftest import LENGTHS, finish, forty_points, results, started


@pytest.fixture(scope="module")
def lasting_cluster(tmp_path_factory: pytest.TempPathFactory, bare_environment: dict[str, str]) -> Iterator[Cluster]:
    """A broker for the tests that leave nodes to the next one."""
    environment = {**bare_environment, "HUMMINGSWEEP_VISIBILITY_TIMEOUT_S": "12"}
    with broker_at(tmp_path_factory.mktemp("broker"), environment) as cluster:
        yield cluster


@pytest.fixture
def two_nodes(lasting_cluster: Cluster) -> list[subprocess.Popen[bytes]]:
    """Two nodes of one child; those first that an earlier test has left."""
    there = [node for node in lasting_cluster.nodes if node.poll() is None]
    return there + [lasting_cluster.add_node(children=1) for _ in range(2 - len(there))]


@pytest.fixture
def on_two_nodes(tmp_path: Path, lasting_cluster: Cluster, two_nodes: list[Any]) -> Place:
    """The points of `sweep` on these nodes."""
    assert len(two_nodes) == 2
    return forty_points(tmp_path, lasting_cluster)


def test_a_node_is_killed(
    on_two_nodes: Place, two_nodes: list[subprocess.Popen[bytes]], undisturbed: list[dict[str, Any]]
) -> None:
    process = started(on_two_nodes)
    os.killpg(two_nodes[0].pid, signal.SIGKILL)
    two_nodes[0].wait()
    finish(process)
    assert results(on_two_nodes.rows()) == undisturbed


def test_a_node_is_frozen_and_comes_back(
    on_two_nodes: Place, two_nodes: list[subprocess.Popen[bytes]], undisturbed: list[dict[str, Any]]
) -> None:
    """What a lost network looks like from the broker: silence, then a node that goes on as if nothing had been."""
    absent = two_nodes[0]  # warm, where an earlier test left it: it has a chunk
    process = started(on_two_nodes)
    os.killpg(absent.pid, signal.SIGSTOP)
    time.sleep(15)  # longer than the visibility timeout: its chunk is given to the other node
    os.killpg(absent.pid, signal.SIGCONT)
    finish(process)
    assert results(on_two_nodes.rows()) == undisturbed


def test_a_chunk_longer_than_the_visibility_timeout_runs_once(on_two_nodes: Place) -> None:
    calls = {}
    for name, seconds in (("short", 0), ("long", 3)):
        log = on_two_nodes.folder / name
        on_two_nodes.sweep["grid"] = {"trouble": [f"log-and-sleep:{log}:{seconds}"], "length": [5]}
        finished = on_two_nodes.run("run", on_two_nodes.file, "--no-audit", "--no-report", "--out", f"runs/{name}")
        assert finished.code == 0, finished.err
        calls[name] = len(log.read_text().splitlines())
    # several times a point: once in its back-test, before it to see which engine it needs
    assert calls["long"] == calls["short"]
    assert calls["long"] * 3 > 12


def test_a_node_leaves_in_bounded_time_and_its_chunk_goes_to_another(
    sweep: Place, cluster: Cluster, undisturbed: list[dict[str, Any]]
) -> None:
    flag = sweep.folder / "slow-once"
    leaving = cluster.add_node(children=1, HUMMINGSWEEP_DRAIN_S="2")
    sweep.sweep["grid"] = {"trouble": [f"slow-once:{flag}"], "length": LENGTHS}
    process = sweep.start("run", sweep.file, "--no-audit", "--no-report")
    eventually(flag.exists, 120, "the slow point")
    cluster.add_node(children=1)
    leaving.terminate()
    leaving.wait(20)
    finish(process)
    assert results(sweep.rows()) == undisturbed


def test_an_interrupt_does_not_wait_for_a_node_that_died(sweep: Place, cluster: Cluster) -> None:
    doomed = cluster.add_node(children=1)
    sweep.sweep["grid"] = {"trouble": ["sleep:0", "sleep:60"]}
    process = started(sweep, points=1)
    os.killpg(doomed.pid, signal.SIGKILL)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=40)
    assert process.returncode == 130


def test_what_a_controller_started_ends_with_the_node(sweep: Place, cluster: Cluster) -> None:
    note = sweep.folder / "started"
    node = cluster.add_node(children=1)
    sweep.sweep["grid"] = {"trouble": [f"start:{note}"], "length": [5]}
    finish(sweep.start("run", sweep.file, "--no-audit", "--no-report"))
    left = psutil.Process(int(note.read_text()))
    node.terminate()
    node.wait(20)
    try:
        left.wait(5)
    finally:
        if left.is_running():
            left.kill()

"""A node dies, is silent for a while, leaves, or works for longer than the broker waits."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import psutil

from tests.integration.conftest import Cluster, Place, eventually
from tests.integration.faults.conftest import LENGTHS, finish, results, started


def test_a_node_is_killed(sweep: Place, cluster: Cluster, undisturbed: list[dict[str, Any]]) -> None:
    doomed, _ = cluster.add_node(children=1), cluster.add_node(children=1)
    process = started(sweep)
    os.killpg(doomed.pid, signal.SIGKILL)
    finish(process)
    assert results(sweep.rows()) == undisturbed


def test_a_node_is_frozen_and_comes_back(sweep: Place, cluster: Cluster, undisturbed: list[dict[str, Any]]) -> None:
    """What a lost network looks like from the broker: silence, then a node that goes on as if nothing had been."""
    absent, _ = cluster.add_node(children=1), cluster.add_node(children=1)
    process = started(sweep)
    os.killpg(absent.pid, signal.SIGSTOP)
    time.sleep(15)  # longer than the visibility timeout: its chunk is given to the other node
    os.killpg(absent.pid, signal.SIGCONT)
    finish(process)
    assert results(sweep.rows()) == undisturbed


def test_a_chunk_longer_than_the_visibility_timeout_runs_once(sweep: Place, cluster: Cluster) -> None:
    cluster.add_node(children=1)
    cluster.add_node(children=1)
    calls = {}
    for name, seconds in (("short", 0), ("long", 3)):
        log = sweep.folder / name
        sweep.sweep["grid"] = {"trouble": [f"log-and-sleep:{log}:{seconds}"], "length": [5]}
        finished = sweep.run("run", sweep.file, "--no-audit", "--no-report", "--out", f"runs/{name}")
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

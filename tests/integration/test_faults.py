"""Whatever dies in the middle, the rows at the end are those of an undisturbed run.

Real processes are killed, by id. Every test has a broker and nodes of its own; the visibility timeout is 12 s.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.app import connect
from tests.integration.conftest import Cluster, Place, eventually, settings_of, small_sweep

LENGTHS = list(range(5, 45))


@pytest.fixture
def sweep(tmp_path: Path, cluster: Cluster) -> Place:
    """40 points of 0.25 s on a cluster of the test's own, in chunks of about a second."""
    place = small_sweep(tmp_path, {**cluster.environment, "HUMMINGSWEEP_CHUNK_SECONDS": "1"})
    place.sweep["grid"] = {"trouble": ["sleep:0.25"], "length": LENGTHS}
    return place


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, session_cluster: Cluster) -> list[dict[str, Any]]:
    """The rows when nothing happens."""
    place = small_sweep(tmp_path_factory.mktemp("undisturbed"), session_cluster.environment)
    place.sweep["grid"] = {"trouble": ["sleep:0"], "length": LENGTHS}
    finished = place.run("run", place.file, "--no-audit", "--no-report")
    assert finished.code == 0, finished.err
    return results(place.rows())


def results(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows without what may differ from run to run."""
    return [{name: value for name, value in row.items() if name not in ("seconds", "trouble")} for row in rows]


def started(place: Place, points: int = 3) -> subprocess.Popen[str]:
    """A run that has brought some rows home."""
    process = place.start("run", place.file, "--no-audit", "--no-report")
    try:
        eventually(lambda: len(place.rows(may_be_missing=True)) >= points, 120, "the first rows")
    except AssertionError:
        process.kill()
        raise AssertionError(process.communicate()[1]) from None
    return process


def finish(process: subprocess.Popen[str], timeout_s: float = 120) -> None:
    out, err = process.communicate(timeout=timeout_s)
    assert process.returncode == 0, out + err


def test_a_child_is_killed(sweep: Place, cluster: Cluster, undisturbed: list[dict[str, Any]]) -> None:
    node = cluster.add_node(children=2)
    process = started(sweep)
    os.kill(cluster.children_of(node)[0], signal.SIGKILL)
    finish(process)
    assert results(sweep.rows()) == undisturbed


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


def test_the_broker_is_restarted(sweep: Place, cluster: Cluster, undisturbed: list[dict[str, Any]]) -> None:
    cluster.add_node(children=2)
    process = started(sweep)
    time.sleep(1.1)  # the append-only file is flushed every second
    cluster.server.kill()
    time.sleep(2)
    cluster.server.restart()
    finish(process)
    assert results(sweep.rows()) == undisturbed


def test_the_broker_loses_everything(sweep: Place, cluster: Cluster, undisturbed: list[dict[str, Any]]) -> None:
    """As one without an append-only file does when it is restarted."""
    cluster.add_node(children=2)
    process = started(sweep)
    redis: Any = connect(settings_of(cluster), patient=False)
    redis.flushall()
    _, err = process.communicate(timeout=150)
    assert process.returncode == 0, err
    assert "the broker lost this sweep's data" in err
    assert results(sweep.rows()) == undisturbed


def test_the_broker_is_full(sweep: Place, cluster: Cluster, undisturbed: list[dict[str, Any]]) -> None:
    cluster.add_node(children=2)
    process = started(sweep)
    redis: Any = connect(settings_of(cluster), patient=False)
    redis.config_set("maxmemory", "1mb")
    other = sweep.run("run", sweep.file, "--out", "runs/other")
    assert (other.code, other.err.splitlines()[-1]) == (
        2,
        "hummingsweep: the broker's memory is full; ops/RUNBOOK.md says what takes the room",
    )
    time.sleep(3)
    assert process.poll() is None
    assert len(sweep.rows()) < len(undisturbed)
    redis.config_set("maxmemory", 0)
    finish(process)
    assert results(sweep.rows()) == undisturbed


def test_the_orchestrator_is_killed_and_resumed(
    sweep: Place, cluster: Cluster, undisturbed: list[dict[str, Any]]
) -> None:
    cluster.add_node(children=2)
    process = started(sweep)
    process.kill()
    process.communicate()
    finished = sweep.run("resume", "runs/test")  # it waits until the dead one's claim has run out
    assert finished.code == 0, finished.err
    assert results(sweep.rows()) == undisturbed


def test_the_orchestrator_is_told_to_end(sweep: Place, cluster: Cluster, undisturbed: list[dict[str, Any]]) -> None:
    cluster.add_node(children=2)
    process = started(sweep)
    process.terminate()
    _, err = process.communicate(timeout=20)
    assert (process.returncode, err.splitlines()[-1]) == (143, "hummingsweep: ended by SIGTERM")
    redis: Any = connect(settings_of(cluster), patient=False)
    assert list(redis.scan_iter("hs:*:collector")) == []
    finish(sweep.start("run", sweep.file, "--no-audit", "--no-report"))
    assert results(sweep.rows()) == undisturbed


def test_an_interrupt_does_not_wait_for_a_node_that_died(sweep: Place, cluster: Cluster) -> None:
    doomed = cluster.add_node(children=1)
    sweep.sweep["grid"] = {"trouble": ["sleep:0", "sleep:60"]}
    process = started(sweep, points=1)
    os.killpg(doomed.pid, signal.SIGKILL)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=40)
    assert process.returncode == 130


def test_it_is_resumed_from_an_old_copy_of_the_output_folder(
    sweep: Place, cluster: Cluster, undisturbed: list[dict[str, Any]]
) -> None:
    """Another machine has the folder as it was a while ago: rows collected since are computed again."""
    cluster.add_node(children=2)
    process = started(sweep)
    shutil.copytree(sweep.folder / "runs" / "test", sweep.folder / "copy")
    known = len(sweep.rows("copy"))
    eventually(lambda: len(sweep.rows()) >= known + 6, 60, "more rows")
    process.kill()
    process.communicate()
    shutil.rmtree(sweep.folder / "runs")
    eventually(lambda: sweep.run("resume", "copy").code == 0, 90, "the end of the dead one's claim and a resume")
    assert results(sweep.rows("copy")) == undisturbed


def test_a_chunk_longer_than_the_visibility_timeout_runs_once(sweep: Place, cluster: Cluster) -> None:
    cluster.add_node(children=1)
    cluster.add_node(children=1)
    log = sweep.folder / "log"
    sweep.sweep["grid"] = {"trouble": [f"log-and-sleep:{log}:30"], "length": [5]}
    finished = sweep.run("run", sweep.file, "--no-audit", "--no-report")
    assert finished.code == 0, finished.err
    # the probe builds the config only; one line is one back-test
    assert len(log.read_text().splitlines()) == 1


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
    sweep.sweep["grid"] = {"length": LENGTHS[:6], "trouble": ["sleep:0", way, "sleep:0.1"]}
    finished = sweep.run("run", sweep.file, "--no-audit", "--no-report")
    assert finished.code == 3, finished.err
    assert {row["trouble"] for row in sweep.rows() if row["status"] != "ok"} == {way}


def test_native_code_that_never_comes_back_is_a_timeout(sweep: Place, cluster: Cluster) -> None:
    cluster.add_node(children=2)
    sweep.sweep["grid"] = {"trouble": ["sleep:0", "native", "sleep:0.1"]}
    sweep.sweep["point_timeout"] = 5
    finished = sweep.run("run", sweep.file, "--no-audit", "--no-report")
    assert finished.code == 3, finished.err
    assert [row["status"] for row in sweep.rows()] == ["ok", "timeout", "ok"]


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


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """A file system of a given size, to be made larger. Needs root."""
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "none", folder]).returncode:
        pytest.skip("mounting a small file system needs root")

    def resize(size: str) -> Path:
        subprocess.run(["mount", "-o", f"remount,size={size}", folder], check=True)
        return folder

    yield resize
    subprocess.run(["umount", "-l", folder], check=True)


def test_the_disk_of_the_result_store_is_full(
    sweep: Place, cluster: Cluster, small_disk: Callable[[str], Path], undisturbed: list[dict[str, Any]]
) -> None:
    cluster.add_node(children=2)
    out = small_disk("100k")
    finished = sweep.run("run", sweep.file, "--no-audit", "--no-report", "--out", out / "run")
    assert finished.code == 2, finished.err
    assert "full" in finished.err
    assert "Traceback" not in finished.err
    small_disk("50m")
    finished = sweep.run("run", sweep.file, "--no-audit", "--no-report", "--out", out / "run")
    assert finished.code == 0, finished.err
    assert results(sweep.rows(str(out / "run"))) == undisturbed


def test_two_interrupts_stop_at_once(sweep: Place, cluster: Cluster) -> None:
    cluster.add_node(children=2)
    sweep.sweep["grid"] = {"trouble": ["sleep:0", "sleep:60", "sleep:61"], "length": [5, 6]}
    process = started(sweep, points=1)
    process.send_signal(signal.SIGINT)
    time.sleep(1)
    assert process.poll() is None  # it waits for the running chunks
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode == 130


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

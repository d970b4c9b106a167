"""Without a broker: the local node, the embedded server or their guardian dies under a running command."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.integration.conftest import Place, eventually
from tests.integration.faults.conftest import LENGTHS, finish, results, started


@pytest.fixture
def sweep(alone: Place) -> Place:
    """40 points of 0.25 s on an embedded cluster with one child, in a temporary folder of the test's own."""
    temporary = alone.folder / "t"
    temporary.mkdir()
    alone.environment |= {
        "HUMMINGSWEEP_CHUNK_SECONDS": "1",
        "HUMMINGSWEEP_CHILDREN": "1",
        "TMPDIR": str(temporary),
    }
    alone.sweep["grid"] = {"trouble": ["sleep:0.25"], "length": LENGTHS}
    return alone


def below(command: subprocess.Popen[str], mark: str) -> psutil.Process:
    """The process under a command whose command line holds `mark`."""
    there = psutil.Process(command.pid).children(recursive=True)
    return next(process for process in there if mark in " ".join(process.cmdline()))


def test_the_local_node_is_killed(sweep: Place, undisturbed: list[dict[str, Any]]) -> None:
    """As the kernel does when memory runs out: a night's sweep goes on with a new one."""
    command = started(sweep)
    below(command, "tasks.node.worker").kill()
    _, err = command.communicate(timeout=90)  # well before the visibility timeout of 120 s
    assert command.returncode == 0, err
    assert "the local node ended (by SIGKILL" in err
    assert "is started anew" in err
    assert results(sweep.rows()) == undisturbed


@pytest.mark.parametrize(
    ("mark", "number", "words"),
    [
        ("valkey-server", signal.SIGKILL, "the embedded server ended (by SIGKILL"),
        ("orchestrator.cluster.guardian", signal.SIGKILL, "the guardian of the embedded server ended (by SIGKILL"),
        ("orchestrator.cluster.guardian", signal.SIGTERM, "the guardian of the embedded server ended (exit code 0)"),
    ],
)
def test_the_embedded_cluster_ends(sweep: Place, mark: str, number: int, words: str) -> None:
    command = started(sweep)
    processes = psutil.Process(command.pid).children(recursive=True)
    os.kill(below(command, mark).pid, number)
    _, err = command.communicate(timeout=30)
    assert command.returncode == 2, err
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith(f"hummingsweep: {words}")
    eventually(lambda: not any(alive(process) for process in processes), 15, "the end of all that was started")
    assert list(Path(sweep.environment["TMPDIR"]).glob("hummingsweep-*")) == []
    kept = sweep.stored()
    assert kept >= 3
    if mark == "valkey-server":
        finish(sweep.start("run", sweep.file, "--no-audit", "--no-report"))
        assert sweep.stored() == len(LENGTHS)


def alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False

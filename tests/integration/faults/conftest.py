"""Whatever dies in the middle, the rows at the end are those of an undisturbed run.

Real processes are killed, by id. The visibility timeout is 12 s. A test that harms the broker or a node has its own
(`sweep`); one that harms a child or an orchestrator shares them with its module (`served`).
"""

from __future__ import annotations

import itertools
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Cluster, Place, eventually, small_sweep

LENGTHS = list(range(5, 45))
ZEROS = itertools.count()


@pytest.fixture
def sweep(tmp_path: Path, cluster: Cluster) -> Place:
    """40 points of 0.25 s on a cluster of the test's own, in chunks of about a second."""
    return forty_points(tmp_path, cluster)


@pytest.fixture
def served(tmp_path: Path, serving_cluster: Cluster) -> Place:
    """The same points on the module's cluster, whose node is there."""
    assert serving_cluster.nodes[0].poll() is None, "a test before this one ended the node"
    return forty_points(tmp_path, serving_cluster)


def forty_points(tmp_path: Path, cluster: Cluster) -> Place:
    """40 points of 0.25 s, in chunks of about a second; of no time from when the file `awake` is there."""
    place = small_sweep(tmp_path, {**cluster.environment, "HUMMINGSWEEP_CHUNK_SECONDS": "1"})
    # written otherwise in every test: what an earlier one with the same points left on the broker would be taken
    place.sweep["grid"] = {"trouble": [f"sleep:0.25{'0' * next(ZEROS)}:{tmp_path / 'awake'}"], "length": LENGTHS}
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
        eventually(lambda: place.stored() >= points, 120, "the first rows")
    except AssertionError:
        process.kill()
        raise AssertionError(process.communicate()[1]) from None
    return process


def finish(process: subprocess.Popen[str], timeout_s: float = 120) -> None:
    out, err = process.communicate(timeout=timeout_s)
    assert process.returncode == 0, out + err

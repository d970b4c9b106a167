"""Benchmarks that start processes of their own still run, and their rows are equal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.conftest import REPOSITORY

pytestmark = pytest.mark.long


def document(script: str, *options: str) -> Any:
    """What a benchmark answers, whatever its figures are."""
    command = [sys.executable, str(REPOSITORY / "benchmarks" / script), *options, "--json"]
    done = subprocess.run(
        command, env={**os.environ, "HUMMINGSWEEP_SETTINGS": os.devnull}, capture_output=True, text=True
    )
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout[done.stdout.index("{") :])


def test_peers_run_and_their_rows_are_equal() -> None:
    kinds = ("--sizes", "50", "--ten", "0", "--indicator", "0", "--expensive", "0", "--repeat", "1")
    [sweep] = document("peers.py", *kinds, "--only", "ours,one_process,stock,pool,celery")["sweeps"]
    ran = {one["contender"]: one.get("equal") for one in sweep["contenders"] if "left_out" not in one}
    assert ran == {"ours": True, "one_process": True, "stock": True, "pool": True, "celery": True}


def test_the_cluster_is_measured_and_every_point_is_fine() -> None:
    found = document("cluster.py", "--quick")
    assert len(found["sweeps"]) >= 3
    assert found["promises"]["every point ok"]

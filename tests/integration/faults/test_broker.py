"""The broker dies, forgets, or is full; the node stays."""

from __future__ import annotations

import time
from typing import Any

from tasks.broker.connect import connect
from tests.integration.conftest import Cluster, Place, settings_of
from tests.integration.faults.conftest import finish, results, started


def test_the_broker_is_restarted(served: Place, serving_cluster: Cluster, undisturbed: list[dict[str, Any]]) -> None:
    process = started(served)
    time.sleep(1.1)  # the append-only file is flushed every second
    serving_cluster.server.kill()
    time.sleep(2)
    serving_cluster.server.restart()
    finish(process)
    assert results(served.rows()) == undisturbed


def test_the_broker_loses_everything(
    served: Place, serving_cluster: Cluster, undisturbed: list[dict[str, Any]]
) -> None:
    """As one without an append-only file does when it is restarted."""
    process = started(served)
    redis: Any = connect(settings_of(serving_cluster), patient=False)
    redis.flushall()
    _, err = process.communicate(timeout=150)
    assert process.returncode == 0, err
    assert "the broker lost this sweep's data" in err
    assert results(served.rows()) == undisturbed


def test_the_broker_is_full(served: Place, serving_cluster: Cluster, undisturbed: list[dict[str, Any]]) -> None:
    process = started(served)
    redis: Any = connect(settings_of(serving_cluster), patient=False)
    redis.config_set("maxmemory", "1mb")
    other = served.run("run", served.file, "--out", "runs/other")
    assert (other.code, other.err.splitlines()[-1]) == (
        2,
        "hummingsweep: the broker's memory is full; ops/RUNBOOK.md says what takes the room",
    )
    time.sleep(3)
    assert process.poll() is None
    assert len(served.rows()) < len(undisturbed)
    redis.config_set("maxmemory", 0)
    finish(process)
    assert results(served.rows()) == undisturbed

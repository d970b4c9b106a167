"""Children are spawned, ujson is all that travels, Flower shows nodes and chunks."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import suppress
from typing import Any

import psutil
import pytest

from orchestrator.cluster.broker import Cluster as Broker
from tasks.protocol.messages import CHUNK_TASK
from tests.integration.conftest import Cluster, Place, eventually, settings_of


def test_children_are_spawned_and_inherit_nothing(place: Place) -> None:
    place.sweep["grid"] = {"trouble": [f"tell:{place.folder / 'told'}"], "length": [5, 6, 7, 8]}
    finished = place.run("run", place.file, "--no-audit", "--no-report", HUMMINGSWEEP_CHUNK_SECONDS="0.001")
    assert finished.code == 0, finished.err
    told = [json.loads(line) for line in (place.folder / "told").read_text().splitlines()]
    for child in told:
        assert child["method"] == "spawn"
        # the node's main process imports these; a forked child would have them
        assert child["inherited"] == []
        assert child["name"].startswith("SpawnPoolWorker")
        assert child["threads"] == "1"
        assert child["collects"]  # garbage; not while it imported, see tasks.garbage
        assert child["hash"] == told[0]["hash"]  # or sets of strings would have another order in every child
    parents = {child["parent"] for child in told}
    assert len(parents) == 1
    assert len({child["pid"] for child in told}) <= 2


def test_the_settings_that_keep_chunks_safe(session_cluster: Cluster) -> None:
    broker = Broker(settings_of(session_cluster))
    eventually(broker.children, 60, "the node")
    conf = next(iter(broker.app.control.inspect(timeout=5).conf().values()))
    assert conf["worker_prefetch_multiplier"] == 1
    assert conf["task_acks_late"] is True
    assert conf["accept_content"] == ["ujson"]
    assert conf["worker_pool_start_method"] == "spawn"
    stats = next(iter(broker.app.control.inspect(timeout=5).stats().values()))
    assert stats["pool"]["max-concurrency"] == 2


def test_a_pickled_message_is_not_taken(session_cluster: Cluster, tmp_path: Any) -> None:
    """A message in another content type is refused without being decoded."""
    from celery import Celery

    settings = settings_of(session_cluster)
    broker = Broker(settings)
    eventually(broker.children, 60, "the node")
    foreign = Celery("foreign", broker=settings.broker)
    foreign.conf.update(task_serializer="pickle", accept_content=["pickle"])
    queue = broker.nodes()[0].queue
    foreign.send_task(CHUNK_TASK, args=("pickled", "1:0-0"), queue=queue)
    eventually(lambda: broker.redis.llen(queue) == 0, 30, "the refusal")
    assert not broker.redis.exists("hs:pickled:done")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_flower_shows_nodes_and_chunks(place: Place, session_cluster: Cluster) -> None:
    port = free_port()
    flower = subprocess.Popen(
        [sys.executable, "-m", "orchestrator.cli", "flower", "--port", str(port)],
        env={**session_cluster.environment, "HUMMINGSWEEP_FLOWER_AUTH": "me:secret"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def get(path: str, auth: str = "me:secret") -> Any:
        token = base64.b64encode(auth.encode()).decode()
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Authorization": f"Basic {token}"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            body = answer.read()
        return json.loads(body) if path.startswith("/api") else body.decode()

    def ready() -> bool:
        try:
            return bool(get("/api/workers?refresh=1"))
        except OSError:
            return False

    try:
        eventually(ready, 60, "Flower with a node")
        assert "secret" not in " ".join(psutil.Process(flower.pid).cmdline())
        with pytest.raises(urllib.error.HTTPError, match="401"):
            get("/api/workers", auth="me:wrong")
        assert 'data-column="args"' in get("/tasks")  # which sweep a chunk is of, and how far it is
        assert place.run("run", place.file, "--no-audit", "--no-report").code == 0

        def finished() -> list[str]:
            tasks = [task for task in get("/api/tasks").values() if task["name"] == CHUNK_TASK]
            return [task["args"] for task in tasks if task["state"] == "SUCCESS" and "'test-" in task["args"]]

        # events travel together: those of the probes may be there before
        sweeps = eventually(finished, 30, "finished chunks of the sweep")
        assert any(" of 12 points done ('test-" in arguments for arguments in sweeps), sweeps
        workers = get("/api/workers?refresh=1")
        assert any(name.startswith("session-") for name in workers)
    finally:
        flower.terminate()
        flower.wait(20)


def test_a_node_needs_broker_and_key(bare_environment: dict[str, str], session_cluster: Cluster) -> None:
    def worker(**environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "orchestrator.cli", "worker"],
            env={**bare_environment, **environment},
            capture_output=True,
            text=True,
            timeout=60,
        )

    nothing = worker()
    assert (nothing.returncode, "HUMMINGSWEEP_BROKER" in nothing.stderr) == (2, True)
    keyless = worker(HUMMINGSWEEP_BROKER=session_cluster.environment["HUMMINGSWEEP_BROKER"], HUMMINGSWEEP_KEY="")
    assert (keyless.returncode, "HUMMINGSWEEP_KEY" in keyless.stderr) == (2, True)
    open_ = worker(HUMMINGSWEEP_BROKER="redis://192.0.2.1:6379/0")
    assert (open_.returncode, "password" in open_.stderr) == (2, True)


def test_an_orchestrator_with_another_key_is_refused(place: Place) -> None:
    finished = place.run("run", place.file, HUMMINGSWEEP_KEY="not the cluster's")
    assert finished.code == 2
    assert "no node with this orchestrator's key" in finished.err


def test_a_node_with_another_key_takes_no_chunk(place: Place, cluster: Cluster) -> None:
    cluster.add_node(children=1)
    stranger = cluster.add_node(children=1, name="stranger", HUMMINGSWEEP_KEY="another key of enough bytes")
    place.environment = cluster.environment
    broker = Broker(settings_of(cluster))
    eventually(lambda: len(broker.nodes()) == 2, 90, "two nodes")
    assert place.run("submit", place.file).code == 0

    def when_computed() -> Any:
        # not `watch` without --json: a sweep that is collected already is told from its store
        watched = place.run("watch", "runs/test", "--json")
        assert watched.code == 0, watched.err
        nodes = watched.document["nodes"]
        return nodes if sum(node["points"] for node in nodes) == 12 else None

    nodes = eventually(when_computed, 60, "twelve points")
    assert stranger.poll() is None
    assert {node["name"].partition("-")[0]: node["points"] for node in nodes} == {"n0": 12, "stranger": 0}
    assert [node["points_per_s"] is not None for node in nodes] == [node["points"] > 0 for node in nodes]


def test_two_versions_of_a_controller_run_at_the_same_time(place: Place) -> None:
    source = place.sweep["controllers"]
    for version, threshold in (("one", "1.0005"), ("two", "1.002")):
        shutil.copytree(source, place.folder / version, ignore=shutil.ignore_patterns("__pycache__"))
        file = place.folder / version / "directional_trading" / "crossing.py"
        file.write_text(file.read_text().replace("1.0005", threshold))
    place.sweep["grid"] = {"length": [5, 10, 20], "trouble": ["sleep:0.2"], "take_profit": [0.002, 0.003, 0.004]}
    processes = []
    for version in ("one", "two"):
        place.sweep |= {"controllers": version, "name": version}
        file = place.folder / f"{version}.yml"
        file.write_text(place.file.read_text())
        processes.append(place.start("run", file, "--no-audit", "--no-report", HUMMINGSWEEP_CHUNK_SECONDS="0.5"))
    for process in processes:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    both = [place.rows(f"runs/{version}") for version in ("one", "two")]
    assert all(one["net_pnl"] != two["net_pnl"] for one, two in zip(*both, strict=True))
    place.sweep |= {"controllers": "two", "name": "again"}
    assert place.run("run", place.file, "--no-audit", "--no-report").code == 0
    assert [row["net_pnl"] for row in place.rows("runs/again")] == [row["net_pnl"] for row in both[1]]


def test_submit_leaves_and_watch_collects(place: Place) -> None:
    sent = place.run("submit", place.file, "--json")
    assert sent.code == 0, sent.err
    assert sent.document["points"] == 12
    watched = place.run("watch", "runs/test")
    assert watched.code == 0, watched.err
    assert f"sweep {sent.document['sweep']}: done, 12/12 points" in watched.err + watched.out
    assert len(place.rows()) == 12
    standing = place.run("watch", "runs/test", "--json").document
    assert (standing["done"], standing["points"]) == (12, 12)
    listed = place.run("list", "--json").document
    ended = next(one for one in listed if one["sweep"] == sent.document["sweep"])
    assert (ended["done"], ended["state"]) == (12, "done")

    # a finished sweep is not cancelled any more
    cancelled = place.run("cancel", "runs/test")
    assert cancelled.code == 0, cancelled.err
    assert "nothing to cancel" in cancelled.out
    assert place.run("list", "--json").document == listed


def test_cancel_drops_what_has_not_begun(place: Place) -> None:
    place.sweep["grid"] = {"trouble": ["sleep:0.5"], "length": list(range(5, 60))}
    sent = place.run("submit", place.file, "--json", HUMMINGSWEEP_CHUNK_SECONDS="1")
    assert sent.code == 0, sent.err
    assert place.run("cancel", "runs/test").code == 0
    broker = Broker(settings_of_place(place))
    eventually(lambda: broker.redis.llen(broker.settings.queue) == 0, 60, "an empty queue")
    assert place.stored() < 55


def settings_of_place(place: Place) -> Any:
    from tasks.settings import Settings

    return Settings.read(place.environment)


def test_doctor_looks_at_the_cluster(place: Place) -> None:
    found = place.run("doctor", "--json")
    assert found.code == 0, found.out
    whats = {finding["what"]: finding["good"] for finding in found.document["findings"]}
    assert whats["nodes"] and whats["broker"] and whats["signing key"]
    assert place.run("doctor", "--broker", "redis://127.0.0.1:1/0").code == 1


def test_no_process_of_a_run_shows_a_secret(alone: Place) -> None:
    alone.sweep["grid"] = {"trouble": ["sleep:0.5"], "length": [5, 6, 7, 8]}
    process = alone.start("run", alone.file, "--no-audit", "--no-report")
    lines: set[str] = set()

    def seen_until_the_first_rows() -> bool:
        # Looked at all the way: on a busy machine the run may be over when its first rows are seen.
        with suppress(psutil.NoSuchProcess):
            for other in psutil.Process(process.pid).children(recursive=True):
                lines.add(" ".join(other.cmdline()))
        return alone.stored() > 0

    try:
        eventually(seen_until_the_first_rows, 120, "the first rows")
        assert any("tasks.node.worker" in line for line in lines), lines
        assert not any(alone.environment["HUMMINGSWEEP_KEY"] in line or "redis://" in line for line in lines)
    finally:
        process.communicate(timeout=60)

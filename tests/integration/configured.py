"""A broker that runs with ops/redis as it is shipped: its configuration, its users, its passwords."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.cluster.guardian import die_with_parent
from tests.conftest import REPOSITORY
from tests.integration.conftest import Cluster, Server

REDIS = REPOSITORY / "ops" / "redis"


@dataclass
class Configured:
    """A server whose users are those of ops/redis/users.acl."""

    process: subprocess.Popen[bytes]
    folder: Path
    port: int
    scheme: str = "redis"
    query: str = ""

    def environment(self, user: str) -> dict[str, str]:
        """What a process that connects as this user is given: no password in the address."""
        return {
            "HUMMINGSWEEP_BROKER": f"{self.scheme}://{user}@127.0.0.1:{self.port}/0{self.query}",
            "HUMMINGSWEEP_BROKER_PASSWORD_FILE": str(self.folder / f"{user}.password"),
        }

    def password(self, user: str) -> str:
        """As passwords.sh made it."""
        return (self.folder / f"{user}.password").read_text()

    def cluster(self, environment: dict[str, str]) -> Cluster:
        """For the orchestrator; nodes are added with `environment("node")`."""
        return Cluster(
            Server(self.process, "", self.folder), {**environment, **self.environment("orchestrator")}, self.folder
        )


def free_port() -> int:
    """A port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def serve(binary: Path, folder: Path, *more: str, tls: bool = False) -> Iterator[Configured]:
    """The server with ops/redis/redis.conf; `more` lines override what belongs to a real machine."""
    subprocess.run([REDIS / "passwords.sh", folder], check=True, capture_output=True)
    port = free_port()
    lines = [
        *(f"include {REDIS / file}" for file in ("redis.conf", *(["tls.conf"] if tls else []))),
        "bind 127.0.0.1",
        f"dir {folder}",
        f"aclfile {folder / 'users.acl'}",
        f"logfile {folder / 'server.log'}",
        f"{'tls-port' if tls else 'port'} {port}",
        *more,
    ]
    (folder / "server.conf").write_text("\n".join(lines) + "\n")
    process = subprocess.Popen([binary, folder / "server.conf"], preexec_fn=die_with_parent)
    try:
        deadline = time.monotonic() + 10
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
                break
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"the server did not start, see {folder / 'server.log'}")
            time.sleep(0.01)
        yield Configured(process, folder, port)
    finally:
        process.kill()
        process.wait()

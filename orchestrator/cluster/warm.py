"""A local cluster that stays for the next command: server and node are there, so the next sweep starts at once.

One per user and cache folder, kept by a guardian (orchestrator.cluster.guardian) that belongs to no command:

    <cache>/warm/state.json     what it is: broker, key, processes, what became of them; only the user may read it
    <cache>/warm/users/<pid>    commands that use it
    <cache>/warm/lock           held while one is looked for, started or stopped

It ends by itself when no command has used it for `warm_s` seconds, and at `hummingsweep down`. A command whose
versions, settings, key or code differ does not use it: an unused one is replaced, beside a used one that command starts
a cluster of its own.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tasks import launch
from tasks.errors import BrokerError, HummingsweepError
from tasks.named_types import JsonObject
from tasks.settings import Settings, versions

#: Seconds a guardian may take to start server and node, and to stop them.
START_S = 30.0
STOP_S = 30.0
GO_ON = "what was stored is kept, the same command goes on"

#: Guardians that this process started, so that nothing waits for them when it ends.
_STARTED: list[subprocess.Popen[bytes]] = []


class WarmFolder:
    """The files of the warm cluster of one user."""

    def __init__(self, cache: Path):
        self.folder = cache / "warm"
        self.state_file = self.folder / "state.json"
        self.users = self.folder / "users"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """One command at a time. Raises HummingsweepError where the folder cannot be written."""
        try:
            self.users.mkdir(parents=True, exist_ok=True)
            self.folder.chmod(0o700)
            lock = (self.folder / "lock").open("a+")
        except OSError as error:
            raise HummingsweepError(
                f"{self.folder}: cannot be written ({error.strerror}); make room or give yourself the right, or set "
                "HUMMINGSWEEP_CACHE to another folder"
            ) from None
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def state(self) -> JsonObject:
        """What the guardian wrote last; empty where there is none, or it is gone."""
        try:
            state: JsonObject = json.loads(self.state_file.read_text())
            os.kill(int(state["guardian"]), 0)
        except (OSError, ValueError, KeyError, TypeError):
            return {}
        return state

    def write(self, state: JsonObject) -> None:
        """Replace the state in one step. Raises OSError."""
        draft = self.state_file.with_name(f"state.{os.getpid()}")
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:  # noqa: PTH123  a descriptor
            json.dump(state, file)
        draft.replace(self.state_file)

    def in_use(self) -> bool:
        """Whether a command that is alive uses it; notes of those that were killed are taken away."""
        found = False
        with contextlib.suppress(OSError):
            for note in self.users.iterdir():
                try:
                    os.kill(int(note.name), 0)
                    found = True
                except (ProcessLookupError, ValueError):
                    note.unlink(missing_ok=True)
                except PermissionError:
                    found = True
        return found


class WarmCluster:
    """The warm cluster as one command uses it, beside Embedded with the same methods. To be closed."""

    def __init__(self, folder: WarmFolder, state: JsonObject):
        self._folder, self._state = folder, state
        self._note = folder.users / str(os.getpid())
        self._seen = int(state.get("restarts", 0))
        self._unread = 0

    @classmethod
    def join(cls, settings: Settings) -> WarmCluster | None:
        """The warm cluster of these settings, started where there is none; None where another one is in use.

        Raises BrokerError when it cannot be started.
        """
        folder = WarmFolder(settings.cache_folder)
        with folder.locked():
            state, wanted = folder.state(), fingerprint(settings)
            if state and (state.get("of") != wanted or state.get("ended")):
                if folder.in_use():
                    return None
                stop(state)
                state = {}
            if not state:
                state = _start(folder, settings, wanted)
            found = cls(folder, state)
            found._note.touch()
            return found

    @property
    def broker(self) -> str:
        """The server's address."""
        return str(self._state["broker"])

    @property
    def key(self) -> str:
        """The key that signs on it."""
        return str(self._state["key"])

    @property
    def node(self) -> int:
        """The process id of the node that runs now."""
        return int(self._state["node"])

    def check(self) -> None:
        """Look at what the guardian wrote. Raises BrokerError when server, node or guardian ended for good."""
        state = self._folder.state()
        if not state or state.get("guardian") != self._state["guardian"]:
            raise BrokerError(f"the local cluster ended; {GO_ON}")
        self._state = state
        if state.get("ended"):
            raise BrokerError(f"{state['ended']}; {GO_ON}")

    def news(self) -> list[str]:
        """What happened since this was asked last, a line each."""
        restarts = int(self._state.get("restarts", 0))
        news = list(self._state.get("news", ()))[self._seen : restarts]
        self._unread += restarts - self._seen
        self._seen = restarts
        return news

    def restarted(self) -> bool:
        """Whether the node was started anew since this was asked last; after `news`."""
        unread, self._unread = self._unread, 0
        return unread > 0

    def close(self) -> None:
        """This command needs it no longer; the cluster stays."""
        with contextlib.suppress(OSError):
            self._note.unlink(missing_ok=True)


def fingerprint(settings: Settings) -> str:
    """What a warm cluster must share with a command: versions, settings, key, the user's paths and our code."""
    code = Path(launch.__file__).parent
    stamps = sorted((str(file), file.stat().st_mtime_ns) for file in code.rglob("*.py"))
    user = {name: os.environ.get(name, "") for name in ("PYTHONPATH", launch.USER_PATH)}
    environment = {name: value for name, value in os.environ.items() if name.startswith("HUMMINGSWEEP_")}
    known = [versions(), settings.to_environment(), user, environment, stamps]
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()


def down(settings: Settings) -> bool:
    """Stop the warm cluster of this user; whether there was one. Raises BrokerError while a command uses it."""
    folder = WarmFolder(settings.cache_folder)
    with folder.locked():
        state = folder.state()
        if not state:
            return False
        if folder.in_use():
            users = ", ".join(sorted(note.name for note in folder.users.iterdir()))
            raise BrokerError(f"the local cluster is in use by process {users}; stop that first")
        stop(state)
        return True


def stop(state: JsonObject) -> None:
    """Tell a guardian to stop what it keeps, and wait for it."""
    guardian = int(state["guardian"])
    with contextlib.suppress(ProcessLookupError):
        os.kill(guardian, signal.SIGTERM)
    deadline = time.monotonic() + STOP_S
    while time.monotonic() < deadline and _is_alive(guardian):
        time.sleep(0.05)


def _start(folder: WarmFolder, settings: Settings, wanted: str) -> JsonObject:
    """Start a guardian that outlives this process. Raises BrokerError."""
    key = settings.key or secrets.token_hex(32)
    environment = {**settings.to_environment(), "HUMMINGSWEEP_KEY": key}
    log = (folder.folder / "guardian.log").open("wb")
    with log:
        guardian = subprocess.Popen(
            launch.command("orchestrator.cluster.guardian"),
            env=settings.process_environment(os.environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=log,  # no descriptor of this command: whoever reads its output waits for none of them
            start_new_session=True,
        )
    _STARTED.append(guardian)
    order = {
        "server": True,
        "node": True,
        "environment": environment,
        "drain_s": 0.5,
        "keep": {"cache": str(settings.cache_folder), "idle_s": settings.warm_s, "state": {"of": wanted, "key": key}},
    }
    assert guardian.stdin is not None
    with contextlib.suppress(BrokenPipeError), guardian.stdin:
        guardian.stdin.write(json.dumps(order).encode() + b"\n")
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and guardian.poll() is None:
        state = folder.state()
        if state.get("guardian") == guardian.pid:
            return state
        time.sleep(0.01)
    if guardian.poll() is None:
        guardian.kill()
    raise BrokerError(f"the local cluster cannot be started; {folder.folder / 'guardian.log'} says why")


def _is_alive(process: int) -> bool:
    for started in _STARTED:  # a child of this process is a zombie until it is asked for
        if started.pid == process:
            return started.poll() is None
    try:
        os.kill(process, 0)
    except OSError:
        return False
    return True

"""The orchestrator's side of the embedded cluster: its guardian (orchestrator.cluster.guardian), what that says, and
how it ends.

The guardian is the parent of server and node, so it is the one that sees them end; it says so in a line, and the
orchestrator
reads its lines between two steps and while it waits for the broker. When the guardian itself is gone, the
orchestrator stops
what it left.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import threading
from pathlib import Path

from tasks import launch
from tasks.errors import BrokerError
from tasks.named_types import JsonObject
from tasks.settings import Settings

#: Seconds the guardian may take to stop what it started.
STOP_S = 30.0
GO_ON = "what was stored is kept, the same command goes on"


class Embedded:
    """A guardian, the server and the node it keeps. To be closed."""

    def __init__(self, settings: Settings, *, node: bool):
        """Start them. Raises BrokerError."""
        self._guardian = subprocess.Popen(
            launch.command("orchestrator.cluster.guardian"),
            env=settings.process_environment(os.environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,  # what it says later must not be read ahead
            # a session of its own: Ctrl-C on the terminal is this command's alone
            start_new_session=True,
        )
        self._lock = threading.Lock()
        self._news: list[str] = []
        self._ended = ""
        #: nodes that were started since `restarted` was asked for
        self._restarts = 0
        self._facts: JsonObject = {}
        try:
            order = {"server": True, "node": node, "environment": settings.to_environment(), "drain_s": 0.5}
            assert self._guardian.stdin is not None
            with contextlib.suppress(BrokenPipeError):  # it ended at once: its answer is missing
                self._guardian.stdin.write(json.dumps(order).encode() + b"\n")
            self._facts = self._read_line() or {"error": "the guardian ended at once"}
            if "error" in self._facts:
                raise BrokerError(f"the embedded server cannot be started: {self._facts['error']}")
        except BaseException:
            self.close()
            raise

    @property
    def broker(self) -> str:
        """The server's address."""
        return str(self._facts["broker"])

    @property
    def server(self) -> int:
        """The server's process id."""
        return int(self._facts["server"])

    @property
    def node(self) -> int:
        """The process id of the node that runs now."""
        return int(self._facts["node"])

    @property
    def folder(self) -> Path:
        """The temporary folder of server and node."""
        return Path(self._facts["folder"])

    def check(self) -> None:
        """Hear what the guardian has to say. Raises BrokerError when server, node or guardian ended for good."""
        with self._lock:  # the thread that renews the collector_lease asks, too
            self._hear_all()
        if self._ended:
            raise BrokerError(f"{self._ended}; {GO_ON}")

    def _hear_all(self) -> None:
        gone = self._guardian.poll() is not None  # asked first: what it printed is there by now
        while not self._ended and (line := self._heard()):
            if "node" not in line:
                self._ended = line.get("ended") or line["error"]
            else:
                self._facts["node"] = line["node"]
                self._restarts += 1
                self._news.append(line["news"])
        if gone and not self._ended:
            self._ended = f"the guardian of the embedded server ended ({ending(self._guardian.returncode)})"

    def news(self) -> list[str]:
        """What happened since this was asked last, a line each."""
        news, self._news = self._news, []
        return news

    def restarted(self) -> bool:
        """Whether the node was started anew since this was asked last."""
        restarts, self._restarts = self._restarts, 0
        return restarts > 0

    def close(self) -> None:
        """Stop everything. The guardian does it, unless it was killed itself."""
        assert self._guardian.stdin is not None
        assert self._guardian.stdout is not None
        self._guardian.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._guardian.wait(STOP_S)
        if self._guardian.returncode:
            self._clear_up()
        self._guardian.stdout.close()

    def _clear_up(self) -> None:
        """After a guardian that was killed. What it kept is worth nothing any more."""
        with contextlib.suppress(KeyError, ProcessLookupError, PermissionError):
            os.killpg(self.node, signal.SIGKILL)  # the node leads a group: its children go with it
        with contextlib.suppress(KeyError, ProcessLookupError, PermissionError):
            os.kill(self.server, signal.SIGKILL)
        if "folder" in self._facts:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _heard(self) -> JsonObject | None:
        """The next line that is there already."""
        assert self._guardian.stdout is not None
        there, _, _ = select.select([self._guardian.stdout], [], [], 0)
        return self._read_line() if there else None

    def _read_line(self) -> JsonObject | None:
        assert self._guardian.stdout is not None
        line = self._guardian.stdout.readline()
        return json.loads(line) if line.endswith(b"\n") else None


def ending(code: int) -> str:
    """How a process ended, from its exit code as `subprocess` has it."""
    if code >= 0:
        return f"exit code {code}"
    names = {number.value: number.name for number in signal.Signals}
    name = names.get(-code, f"signal {-code}")
    return f"by {name}, perhaps for want of memory" if name == "SIGKILL" else f"by {name}"

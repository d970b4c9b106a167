"""Starts commands of ours as forks of a process that has imported them already.

To import its modules costs a command most of its time, and the tests start hundreds of commands. So one process (the
server) imports them once per process of the tests. For each command it forks: the fork has a process id, signals, an
environment, a folder and streams of its own, as a command of a user's has, but the imports are done.

    python -P tests/integration/forked.py     standard input: the other end of the socket that asks for commands

Tests of the start itself (what is imported, signals that come while imports last, other interpreters' settings) start
`python -m orchestrator.cli` or `hummingsweep`.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import json
import os
import pkgutil
import resource
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path
from types import FrameType
from typing import Any

#: Environment variables that the interpreter or a library reads when it starts, too late for a fork.
READ_AT_START = ("PYTHON", "LD_", "LC_", "LANG", "TZ", "MALLOC", "OMP_", "OPENBLAS_", "NUMBA_", "GLIBC_")
#: A request and its answers are lines of JSON; no environment is longer.
LIMIT_BYTES = 1 << 20


class CommandServer:
    """The process that forks commands, seen from the tests."""

    def __init__(self) -> None:
        self._here, there = socket.socketpair()
        self._environment, self._limits = dict(os.environ), _limits()
        self._process = subprocess.Popen([sys.executable, "-P", __file__], stdin=there)
        there.close()
        self._answers = b""
        self._ended: dict[int, int] = {}
        self._lock = threading.Lock()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def can_start(self, environment: dict[str, str]) -> bool:
        """Whether a fork behaves under this environment, and the limits of this process, as a new interpreter would.
        Not on macOS, whose libraries do not stand a fork."""
        ours, theirs = (
            {name: value for name, value in one.items() if name.startswith(READ_AT_START)}
            for one in (self._environment, environment)
        )
        return ours == theirs and self._limits == _limits() and sys.platform != "darwin"

    def start(self, request: dict[str, Any], streams: list[int]) -> int:
        """Fork a command and return its process id. `streams`: descriptors of its standard streams."""
        line = json.dumps(request).encode() + b"\n"
        with self._lock:
            socket.send_fds(self._here, [line], streams)
            while True:
                answer = self._answer(None)
                if answer is None:
                    raise RuntimeError("the process that forks commands has ended")
                if "started" in answer:
                    return int(answer["started"])

    def code_of(self, pid: int, timeout_s: float | None = 0.0) -> int | None:
        """The exit code of a command, as Popen counts it; None while it runs. Waits for it up to `timeout_s` seconds,
        without end for None."""
        end = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            with self._lock:
                while pid not in self._ended and self._answer(0.0):
                    pass
                if pid in self._ended:
                    return self._ended[pid]
            left = 0.1 if end is None else min(0.1, end - time.monotonic())  # another thread may read the answer
            if left <= 0:
                return None
            select.select([self._here], [], [], left)

    def close(self) -> None:
        """End it; commands that still run go on."""
        self._here.close()
        self._process.wait(30)

    def _answer(self, timeout_s: float | None) -> dict[str, int] | None:
        """The next answer, kept when it tells of an end; None where there is none within `timeout_s` seconds."""
        while b"\n" not in self._answers:
            if not select.select([self._here], [], [], timeout_s)[0]:
                return None
            if not (more := self._here.recv(1 << 16)):
                return None
            self._answers += more
        line, _, self._answers = self._answers.partition(b"\n")
        answer: dict[str, int] = json.loads(line)
        if "ended" in answer:
            self._ended[answer["ended"]] = answer["code"]
        return answer


def _limits() -> list[tuple[int, int]]:
    """What a process may use, which those that it starts inherit."""
    names = sorted(name for name in vars(resource) if name.startswith("RLIMIT_"))
    return [resource.getrlimit(getattr(resource, name)) for name in names]


class ForkedCommand(subprocess.Popen[str]):
    """A command that a server forks; to be used as any Popen."""

    def __init__(self, server: CommandServer, arguments: list[str], **options: Any):
        self._server = server
        super().__init__(arguments, **options)

    def _execute_child(self, args: Any, *options: Any) -> None:  # type: ignore[override]  # not public, see _wait
        """As Popen's of Python 3.12; `options` in its order."""
        (_, _, _, _, cwd, env, _, _, _, p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite, *rest) = options
        request = {"arguments": args, "cwd": str(cwd or Path.cwd()), "environment": env, "session": rest[5]}
        given = (p2cread, c2pwrite, errwrite)
        streams = [stream if stream != -1 else number for number, stream in enumerate(given)]
        try:
            self.pid = self._server.start(request, streams)
        finally:
            self._close_pipe_fds(p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite)  # type: ignore[attr-defined]
        self._child_created = True

    def _internal_poll(self, _deadstate: int | None = None, *_: Any) -> int | None:
        """`_deadstate`: asked while the object is taken away, perhaps in the middle of another question."""
        if self.returncode is None and _deadstate is None:
            self.returncode = self._server.code_of(self.pid)  # type: ignore[assignment]
        return self.returncode

    def _wait(self, timeout: float | None) -> int:
        """It is no child of this process, so the operating system's `wait` says nothing of it."""
        if self.returncode is None:
            self.returncode = self._server.code_of(self.pid, timeout)  # type: ignore[assignment]
            if self.returncode is None:
                raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        return self.returncode


def main() -> None:
    """Serve; in a fork: run the command."""
    channel = socket.socket(fileno=os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal interrupts the commands too, and the tests
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # threads that numpy starts do not survive a fork
    _import_all()
    request = _Server(channel).serve()
    if request is None:
        return
    signal.signal(signal.SIGINT, interrupt)
    if request["session"]:
        os.setsid()
    sys.argv = ["orchestrator/cli.py", *request["arguments"]]
    os.chdir(request["cwd"])
    sys.path[0] = request["cwd"]  # as `python -m` puts it
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.stdin, sys.stdout, sys.stderr = (_stream(number) for number in range(3))
    sys.modules["__main__"] = cli = importlib.import_module("orchestrator.cli")
    cli.main()


def _import_all() -> None:
    """Whatever a command imports, but what few of them do and costs much."""
    import orchestrator

    for module in pkgutil.walk_packages(orchestrator.__path__, "orchestrator."):
        if not module.name.startswith("orchestrator.monitoring"):
            importlib.import_module(module.name)
    for name in ALSO:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()


#: What functions of commands import when they are called.
ALSO = (
    *("celery.app.amqp", "celery.app.builtins", "celery.app.events", "celery.backends.base", "celery.events.receiver"),
    *("kombu.transport.redis", "numpy.ma", "numpy.random", "redis", "tasks.broker.own_celery"),
    *("tasks.broker.serializer", "typer._adapters"),
)


def _stream(number: int) -> io.TextIOWrapper:
    """A standard stream as the interpreter makes it at its start."""
    made = open(number, "rb" if number == 0 else "wb", -1 if number < 2 else 0, closefd=False)  # noqa: SIM115
    errors = "backslashreplace" if number == 2 else "strict"
    return io.TextIOWrapper(
        made, encoding="utf-8", errors=errors, line_buffering=made.isatty(), write_through=number == 2
    )


class _Server:
    """The loop that forks."""

    def __init__(self, channel: socket.socket):
        self._channel = channel
        self._woken, self._wakes = os.pipe()
        for end in (self._woken, self._wakes):
            os.set_blocking(end, False)

    def serve(self) -> dict[str, Any] | None:
        """Fork what is asked for. Returns its request in a fork, None when nobody can ask any more."""
        signal.set_wakeup_fd(self._wakes)
        signal.signal(signal.SIGCHLD, _heard)
        while True:
            ready = select.select([self._channel, self._woken], [], [])[0]
            if self._woken in ready:
                os.read(self._woken, 1 << 16)
                self._tell_ends()
            if self._channel in ready:
                line, streams = self._request()
                if not line:
                    return None
                if (pid := _fork()) == 0:
                    self._leave(streams)
                    return dict(json.loads(line))
                for stream in streams:
                    os.close(stream)
                self._tell(started=pid)

    def _request(self) -> tuple[bytes, list[int]]:
        line, streams, _, _ = socket.recv_fds(self._channel, LIMIT_BYTES, 3)
        while line and not line.endswith(b"\n"):
            line += self._channel.recv(LIMIT_BYTES)
        return line, streams

    def _leave(self, streams: list[int]) -> None:
        """In a fork: nothing of the server is left, and the streams are its own."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._channel.close()
        os.close(self._woken)
        os.close(self._wakes)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)

    def _tell_ends(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                self._tell(ended=found[0], code=os.waitstatus_to_exitcode(found[1]))

    def _tell(self, **answer: int) -> None:
        with contextlib.suppress(OSError):  # the tests have ended
            self._channel.sendall(json.dumps(answer).encode() + b"\n")


def _fork() -> int:
    """Python warns of other threads: pyarrow's memory pool has one, and stands a fork."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _heard(number: int, frame: FrameType | None) -> None:
    """The signal wakes `select`, by its descriptor."""


if __name__ == "__main__":
    main()

"""What a test starts ends with it, and all of it with the run of the tests, however that ends.

Every process that a run starts inherits MARK in its environment, also across sessions and process groups. After each
test, what it left running is ended, and said. A process of its own ends everything else when the run is over: it waits
for the other end of its standard input to close, which the kernel does for a run that is interrupted, times out or is
killed, too.

    python -P tests/leftovers.py VALUE      standard input: closed when the run is over
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil

MARK = "STARTED_BY_TESTS"
#: Seconds that processes may take to end by themselves after their test, and after SIGTERM.
GRACE_S, TERM_S = 3.0, 2.0


class Leftovers:
    """A plugin of pytest: one in the process that leads the run, one in each of its workers."""

    def __init__(self, worker: str = ""):
        """`worker`: the name of a worker; empty in the process that leads."""
        self._watch: subprocess.Popen[bytes] | None = None
        if not worker:
            os.environ[MARK] = f"{os.getpid()}-{time.time_ns()}"
            self._watch = watch(os.environ[MARK])
        else:
            os.environ[MARK] += f"/{worker}"
        self._before: set[int] | None = None
        #: Processes that start others for the tests: what stands below one is not what a fixture keeps.
        self.starters: set[int] = set()

    def test_begins(self) -> None:
        """Fixtures are set up: what runs now belongs to them."""
        self._before = set(psutil.pids())

    def test_ends(self, name: str) -> str:
        """End what the test left; a sentence about it, empty where it left nothing."""
        before, self._before = self._before, None
        left = [] if before is None else self._left(before)  # None: it did not get so far
        if not left:
            return ""
        _, alive = psutil.wait_procs(left, timeout=GRACE_S)
        if not alive:
            return ""
        said = "; ".join(sorted(command_of(process) for process in alive))
        end(alive)
        return f"{name} left running: {said}"

    def close(self) -> None:
        """The run is over."""
        if self._watch is not None and self._watch.stdin is not None:
            self._watch.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._watch.wait(30)

    def _left(self, before: set[int]) -> list[psutil.Process]:
        """Processes that began since the test did, and not below one that a fixture of several tests keeps."""
        found = []
        for process in marked(os.environ[MARK], set(psutil.pids()) - before):
            with contextlib.suppress(psutil.Error):
                above = [one.pid for one in process.parents()]
                kept = set(above[: above.index(os.getpid())] if os.getpid() in above else above) - self.starters
                if not any(pid in before and is_marked(pid, os.environ[MARK]) for pid in kept):
                    found.append(process)
        return found


def watch(value: str) -> subprocess.Popen[bytes]:
    """Start the process that ends everything marked with `value` when this one is over."""
    environment = {name: text for name, text in os.environ.items() if name != MARK}
    command = [sys.executable, "-P", str(Path(__file__).resolve()), value]
    # a session of its own: Ctrl-C on the terminal is not for it
    return subprocess.Popen(command, stdin=subprocess.PIPE, env=environment, start_new_session=True)


def marked(value: str, pids: Iterable[int] | None = None) -> Iterator[psutil.Process]:
    """Processes that were started under a mark, or under one of its workers."""
    for pid in psutil.pids() if pids is None else pids:
        if pid != os.getpid() and is_marked(pid, value):
            with contextlib.suppress(psutil.Error):
                yield psutil.Process(pid)


def is_marked(pid: int, value: str) -> bool:
    """Whether a process carries a mark; not where it is gone, or another user's."""
    try:
        found = psutil.Process(pid).environ().get(MARK, "")
    except (psutil.Error, OSError):
        return False
    return found == value or found.startswith(f"{value}/")


def end(processes: Iterable[psutil.Process]) -> None:
    """SIGTERM, and SIGKILL for what does not hear it."""
    processes = list(processes)
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    for process in psutil.wait_procs(processes, timeout=TERM_S)[1]:
        with contextlib.suppress(psutil.Error):
            process.kill()


def command_of(process: psutil.Process) -> str:
    """Id and command line, as far as it can be read."""
    try:
        return f"{process.pid} {' '.join(process.cmdline())[:100]}"
    except psutil.Error:
        return str(process.pid)


def main() -> None:
    """Wait for the end of the run, then end what it left; what that starts on its way out as well."""
    sys.stdin.buffer.read()
    for _ in range(5):
        if not (left := list(marked(sys.argv[1]))):
            return
        end(left)


if __name__ == "__main__":
    main()

"""CPU time and memory of a process and all below it, and what the rest of the machine took meanwhile."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Collection

import psutil

#: Seconds between two looks at the memory; more where a look takes more than one part in SELDOM of them: it is the
#: contender's time, and the more processes it has the longer it takes.
EVERY_S = 0.5
SELDOM = 500


def cpu_seconds(root: int) -> dict[int, float]:
    """Process id -> CPU seconds so far, of a process and all below it."""
    found: dict[int, float] = {}
    with contextlib.suppress(psutil.NoSuchProcess):
        for process in [psutil.Process(root), *psutil.Process(root).children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                found[process.pid] = times.user + times.system
    return found


def busy_seconds() -> float:
    """CPU seconds the whole machine has been busy."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0))


class Span:
    """CPU between two moments; `of(pids)` afterwards, all pids when none are given."""

    def __init__(self, root: int):
        self._root = root
        self._before, self._busy = cpu_seconds(root), busy_seconds()
        self._after: dict[int, float] = {}
        #: CPU seconds of everything else on the machine
        self.others_s = 0.0

    def end(self) -> None:
        self._after = cpu_seconds(self._root)
        self.others_s = max(0.0, busy_seconds() - self._busy - self.of())

    def of(self, pids: Collection[int] | None = None) -> float:
        return sum(spent for pid, spent in self._spent().items() if pids is None or pid in pids)

    def busiest(self, besides: Collection[int]) -> float:
        """CPU seconds of the process that spent most, `besides` those; 0 where there is no other."""
        return max((spent for pid, spent in self._spent().items() if pid not in besides), default=0.0)

    def _spent(self) -> dict[int, float]:
        return {pid: spent - self._before.get(pid, 0.0) for pid, spent in self._after.items()}


class Memory(threading.Thread):
    """The most memory a process and all below it took together, megabytes; shared pages count once."""

    def __init__(self, root: int):
        super().__init__(daemon=True)
        self._root, self._over = root, threading.Event()
        self.peak_mb = 0.0

    def run(self) -> None:
        pause_s = EVERY_S
        while not self._over.wait(pause_s):
            began = time.thread_time()
            self.look()
            pause_s = max(EVERY_S, SELDOM * (time.thread_time() - began))

    def look(self) -> None:
        """How much it is now."""
        with contextlib.suppress(psutil.Error):
            processes = [psutil.Process(self._root), *psutil.Process(self._root).children(recursive=True)]
            self.peak_mb = max(self.peak_mb, sum(_proportional(process) for process in processes) / 2**20)

    def stop(self) -> float:
        self._over.set()
        self.join()
        return self.peak_mb


def _proportional(process: psutil.Process) -> int:
    try:
        full = process.memory_full_info()
        return int(getattr(full, "pss", 0) or full.uss)
    except psutil.Error:
        return 0

"""A child's heartbeat for its node: a page of memory that both see.

The deadline of a point (tasks.child.deadline) is the child's own, so it helps nobody while the child stands still:
stopped
by a signal or a debugger, or stuck in the kernel. Its chunk would stay with it for ever, for the node renews the lease.
Therefore a child says at each point how long it may be silent now, and its node ends it when it is silent for much
longer; then its chunk goes back.

    <cache>/lives/<node's process>-<child's process>@<host>     16 bytes: how many signs, seconds of silence allowed

The child keeps the page mapped from its beginning: a sign needs no descriptor, no disk, and takes half a microsecond.
"""

from __future__ import annotations

import mmap
import os
import socket
import struct
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

#: Seconds beyond what was allowed after which a child is taken to stand still.
SLACK_S = 15.0

_PAGE = struct.Struct("<qd")


@dataclass(frozen=True)
class Sign:
    """What a child's page says."""

    number: int
    #: seconds it may be silent; 0: it runs no point, and may rest
    allowed_s: float


class _Mine:
    """The page of this process, in a child."""

    page: mmap.mmap | None = None
    number = 0


def begin(cache: Path) -> None:
    """This process is a child of the node above it. Without a page, where none can be made, nobody looks after it."""
    folder = cache / "lives"
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{os.getppid()}-{os.getpid()}@{socket.gethostname()}"
        file.write_bytes(_PAGE.pack(0, 0.0))
        with file.open("r+b") as page:
            _Mine.page = mmap.mmap(page.fileno(), _PAGE.size)


def sign(allowed_s: float) -> None:
    """This child is alive, and may be silent for so many seconds; 0: for ever."""
    if _Mine.page is not None:
        _Mine.number += 1
        _PAGE.pack_into(_Mine.page, 0, _Mine.number, allowed_s)


@dataclass
class Watchdog:
    """Which children of a node were silent for too long.

    It counts the seconds it sees itself, none longer than `longest_s` a look: while a whole machine sleeps or a whole
    node is stopped, no child is late.
    """

    longest_s: float
    _seen: dict[int, Sign] = field(default_factory=dict)
    _silent_s: dict[int, float] = field(default_factory=dict)

    def look(self, signs: Mapping[int, Sign], passed_s: float) -> dict[int, float]:
        """Process id -> seconds of silence of those that are late. `passed_s`: since the last look."""
        for child, now in signs.items():
            silent_s = self._silent_s.get(child, 0.0) + min(passed_s, self.longest_s)
            self._silent_s[child] = silent_s if self._seen.get(child) == now else 0.0
        self._seen = dict(signs)
        self._silent_s = {child: self._silent_s[child] for child in signs}
        return {
            child: self._silent_s[child]
            for child, now in signs.items()
            if now.allowed_s and self._silent_s[child] > now.allowed_s + SLACK_S
        }


def signs(cache: Path) -> dict[int, Sign]:
    """Those of this node's children, by process id; the pages of processes that are gone are taken away."""
    import psutil

    found = {}
    host = socket.gethostname()
    for file in (cache / "lives").glob(f"*-*@{host}"):
        node, _, child = file.name.removesuffix(f"@{host}").partition("-")
        if not (node.isdigit() and child.isdigit()):
            continue
        with suppress(OSError, struct.error, psutil.Error):
            if not psutil.pid_exists(int(child)):
                file.unlink(missing_ok=True)
            elif int(node) == os.getpid() == psutil.Process(int(child)).ppid():
                found[int(child)] = Sign(*_PAGE.unpack(file.read_bytes()))
    return found

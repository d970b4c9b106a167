"""What controllers print and log: the beginning of it goes into the node's log, the rest nowhere.

A controller that prints a line a candle is fine in a bot. In a sweep of 100,000 points it would fill the node's disk,
and to write the lines takes longer than the back-test. So each child writes ALLOWANCE characters per sweep and says
once that more is left out. What goes past Python's streams, straight to a descriptor, is not seen here.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import sysconfig
from collections import OrderedDict
from typing import Any

#: Characters of one sweep that a child writes.
ALLOWANCE = 256 << 10
#: A record costs so many beside its text (time, process, level), and so many more with a traceback.
RECORD = 60
TRACEBACK = 2000
#: Sweeps whose allowances are remembered at the same time.
KEPT = 64
#: Packages whose records, as those of this one, speak of the node itself and are never bounded. Told by the file that
#: logs: any name can be given to a logger.
PACKAGES = ("celery", "kombu", "billiard", "amqp", "redis")

_log = logging.getLogger(__name__)


class LogQuota(logging.Filter):
    """Counts what is said per sweep; a filter of the handlers that write the node's log."""

    def __init__(self, allowance: int = ALLOWANCE):
        """`allowance`: characters per sweep."""
        super().__init__()
        self._allowance = allowance
        self._left: OrderedDict[str, int] = OrderedDict()
        self._sweep = ""
        self._own: tuple[str, ...] = ()
        self._printed: list[_Printed] = []

    def listen(self) -> None:
        """From now on what this process prints and logs is bounded. Once per process, when its log is set up."""
        installed = sysconfig.get_paths()["purelib"]
        folders = [os.path.dirname(os.path.dirname(__file__)), *(f"{installed}/{name}" for name in PACKAGES)]  # noqa: PTH120  compared as texts
        self._own = tuple(folder + os.sep for folder in folders)
        handlers = list(logging.getLogger().handlers)
        for handler in handlers:
            handler.addFilter(self)
        self._printed = [_Printed(self, handlers, name) for name in ("stdout", "stderr")]
        self.turn_to("")

    def turn_to(self, sweep: str) -> None:
        """What is said next is of this sweep, also where the one before it exchanged the streams."""
        self._sweep = sweep
        self._left.setdefault(sweep, self._allowance)
        self._left.move_to_end(sweep)
        while len(self._left) > KEPT:
            self._left.popitem(last=False)
        if self._printed:
            sys.stdout, sys.stderr = self._printed
            vars(sys).update(__stdout__=sys.stdout, __stderr__=sys.stderr)

    @property
    def silent(self) -> bool:
        """Whether the sweep's allowance is spent."""
        return self._left[self._sweep] <= 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is written."""
        if record.pathname.startswith(self._own):
            return True
        if self.silent:
            return False
        self._left[self._sweep] -= RECORD + _length(record)
        if self.silent:
            _log.warning("sweep %s: its controllers print and log much, the rest is left out", self._sweep)
            return False
        return True


class _Printed(io.TextIOBase):
    """In the place of a standard stream: each line is a record for the handlers of the node's log."""

    def __init__(self, quota: LogQuota, handlers: list[logging.Handler], name: str):
        self._quota, self._handlers, self._name = quota, handlers, name
        self._stream = getattr(sys, name)
        self._line = ""
        self._speaking = False
        self.buffer = _Bytes(self)

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a plain attribute of TextIOBase
        return "utf-8"

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        """Of the stream it stands for: a process that a controller starts may write there."""
        return int(self._stream.fileno())

    def reconfigure(self, **_: object) -> None:
        """Every text can be written here already."""

    def write(self, text: str) -> int:
        # a handler that cannot write complains on standard error, and a controller's handler may write to us
        if self._quota.silent or self._speaking:
            return len(text)
        self._speaking = True
        try:
            *lines, self._line = (self._line + text).split("\n")
            if len(self._line) > ALLOWANCE:
                lines, self._line = [*lines, self._line], ""
            for line in filter(str.strip, lines):
                if self._quota.silent:
                    break
                record = logging.getLogger(self._name).makeRecord(self._name, logging.WARNING, "", 0, line, (), None)
                for handler in self._handlers:
                    handler.handle(record)
        finally:
            self._speaking = False
        return len(text)

    def close(self) -> None:
        """A controller may close it; the next one prints all the same."""


class _Bytes(io.RawIOBase):
    """What is written as bytes is text, too."""

    def __init__(self, printed: _Printed):
        self._printed = printed

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._printed.write(bytes(data).decode(errors="replace"))
        return len(data)

    def close(self) -> None:
        """As its owner."""


def _length(record: logging.LogRecord) -> int:
    length = TRACEBACK if record.exc_info else 0
    with contextlib.suppress(Exception):  # wrong arguments are the handler's to tell
        length += len(record.getMessage())
    return length

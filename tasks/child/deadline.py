"""A point may take point_timeout seconds; three ways to stop one that takes longer, each for what the last misses.

asyncio.timeout   a controller that waits
SIGALRM           a controller that loops in Python
faulthandler      native code that never comes back: the child ends, the chunk is handed out again; what ended it
                  stays behind in the hang_marker file, so that it is told from a child that died of itself

A child that stands still as a whole notices nothing of these: its node does, see tasks.child.heartbeat.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import IO

from tasks.child import heartbeat
from tasks.errors import PointTimeout

#: Seconds between one way and the next.
GRACE_S = 1.0
HARD_GRACE_S = 10.0
#: Setting faulthandler's clock costs a thread, a hundredth of a cheap point: it stays set for the points that follow
#: until it is so many seconds old.
SET_AGAIN_S = 2.0


class Deadline:
    """The deadline of points that run one after another. To be closed after the last: the process ends otherwise."""

    def __init__(self, seconds: float):
        """`seconds` that a point may take."""
        self._seconds = seconds
        self._set_at = -SET_AGAIN_S
        self._nowhere = Path(os.devnull).open("w")  # noqa: SIM115 (open for as long as the clock is)

    def close(self) -> None:
        """No point runs any more."""
        faulthandler.cancel_dump_traceback_later()
        heartbeat.sign(0.0)
        self._nowhere.close()

    @asynccontextmanager
    async def point(self, hang_marker: Path | None = None) -> AsyncIterator[None]:
        """Raise PointTimeout in the body when it takes too long. Main thread only: a Celery child runs its tasks there.

        `hang_marker`: a file that is there during the body, and afterwards only when the process ended in it; see
        `hung`.
        """
        loop = asyncio.get_running_loop()

        def ring(number: int, frame: FrameType | None) -> None:
            if asyncio.current_task(loop) is None:  # between two steps: raising here would break the loop itself
                signal.setitimer(signal.ITIMER_REAL, GRACE_S)
                return
            raise PointTimeout

        before = signal.signal(signal.SIGALRM, ring)
        signal.setitimer(signal.ITIMER_REAL, self._seconds + GRACE_S)
        file = self._set(hang_marker)
        timeout = asyncio.timeout(self._seconds)
        try:
            async with timeout:
                yield
        except TimeoutError as error:
            if timeout.expired():
                raise PointTimeout from error
            raise
        finally:
            heartbeat.sign(0.0)  # between two points a child may wait for its broker
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
            if hang_marker is not None:
                self._unset(hang_marker, file)

    def _set(self, hang_marker: Path | None) -> IO[str]:
        """The last way's clock; the file it would write to."""
        now = time.monotonic()
        heartbeat.sign(self._seconds + HARD_GRACE_S + SET_AGAIN_S)
        if hang_marker is not None:
            file = _opened(hang_marker) or self._nowhere
            faulthandler.dump_traceback_later(self._seconds + HARD_GRACE_S, exit=True, file=file)
            return file
        if now - self._set_at > SET_AGAIN_S:
            self._set_at = now
            after_s = self._seconds + HARD_GRACE_S + SET_AGAIN_S
            faulthandler.dump_traceback_later(after_s, exit=True, file=self._nowhere)
        return self._nowhere

    def _unset(self, hang_marker: Path, file: IO[str]) -> None:
        faulthandler.cancel_dump_traceback_later()
        self._set_at = -SET_AGAIN_S
        if file is not self._nowhere:
            file.close()
        with suppress(OSError):
            hang_marker.unlink()


def hung(hang_marker: Path) -> bool | None:
    """Whether the process that left this file was ended by the deadline; None where it left none. Takes it away."""
    try:
        written = hang_marker.stat().st_size > 0
        hang_marker.unlink()
    except OSError:
        return None
    return written


def _opened(hang_marker: Path) -> IO[str] | None:
    """A file with a descriptor, as faulthandler wants it; None where none can be kept."""
    try:
        hang_marker.parent.mkdir(parents=True, exist_ok=True)
        return hang_marker.open("w")
    except OSError:
        return None

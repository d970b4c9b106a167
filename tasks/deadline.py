"""A point may take point_timeout seconds; three ways to stop one that takes longer, each for what the last misses.

asyncio.timeout   a controller that waits
SIGALRM           a controller that loops in Python
faulthandler      native code that never comes back: the child ends, the chunk is handed out again; what ended it
                  stays behind in the witness file, so that it is told from a child that died of itself
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import IO

from tasks.errors import PointTimeout

#: Seconds between one way and the next.
GRACE_S = 1.0
HARD_GRACE_S = 10.0


@asynccontextmanager
async def deadline(seconds: float, witness: Path | None = None) -> AsyncIterator[None]:
    """Raise PointTimeout in the body after `seconds`. Main thread only (a Celery child runs its tasks there).

    `witness`: a file that is there during the body, and afterwards only when the process ended in it; see `hung`.
    """
    loop = asyncio.get_running_loop()

    def ring(number: int, frame: FrameType | None) -> None:
        if asyncio.current_task(loop) is None:  # between two steps: raising here would break the loop itself
            signal.setitimer(signal.ITIMER_REAL, GRACE_S)
            return
        raise PointTimeout

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds + GRACE_S)
    with _opened(witness) as file:
        faulthandler.dump_traceback_later(seconds + HARD_GRACE_S, exit=True, file=file)
        timeout = asyncio.timeout(seconds)
        try:
            async with timeout:
                yield
        except TimeoutError as error:
            if timeout.expired():
                raise PointTimeout from error
            raise
        finally:
            faulthandler.cancel_dump_traceback_later()
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
            if witness is not None:
                with suppress(OSError):
                    witness.unlink()


def hung(witness: Path) -> bool | None:
    """Whether the process that left this file was ended by the deadline; None where it left none. Takes it away."""
    try:
        written = witness.stat().st_size > 0
        witness.unlink()
    except OSError:
        return None
    return written


def _opened(witness: Path | None) -> IO[str]:
    """A file with a descriptor, as faulthandler wants it; one that leads nowhere where none can be kept."""
    if witness is not None:
        with suppress(OSError):
            witness.parent.mkdir(parents=True, exist_ok=True)
            return witness.open("w")
    return Path(os.devnull).open("w")

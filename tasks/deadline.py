"""A point may take point_timeout seconds; three ways to stop one that takes longer, each for what the last misses.

asyncio.timeout   a controller that waits
SIGALRM           a controller that loops in Python
faulthandler      native code that never comes back: the child ends, the chunk is handed out again
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import FrameType

from tasks.errors import PointTimeout

#: Seconds between one way and the next.
GRACE_S = 1.0
HARD_GRACE_S = 10.0


@asynccontextmanager
async def deadline(seconds: float) -> AsyncIterator[None]:
    """Raise PointTimeout in the body after `seconds`. Main thread only (a Celery child runs its tasks there)."""
    loop = asyncio.get_running_loop()

    def ring(number: int, frame: FrameType | None) -> None:
        if asyncio.current_task(loop) is None:  # between two steps: raising here would break the loop itself
            signal.setitimer(signal.ITIMER_REAL, GRACE_S)
            return
        raise PointTimeout

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds + GRACE_S)
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123  faulthandler wants a file with a descriptor
        faulthandler.dump_traceback_later(seconds + HARD_GRACE_S, exit=True, file=nowhere)
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

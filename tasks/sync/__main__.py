"""`python -m tasks.sync`: one order on standard input, events on standard output, then the end (see orders.py).

Leaves with everything that was downloaded when standard input closes, so that it never outlives the orchestrator, and
on
SIGINT and SIGTERM.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from typing import IO

from tasks.errors import HummingsweepError, describe
from tasks.sync.orders import Event, Kind, Order
from tasks.sync.work import carry_out


def main() -> int:
    """The life of a download. Exit code 0 when the last event tells how it ended."""
    events = _own_stdout()
    report = _reporter(events)
    try:
        order = Order.decode(_first_line())
        report(asyncio.run(_run(order, report)))
    except KeyboardInterrupt:
        return 130
    except HummingsweepError as error:
        report(Event(Kind.WRONG, text=str(error)))
    except Exception as error:
        report(Event(Kind.WRONG, text=describe(error)))
        raise
    return 0


async def _run(order: Order, report: Callable[[Event], None]) -> Event:
    loop = asyncio.get_running_loop()
    work = asyncio.create_task(carry_out(order, report))

    def orchestrator_gone() -> None:
        if not os.read(0, 4096):
            loop.remove_reader(0)
            work.cancel()

    loop.add_reader(0, orchestrator_gone)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, work.cancel)
    try:
        return await work
    except asyncio.CancelledError:  # before there was anything to keep
        return Event(Kind.DONE, interrupted=True)


def _first_line() -> str:
    """The order, without reading a byte more."""
    line = bytearray()
    while (byte := os.read(0, 1)) not in (b"", b"\n"):
        line += byte
    return line.decode()


def _own_stdout() -> IO[str]:
    """Standard output for events alone: what anything else prints goes to standard error."""
    events = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)
    return events


def _reporter(events: IO[str]) -> Callable[[Event], None]:
    def report(event: Event) -> None:
        try:
            events.write(event.encode() + "\n")
            events.flush()
        except (
            BrokenPipeError,
            ValueError,
        ):  # the orchestrator is gone; the download ends by its closed standard input
            os.dup2(os.open(os.devnull, os.O_WRONLY), events.fileno())

    return report


if __name__ == "__main__":
    sys.exit(main())

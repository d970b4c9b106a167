"""Celery's own command line with our app: `flower`, `inspect` and so on, for the broker in HUMMINGSWEEP_BROKER."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Any

from tasks.broker.app import make_app
from tasks.settings import Settings

#: Seconds that Flower has to close its connections and keep what it has seen, once it is told to stop.
STOP_S = 5.0


def main() -> int:
    """Run the Celery command that the arguments name; its exit code."""
    if sys.argv[1:2] == ["flower"]:
        _stop_when_told()
    return make_app(Settings.read()).start(sys.argv[1:]) or 0


def _stop_when_told() -> None:
    """Make SIGTERM and SIGINT end Flower in any case.

    Flower leaves by an exception and waits for its threads. Where its broker has gone, some code that tries to reach it
    again swallows the exception, or a thread never returns from trying: then the process ends all the same.
    """
    from flower import command

    # Flower sets its module's function as the handler of SIGTERM when it starts; nothing sets one of SIGINT
    command.sigterm_handler = _leave
    signal.signal(signal.SIGINT, _leave)


def _leave(number: int, _: Any) -> None:
    last_resort = threading.Timer(STOP_S, os._exit, (0,))
    last_resort.daemon = True
    last_resort.start()
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(0)

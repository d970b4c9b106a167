"""A node: the Celery worker of this machine, one spawned child per core.

`hummingsweep worker` runs this; so does the embedded cluster of `hummingsweep run`. SIGTERM lets the children finish
their chunks for `drain_s` seconds; what still runs then goes back to the broker.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from typing import Any

from celery import signals

from tasks.broker.app import make_app
from tasks.errors import HummingsweepError
from tasks.node import broker_clock, foreign_messages
from tasks.node.events import GatheredEvents
from tasks.node.lease import LeaseRenewal, leave
from tasks.settings import MEMORY_BACK, PREFIX, SINGLE_THREAD, Settings, check_broker

#: Seconds between handing chunks back and leaving without a word.
LAST_WAIT_S = 5.0


def main() -> int:
    """Run the node until it is told to stop."""
    try:
        settings = Settings.read()
        check_broker(settings.broker)
    except HummingsweepError as error:
        print(f"hummingsweep worker: {error}", file=sys.stderr)  # noqa: T201  one line for a person
        return 2
    os.environ.update(settings.process_environment(os.environ))  # its children read them again, in the work folder
    settings.enter_work_folder()
    for name, value in SINGLE_THREAD.items():
        os.environ[name] = str(settings.threads) if value == "1" else value
    os.environ.update(MEMORY_BACK)  # spawned children read it when they start
    os.environ["PYTHONHASHSEED"] = "0"  # the order of a set of strings would be another in every child
    if os.environ.get("HUMMINGSWEEP_NODE_STDIN") == "watch":
        threading.Thread(target=_leave_with_starter, name="starter-watch", daemon=True).start()
    _use_broker_clock(settings)
    foreign_messages.install()
    app = make_app(settings)
    app.steps["consumer"].update((LeaseRenewal, GatheredEvents))

    def bound_the_drain(**_: Any) -> None:
        threading.Thread(target=_give_up_after, args=(settings.drain_s,), name="drain", daemon=True).start()

    signals.worker_shutting_down.connect(bound_the_drain, weak=False)
    name = f"{settings.node or 'node'}-{os.getpid()}@{socket.gethostname()}"
    os.environ[PREFIX + "NODE"] = name  # the children carry the same name
    global _strangers
    _strangers = _group()
    # not `worker_main`: Celery's command line imports those of its plugins (Flower, a prompt), a second at every start
    worker = app.Worker(hostname=name, loglevel=logging.WARNING, without_mingle=True, without_gossip=True)
    try:
        worker.start()
    finally:
        leave(settings, name)
        _end_group()
    return int(worker.exitcode or 0)


def _use_broker_clock(settings: Settings) -> None:
    """From the first chunk on; where the broker is away, from the first heartbeat on."""
    from redis.exceptions import RedisError

    from tasks.broker.connect import connect

    broker_clock.install()
    with suppress(RedisError, OSError):
        client = connect(settings, patient=False)
        broker_clock.broker_clock.look(client)
        client.close()


def _give_up_after(drain_s: float) -> None:
    """A warm shutdown waits for ever for a long chunk: after `drain_s` hand it back, then leave in any case."""
    time.sleep(drain_s)
    os.kill(os.getpid(), signal.SIGQUIT)
    time.sleep(LAST_WAIT_S)
    _end_group()
    os.kill(os.getpid(), signal.SIGKILL)


#: What was in this process's group before the node began: the rest of a pipeline, `hummingsweep worker | tee log`.
_strangers: set[int] = set()


def _group() -> set[int]:
    """The others in the process group that this process leads; none where it leads none."""
    import psutil

    me = os.getpid()
    found: set[int] = set()
    if os.getpgrp() == me:
        for process in psutil.pids():
            with suppress(OSError):  # it ended meanwhile, or is another user's
                if process != me and os.getpgid(process) == me:
                    found.add(process)
    return found


def _end_group() -> None:
    """What controllers started (fork, Popen) would outlive the node: nobody else knows of it."""
    for process in _group() - _strangers:
        with suppress(OSError):
            os.kill(process, signal.SIGKILL)


def _leave_with_starter() -> None:
    """Stop softly when the other end of standard input closes: whoever started this node is gone."""
    while os.read(sys.stdin.fileno(), 1024):  # not sys.stdin: its lock would be held when the interpreter ends
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())

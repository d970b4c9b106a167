"""Flower ends when it is told to, whatever its threads do."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

#: Like Flower with a broker that has gone: SystemExit is swallowed, and a thread never returns.
STUCK = """
import signal, threading, time
from flower import command
from tasks.broker import celery_command

celery_command.STOP_S = 0.2
celery_command._stop_when_told()
signal.signal(signal.SIGTERM, command.sigterm_handler)
threading.Thread(target=time.sleep, args=(600,)).start()
print("ready", flush=True)
while True:
    try:
        time.sleep(600)
    except BaseException:
        pass
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_flower_ends_although_its_threads_do_not(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", STUCK], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            process.send_signal(number)
            assert process.wait(60) == 0
        finally:
            process.kill()

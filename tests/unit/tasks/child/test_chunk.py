"""A process that cannot become a child ends; Celery alone would let it take chunks."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from tasks.child import chunk, process
from tasks.errors import HummingsweepError


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), HummingsweepError("no room"), SystemExit(1)])
def test_a_child_that_cannot_begin_says_why_and_ends(
    error: BaseException, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It lived on, took one chunk after the other and lost each of them; the sweep ended with "the broker lost"."""

    def fails() -> None:
        raise error

    def ends(code: int) -> None:
        raise InterruptedError(code)

    monkeypatch.setattr(process, "begin", fails)
    monkeypatch.setattr(os, "_exit", ends)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    with pytest.raises(InterruptedError, match="1"):
        chunk._enter()
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("a child cannot begin, and is started anew: ")
    assert str(error) in line or "SystemExit" in line


def test_a_node_that_imports_the_task_imports_nothing_of_a_child() -> None:
    code = "import sys, tasks.child.chunk; print({'numpy', 'pyarrow', 'tasks.child.process'} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said == "set()\n"

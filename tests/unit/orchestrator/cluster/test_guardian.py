"""What the guardian says of a process that ended, and which node it starts anew."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cluster import guardian
from orchestrator.cluster.embedded import ending


@pytest.mark.parametrize(
    ("code", "words"),
    [(0, "exit code 0"), (2, "exit code 2"), (-15, "by SIGTERM"), (-9, "by SIGKILL, perhaps"), (-63, "by signal 63")],
)
def test_an_ending_in_words(code: int, words: str) -> None:
    assert ending(code).startswith(words)


def ended(code: int) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", f"import os; os._exit({code})"], start_new_session=True)
    process.wait()
    return process


def kept(folder: Path, code: int, monkeypatch: pytest.MonkeyPatch) -> Any:
    (folder / "node.log").write_text("starting\nno such key\n")
    monkeypatch.setattr(guardian, "start_node", lambda *_: ended(code))
    return guardian._Kept(folder, node=ended(code))


def test_a_node_that_is_ended_is_started_anew_so_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = kept(tmp_path, 0, monkeypatch)
    words = [found.look() for _ in range(guardian.NODE_RESTARTS + 1)]
    assert [list(word) for word in words] == [["node", "news"]] * guardian.NODE_RESTARTS + [["ended"]]


def test_a_node_that_ends_with_an_error_would_do_so_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = kept(tmp_path, 2, monkeypatch)
    assert found.look() == {"ended": "the local node ended (exit code 2; its log ends: no such key)"}

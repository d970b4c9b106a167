"""The local cluster that stays for the next command: used again, replaced, stopped, gone after some idle time."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Place, eventually


class Warm:
    """A place whose commands share a warm cluster in a cache folder of its own."""

    def __init__(self, place: Place, cache: Path):
        self.place = place
        place.sweep["grid"] = {"length": [5, 10]}
        place.environment |= {"HUMMINGSWEEP_WARM_S": "120", "HUMMINGSWEEP_CACHE": str(cache)}
        self.state_file = cache / "warm" / "state.json"

    @property
    def state(self) -> dict[str, Any]:
        return json.loads(self.state_file.read_text())  # type: ignore[no-any-return]

    def run(self, out: str, *more: str, **environment: str) -> dict[str, Any]:
        finished = self.place.run(
            "run", self.place.file, "--json", "--no-audit", "--no-report", "--out", out, *more, **environment
        )
        assert finished.code == 0, finished.err
        return finished.document  # type: ignore[no-any-return]


@pytest.fixture
def warm(alone: Place, tmp_path: Path) -> Iterator[Warm]:
    made = Warm(alone, tmp_path / "cache")
    yield made
    assert alone.run("down").code == 0
    assert not made.state_file.exists()


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_second_command_uses_the_cluster_of_the_first_and_other_settings_replace_it(warm: Warm) -> None:
    first = warm.run("runs/one")
    state = warm.state
    assert warm.state_file.stat().st_mode & 0o077 == 0
    second = warm.run("runs/two")
    assert warm.state["node"] == state["node"]
    found = [[{**row, "seconds": 0.0} for row in answer["ranking"]] for answer in (first, second)]
    assert found[0] == found[1]
    assert second["computed"] == first["computed"] > 0
    warm.run("runs/three", "--no-warm")
    assert warm.state == state
    warm.run("runs/four", "--children", "2")
    assert warm.state["guardian"] != state["guardian"]
    assert not alive(state["guardian"])
    state = warm.state
    stopped = warm.place.run("down", "--json")
    assert stopped.document == {"stopped": True}
    assert not any(alive(state[name]) for name in ("guardian", "server", "node"))


def test_a_dead_node_is_started_anew_and_a_dead_server_is_replaced(warm: Warm) -> None:
    warm.run("runs/one")
    state = warm.state
    os.kill(state["node"], signal.SIGKILL)
    eventually(lambda: warm.state["node"] != state["node"], 30)
    warm.run("runs/two")
    os.kill(state["server"], signal.SIGKILL)
    eventually(lambda: not alive(state["guardian"]), 30)
    warm.run("runs/three")
    assert warm.state["guardian"] != state["guardian"]


def test_it_ends_by_itself_when_nobody_uses_it(warm: Warm) -> None:
    warm.run("runs/one", HUMMINGSWEEP_WARM_S="1")
    eventually(lambda: not warm.state_file.exists(), 30)

"""Small inputs that once fell short, in ../shared/faults beside the checkout: each gives what its `expected` says.

Long: they are run as a user would, each with its own embedded server. Folders that this file does not know yet fail.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

FOLDER = REPOSITORY.parent / "shared" / "faults"
FAULTS = sorted(folder.name for folder in FOLDER.glob("*") if (folder / "cmd").is_file())

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


def said_by(name: str, environment: dict[str, str]) -> str:
    """Everything that a fault's command prints."""
    command = Path(sys.executable).with_name("hummingsweep")
    done = subprocess.run(
        ["bash", FOLDER / name / "cmd"],
        env={**environment, "HUMMINGSWEEP": str(command), "HUMMINGSWEEP_CHILDREN": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout


def parts(said: str) -> list[str]:
    """What stands between the headings that a command prints."""
    return re.split(r"^== .*$", said, flags=re.MULTILINE)[1:]


def one_answer_in_every_time_zone(said: str) -> None:
    answers = [re.sub(r"^rows: .*$|computed in .*$", "", part, flags=re.MULTILINE) for part in parts(said)]
    assert len(answers) == 3
    assert "best by net_pnl" in answers[0]
    assert answers[0] == answers[1] == answers[2]


def the_clock_is_the_back_tests(said: str) -> None:
    limits, cooldown, now = parts(said)
    rows = [line.split(",")[3] for line in limits.splitlines() if re.match(r"[01],ok,", line)]
    assert len(set(rows)) == 2, "both time limits give the same"
    heads, row = (line.split() for line in cooldown.split("best by")[1].splitlines()[1:3])
    assert int(row[heads.index("total_positions")]) <= 8
    lines = [line for line in now.splitlines() if line.startswith("1 ")]
    assert len(lines) == 3
    assert len(set(lines)) == 1


def nothing_is_ranked_by_an_empty_column(said: str) -> None:
    assert "nothing to rank: sharpe is empty in all 4 rows" in said
    assert re.search(r"the period has .*, it takes", said)
    assert "audit of the best point" not in said


def nothing_traded_is_no_answer(said: str) -> None:
    assert "no point opened an executor (4 points ran to their end)" in said
    assert "never opened an executor: a bot with its config does nothing" in said
    assert "audit of the best point" not in said


def exchanges_files_are_taken(said: str) -> None:
    assert "rc 0" in said
    assert len(parts(said)) == 6
    assert all(re.search(r": \d+ candles", part) for part in parts(said))


def no_node_is_left(said: str) -> None:
    assert "no node is left; `hummingsweep worker` starts one" in said
    assert "no node computes" in said.split("no node is left")[1]
    assert "points/s" not in said.split("no node is left")[1]


def prices_of_another_venue_are_explained(said: str) -> None:
    assert "candles_xrpl_XRP-RLUSD_1m.csv" in said.split("rc 2")[0]
    assert "Hummingbot has no candle feed of xrpl" in said.split("rc 2")[0]
    assert "hummingsweep sync" not in said.split("rc 2")[0]


EXPECTED: dict[str, Callable[[str], None]] = {
    "01-local-time-zone": one_answer_in_every_time_zone,
    "02-wall-clock": the_clock_is_the_back_tests,
    "04-rank-by-empty-column": nothing_is_ranked_by_an_empty_column,
    "05-nothing-traded": nothing_traded_is_no_answer,
    "07-import-what-exchanges-give": exchanges_files_are_taken,
    "09-no-node-left": no_node_is_left,
    "10-signals-from-another-connector": prices_of_another_venue_are_explained,
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_gives_what_is_expected_of_it(name: str, bare_environment: dict[str, str]) -> None:
    said = said_by(name, {**bare_environment, "PATH": os.environ["PATH"]})
    EXPECTED[name](said)

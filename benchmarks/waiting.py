"""How long a person waits: the first run, the next command, and a mistake until it is told.

    python benchmarks/waiting.py [--command hummingsweep] [--against OLD_COMMAND] [--rounds 1] [--to FILE]

Every command is a process of its own, run as a user types it, on a copy of the quickstart. With `--against` both sides
take turns: the answer is a table of both in Markdown. A mistake is one change of the sweep file; what the
command says about it stands in the table, so a message that does not help is seen.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from tasks.settings import Settings

#: The result store of an output folder.
FILE = "results.sqlite"
EXAMPLES = REPOSITORY / "examples"

#: What is wrong -> the change of the sweep file: dotted key -> value; None takes the key away.
MISTAKES: Mapping[str, Mapping[str, object]] = {
    "a column in `where` with a slip": {"where": "total_position >= 5"},
    "a column in `rank_by` with a slip": {"rank_by": "sharp"},
    "an axis that the controller does not have": {"grid.bb_lenght": [20, 40]},
    "a key that the controller does not have": {"controller.cooldown_tme": 300},
    "a key that the sweep file does not have": {"fils": "honest"},
    "a list as one text": {"grid.bb_length": "20,40,60"},
    "a symbol for a pair": {"controller.trading_pair": "BTCUSDT"},
    "a period beyond the candles": {"period": {"start": "2024-03-01", "end": "2024-04-01"}},
    "an end before the start": {"period": {"start": "2024-01-04", "end": "2024-01-02"}},
    "a date that is none": {"period": {"start": "2024-13-02", "end": "2024-01-04"}},
    "a folder that is not there": {"candles": "dta"},
    "a controller that is not there": {"controller.controller_name": "band_reversal"},
    "no axis": {"grid": {}},
}


@dataclass
class Side:
    """One installed `hummingsweep`, with a folder of its own to work in."""

    command: str
    folder: Path
    #: what was waited for -> seconds, one for each round
    seconds: dict[str, list[float]] = field(default_factory=dict)
    #: mistake -> the line that told it
    told: dict[str, str] = field(default_factory=dict)

    def run(self, what: str, *arguments: str) -> str:
        """Run one command, note its seconds under `what`, and give what it said."""
        # Python's byte code is kept, as it is for a user
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        # a cluster and a cache of its own; the compiled loops are those of the set-up
        environment["HUMMINGSWEEP_CACHE"] = str(self.folder / "cache")
        environment.setdefault("NUMBA_CACHE_DIR", str(Settings.read().cache_folder / "kernels"))
        starts_empty = arguments[0] == "run" and what not in MISTAKES and not _rows(self.folder / arguments[-1])
        began = time.perf_counter()
        with (self.folder / "said.txt").open("w+") as said:
            process = subprocess.Popen(
                [self.command, *arguments], cwd=self.folder, env=environment, stdout=said, stderr=said
            )
            if starts_empty:
                self._first_row(process, self.folder / arguments[-1], began, what)
            process.wait()
            self.seconds.setdefault(what, []).append(time.perf_counter() - began)
            said.seek(0)
            return said.read()

    def _first_row(self, process: subprocess.Popen[bytes], out: Path, began: float, what: str) -> None:
        """Note when the first row is stored."""
        while process.poll() is None and not _rows(out):
            time.sleep(0.02)
        self.seconds.setdefault(f"{what}: first row", []).append(time.perf_counter() - began)

    def write(self, changes: Mapping[str, object], name: str = "sweep.yml") -> None:
        """The quickstart with other values for some keys, as a sweep file of the folder."""
        keys = yaml.safe_load((EXAMPLES / "quickstart.yml").read_text())
        for path, value in changes.items():
            *parents, last = path.split(".")
            holder = keys
            for parent in parents:
                holder = holder[parent]
            holder[last] = value
        (self.folder / name).write_text(yaml.safe_dump(keys, sort_keys=False))


def _rows(out: Path) -> int:
    """How many rows an output folder holds."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{out / FILE}?mode=ro", uri=True)) as connection:
            return int(connection.execute("SELECT count(*) FROM rows").fetchone()[0])
    except sqlite3.Error:
        return 0


def side(command: str, folder: Path) -> Side:
    """A folder with the quickstart's controller and candles."""
    folder.mkdir(parents=True)
    shutil.copytree(EXAMPLES / "controllers", folder / "controllers")
    shutil.copytree(EXAMPLES / "data", folder / "data")
    return Side(command, folder)


def wait_for_answers(one: Side) -> None:
    """The commands of a first quarter of an hour, each once."""
    shutil.rmtree(one.folder / "runs", ignore_errors=True)
    one.write({"grid": {"bb_length": [20]}, "where": None})
    one.run("one point, nothing is running", "run", "sweep.yml", "--out", "runs/one")
    one.write({"grid": {"bb_length": [20, 40], "bb_std": [1.5, 2.0]}, "where": None})
    one.run("four points, a few seconds later", "run", "sweep.yml", "--out", "runs/four")
    one.write({"grid.bb_length": {"linspace": [20, 100, 8]}})
    one.run("512 points", "run", "sweep.yml", "--out", "runs/many")
    one.run("the same again, nothing to compute", "run", "sweep.yml", "--out", "runs/many")
    one.run("the page with the curves of a point", "report", "runs/many", "--point", "3")


def make_mistakes(one: Side) -> None:
    """Every mistake of the table."""
    for mistake, changes in MISTAKES.items():
        one.write(changes)
        said = one.run(mistake, "run", "sweep.yml", "--out", "runs/mistake")
        shutil.rmtree(one.folder / "runs" / "mistake", ignore_errors=True)
        one.told[mistake] = _message(said)


def _message(said: str) -> str:
    """The line that tells the mistake: the first that names the file or an error, without terminal's colours."""
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line).strip() for line in said.splitlines()]
    lines = [line for line in lines if line]
    telling = [line for line in lines if "sweep.yml" in line or "rror" in line]
    return (telling or lines or [""])[0]


def tables(sides: list[Side]) -> list[str]:
    """Both tables as Markdown; seconds are the least of the rounds."""
    waits = [what for what in sides[0].seconds if what not in MISTAKES and what != "down"]
    heads = ["seconds"] if len(sides) == 1 else ["before", "now"]
    lines = [f"| waiting for | {' | '.join(heads)} |", "|---|" + "---|" * len(sides)]
    lines += [f"| {what} | {' | '.join(f'{min(one.seconds[what]):.1f}' for one in sides)} |" for what in waits]
    lines += ["", f"| mistake | what is told | {' | '.join(heads)} |", "|---|---|" + "---|" * len(sides)]
    for mistake in sides[0].told:
        times = " | ".join(f"{min(one.seconds[mistake]):.2f}" for one in sides)
        told = sides[-1].told[mistake].replace("|", "\\|")
        lines.append(f"| {mistake} | {told} | {times} |")
    return lines


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--command", default="hummingsweep", help="the command that is measured")
    parser.add_argument("--against", help="an older one, measured in turn with it")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--to", type=Path, help="write the tables there, Markdown")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="waiting-") as temporary:
        commands = [
            str(Path(shutil.which(one) or one).resolve()) for one in (arguments.against, arguments.command) if one
        ]
        sides = [side(command, Path(temporary) / str(number)) for number, command in enumerate(commands)]
        try:
            for _ in range(arguments.rounds):
                for one in sides:
                    wait_for_answers(one)
                    make_mistakes(one)
                    one.run("down", "down")
        finally:
            for one in sides:
                one.run("down", "down")
    text = "\n".join(tables(sides))
    print(text)
    if arguments.to:
        arguments.to.write_text(text + "\n")


if __name__ == "__main__":
    main()

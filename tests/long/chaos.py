"""Faults at random moments of a sweep, spread evenly over its rows; the rows at the end are those of a quiet run.

    python -m tests.long.chaos --points 50000 --events 30 --seed 1 --seed 2 --to benchmarks/chaos.md

Children, nodes, the broker and the orchestrator are killed (-9) or frozen, cables are cut, the disk of the store is
filled, a node's clock goes two minutes wrong. Each event waits until its share of the rows is stored, so that it meets
work. Killed nodes and orchestrators are started again at once, as systemd and a patient user would.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.long.farm import VISIBILITY_TIMEOUT_S, Farm, Node, farm

#: Seconds without a new row and without a fault under way after which a run is given up.
STUCK_S = 600.0
LOOK_EVERY_S = 0.1


@dataclass
class Event:
    """One fault, and what it cost."""

    kind: str
    #: rows that were stored when it happened
    rows: int
    #: seconds after the start
    at_s: float
    #: how long it lasted, seconds; 0 for a kill
    lasts_s: float
    #: the longest time without a new row until the next event
    silence_s: float = 0.0
    #: seconds until the next event, and what a quiet run needs for the same rows
    took_s: float = 0.0
    quiet_s: float = 0.0


@dataclass
class Outcome:
    """How a run ended."""

    seconds: float
    rows: int
    states: dict[str, int]
    digest: str
    events: list[Event] = field(default_factory=list)
    #: exit codes of the orchestrators, in order
    codes: list[int] = field(default_factory=list)
    #: what orchestrators printed that nobody should see
    tracebacks: int = 0


class Chaos:
    """One run: looks at the rows, and does the next fault when its share of them is there."""

    def __init__(self, farm: Farm, points: int, events: int, rng: random.Random, disk: Disk | None):
        self._farm, self._points, self._rng, self._disk = farm, points, rng, disk
        self._due = [points * (place + 1) // (events + 1) for place in range(events)]
        self._kinds = self._drawn(events)
        #: what ends a fault: when, and how
        self._ends: list[tuple[float, Callable[[], None]]] = []
        self._outcome = Outcome(0.0, 0, {}, "")
        self._began = self._moved = time.monotonic()

    def run(self) -> Outcome:
        """Until the sweep is complete. Raises AssertionError when it gets stuck."""
        self._farm.start_orchestrator()
        rows = 0
        while not self._ended():
            time.sleep(LOOK_EVERY_S)
            now, before = time.monotonic(), rows
            rows = max(rows, self._farm.rows())
            if rows > before:
                self._moved = now
            if self._outcome.events:
                last = self._outcome.events[-1]
                last.silence_s = max(last.silence_s, now - max(self._moved, self._began + last.at_s))
            self._end_faults(now)
            self._revive()
            if len(self._outcome.events) < len(self._due) and rows >= self._due[len(self._outcome.events)]:
                self._do_next(rows, now)
            assert self._ends or now - self._moved < STUCK_S, (
                f"stuck at {rows} rows: {self._farm.log.read_text()[-2000:]}"
            )
        self._end_faults(float("inf"))
        self._outcome.seconds = time.monotonic() - self._began
        self._outcome.rows, self._outcome.states = self._farm.rows(), self._farm.states()
        self._outcome.digest = self._farm.digest()
        self._outcome.tracebacks = self._farm.log.read_text().count("Traceback")
        return self._outcome

    def _drawn(self, events: int) -> list[str]:
        """Each kind as often as every other, in a random order."""
        kinds = ["kill child", "kill node", "kill broker", "kill orchestrator", "freeze child", "freeze node",
                 "freeze broker", "freeze orchestrator", "cut network"]  # fmt: skip
        kinds += ["full disk"] if self._disk else []
        kinds += ["clock off"] if self._farm.shim else []
        self._rng.shuffle(kinds)
        return [kinds[place % len(kinds)] for place in range(events)]

    def _ended(self) -> bool:
        """Whether the sweep is complete; an orchestrator that ended otherwise is started again."""
        orchestrator = self._farm.orchestrator
        assert orchestrator is not None
        code = orchestrator.poll()
        if code is None:
            return False
        self._outcome.codes.append(code)
        if code == 0:
            return True
        assert len(self._outcome.codes) < 3 * len(self._due) + 3, self._farm.log.read_text()[-2000:]
        self._farm.start_orchestrator()
        return False

    def _revive(self) -> None:
        for node in self._farm.nodes:
            if node.process.poll() is not None:
                self._farm.restart(node)

    def _end_faults(self, now: float) -> None:
        for end in [end for end in self._ends if end[0] <= now]:
            self._ends.remove(end)
            end[1]()

    def _do_next(self, rows: int, now: float) -> None:
        kind = self._kinds[len(self._outcome.events)]
        lasts_s = self._rng.uniform(2.0, 1.5 * VISIBILITY_TIMEOUT_S)
        lasts_s = {"kill broker": self._rng.uniform(0.5, 4.0), "full disk": self._rng.uniform(2.0, 6.0)}.get(
            kind, lasts_s if kind.startswith(("freeze", "cut")) else 0.0
        )
        node = self._rng.choice(self._farm.nodes)
        if undo := self._done(kind, node):
            self._ends.append((now + lasts_s, undo))
        self._outcome.events.append(Event(kind, rows, now - self._began, lasts_s))
        sys.stderr.write(f"{now - self._began:7.1f} s {rows:7,} rows: {kind} ({lasts_s:.0f} s)\n")

    def _done(self, kind: str, node: Node) -> Callable[[], None] | None:
        """Do a fault; what ends it, None for one that has no end."""
        farm, server = self._farm, self._farm.cluster.server
        match kind:
            case "kill child":
                self._each_child(node, signal.SIGKILL)
            case "kill node":
                _signal_group(node.process.pid, signal.SIGKILL)
            case "kill broker":
                server.kill()
                return server.restart
            case "kill orchestrator":
                assert farm.orchestrator is not None
                farm.orchestrator.kill()
            case "freeze child":
                self._each_child(node, signal.SIGSTOP)
                return lambda: self._each_child(node, signal.SIGCONT)
            case "freeze node":
                _signal_group(node.process.pid, signal.SIGSTOP)
                return lambda: _signal_group(node.process.pid, signal.SIGCONT)
            case "freeze broker":
                server.process.send_signal(signal.SIGSTOP)
                return lambda: server.process.send_signal(signal.SIGCONT)
            case "freeze orchestrator":
                orchestrator = farm.orchestrator
                assert orchestrator is not None
                orchestrator.send_signal(signal.SIGSTOP)
                return lambda: orchestrator.send_signal(signal.SIGCONT)
            case "cut network":
                forget = self._rng.random() < 0.5
                node.cable.cut()
                return lambda: node.cable.mend(forget=forget)
            case "full disk":
                assert self._disk is not None
                self._disk.fill()
                return self._disk.free
            case "clock off":
                node.clock_off_s = self._rng.choice([-120, 120])
                farm.restart(node)
        return None

    def _each_child(self, node: Node, number: signal.Signals) -> None:
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            for child in self._farm.cluster.children_of(node.process):
                os.kill(child, number)


@dataclass
class Disk:
    """The file system of the output folder, which can be filled."""

    folder: Path

    def fill(self) -> None:
        """Not a byte is left."""
        with (self.folder / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
            for size in (1 << 20, 1 << 12, 1):
                with contextlib.suppress(OSError):
                    while True:
                        filler.write(bytes(size))

    def free(self) -> None:
        """There is room again."""
        (self.folder / "filler").unlink(missing_ok=True)


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Disk | None]:
    """A file system of 300 MB at a folder; None where mounting is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300m", "none", folder]).returncode:
        yield None
        return
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def grid_of(points: int) -> dict[str, list[Any]]:
    """A grid of about so many points, a whole multiple of 100."""
    lengths = max(1, points // 100)
    return {
        "length": list(range(5, 5 + min(lengths, 50))),
        "take_profit": [0.002 + 0.0002 * step for step in range(10)],
        "stop_loss": [0.005 + 0.001 * step for step in range(10)],
        "time_limit": [1800 + 60 * step for step in range(max(1, lengths // 50))],
    }


def once(folder: Path, points: int, events: int, seed: int, nodes: int = 2) -> Outcome:
    """One run in a folder of its own."""
    grid = grid_of(points)
    size = 1
    for values in grid.values():
        size *= len(values)
    with farm(folder, grid, nodes) as made, small_disk(folder / "out") as disk:
        return Chaos(made, size, events, random.Random(seed), disk).run()


def compare(outcome: Outcome, quiet: Outcome) -> None:
    """What each event cost; raises AssertionError where rows differ from those of the quiet run."""
    speed = quiet.rows / quiet.seconds
    ends = [*outcome.events[1:], None]
    for event, after in zip(outcome.events, ends, strict=True):
        until_s, until_rows = (after.at_s, after.rows) if after else (outcome.seconds, outcome.rows)
        event.took_s, event.quiet_s = until_s - event.at_s, (until_rows - event.rows) / speed
    assert outcome.states == quiet.states, (outcome.states, quiet.states)
    assert outcome.digest == quiet.digest
    assert outcome.tracebacks == 0


def table(quiet: Outcome, outcomes: dict[int, Outcome]) -> str:
    """Markdown: the runs, and what each kind of event cost in them."""
    lines = [
        "| run | rows | digest | seconds | events | orchestrators started |",
        "|---|---|---|---|---|---|",
        f"| quiet | {quiet.rows:,} | `{quiet.digest}` | {quiet.seconds:.0f} | 0 | 1 |",
    ]
    for seed, each in outcomes.items():
        counts = f"{each.seconds:.0f} | {len(each.events)} | {len(each.codes)}"
        lines.append(f"| seed {seed} | {each.rows:,} | `{each.digest}` | {counts} |")
    lines += ["", "| event | times | lasted, s | longest silence, s | cost each, s (mean) |", "|---|---|---|---|---|"]
    events = [event for each in outcomes.values() for event in each.events]
    for kind in sorted({event.kind for event in events}):
        of_kind = [event for event in events if event.kind == kind]
        cost = sum(event.took_s - event.quiet_s for event in of_kind) / len(of_kind)
        lasted = f"{min(e.lasts_s for e in of_kind):.0f} to {max(e.lasts_s for e in of_kind):.0f}"
        silence = max(event.silence_s for event in of_kind)
        lines.append(f"| {kind} | {len(of_kind)} | {lasted} | {silence:.0f} | {cost:.0f} |")
    return "\n".join(lines) + "\n"


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, number)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; exit code 1 when rows differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=50_000)
    parser.add_argument("--events", type=int, default=30)
    parser.add_argument("--seed", type=int, action="append")
    parser.add_argument("--to", type=Path, help="file for the table, in Markdown")
    asked = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended then, too
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        quiet = once(Path(folder) / "quiet", asked.points, 0, 0)
        outcomes = {}
        for seed in asked.seed or [1]:
            outcomes[seed] = once(Path(folder) / f"seed{seed}", asked.points, asked.events, seed)
            compare(outcomes[seed], quiet)
    text = table(quiet, outcomes)
    sys.stdout.write(text)
    if asked.to:
        asked.to.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""An hour of load: how much memory orchestrator, node, children and server hold while one sweep runs.

    python -m tests.long.load --minutes 60 --to benchmarks/load.md

One large sweep on a broker with an append-only file and one node. Resident memory of each process is sampled every few
seconds; the slope is fitted over the second half, when caches are full.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil

from tests.long.farm import Farm, farm

EVERY_S = 2.0
#: Points of the grid: more than an hour's work.
LENGTHS, STEPS = 100, 40


@dataclass
class Memory:
    """What one process held."""

    #: seconds since the first row, and resident bytes
    seconds: list[float] = field(default_factory=list)
    resident: list[int] = field(default_factory=list)

    @property
    def slope_mb_per_h(self) -> float:
        """Of a line through the second half."""
        half = len(self.seconds) // 2
        if len(self.seconds) - half < 3:
            return float("nan")
        return float(np.polyfit(self.seconds[half:], self.resident[half:], 1)[0]) * 3600 / 1e6


def processes(farm: Farm) -> dict[str, int]:
    """Name -> process id."""
    assert farm.orchestrator is not None
    node = farm.nodes[0].process
    children = {f"child {pid}": pid for pid in farm.cluster.children_of(node)}
    return {
        "orchestrator": farm.orchestrator.pid,
        "node": node.pid,
        **children,
        "server": farm.cluster.server.process.pid,
    }


def measure(folder: Path, minutes: float) -> tuple[dict[str, Memory], int]:
    """Memory of every process, by name, and how many rows were stored. The sweep is interrupted in the end."""
    grid = {
        "length": list(range(5, 5 + LENGTHS)),
        "take_profit": [0.002 + 0.0001 * step for step in range(STEPS)],
        "stop_loss": [0.005 + 0.0002 * step for step in range(STEPS)],
        "time_limit": [1800 + 60 * step for step in range(STEPS)],
    }
    found: dict[str, Memory] = {}
    with farm(folder, grid, nodes=1, HUMMINGSWEEP_CHUNK_SECONDS="5") as made:
        made.start_orchestrator()
        while not made.rows():
            time.sleep(EVERY_S)
        began = time.monotonic()
        while (seconds := time.monotonic() - began) < 60 * minutes:
            for name, pid in processes(made).items():
                memory = found.setdefault(name, Memory())
                memory.seconds.append(seconds)
                memory.resident.append(psutil.Process(pid).memory_info().rss)
            time.sleep(EVERY_S)
        rows = made.rows()
        assert made.orchestrator is not None
        made.orchestrator.send_signal(signal.SIGINT)
        made.orchestrator.wait(60)
    return found, rows


def table(found: dict[str, Memory], rows: int) -> str:
    """Markdown: one line a process."""
    lines = ["| process | first, MB | half-way, MB | last, MB | most, MB | slope of the second half, MB/h |"]
    lines.append("|---|---|---|---|---|---|")
    for name, memory in found.items():
        at = [memory.resident[place] / 1e6 for place in (0, len(memory.resident) // 2, -1)]
        most = max(memory.resident) / 1e6
        values = " | ".join(f"{value:.0f}" for value in (*at, most))
        lines.append(f"| {name.partition(' ')[0]} | {values} | {memory.slope_mb_per_h:+.1f} |")
    minutes = max(memory.seconds[-1] for memory in found.values()) / 60
    return "\n".join([*lines, "", f"{minutes:.0f} minutes, {rows:,} rows."]) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--to", type=Path, help="file for the table, in Markdown")
    asked = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended then, too
    with tempfile.TemporaryDirectory(prefix="load-") as folder:
        text = table(*measure(Path(folder) / "load", asked.minutes))
    sys.stdout.write(text)
    if asked.to:
        asked.to.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What the verdict costs: `python benchmarks/verdict.py [--points 1000,100000] [--periods 180]`.

Seconds and peak memory of the whole analysis (orchestrator.analysis.trust.figures), each size in a process of
its own; the time includes importing what is needed. Points trade alike: 50 common factors and noise of their own.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


def analyse(points: int, periods: int) -> None:
    """One size; prints a row of the table."""
    rng = np.random.default_rng(0)
    factors = rng.standard_normal((periods, 50), dtype=np.float32)
    returns = factors @ (rng.standard_normal((50, points), dtype=np.float32) * np.float32(0.001))
    for column in range(0, points, 1000):
        block = returns[:, column : column + 1000]
        block += rng.standard_normal(block.shape, dtype=np.float32) * np.float32(0.005)
    before = time.perf_counter()
    from orchestrator.analysis.trust import SweepReturns, figures
    from orchestrator.analysis.verdict import document

    best = int(np.argmax(returns.mean(0) / returns.std(0)))
    word = document(figures(SweepReturns(returns, 86400, best)))["verdict"]
    seconds = time.perf_counter() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)
    print(f"| {points:,} x {periods} | {seconds:.2f} | {peak:,.0f} | {word} |", flush=True)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", default="1000,10000,100000")
    parser.add_argument("--periods", type=int, default=180)
    parser.add_argument("--one", type=int, help="this size alone, in this process")
    arguments = parser.parse_args()
    if arguments.one:
        analyse(arguments.one, arguments.periods)
        return
    print("| points x returns | seconds | peak MB of the process | verdict |\n|---|---|---|---|", flush=True)
    for points in arguments.points.split(","):
        command = [sys.executable, __file__, "--one", points, "--periods", str(arguments.periods)]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()

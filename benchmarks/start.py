"""What a child costs before its first point: stock imports against lean ones, in one run, as JSON.

    python benchmarks/start.py [--runs 3] [--packages 15]

Each run is a fresh interpreter that does what a child does at its entry (no collecting of garbage, blackout, imports,
patches), stock and lean in turn. `cpu_s` and `wall_s` are the least of the runs, `rss_mb` (resident megabytes, psutil)
and `modules` the median.
`packages` is the self time per top-level package, from one more run each under `python -X importtime`, which slows it.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
CHILD = """
import gc, json, sys, time
gc.disable()
cpu, wall = time.process_time(), time.perf_counter()
from tasks.isolation import blackout
from tasks.upstream.imports import lean, patches, stubs
blackout.install()
stubs.cut_network()
if sys.argv[1] == "lean":
    stubs.install_lean_imports()
patches.apply()
cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
modules = len(sys.modules)
import psutil
print(json.dumps({"cpu_s": cpu, "wall_s": wall, "rss_mb": psutil.Process().memory_info().rss / 2**20,
                  "modules": modules, "needed_after_all": lean.awake()}))
"""
_LINE = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+([\w.]+)")


def child(kind: str, *options: str) -> subprocess.CompletedProcess[str]:
    """One fresh interpreter that starts as a child does; `kind` is stock or lean."""
    return subprocess.run(
        [sys.executable, "-W", "ignore", *options, "-c", CHILD, kind],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    )  # fmt: skip


def packages(kind: str, count: int) -> dict[str, float]:
    """Milliseconds of import self time of the most expensive top-level packages."""
    spent: Counter[str] = Counter()
    for micros, name in _LINE.findall(child(kind, "-X", "importtime").stderr):
        spent[name.partition(".")[0]] += int(micros)
    return {name: round(micros / 1000, 1) for name, micros in spent.most_common(count)}


def measure(runs: int = 3, package_count: int = 15) -> dict[str, Any]:
    """{"stock": ..., "lean": ..., "lean_to_stock": ratios}."""
    seen: dict[str, list[dict[str, Any]]] = {"stock": [], "lean": []}
    for _ in range(runs):
        for kind, answers in seen.items():
            answers.append(json.loads(child(kind).stdout))
    result: dict[str, Any] = {
        kind: {
            **{name: round(min(answer[name] for answer in answers), 3) for name in ("cpu_s", "wall_s")},
            **{name: round(statistics.median(answer[name] for answer in answers), 1) for name in ("rss_mb", "modules")},
            "needed_after_all": answers[0]["needed_after_all"],
            **({"packages": packages(kind, package_count)} if package_count else {}),
        }
        for kind, answers in seen.items()
    }
    result["lean_to_stock"] = {
        name: round(result["lean"][name] / result["stock"][name], 3)
        for name in ("cpu_s", "wall_s", "rss_mb", "modules")
    }
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--packages", type=int, default=15, help="how many packages to list; 0 for none")
    chosen = parser.parse_args()
    print(json.dumps(measure(chosen.runs, chosen.packages), indent=2))

"""The same sweep by this project and by what people use instead, one after the other, rows compared.

    python benchmarks/peers.py [--quick] [--sizes 100,1000] [--ten N] [--indicator N] [--expensive N]
                               [--only ours,pool] [--workers N] [--repeat N] [--rounds N] [--json]

Contenders (benchmarks/contenders/): this project; one process with the jump-ahead engine; upstream's engine in one
process; multiprocessing.Pool; joblib; Dask; Ray; Celery with a task a point. All but `stock` run the same engine on the
same candles with a warm event loop and engine kept between points, so that what differs is the distribution (and that
this project's children compute features once for the points that share them; --share: all do). Each runs
in a process of its own: it starts its workers, sweeps 16 points, then the sweep that is timed (cheap points
three times, the fastest counts: other work on the machine only ever slows). With --rounds, all of that in turn, several
times: where the machine is faster at one moment than at another, each contender has its share of both.

    points/s    points over the seconds from sending the first to having the last
    workers     CPU seconds of the processes that computed points over (those seconds x cores)
    of free     the same over the cores' seconds that nothing else on the machine used (idle machine: as `workers`)
    CPU/point   CPU milliseconds of everything the contender started, over the points: what other work on the machine
                changes least
    at most     points/s at which the busiest process besides the workers (it hands out, or collects) would fill a core:
                what more cores, nodes and workers cannot exceed
    first row   seconds from the command's start to its first row, everything started from nothing
    whole       seconds from the command's start until it could sweep, and the sweep
    ratio       this project's points/s over the contender's

A contender whose package is not installed is left out and said so (dependency group `bench`).
Cheap points are a day of 1m candles: two to four milliseconds, most of it the back-test, 400 on upstream's engine.
Those named "10ms" burn CPU on top until they take as long, and none shares it. Those named "indicator" are a quarter of
a day, most of it a supertrend, which points that differ in their exits only could share. Dear ones burn 1 s of CPU on
top (they are fewer: 50, and 100 with --long).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

BENCHMARKS = Path(__file__).resolve().parent
PATHS = [str(BENCHMARKS), str(BENCHMARKS.parent)]
sys.path[:0] = PATHS

from tasks.settings import Settings

ORDER = ("ours", "one_process", "stock", "pool", "joblib", "dask", "ray", "celery")
#: upstream's engine takes so much longer that it gets only so many of the points
STOCK_POINTS = 100
HEAD = (
    f"{'contender':<13}{'points/s':>10}{'ratio':>8}{'workers':>9}{'of free':>9}{'CPU/point':>11}{'at most':>9}"
    f"{'first row':>11}{'whole':>9}{'peak MB':>9}  rows"
)


def contend(name: str, folder: Path, count: int, workers: int, began: float, repeat: int) -> dict[str, Any]:
    """One contender, in this process; `began` is time.monotonic() when the command was given."""
    from contenders import others
    from contenders.gauge import Memory
    from contenders.work import WARMING

    memory = Memory(os.getpid())
    memory.start()
    if name == "ours":
        from contenders.ours import ours as contender
    else:
        contender = getattr(others, name)
    with contender(folder, workers) as sweep:
        warm = list(timed(sweep(list(range(WARMING)))))
        started_s = time.monotonic() - began
        sweeps = []
        for _ in range(repeat):
            sweeps.append(once(sweep, count))
            memory.look()
            list(sweep(list(range(WARMING))))  # another sweep: the next one finds no features of the last
        peak = memory.stop()
    best = min(sweeps, key=lambda one: one["seconds"])
    return {
        "contender": name,
        **best,
        "repeat": repeat,
        "slowest_s": max(one["seconds"] for one in sweeps),
        "first_row_s": min(moment for *_, moment in warm) - began,
        "whole_s": started_s + best["seconds"],
        "peak_mb": peak,
    }


def once(sweep: Any, count: int) -> dict[str, Any]:
    """One timed sweep on warm workers."""
    from contenders.gauge import Span

    span, began = Span(os.getpid()), time.monotonic()
    rows = list(timed(sweep(list(range(count)))))
    wall = max(moment for *_, moment in rows) - began
    span.end()
    pids = {pid for _, _, pid, _, _ in rows}
    used, busiest = span.of(pids), span.busiest(besides=pids)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {
        "points": count,
        "seconds": wall,
        "points_per_s": count / wall,
        "workers_cpu_s": used,
        "all_cpu_s": span.of(),
        "others_cpu_s": span.others_s,
        "at_most_per_s": count / busiest if busiest else None,
        "cpu_use": used / (wall * cores),
        "cpu_use_of_free": used / max(used, wall * cores - span.others_s),
        "in_points_s": sum(seconds for _, _, _, seconds, _ in rows),
        "rows": {str(point): row for point, row, *_ in rows},
    }


def timed(rows: Any) -> Any:
    """Rows with the moment they came in."""
    for row in rows:
        yield row if len(row) == 5 else (*row, time.monotonic())


def ask(
    name: str, folder: Path, count: int, workers: int, patience_s: float, repeat: int = 1, *, share: bool = False
) -> dict[str, Any]:
    """One contender in a process of its own. `share`: its points share features, as this project's always do."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HUMMINGSWEEP_")}
    environment |= {"PEERS_SHARE": "1"} if share else {}
    environment |= {
        # compiled kernels lie where every contender finds them: they are made once per machine, not once per sweep
        "NUMBA_CACHE_DIR": os.environ.get("NUMBA_CACHE_DIR") or str(Settings().cache_folder / "kernels"),
        "PYTHONPATH": os.pathsep.join(PATHS), "PYTHONWARNINGS": "ignore", "HUMMINGSWEEP_SETTINGS": os.devnull,
        **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"),
    }  # fmt: skip
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, __file__, "--contend", name, "--work", folder, "--points", str(count), "--workers",
         str(workers), "--began", repr(began), "--repeat", str(repeat)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    try:
        out, err = process.communicate(timeout=patience_s)
    except subprocess.TimeoutExpired:
        process.terminate()
        process.communicate()
        return {"contender": name, "points": count, "left_out": f"took longer than {patience_s:.0f} s"}
    if process.returncode:
        return {"contender": name, "points": count, "left_out": (err.strip().splitlines() or ["ended"])[-1][:200]}
    return dict(json.loads(out.splitlines()[-1]))


def measure(
    sizes: list[int], others: dict[str, int], names: list[str], workers: int, repeat: int, rounds: int, say: Any
) -> list[dict[str, Any]]:
    """A document per size and kind of points, each with its contenders, the best of their rounds."""
    from contenders.work import prepare

    documents = []
    plans = [("cheap", size) for size in sizes]
    plans += [(kind, size) for kind, size in others.items() if size]
    for kind, size in plans:
        dear_ones = kind == "expensive"
        with tempfile.TemporaryDirectory(prefix="peers-") as place:
            folder = prepare(Path(place) / "work", size, kind)
            say(f"\n{size} {kind} points, {workers} workers")
            say(HEAD)
            ran: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
            found: list[dict[str, Any]] = []
            for turn, name in [(turn, name) for turn in range(rounds) for name in names]:
                # what one process does not get faster at with more of them; the first hundreds trade more than the rest
                if name == "stock":
                    count = min(size, 10 if dear_ones else STOCK_POINTS)
                elif name == "one_process":
                    count = min(size, 20 if dear_ones else 2000)
                else:
                    count = size
                times = 1 if name == "stock" or dear_ones else repeat
                patience_s = 180 + repeat * 20 * size * (1.02 if dear_ones else 0.02)
                if name != "stock" or not turn:
                    ran[name].append(ask(name, folder, count, workers, patience_s, times))
                if turn == rounds - 1:
                    found.append(_judged(ran[name], ran[names[0]]))
                    say(_line(found[-1]))
            documents.append({"kind": kind, "points": size, "workers": workers, "contenders": found})
    return documents


def _judged(turns: list[dict[str, Any]], firsts: list[dict[str, Any]]) -> dict[str, Any]:
    """The best turn of a contender, against the best of the first one in the table; `equal`: rows of all turns."""
    good, ours = ([one for one in ones if "left_out" not in one] for ones in (turns, firsts))
    if not good or not ours:
        return {name: value for name, value in (good or turns)[0].items() if name != "rows"}
    best, first = (max(ones, key=lambda one: float(one["points_per_s"])) for ones in (good, ours))
    return {
        **{name: value for name, value in best.items() if name != "rows"},
        "ratio": first["points_per_s"] / best["points_per_s"],
        "failed_turns": len(turns) - len(good),
        "equal": all(first["rows"][point] == row for one in good for point, row in one["rows"].items()),
    }


def _line(one: dict[str, Any]) -> str:
    if "left_out" in one:
        return f"{one['contender']:<13}left out: {one['left_out']}"
    each_ms = one["all_cpu_s"] / one["points"] * 1000
    at_most = f"{one['at_most_per_s']:.0f}" if one["at_most_per_s"] else "-"
    return (
        f"{one['contender']:<13}{one['points_per_s']:>10.2f}{one.get('ratio', 0):>8.2f}{one['cpu_use']:>9.1%}"
        f"{one['cpu_use_of_free']:>9.1%}{each_ms:>8.1f} ms{at_most:>9}{one['first_row_s']:>11.1f}"
        f"{one['whole_s']:>9.1f}{one['peak_mb']:>9.0f}  {'equal' if one.get('equal') else 'DIFFERENT'}"
        + (f", {one['failed_turns']} turns failed" if one.get("failed_turns") else "")
    )


def main() -> int:
    """The command. Exit code 1 when rows differ or a peer is faster."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--quick", action="store_true", help="100 cheap points, no expensive ones")
    parser.add_argument("--long", action="store_true", help="also 10,000 cheap points, and 100 expensive ones")
    parser.add_argument("--sizes", default="", help="numbers of cheap points, multiples of 50; a comma alone: none")
    parser.add_argument("--ten", type=int, default=-1, help="number of points of 10 ms, as --sizes; 0: none")
    parser.add_argument("--indicator", type=int, default=-1, help="number of indicator points, as --sizes; 0: none")
    parser.add_argument(
        "--expensive", type=int, default=-1, help="number of expensive points, a multiple of 50; 0: none"
    )
    parser.add_argument("--only", default="", help="names of contenders, ours is always the first")
    parser.add_argument("--share", action="store_true", help="the others share features between points, too")
    parser.add_argument("--workers", type=int, default=0, help="worker processes; default one per core")
    parser.add_argument("--repeat", type=int, default=0, help="timed sweeps of cheap points; default 3, quick 1")
    parser.add_argument("--rounds", type=int, default=1, help="times every contender gets its turn; the best counts")
    for hidden in ("--contend", "--work", "--points", "--began"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.share:
        os.environ["PEERS_SHARE"] = "1"
    workers = chosen.workers or len(os.sched_getaffinity(0))
    repeat = chosen.repeat or (1 if chosen.quick else 3)
    if chosen.contend:
        from contenders.others import NotInstalled

        try:
            one = contend(chosen.contend, Path(chosen.work), int(chosen.points), workers, float(chosen.began), repeat)
        except NotInstalled as error:
            one = {"contender": chosen.contend, "points": 0, "left_out": f"{error} is not installed"}
        print("\n" + json.dumps(one))
        return 0
    sizes = [int(part) for part in chosen.sizes.split(",") if part]
    if not chosen.sizes:
        sizes = [100] if chosen.quick else [100, 1000, *([10_000] if chosen.long else [])]
    indicator = chosen.indicator if chosen.indicator >= 0 else 0 if chosen.quick else 1000
    ten = chosen.ten if chosen.ten >= 0 else 0 if chosen.quick else 1000
    expensive = chosen.expensive if chosen.expensive >= 0 else 0 if chosen.quick else 100 if chosen.long else 50
    wanted = [part for part in chosen.only.split(",") if part] or list(ORDER)
    names = ["ours", *(name for name in ORDER if name in wanted and name != "ours")]
    load = os.getloadavg()[0]
    say = (lambda _: None) if chosen.json else (lambda text: print(text, flush=True))
    kinds = {"10ms": ten, "indicator": indicator, "expensive": expensive}
    documents = measure(sizes, kinds, names, workers, repeat, max(1, chosen.rounds), say)
    if chosen.json:
        print(json.dumps({"load_before": load, "sweeps": documents}, indent=2))
    told = [one for document in documents for one in document["contenders"] if "left_out" not in one]
    good = all((one.get("equal") and one["ratio"] >= 1) or one["contender"] == "ours" for one in told)
    good = good and not any(one.get("failed_turns") for one in told)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

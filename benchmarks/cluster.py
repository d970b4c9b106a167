"""What the distribution itself costs, on an embedded cluster of this machine.

python benchmarks/cluster.py [--quick] [--children 1,2] [--json]

use          CPU seconds of the children between the first and the last chunk over (those seconds x children), for
             expensive points (1 s of CPU on top), cheap ones (two or three milliseconds) and ones of 10 ms; `of free`
             over
             what other work on the machine left of the cores, equal to `use` on an idle one
outside      share of the children's CPU in the sweep that a single process without any distribution does not need
             for the same points with the same engine and the same sharing of features, and in milliseconds a point;
             `everything` counts orchestrator, server and Celery's parent as well
scaling      points per second with 1, 2 and 4 children in the same run, and how many times those of one child; more
             children than cores share them, so that there `use` of the cores is what counts
message      bytes of a chunk's message on the queue, for grids of 1,000 to 10^12 points
submit       seconds and memory to plan and send 10,000 chunks of a grid of 10^12 points
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

BENCHMARKS = Path(__file__).resolve().parent
sys.path[:0] = [str(BENCHMARKS), str(BENCHMARKS.parent)]

from contenders.gauge import Span
from contenders.ours import Heard, cluster, warming
from contenders.work import prepare
from peers import ask

from orchestrator.cluster import broker
from orchestrator.execution import publish
from orchestrator.execution.planner import Planner
from orchestrator.execution.remote import _send_all
from orchestrator.execution.run import RunContext, run
from orchestrator.execution.source import GridSource
from orchestrator.progress.watcher import Silent
from orchestrator.results.store import Store
from orchestrator.sweepfile.sweep import read
from tasks.grid import Grid
from tasks.protocol.chunks import Chunk
from tasks.protocol.messages import Kind, Rows, SweepDefinition
from tasks.settings import Settings, versions

CHUNKS = 10_000


class FirstToLast(Heard):
    """Also the CPU seconds from the first chunk's coming in to the last's."""

    def __init__(self, store: Store):
        super().__init__(store)
        self.span: Span | None = None

    def insert(self, sweep: str, rows: Rows) -> int:
        stored = super().insert(sweep, rows)
        if self.span is None:
            self.span = Span(os.getpid())
        self.span.end()
        return stored


def use(folder: Path, children: int) -> dict[str, Any]:
    """One sweep on warm children."""
    sweep = read(folder / "sweep.yml")
    with cluster(children) as running:
        for one in (warming(sweep), sweep):
            definition = publish.publish(one, running, Silent())
            with tempfile.TemporaryDirectory() as out, Store.create(Path(out)) as store:
                store.add_sweep(definition, "", {"rank_by": "net_pnl", "where": None})
                heard, whole, began = FirstToLast(store), Span(os.getpid()), time.monotonic()
                context = RunContext(running, heard, definition, Silent())  # type: ignore[arg-type]
                run(context, target_s=running.settings.chunk_seconds)
                wall = time.monotonic() - began
                whole.end()
    pids = {int(chunk.node.rpartition("/")[2]) for chunk in heard.taken}
    points = sum(len(chunk) for chunk in heard.taken)
    span, between = heard.span, heard.moments[-1] - heard.moments[0]
    assert span is not None
    busy, free = span.of(pids), between * children - span.others_s
    return {
        "points": points,
        "children": children,
        "chunks": len(heard.taken),
        "seconds": wall,
        "points_per_s": points / wall,
        "use": busy / (between * children),
        "use_of_free": busy / max(busy, free),
        "children_cpu_ms": whole.of(pids) / points * 1000,
        "all_cpu_ms": whole.of() / points * 1000,
        "outside_rows_of_chunk": 1 - sum(sum(chunk.columns["seconds"]) for chunk in heard.taken)
        / sum(chunk.seconds for chunk in heard.taken),
        "ok": all(set(chunk.columns["status"]) == {"ok"} for chunk in heard.taken),
    }  # fmt: skip


def used(kind: str, points: int, children: list[int], say: Callable[[str], Any]) -> list[dict[str, Any]]:
    """The same sweep with each number of children, and the CPU that the points alone take."""
    found = []
    with tempfile.TemporaryDirectory(prefix="cluster-") as place:
        folder = prepare(Path(place) / "work", points, kind, name="cluster")
        # all the cheap points: those with short indicators trade more, so that the first ones are no sample
        sample = min(points, 20) if kind == "expensive" else points
        before = ask("one_process", folder, sample, 1, patience_s=600, share=True)
        sweeps = [use(folder, count) for count in children]
        after = ask("one_process", folder, sample, 1, patience_s=600, share=True)
        # before and after: what else runs on the machine only ever slows
        alone_ms = min(alone["workers_cpu_s"] for alone in (before, after)) / sample * 1000
        for count, swept in zip(children, sweeps, strict=True):
            one = {"kind": kind, **swept, "alone_cpu_ms": alone_ms}
            one["outside"] = 1 - alone_ms / one["children_cpu_ms"]
            one["outside_ms"] = one["children_cpu_ms"] - alone_ms
            one["outside_everything"] = 1 - alone_ms / one["all_cpu_ms"]
            found.append(one)
            say(
                f"{kind:<6}{points:>7} points{count:>4} children{one['chunks']:>6} chunks{one['points_per_s']:>9.2f}/s"
                f"  use {one['use']:.1%} (of free {one['use_of_free']:.1%})  outside {one['outside']:.1%}"
                f" ({one['outside_ms']:.2f} ms; everything {one['outside_everything']:.1%};"
                f" CPU/point alone {alone_ms:.2f} ms, children {one['children_cpu_ms']:.2f} ms)"
            )
    return found


def scaled(found: list[dict[str, Any]], cores: int, say: Callable[[str], Any]) -> list[dict[str, Any]]:
    """How many times the points per second of the fewest children each number of them gives."""
    least = found[0]
    table = []
    for one in found:
        times = one["points_per_s"] / least["points_per_s"]
        ideal = min(one["children"], cores) / min(least["children"], cores)
        table.append({"children": one["children"], "points_per_s": one["points_per_s"], "times": times, "ideal": ideal})
        say(f"scaling{one['children']:>4} children{one['points_per_s']:>9.2f}/s  x{times:.2f} of x{ideal:.2f} possible")
    return table


def definition(axes: int, values: int) -> SweepDefinition:
    """A sweep of values ** axes points that nobody runs."""
    return SweepDefinition(
        sweep="cluster-0123456789", kind=Kind.RUN, controller={}, start=0, end=60, resolution="1m", trade_cost=0.0,
        grid={f"axis_{number}": list(range(values)) for number in range(axes)}, engine="jump", shift=1, fills="stock",
        warmup=True, point_timeout_s=600.0, seed=0, versions=versions(),
    )  # fmt: skip


def messages(say: Callable[[str], Any]) -> dict[str, Any]:
    """Sizes of messages, and what 10,000 of them cost the one who sends them."""
    import psutil

    sizes = {}
    with broker.session(Settings(), node=False) as running:
        redis: Any = running.redis
        queue = running.settings.queue
        for axes in (1, 2, 4):
            grid = Grid.from_mapping(definition(axes, 1000).grid)
            running.send("cluster-0123456789", Chunk.of(1, range(grid.size - 2000 if axes > 1 else 0, grid.size)))
            sizes[f"{grid.size:.0e}"] = len(redis.rpop(queue))
        whole = definition(4, 1000)
        size = Grid.from_mapping(whole.grid).size
        planner = Planner(GridSource([(0, size - 1)], size), target_s=5.0)
        planner.speeds.add("node", 1.0, 100)
        me = psutil.Process()
        list(islice(_send_all(running, whole, planner, 1), 100))  # connections and caches
        memory, began, cpu = me.memory_info().rss, time.monotonic(), time.process_time()
        sent = sum(1 for _ in islice(_send_all(running, whole, planner, 1), CHUNKS))
        seconds, cpu = time.monotonic() - began, time.process_time() - cpu
        grown = (me.memory_info().rss - memory) / 2**20
        waiting = redis.llen(queue)
    found = {
        "message_bytes": sizes, "chunks_sent": sent, "points_sent": size - planner.left, "seconds": seconds,
        "cpu_s": cpu, "grown_mb": grown, "waiting": waiting,
    }  # fmt: skip
    say(f"message of a chunk, bytes by points of the grid: {sizes}")
    say(f"{sent} chunks ({found['points_sent']} points of {size:.0e}) sent in {seconds:.1f} s ({cpu:.1f} s CPU), "
        f"memory of the sender grew by {grown:.1f} MB")  # fmt: skip
    return found


def main() -> int:
    """The command. Exit code 1 when a promise is not kept (uses are judged by what other work left free)."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--quick", action="store_true", help="fewer points")
    parser.add_argument("--children", default="", help="numbers of children; default: 1,2,4 and the cores")
    chosen = parser.parse_args()
    cores = Settings().child_count
    children = [int(part) for part in chosen.children.split(",") if part] or sorted({1, 2, 4, cores})
    say: Callable[[str], Any] = (lambda _: None) if chosen.json else (lambda text: print(text, flush=True))
    load = os.getloadavg()[0]
    say(f"load of the machine before: {load:.1f} on {cores} cores")
    sent = messages(say)
    cheap = used("cheap", 1000 if chosen.quick else 2000, children, say)
    # more children than cores wait for each other: use is judged with one child a core
    judged = max((count for count in children if count <= cores), default=children[0])
    (cheapest,) = (one for one in cheap if one["children"] == judged)
    (ten,) = used("10ms", 500 if chosen.quick else 1000, [judged], say)
    expensive = used("expensive", 50 if chosen.quick else 100, [judged], say)
    scaling = scaled(cheap, cores, say)
    promises = {
        "expensive use >= 97%": expensive[-1]["use_of_free"] >= 0.97,
        "cheap use >= 90%": cheapest["use_of_free"] >= 0.90,
        "outside < 3% at 10 ms": ten["outside"] < 0.03,
        "message < 1 KB": max(sent["message_bytes"].values()) < 1024,
        "every point ok": all(one["ok"] for one in (*cheap, ten, *expensive)),
    }
    for promise, kept in promises.items():
        say(f"{'kept    ' if kept else 'NOT KEPT'} {promise}")
    if chosen.json:
        document = {
            "load_before": load,
            "cores": cores,
            "messages": sent,
            "sweeps": [*cheap, ten, *expensive],
            "scaling": scaling,
        }
        print(json.dumps({**document, "promises": promises}, indent=2))
    return 0 if all(promises.values()) else 1


if __name__ == "__main__":
    sys.exit(main())

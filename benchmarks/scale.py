"""Where does a cluster stop growing? A simulation of 1 to 64 nodes of 48 children, with costs measured in the same run.

python benchmarks/scale.py [--quick] [--json] [--rtt-ms 0.3]

Measured first, on a real embedded server with a real node, orchestrator and store: what sending, taking, committing and
collecting a chunk cost the orchestrator, the node and the broker, per chunk and per row; bytes of a row; start of a
child.
Then a discrete-event simulation of orchestrator.execution.run's loop with those costs: one orchestrator, one
single-threaded broker,
one Celery process per node, children that compute. Chunks aim at chunk_seconds, as the planner's do.

use      share of the children's time spent on points, in the steady middle of a sweep
limit    what is busy when use falls under 95%: the orchestrator, the broker, or a node's main process
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from scaling.costs import Costs, measure
from scaling.simulation import GOOD, Case, Outcome, Simulation

from orchestrator.execution.planner import MAX_POINTS

NODES = (1, 2, 4, 8, 16, 32, 64)
CHILDREN = 48
#: Seconds a point takes: a cheap one, one as the examples', one of a year of candles.
POINT_S = (0.005, 0.1, 2.0)
CHUNK_S = (1.0, 5.0, 20.0)


def main() -> int:
    """Measure, simulate, tell."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer chunks measured, fewer sizes of clusters")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rtt-ms", type=float, default=0.3, help="a round trip between machines, milliseconds")
    chosen = parser.parse_args()
    costs = measure(1 if chosen.quick else 3)
    rtt_s = chosen.rtt_ms / 1e3
    found = simulate(costs, (1, 8, 64) if chosen.quick else NODES, rtt_s)
    told = conclusions(costs, found, rtt_s)
    if chosen.json:
        cases = [
            {**dataclasses.asdict(case), **dataclasses.asdict(outcome), "limit": outcome.limit}
            for case, outcome in found
        ]
        document = {"costs": dataclasses.asdict(costs), "cases": cases, "conclusions": told}
        print(json.dumps(document, indent=2))
    else:
        print(text(costs, found, told, rtt_s))
    return 0


def simulate(costs: Costs, nodes: tuple[int, ...], rtt_s: float) -> list[tuple[Case, Outcome]]:
    """Every combination."""
    cases = [
        Case(count, CHILDREN, point_s, chunk_s, rtt_s) for point_s in POINT_S for chunk_s in CHUNK_S for count in nodes
    ]
    return [(case, Simulation(case, costs).run()) for case in cases]


def conclusions(costs: Costs, found: list[tuple[Case, Outcome]], rtt_s: float) -> list[dict[str, Any]]:
    """Per kind of sweep: how many nodes work well, and what the next ones wait for."""
    told = []
    for point_s in POINT_S:
        for chunk_s in CHUNK_S:
            here = [(case, outcome) for case, outcome in found if (case.point_s, case.chunk_s) == (point_s, chunk_s)]
            good = [case.nodes for case, outcome in here if outcome.use >= GOOD]
            limited = [outcome.limit for _, outcome in here if outcome.limit]
            rows = here[0][0].rows
            orchestrator_s = costs.send(0) + 3 * rtt_s + costs.collect(rows) + rtt_s
            broker_s = (
                costs.broker_send(0) + costs.broker_turn(0) + costs.broker_commit(rows) + costs.broker_collect(rows)
            )
            told.append(
                {
                    "point_s": point_s,
                    "chunk_s": chunk_s,
                    "rows_per_chunk": rows,
                    "nodes_at_95_percent": max(good, default=0),
                    "limit": limited[0] if limited else "",
                    # what the orchestrator and the broker could do alone, in children kept busy
                    "orchestrator_feeds_children": rows * point_s / orchestrator_s,
                    "broker_feeds_children": rows * point_s / broker_s,
                }
            )
    return told


def text(costs: Costs, found: list[tuple[Case, Outcome]], told: list[dict[str, Any]], rtt_s: float) -> str:
    """For a terminal."""
    us = 1e6
    lines = [
        f"measured, us a chunk + us a row (a round trip of {rtt_s * 1e3:g} ms for each message comes on top)",
        f"{'':<32}{'in all':>18}{'of it the broker':>22}",
    ]
    for name, cost, broker in (
        ("orchestrator: send a chunk", costs.send, costs.broker_send),
        ("node: from chunk to chunk", costs.turn, costs.broker_turn),
        ("child: hand in rows", costs.commit, costs.broker_commit),
        ("orchestrator: collect and store rows", costs.collect, costs.broker_collect),
    ):
        lines.append(
            f"  {name:<30}{cost.fixed * us:>10.0f} +{cost.per_row * us:>6.1f}"
            f"{broker.fixed * us:>14.0f} +{broker.per_row * us:>6.2f}"
        )
    lines += [
        f"  of a node's turn, its main process: {costs.node.fixed * us:.0f} us",
        f"  a row: {costs.row_message_bytes:.0f} bytes in a message, {costs.row_store_bytes:.0f} in the store",
        f"  a child's start: {costs.start_cpu_s:.1f} s of CPU; a point of the quickstart: "
        f"{costs.example_point_s * 1e3:.0f} ms",
        "",
        f"share of the children's time spent on points, nodes of {CHILDREN} children",
    ]
    nodes = sorted({case.nodes for case, _ in found})
    counts = "".join(f"{count:>6}" for count in nodes)
    lines.append(
        f"{'point':>8}{'chunk':>7}{'rows':>6} |{counts} | nodes >= 95%  then limited by  orchestrator can feed"
    )
    for one in told:
        here = {
            case.nodes: outcome
            for case, outcome in found
            if (case.point_s, case.chunk_s) == (one["point_s"], one["chunk_s"])
        }
        uses = "".join(f"{here[count].use:>6.0%}" for count in nodes)
        lines.append(
            f"{one['point_s'] * 1e3:>6g}ms{one['chunk_s']:>6g}s{one['rows_per_chunk']:>6} |{uses} |"
            f"{one['nodes_at_95_percent']:>13}  {one['limit'] or '-':<15}"
            f"{one['orchestrator_feeds_children']:>8.0f} children"
        )
    chunks_s = 1 / (costs.send(0) + 4 * rtt_s + costs.collect(1))
    rows_s = 1 / costs.collect.per_row if costs.collect.per_row else math.inf
    lines += [
        "",
        f"One orchestrator handles at most {chunks_s:,.0f} chunks a second, and {rows_s:,.0f} rows a second "
        "whatever the size.",
        "Few rows a chunk: HUMMINGSWEEP_CHUNK_SECONDS moves the limit in proportion. Cheap points, hundreds of rows a",
        f"chunk (at most {MAX_POINTS}): rows a second are the limit, which no setting moves; a second "
        "orchestrator with",
        "a part of the grid, in an output folder of its own, doubles it.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())

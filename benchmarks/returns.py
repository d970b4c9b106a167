"""What collecting the returns of every point costs.

python benchmarks/returns.py [--quick] [--json]

One process goes the whole way of a chunk, with returns and without, in turn: the child's points and its message, the
orchestrator's reading of it, the store. Rows are equal in both, which is asserted. Seconds are CPU of this process.

child   what the child spends more, of what it spends without: points and message
sweep   the same with the orchestrator's reading and storing on both sides: what a sweep's throughput loses where all
        share the cores

Exit code 1 when returns cost the child 3 % or more of a point of 10 ms, or the sweep 5 % or more of cheap points.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BENCHMARKS = Path(__file__).resolve().parent
sys.path[:0] = [str(BENCHMARKS), str(BENCHMARKS.parent)]

from contenders.work import FEED, definition_of, prepare

from orchestrator.results.store import Store
from tasks.child.point import PointRunner
from tasks.child.process import Child, begin, child
from tasks.engine._base import Market
from tasks.protocol.chunks import Chunk
from tasks.protocol.messages import Rows, SweepDefinition
from tasks.protocol.returns import RETURNS
from tasks.protocol.scenario import PLAIN, Scenario
from tasks.settings import Settings

#: Shares that returns may cost: the child's of a point of 10 ms, the sweep's of cheap points.
CHILD_SHARE = 0.03
SWEEP_SHARE = 0.05
#: Kind of work (contenders.work) -> points of its chunk.
KINDS = {"10ms": 50, "cheap": 100}
#: Columns of a row that differ from run to run.
NOT_RESULTS = ("seconds",)


class Here(Child):
    """A child whose controllers and candles are those of a work's folder."""

    folder: Path

    def controllers(self, definition: SweepDefinition) -> Path:
        """Where the benchmarks' `controllers/` is."""
        return BENCHMARKS

    def market(self, definition: SweepDefinition, scenario: Scenario = PLAIN) -> Market:
        """The work's one slice."""
        from tasks.candles.mirror import Mirror
        from tasks.upstream.backtest.rules import trading_rules

        if not hasattr(self, "_market"):
            mirror = Mirror(self.folder / "mirror", 1 << 30)
            frame = mirror.frame(definition.slices[FEED.key], (self.folder / "slice.arrow").read_bytes)
            names = ("start", "end", "resolution", "trade_cost", "shift", "warmup")
            self._market = Market(
                feeds={FEED.key: frame}, trading_rules=trading_rules(definition.trading_rules),
                **{name: getattr(definition, name) for name in names},
            )  # fmt: skip
        return self._market


class Timed(PointRunner):
    """A child that knows how long it collected returns: CPU seconds so far."""

    collecting = 0.0

    def _returns(self, outcome: Any, config: Any) -> dict[str, Any]:
        began = time.process_time()
        found = super()._returns(outcome, config)
        self.collecting += time.process_time() - began
        return found


class WithoutReturns(Timed):
    """As a child was before it collected returns."""

    def _returns(self, outcome: Any, config: Any) -> dict[str, Any]:
        return {}


@dataclass
class Spent:
    """CPU seconds of one chunk."""

    points: float
    #: of it, collecting returns
    returns: float
    message: float
    orchestrator: float
    #: bytes of the message
    size: int

    @property
    def child(self) -> float:
        """What the child spends."""
        return self.points + self.message

    @property
    def sweep(self) -> float:
        """What child and orchestrator spend."""
        return self.child + self.orchestrator


async def computed(runner: PointRunner, points: list[int]) -> tuple[list[dict[str, Any]], float]:
    """Rows of points and the CPU seconds they took."""
    began = time.process_time()
    rows = [await runner.row(point) for point in points]
    return rows, time.process_time() - began


async def chunk(me: Here, definition: SweepDefinition, kind: type[Timed], points: list[int]) -> tuple[Any, Spent]:
    """One chunk on its whole way; its rows without returns, and what it cost."""
    with closing(kind(me, definition)) as runner:
        rows, points_s = await computed(runner, points)
    name = Chunk.of(1, points).id
    with tempfile.TemporaryDirectory() as out, Store.create(Path(out)) as store:
        store.add_sweep(definition, "", {})
        gc.collect()
        began = time.process_time()
        raw = Rows.from_dicts(name, "here/1", 1.0, rows).encode()
        sent = time.process_time()
        store.insert(definition.sweep, Rows.decode(raw))
        over = time.process_time()
    plain = [{name: value for name, value in row.items() if name not in (RETURNS, *NOT_RESULTS)} for row in rows]
    return plain, Spent(points_s, runner.collecting, sent - began, over - sent, len(raw))


async def paired(folder: Path, points: int, rounds: int) -> list[tuple[Spent, Spent]]:
    """(without, with) of each round; the first round is not kept."""
    definition = definition_of(folder)
    me = Here(child().settings, "here/1")
    me.folder = folder
    some = list(range(points))
    found = []
    for turn in range(rounds + 1):
        order = (WithoutReturns, Timed) if turn % 2 else (Timed, WithoutReturns)
        done = {kind: await chunk(me, definition, kind, some) for kind in order}
        if repr(done[WithoutReturns][0]) != repr(done[Timed][0]):  # NaN equals nothing but its own text
            raise AssertionError("rows with returns and without differ")
        if any(row["status"] != "ok" for row in done[Timed][0]):
            raise AssertionError(f"a point failed: {done[Timed][0][0]}")
        if turn:
            found.append((done[WithoutReturns][1], done[Timed][1]))
    return found


def figures(kind: str, points: int, found: list[tuple[Spent, Spent]]) -> dict[str, Any]:
    """Milliseconds a point, and the shares.

    What collecting costs in the child is timed from within; what it adds to message, orchestrator and store is the
    difference of both sides. Of the least of all rounds: other work on a machine can only add to CPU seconds.
    """

    def least(part: Callable[[Spent], float]) -> tuple[float, float]:
        return min(part(before) for before, _ in found), min(part(after) for _, after in found)

    child, sweep = least(lambda one: one.child), least(lambda one: one.sweep)
    message, orchestrator = least(lambda one: one.message), least(lambda one: one.orchestrator)
    more = min(after.returns for _, after in found) + message[1] - message[0]
    return {
        "kind": kind,
        "points": points,
        "rounds": len(found),
        "point_ms": child[0] / points * 1e3,
        "returns_ms": more / points * 1e3,
        "child": more / child[0],
        "sweep": (more + orchestrator[1] - orchestrator[0]) / sweep[0],
        # both sides as a whole; scatters by some per cent
        "whole": sweep[1] / sweep[0] - 1,
        "bytes_a_point": statistics.median((after.size - before.size) / points for before, after in found),
    }


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rounds, share = (5, 2) if options.quick else (40, 1)
    found = []
    with tempfile.TemporaryDirectory(prefix="returns-") as place:
        sizes = {kind: points // share for kind, points in KINDS.items()}
        works = {kind: prepare(Path(place) / kind, points, kind) for kind, points in sizes.items()}
        begin(Settings.read())
        for kind, points in sizes.items():
            found.append(figures(kind, points, asyncio.run(paired(works[kind], points, rounds))))
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        for one in found:
            print(
                f"{one['kind']:6} {one['points']} points x {one['rounds']} rounds: {one['point_ms']:.2f} ms a point, "
                f"returns {one['returns_ms']:+.3f} ms: child {one['child']:+.2%}, sweep {one['sweep']:+.2%} "
                f"(both sides as a whole {one['whole']:+.2%}); "
                f"{one['bytes_a_point']:.0f} bytes a point"
            )
    costs = {one["kind"]: one for one in found}
    raise SystemExit(int(costs["10ms"]["child"] >= CHILD_SHARE or costs["cheap"]["sweep"] >= SWEEP_SHARE))


if __name__ == "__main__":
    main()

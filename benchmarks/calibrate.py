"""How often the verdict is wrong: `python benchmarks/calibrate.py`, with its options in `--help`.

Part one, simulated (benchmarks/workloads/nulls.py): sweeps without any skill on random walks with fat tails and, with
`--candles`, on the moves of real candles with drawn signs. How often is the verdict "evidence"? Then the same sweeps
with a planted edge of graded strength, as a multiple of the bar that luck sets: the expected best Sharpe ratio of as
many independent points, expected_maximum(N) x sqrt(365 / days) a year. How often is it found, given the true ratio of
the point that is ranked best?

Part two, `--engine N`: whole sweeps on the jump engine with honest fills and no costs on N random walks for each of
four controllers.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import ujson
from scipy.stats import beta

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.workloads.nulls import RULES, NullSweep, null_sweep, with_edge
from orchestrator.analysis.statistics import expected_maximum
from orchestrator.analysis.trust import SweepReturns, figures
from orchestrator.analysis.verdict import judge

DAYS = (10, 30, 90, 180)
POINTS = (100, 300, 640, 2000)
#: Planted strengths, as multiples of the bar that luck sets.
STRENGTHS = (0.5, 1.0, 1.5, 2.0, 3.0)
DRAWS = 500


@dataclass(frozen=True)
class Judged:
    """One sweep's verdict."""

    rule: str
    market: str
    days: int
    points: int
    #: true Sharpe ratio of the planted point as a multiple of the bar; 0: no edge
    strength: float
    #: the same of the point that is ranked best
    true_best: float
    verdict: str
    #: p-value of the best point
    p: float
    pbo: float
    dsr_rank: float
    ranked_by: str


def judged(
    sweep: NullSweep, returns: np.ndarray, strength: float, fade: np.ndarray | None, ranked_by: str, seed: int
) -> Judged:
    """What the verdict says of these returns. `fade`: share of the edge that every point has."""
    if ranked_by == "sharpe":
        best = int(np.argmax(returns.mean(0) / np.maximum(returns.std(0), 1e-12)))
    else:
        best = int(np.argmax(np.log1p(np.maximum(returns, -0.999)).sum(0)))
    found = figures(SweepReturns(returns, sweep.interval_s, best, ranked_by), draws=DRAWS, seed=seed)
    word, _ = judge(found)
    return Judged(
        sweep.rule,
        sweep.market,
        sweep.days,
        returns.shape[1],
        strength,
        0.0 if fade is None else strength * float(fade[best]),
        word.value,
        found.best.p if found.best else 1.0,
        found.overfitting.value if found.overfitting else np.nan,
        (found.best.dsr["rank"] if found.best else None) or 0.0,
        ranked_by,
    )


def simulated(
    markets: range, candles: Path | None, edges: int, strengths: tuple[float, ...] = STRENGTHS
) -> Iterator[Judged]:
    """Every market (its seed) without an edge, those below `edges` also with each strength of it."""
    rules = list(RULES)
    for seed in markets:
        rng = np.random.default_rng([seed, 7])
        days, points = int(rng.choice(DAYS)), int(rng.choice(POINTS))
        ranked_by = ("sharpe", "net_pnl")[seed // len(rules) % 2]
        file = candles if candles is not None and seed % 3 == 2 else None
        sweep = null_sweep(rules[seed % len(rules)], points, days, seed, file)
        yield judged(sweep, sweep.returns, 0.0, None, ranked_by, seed)
        bar = expected_maximum(sweep.returns.shape[1]) * np.sqrt(365 / days)
        for strength in strengths if seed < edges else ():
            yield judged(sweep, *_edge_first(sweep, strength, bar, seed), ranked_by, seed)


def _edge_first(sweep: NullSweep, strength: float, bar: float, seed: int) -> tuple[np.ndarray, float, np.ndarray]:
    planted, fade = with_edge(sweep, strength * bar, seed)
    return planted, strength, fade


def shares(found: list[Judged]) -> dict[str, float]:
    """Verdict -> share."""
    counted = Counter(each.verdict for each in found)
    return {word: counted[word] / max(1, len(found)) for word in ("luck", "weak", "evidence", "untested")}


def interval(count: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share, by Clopper and Pearson (1934)."""
    low = float(beta.ppf(0.025, count, of - count + 1)) if count else 0.0
    return low, float(beta.ppf(0.975, count + 1, of - count)) if count < of else 1.0


def cells(some: list[Judged]) -> str:
    """The shares of verdicts as cells of a table, that of "evidence" with its 95 % interval."""
    texts = {word: f"{share:.1%}" for word, share in shares(some).items()}
    low, high = interval(sum(each.verdict == "evidence" for each in some), len(some))
    texts["evidence"] += f" ({100 * low:.1f} to {100 * high:.1f})"
    return " | ".join(texts.values())


def tables(found: list[Judged]) -> list[str]:
    """The calibration as Markdown."""
    nulls = [each for each in found if each.strength == 0]
    lines = [
        f"No edge, {len(nulls)} sweeps",
        "",
        "| sweeps | number | luck | weak | evidence (95 % interval) | untested |",
        "|---|---|---|---|---|---|",
    ]
    groups: dict[str, list[Judged]] = defaultdict(list)
    for each in nulls:
        for name in ("all", each.rule, each.market, f"{each.days} days", f"ranked by {each.ranked_by}"):
            groups[name].append(each)
        groups["up to 300 points" if each.points < 400 else "more points"].append(each)
    for name, some in groups.items():
        lines.append(f"| {name} | {len(some)} | {cells(some)} |")
    lines += [
        "",
        "Planted edge",
        "",
        "| true Sharpe ratio of the best / bar of luck | sweeps | luck | weak | evidence (95 % interval) | untested |",
        "|---|---|---|---|---|---|",
    ]
    for low, high in pairwise((0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 4.0)):
        some = [each for each in found if each.strength and low <= each.true_best < high]
        if some:
            lines.append(f"| {low:g} to {high:g} | {len(some)} | {cells(some)} |")
    return lines


def on_the_engine(rounds: int, days: int) -> Iterator[Judged]:
    """So many random walks for each of the four controllers, each a whole sweep of 81 points."""
    from benchmarks.workloads.engine_nulls import SWEEPS, engine_sweep

    for seed in range(rounds):
        for name in SWEEPS:
            returns, interval_s = engine_sweep(name, days, seed)
            sweep = NullSweep(name, "engine", days, returns.astype(np.float64), interval_s, np.zeros((81, 1)))
            yield judged(sweep, sweep.returns, 0.0, None, "sharpe", seed)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--markets", type=int, default=400, help="simulated markets")
    parser.add_argument("--edges", type=int, default=400, help="so many of them also with planted edges")
    parser.add_argument(
        "--candles", type=Path, help="a 1m candle file (CSV) whose moves get drawn signs, for a third of them"
    )
    parser.add_argument("--engine", type=int, default=0, help="random walks per controller on the engine")
    parser.add_argument("--engine-days", type=int, default=10, help="their length")
    parser.add_argument("--to", type=Path, help="write every verdict there, JSON")
    arguments = parser.parse_args()
    began = time.monotonic()
    found = list(simulated(range(arguments.markets), arguments.candles, arguments.edges))
    found += on_the_engine(arguments.engine, arguments.engine_days)
    print("\n".join(tables(found)))
    print(f"\n{len(found)} sweeps judged in {time.monotonic() - began:.0f} s")
    if arguments.to:
        arguments.to.write_text(ujson.dumps([vars(each) for each in found]))


if __name__ == "__main__":
    main()

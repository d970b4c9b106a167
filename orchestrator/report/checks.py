"""What speaks for and against believing a sweep's best point, as sentences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.analysis.rank import Ranking, Stability
from orchestrator.report.text import plural, shown
from tasks.metrics.inputs import NOTHING_ANNUALISED
from tasks.named_types import JsonObject
from tasks.protocol.messages import Status

if TYPE_CHECKING:
    import pyarrow as pa

    from orchestrator.analysis.rank import Edge
    from tasks.protocol.messages import SweepDefinition

#: With fewer positions a result says little.
FEW_POSITIONS = 30


@dataclass(frozen=True)
class Check:
    """One line of the page's checks."""

    #: "ok", "warn" or "bad"
    level: str
    text: str

    @property
    def word(self) -> str:
        """The level in a word: colour alone says nothing to some."""
        return {"ok": "Good:", "warn": "Mind:", "bad": "Warning:"}[self.level]


@dataclass(frozen=True)
class Evidence:
    """What the checks look at."""

    definition: SweepDefinition
    #: points of the grid
    size: int
    counts: dict[Status, int]
    ranking: Ranking
    #: every row, see StoreReader.table
    table: pa.Table
    #: the verdict `run` noted at its end, {} when there is none
    audit: JsonObject


def checks(evidence: Evidence) -> list[Check]:
    """Every check, the worst first."""
    return worst_first(_all(evidence))


def worst_first(found: Iterable[Check]) -> list[Check]:
    """Checks by their level."""
    order = ("bad", "warn", "ok")
    return sorted(found, key=lambda check: order.index(check.level))


def _all(evidence: Evidence) -> Iterator[Check]:
    yield _audit(evidence.audit)
    yield from _completeness(evidence)
    if evidence.ranking.rows:
        yield from _winner(evidence)
        yield from _stability(evidence.ranking)
    yield from _warnings(evidence)
    yield from _settings(evidence.definition)
    yield from _engines(evidence)


def _audit(audit: JsonObject) -> Check:
    if not audit.get("verdict"):
        return Check("warn", "the controller was not tested for look-ahead; hummingsweep audit does it")
    state = audit.get("state")
    level = "ok" if state == "clean" else "bad" if state in ("look_ahead", "fills") else "warn"
    return Check(level, f"look-ahead audit of point {audit.get('point')}: {audit['verdict']}")


def _completeness(evidence: Evidence) -> Iterator[Check]:
    done = sum(evidence.counts.values())
    failed = done - evidence.counts.get(Status.OK, 0)
    if done < evidence.size:
        yield Check("warn", f"{evidence.size - done:,} of {evidence.size:,} points have no row yet")
    if failed:
        kinds = ", ".join(f"{count:,} {status}" for status, count in evidence.counts.items() if status != Status.OK)
        yield Check("warn", f"{plural(failed, 'point')} without results ({kinds}); the errors are listed below")
    if done == evidence.size and not failed:
        yield Check("ok", f"all {evidence.size:,} points have results")


def _winner(evidence: Evidence) -> Iterator[Check]:
    ranking, best = evidence.ranking, evidence.ranking.rows[0]
    objective = best["objective"]
    if objective != objective:
        yield Check("bad", f"no ranked point has a number for {ranking.rank_by}")
        return
    if abs(objective) == float("inf"):
        yield Check(
            "bad", f"{ranking.rank_by} of the best point is infinite: divided by 0? The charts leave such points out"
        )
    if objective <= 0 and not ranking.ascending:
        yield Check("warn", f"no ranked point is above 0: the best {ranking.rank_by} is {shown(objective)}")
    positions = best.get("total_positions")
    if isinstance(positions, int | float) and positions < FEW_POSITIONS:
        yield Check("warn", f"the best point rests on {positions:g} positions; with so few, luck decides")
    if len(best["equal_points"]):
        count = len(best["equal_points"])
        yield Check(
            "warn", f"{plural(count, 'other point')} with exactly the best point's results: an axis has no effect there"
        )
    honest, stock = best.get("honest_net_pnl"), best.get("net_pnl")
    if isinstance(honest, float) and isinstance(stock, float) and honest <= 0 < stock:
        yield Check(
            "bad", f"the best point's net_pnl is {shown(stock)} with stock fills and {shown(honest)} with honest ones"
        )


def _stability(ranking: Ranking) -> Iterator[Check]:
    around = ranking.neighbourhood
    kept = "" if around.kept is None else f" (its neighbours keep {around.kept:.0%} of its lead over the median)"
    if around.stability is Stability.PLATEAU:
        yield Check("ok", f"the best point stands on a plateau{kept}")
    elif around.stability is Stability.SLOPE:
        yield Check("warn", f"the best point stands on a slope{kept}")
    elif around.stability is Stability.SPIKE:
        yield Check("bad", f"the best point is a spike{kept}: a small change of its values loses what made it the best")
    for edge in ranking.edges:
        yield Check("warn", _edge(edge))


def _edge(edge: Edge) -> str:
    return (
        f"the best point has the {edge.end} value of {edge.axis} ({shown(edge.value)}): the best may lie beyond, "
        "widen the axis"
    )


def _warnings(evidence: Evidence) -> Iterator[Check]:
    """The warnings that rows carry."""
    if "warning" not in evidence.table.column_names:
        return
    told = [text for text in evidence.table.column("warning").to_pylist() if text]
    if evidence.ranking.rows and (warning := evidence.ranking.rows[0].get("warning")):
        # empty figures mislead nobody; every other warning makes the results doubtful
        only_empty = all(part.startswith(NOTHING_ANNUALISED) for part in warning.split("; "))
        yield Check("warn" if only_empty else "bad", f"the best point: {warning}")
    if told:
        yield Check("warn", f"{plural(len(told), 'point')} with a warning, such as: {told[0]}")
    else:
        yield Check("ok", "no point's share of winners is suspiciously high")


def _settings(definition: SweepDefinition) -> Iterator[Check]:
    if definition.shift == 0:
        yield Check(
            "bad",
            "shift is 0: what a candle says is acted upon before the candle has closed, as in the stock engine; "
            "shift: 1 holds it back",
        )
    if definition.trade_cost == 0 and definition.fills in ("stock", "both"):
        yield Check("warn", "trade_cost is 0: no fee is paid")
    if definition.fills == "stock" and definition.controller.get("controller_type") == "market_making":
        yield Check(
            "warn",
            "stock fills book a maker order at the candle's close, so that wide and narrow spreads earn nearly the "
            "same; fills: honest books it at its own price",
        )


def _engines(evidence: Evidence) -> Iterator[Check]:
    if "engine_note" not in evidence.table.column_names:
        return
    notes = [text for text in evidence.table.column("engine_note").to_pylist() if text]
    if notes:
        common = max(set(notes), key=notes.count)
        yield Check(
            "ok",
            f"{plural(len(notes), 'point')} ran on a slower engine than asked for, with the same results: {common}",
        )

"""Live replay: the best points on the live engine, beside their back-test.

With `validate: {live: N}` the N best points are replayed over the whole period. Without it the best one is replayed at
the end of a run, for as much of the period as fits into CLOSING_S seconds or half of the sweep's time, whichever is
more.
"""

from __future__ import annotations

from orchestrator.analysis.live_words import sentence
from orchestrator.analysis.rank import Ranking
from orchestrator.execution.session import SweepSession
from tasks.named_types import JsonObject, Row
from tasks.protocol.messages import Kind

#: Seconds that the replay at the end of a run may take, at least.
CLOSING_S = 10.0


def live(session: SweepSession, ranking: Ranking) -> JsonObject | None:
    """See Stage; the findings of `summary`. None where nothing is ranked."""
    wanted = session.sweep.validation.live
    points = [int(row["point"]) for row in ranking.rows[: max(wanted, 1)]]
    if not points:
        return None
    budget_s = 0.0 if wanted else max(CLOSING_S, _sweep_seconds(session) / 2)
    return replayed(session, points, budget_s)


def replayed(session: SweepSession, points: list[int], budget_s: float = 0.0) -> JsonObject:
    """Points replayed on the live engine. `budget_s`: seconds a replay may take; 0: the whole period."""
    return summary(session.ask(Kind.LIVE, points, watched=True, budget_s=budget_s))


def summary(rows: list[Row]) -> JsonObject:
    """What the replays of some points say together.

    `points` replayed, `trades_same` (share, over all of them), mean `pnl` and `backtest_pnl` (fractions of the capital,
    over the part that was replayed), `covered` (the smallest share of the period), `rows` (one dict a point, see
    tasks.engine.live.replay.Replay.to_dict), `sentence`. Figures are None where no point was replayed.
    """
    replays = [row["live"] for row in rows if row.get("live")]
    trades = [replay["trades"] for replay in replays]
    total = sum(sum(of.values()) for of in trades)
    found: JsonObject = {
        "points": len(replays),
        "trades_same": sum(of["same"] for of in trades) / total if total else None,
        "pnl": _mean([replay["pnl"] for replay in replays]),
        "backtest_pnl": _mean([replay["backtest_pnl"] for replay in replays]),
        "covered": min((replay["covered"] for replay in replays), default=None),
        "rows": [
            {"point": row["point"], **(row.get("live") or {}), "engine": row.get("engine", ""), "error": row["error"]}
            for row in rows
        ],
    }
    found["sentence"] = " ".join(sentences(found["rows"]))
    return found


def sentences(rows: list[Row]) -> list[str]:
    """Each point's replay in words; `rows` as `summary` gives them."""
    return [sentence(row) for row in rows]


def _sweep_seconds(session: SweepSession) -> float:
    """Seconds that the sweep's points took on the children that computed them, about."""
    _, batches = session.store.batches(session.definition.sweep)
    seconds = sum(sum(one or 0.0 for one in batch.column("seconds").to_pylist()) for batch in batches)
    return float(seconds) / max(session.settings.children or 1, 1)


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None

"""The audit: the whole period twice, then the period cut at many random moments.

Whatever a controller decided, and whatever its feature columns held, before a cut must be the same when the candles
after the cut are not there. What differs has been derived from them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tasks.engine._base import Engine, Market
from tasks.engine.audit.compare import Differences, compare_decisions, compare_features, compare_views
from tasks.engine.audit.cut import cut_market, cut_moments, engine_candles
from tasks.engine.audit.record import Record, recorded
from tasks.engine.audit.report import AuditReport, State


async def audit(
    engine: Engine, config_factory: Callable[[], Any], market: Market, cuts: int = 20, seed: int = 0
) -> AuditReport:
    """Test one point for look-ahead, under the market's own shift and warm-up.

    `config_factory` builds a fresh controller config, with the same values each time. `cuts` moments are drawn with
    `seed` from the rows that the engine steps over, the first tenth left out; fewer where there are fewer rows.
    Costs two runs of the period and `cuts` runs of about half of it each; the controller is asked at every candle.

    To be called inside the event loop that made the engine. Raises what the controller raises on the whole period; what
    it raises on a cut one is told in the report.
    """
    try:
        full = await _run(engine, config_factory, market)
        again = await _run(engine, config_factory, market)
    except _RaisedWhileStepping as stop:
        raise stop.error from stop.error.__cause__
    report = AuditReport(
        controller=str(config_factory().controller_name), engine=engine.name, shift=market.shift, seed=seed
    )
    report.columns = full.columns()
    report.decisions = full.count()
    unsteady = Differences()
    compare_features(full, again, float("inf"), unsteady)
    compare_decisions(full, again, float("inf"), unsteady, first_only=False)
    report.not_reproducible = unsteady.fields()
    if unsteady.features or unsteady.unmatched:
        report.conclude(State.NOT_REPRODUCIBLE, unsteady)
        return report

    candles = engine_candles(market, config_factory())
    found = Differences(ignored=frozenset(report.not_reproducible))
    for moment, last_row in cut_moments(candles, full.first_row(), cuts, seed):
        shorter = cut_market(market, moment)
        try:
            cut = await _run(engine, config_factory, shorter)
        except _RaisedWhileStepping as stop:
            cut = stop.record
        except Exception as error:
            report.not_tested.append({"cut": moment, "reason": f"{type(error).__name__}: {error}"})
            continue
        report.cuts.append(moment)
        # Held back by a shift, what a row shows is known when it opens; without one, when it closes.
        compare_features(full, cut, moment if market.shift else last_row, found)
        diverged = compare_decisions(full, cut, last_row, found)
        if diverged is not None and not found.features and not found.fills:
            await _ask_the_fills(engine, config_factory, market, shorter, diverged, found)
    report.conclude(None, found)
    return report


class _RaisedWhileStepping(Exception):
    """The controller raised at a candle; what it decided up to there is on record."""

    def __init__(self, record: Record, error: Exception) -> None:
        self.record, self.error = record, error


async def _run(engine: Engine, config_factory: Callable[[], Any], market: Market, *, views: bool = False) -> Record:
    record = Record(views={} if views else None)
    try:
        outcome = await engine.run(recorded(config_factory(), record), market, curves=False)
    except Exception as error:
        if record.raised and record.merged is not None:
            raise _RaisedWhileStepping(record, error) from error
        raise
    record.merged = outcome.processed_data.get("features")
    return record


async def _ask_the_fills(
    engine: Engine,
    config_factory: Callable[[], Any],
    market: Market,
    shorter: Market,
    diverged: float,
    found: Differences,
) -> None:
    """Whose fault is a decision that differs while no feature does? Run both again, looking at the executors' states.

    Up to the first decision that differs both runs have created the same executors. If the controller was told
    different things about them, the engine's fills looked ahead, not the controller.
    """
    try:
        full = await _run(engine, config_factory, market, views=True)
        cut = await _run(engine, config_factory, shorter, views=True)
    except _RaisedWhileStepping:
        return
    compare_views(full, cut, diverged, found)

"""The audit: the whole period twice, then the period cut at many random moments, and with another end.

Whatever a controller decided, and whatever its feature columns held, before a cut must be the same when the candles
after the cut are not there, or are others. What differs has been derived from them.

    whole period      twice: what differs there is not compared (a clock), or ends the audit
    future mask       once, with what is later hidden while the controller decides: a cut is made where a decision
                      differs
    cut               `cuts` moments, every decision and every column: behind decisions, before large moves, anywhere
    changed           the earliest of these moments, where most of the period comes after: the candles after it go on
                      upside down
    features only     FEATURES_PER_CUT times as many moments, without stepping: a controller whose decisions are its
                      base's follows from its features

Every run imports the controllers folder anew: an array in a module would carry the future of one run into the
next.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.engine._base import Engine, Market
from tasks.engine.audit.compare import Differences, compare_decisions, compare_features, compare_views
from tasks.engine.audit.future_mask import FutureMask
from tasks.engine.audit.record import Record, own_columns, recorded
from tasks.engine.audit.report import AuditReport, State
from tasks.engine.audit.truncation import Floats, changed_market, cut_market, cut_moments, engine_candles
from tasks.market_names import feed_key
from tasks.upstream.backtest.build import deactivate

if TYPE_CHECKING:
    from tasks.upstream.names import ControllerConfigBase


#: Moments at which the features alone are compared, for each cut.
FEATURES_PER_CUT = 5
#: One of so many cuts is also tried with changed candles.
CUTS_PER_CHANGE = 4


async def audit(
    engine: Engine, config_factory: Callable[[], ControllerConfigBase], market: Market, cuts: int = 20, seed: int = 0
) -> AuditReport:
    """Test one point for look-ahead, under the market's own shift and warm-up.

    `config_factory` builds a fresh controller config from its folder, with the same values each time. `cuts` moments
    are drawn with `seed` from the rows that the engine steps over, the first tenth left out, fewer where there are
    fewer rows, and one more where the future mask shows one. Costs three runs of the period and `cuts` runs of about
    half of it each; the controller is asked at every candle.

    To be called inside the event loop that made the engine. Raises what the controller raises on the whole period;
    what it raises on a cut one is in the report.
    """
    try:
        return await _Audit(engine, config_factory, market).report(cuts, seed)
    except _RaisedWhileStepping as stop:
        raise stop.error from stop.error.__cause__
    finally:
        deactivate()


def by_construction(config: ControllerConfigBase, market: Market) -> AuditReport:
    """The report on a point of the live engine, which shows a controller nothing that has not happened."""
    report = AuditReport(str(config.controller_name), "live", market.shift, 0, state=State.CLEAN)
    report.verdict = (
        f"clean ({config.controller_name}, live engine): it shows a controller no candle before the moment at which a "
        "bot would have it"
    )
    return report


class _RaisedWhileStepping(Exception):
    """The controller raised at a candle; what it decided up to there is on record."""

    def __init__(self, record: Record, error: Exception) -> None:
        self.record, self.error = record, error


@dataclass
class _Audit:
    """What the runs of one audit share."""

    engine: Engine
    config_factory: Callable[[], ControllerConfigBase]
    market: Market

    async def report(self, cuts: int, seed: int) -> AuditReport:
        full = await self._run(self.market)
        config = self.config_factory()
        report = AuditReport(str(config.controller_name), self.engine.name, self.market.shift, seed)
        report.columns = full.columns()
        report.decisions = full.count()
        if not await self._reproduces(full, report):
            return report
        candles, decided = engine_candles(self.market, config), full.decisions
        found = Differences(ignored=frozenset(report.not_reproducible))
        moments = cut_moments(candles, full.first_row(), cuts, seed, decided)
        moments = sorted({*moments, *await self._suspected(full, candles.opened)})
        for moment, last_row in moments:
            if await self._compare(full, cut_market(self.market, moment), moment, last_row, found, report):
                report.cuts.append(moment)
        if not found.fields():
            for moment, last_row in moments[: -(-len(moments) // CUTS_PER_CHANGE)]:
                if await self._compare(full, changed_market(self.market, moment), moment, last_row, found, None):
                    report.changed.append(moment)
        if not found.fields() and full.raw is not None:
            more = cut_moments(candles, full.first_row(), FEATURES_PER_CUT * cuts, seed + 1, decided)
            await self._compare_features(full, more, found, report)
        report.conclude(None, found)
        return report

    async def _reproduces(self, full: Record, report: AuditReport) -> bool:
        """Whether the whole period can be run again with the same decisions; if not, the report is concluded."""
        unsteady = _differences(full, await self._run(self.market))
        report.not_reproducible = unsteady.fields()
        if unsteady.features or unsteady.unmatched:
            report.conclude(State.NOT_REPRODUCIBLE, unsteady)
            return False
        return True

    async def _suspected(self, full: Record, opened: Floats) -> list[tuple[float, float]]:
        """The moment behind the first decision that is another one under a future mask, as `cut_moments` gives them."""
        try:
            masked = await self._run(self.market, future_mask=FutureMask(self.market))
        except _RaisedWhileStepping as stop:
            masked = stop.record
        except Exception:  # it cannot run on tables that grow: the cuts say more
            return []
        row = compare_decisions(full, masked, math.inf, Differences())
        later = opened[opened > row] if row is not None else opened[:0]
        return [(float(later[0]), float(row))] if row is not None and len(later) else []

    async def _compare(
        self,
        full: Record,
        other: Market,
        moment: float,
        last_row: float,
        found: Differences,
        report: AuditReport | None,
    ) -> bool:
        """Run another market up to a moment and compare; False when the controller raises before the first candle.

        That is noted in the report where one is given.
        """
        try:
            record = await self._run(other, until=last_row)
        except _RaisedWhileStepping as stop:
            record = stop.record
        except Exception as error:
            if report is not None:
                report.not_tested.append({"cut": moment, "reason": f"{type(error).__name__}: {error}"})
            return False
        compare_features(full, record, self._known_until(moment, last_row), found)
        diverged = compare_decisions(full, record, last_row, found)
        if diverged is not None and not found.features and not found.unexplained:
            found.unexplained = not await self._fills_differ(other, diverged, found)
        return True

    async def _compare_features(
        self, full: Record, moments: list[tuple[float, float]], found: Differences, report: AuditReport
    ) -> None:
        for number, (moment, last_row) in enumerate(moments):
            other = (cut_market, changed_market)[number % 2](self.market, moment)
            try:
                record = await self._run(other, until=-math.inf)
            except Exception:  # too little is left, or it decides while it is made: the runs above say more
                continue
            compare_features(full, record, self._known_until(moment, last_row), found)
            report.feature_cuts.append(moment)

    def _known_until(self, moment: float, last_row: float) -> float:
        """Held back by a shift, what a row shows is known when it opens; without one, when it closes."""
        return moment if self.market.shift else last_row

    async def _run(
        self, market: Market, *, until: float = math.inf, views: bool = False, future_mask: FutureMask | None = None
    ) -> Record:
        deactivate()
        config = self.config_factory()
        feed = market.feeds[feed_key(config.connector_name, config.trading_pair, market.resolution)]
        record = Record(own=own_columns(feed), until=until, views={} if views else None, future_mask=future_mask)
        try:
            outcome = await self.engine.run(recorded(config, record), market, curves=False)
        except Exception as error:
            if record.stopped and record.merged is not None:
                return record
            if record.raised and record.merged is not None:
                raise _RaisedWhileStepping(record, error) from error
            raise
        record.merged = outcome.processed_data.get("features")
        return record

    async def _fills_differ(self, other: Market, diverged: float, found: Differences) -> bool:
        """Whose fault is a decision that differs while no feature does? Run both again, looking at the executors.

        Up to the first decision that differs both runs have created the same executors. If the controller was told
        different things about them, the engine's fills looked ahead, not the controller.
        """
        try:
            full = await self._run(self.market, until=diverged, views=True)
            cut = await self._run(other, until=diverged, views=True)
        except _RaisedWhileStepping:
            return False
        return compare_views(full, cut, diverged, found)


def _differences(one: Record, other: Record) -> Differences:
    """All that differs between two runs of the same candles."""
    found = Differences()
    compare_features(one, other, math.inf, found)
    compare_decisions(one, other, math.inf, found, first_only=False)
    return found

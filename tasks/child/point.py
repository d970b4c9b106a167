"""One point: from its index to its row.

A `PointRunner` is what the points of a chunk share: definition, controllers folder, market, engine. What is done with a
point depends on the kind of sweep; each kind gives one dict, and a failure of any sort is a row that says why.
"""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import TYPE_CHECKING

from tasks.child.deadline import Deadline
from tasks.child.engines import BEST_PATH, EngineChoice, Engines
from tasks.errors import HummingsweepError, ParcelMissing, PointTimeout, describe, one_line
from tasks.grid import Grid
from tasks.intervals import interval_seconds
from tasks.isolation import blackout
from tasks.isolation.clock import clock
from tasks.isolation.notes import notes
from tasks.named_types import Row
from tasks.nested import root_key
from tasks.protocol.messages import Kind, Status, SweepDefinition
from tasks.protocol.returns import RETURNS, encode_row, period_ends, returns_interval
from tasks.protocol.scenario import PLAIN, Scenario

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from tasks.child.process import Child
    from tasks.engine._base import Market, Outcome
    from tasks.upstream.names import ControllerConfigBase

#: Replays that a live replay with a difference takes, at most.
LIVE_RUNS = 10

#: Columns of a row that are not results.


class PointRunner:
    """Runs the points of one chunk. Made inside the event loop, on the first line of the coroutine that uses it, and
    closed after the last point."""

    def __init__(self, me: Child, definition: SweepDefinition, scenario: Scenario = PLAIN):
        self._me = me
        self._sweep = definition
        self._scenario = scenario
        #: the sweep's definition as the scenario changes it
        self._definition = scenario.applied(definition)
        self._grid = Grid.from_mapping(definition.grid)
        self._deadline = Deadline(definition.point_timeout_s)
        self._controllers: Path = me.controllers(definition)
        self._entries = str(self._controllers / "controllers")
        self._entries_changed_at = _changed_at(self._entries)
        self._work: dict[Kind, Callable[[int], Awaitable[Row]]] = {
            Kind.RUN: self._back_test,
            Kind.PROBE: self._probe,
            Kind.VERIFY: self._verify,
            Kind.AUDIT: self._audit,
            Kind.DETAIL: self._detail,
            Kind.TRADES: self._trades,
            Kind.LIVE: self._live,
        }
        self._engines = Engines(self._definition, me.features)

    def close(self) -> None:
        """No point comes any more."""
        self._deadline.close()

    @cached_property
    def market(self) -> Market:
        """What all points run on. Raises ParcelMissing."""
        return self._me.market(self._sweep, self._scenario)

    async def row(self, point: int, hang_marker: Path | None = None) -> Row:
        """The row of a point, whatever happens in it short of the child's death. Raises ParcelMissing.

        `hang_marker`: what `Deadline` leaves where the child dies.
        """
        started = time.perf_counter()
        notes.clear()
        row: Row = {"point": point, "status": Status.OK.value, "error": "", "engine": "", "seconds": 0.0}
        try:
            async with self._deadline.point(hang_marker):
                if self._definition.kind is not Kind.PROBE:
                    self.market  # noqa: B018  it may have to come from the broker: before the guard is shut
                self._me.hang_up()
                with blackout.guard(), self._clock():
                    row |= await self._work[self._definition.kind](point)
        except PointTimeout:
            row |= {"status": Status.TIMEOUT.value, "error": f"took longer than {self._definition.point_timeout_s:g} s"}
        except ParcelMissing:
            raise
        except HummingsweepError as error:
            row |= {"status": Status.ERROR.value, "error": one_line(self._with_cause(str(error)))}
        except BaseException as error:  # a controller may raise anything, KeyboardInterrupt too; the sweep goes on
            row |= {"status": Status.ERROR.value, "error": describe(error)}
        finally:
            await blackout.sweep_up(asyncio.get_running_loop())
        row["seconds"] = time.perf_counter() - started
        if self._definition.kind is not Kind.PROBE:
            row["controller_log"] = notes.controller_log()
        if "warning" not in row and notes.warnings():  # of a point that ended in an error: they often say why
            row["warning"] = _joined(*notes.warnings())
        return row

    def _with_cause(self, error: str) -> str:
        """The error of a probe, which has no column for what the controller logged and swallowed before it."""
        said = notes.controller_log()
        if self._definition.kind is not Kind.PROBE or not said:
            return error
        return f"{error}; before that: {said}"

    def _clock(self) -> AbstractContextManager[None]:
        """Honest: controllers get the back-test's time. Otherwise the wall clock, as on the stock engine."""
        return clock.simulated(self._definition.start) if is_honest(self._definition) else nullcontext()

    def in_order(self, points: list[int]) -> list[int]:
        """The points of a chunk, those side by side whose features are known to be the same."""
        if self._definition.kind is not Kind.RUN:
            return points
        known = set(self.feature_axes())
        places = [place for place, name in enumerate(self._grid.names) if name in known]
        return sorted(points, key=lambda point: [self._grid.digits(point)[place] for place in places])

    def feature_axes(self) -> list[str]:
        """The axes that features were seen to depend on."""
        known = self._me.features.names()
        return [name for name in self._grid.names if root_key(name) in known]

    def config(self, point: int) -> ControllerConfigBase:
        """A fresh controller config of a point, in a process that no point has touched. Raises ControllerError."""
        from tasks.upstream.backtest.build import controller_config

        definition = self._definition
        if _changed_at(self._entries) != self._entries_changed_at:  # a point before this one may have deleted them
            self._controllers = self._me.controllers(definition)
            self._entries_changed_at = _changed_at(self._entries)
        values = {**definition.controller, **self._grid.values(point)}
        if values.get("controller_type") and values.get("controller_name"):
            self._me.isolation.reset(
                self._controllers,
                str(values["controller_type"]),
                str(values["controller_name"]),
                seed=definition.seed,
                point=point,
                start=definition.start,
            )
        return controller_config(values, self._controllers, f"{definition.sweep}-{point}", restored=True)

    async def choice(self, point: int, fills: str) -> EngineChoice:
        """The engine of a point with these fills, "stock" or "honest"."""
        reference = self._reference(point)
        key = (self._sweep.sweep, str(self._scenario), reference)
        with notes.aside():  # only the first point of a controller is tried
            why, several = await self._me.needs.of(key, lambda: self._tried(reference, point), self.market)
        return self._engines.choose(fills, why, several_pairs=several)

    def _tried(self, reference: int, point: int) -> ControllerConfigBase:
        """The config of the reference point, or of the point itself where it is refused. Raises ControllerError."""
        try:
            return self.config(reference)
        except HummingsweepError:
            return self.config(point)

    def _reference(self, point: int) -> int:
        """The point with the first value on every axis but those that name the controller."""
        named = ("controller_type", "controller_name")
        digits = zip(self._grid.names, self._grid.digits(point), strict=True)
        return self._grid.point([digit if name in named else 0 for name, digit in digits])

    async def _outcome(self, point: int, fills: str) -> tuple[Outcome, ControllerConfigBase, str]:
        """A back-test, its config, and what its row warns of."""
        choice = await self.choice(point, fills)
        config = self.config(point)
        outcome = await self._engines.of(choice.name, fills).run(config, self.market)
        return choice.annotated(outcome), config, choice.warning

    async def _back_test(self, point: int) -> Row:
        definition = self._definition
        row: Row = {}
        if definition.fills in ("stock", "both"):
            outcome, config, warning = await self._outcome(point, "stock")
            row |= self._results(outcome, config, warning) | self._returns(outcome, config)
        if definition.fills != "stock":
            outcome, config, warning = await self._outcome(point, "honest")
            honest = self._results(outcome, config, warning)
            if definition.fill_path == "bracket":
                honest |= await self._best_path(point, honest)
            if definition.fills == "both":
                row |= {f"honest_{name}": value for name, value in honest.items() if name not in _NOT_PREFIXED}
                row["warning"] = _joined(row["warning"], honest["warning"])
            else:
                row |= honest | self._returns(outcome, config)
        row["warning"] = _joined(row["warning"], *notes.warnings())
        return row

    async def _best_path(self, point: int, worst: Row) -> Row:
        """Columns of the same point where the favourable extreme of a candle comes first, and a warning where the sign
        of the result hangs on that."""
        best = self._results(*await self._outcome(point, BEST_PATH))
        row: Row = {f"best_path_{name}": best[name] for name in _BRACKETED}
        if (worst["net_pnl"] > 0) != (best["net_pnl"] > 0):
            text = (
                f"whether it gains hangs on which of high and low came first inside the candles: net_pnl "
                f"{worst['net_pnl']:.4g} at worst, {best['net_pnl']:.4g} at best; fill_detail: 1s decides it"
            )
            row["warning"] = _joined(worst["warning"], text)
        return row

    def _results(self, outcome: Outcome, config: ControllerConfigBase, warning: str) -> Row:
        return _results(outcome, config, self.market, warning, self._returns_interval_s)

    def _returns(self, outcome: Outcome, config: ControllerConfigBase) -> Row:
        """The returns of the plain columns of a row: of the stock fills where there are both."""
        from tasks.engine.returns import period_returns

        assert outcome.timestamps is not None
        assert outcome.equity is not None
        capital = float(config.total_amount_quote)
        returns = period_returns(outcome.timestamps, capital + outcome.equity, capital, self._period_ends)
        return {RETURNS: encode_row(returns, self._returns_interval_s)}

    @cached_property
    def _returns_interval_s(self) -> int:
        """Of the period that is run: metrics and returns of a window are those of a plain sweep over it."""
        own = self._definition
        return returns_interval(own.start, own.end, interval_seconds(own.resolution))

    @cached_property
    def _period_ends(self) -> npt.NDArray[np.int64]:
        definition = self._definition
        resolution_s = interval_seconds(definition.resolution)
        return period_ends(definition.start, definition.end, resolution_s, self._returns_interval_s)

    async def _probe(self, point: int) -> Row:
        from tasks.upstream.backtest.build import feed_needs

        needs = feed_needs(self.config(point), self._definition.resolution, self._definition.shift)
        return {"feeds": [[need.connector, need.trading_pair, need.interval, need.max_records] for need in needs]}

    async def _verify(self, point: int) -> Row:
        from tasks.engine.compare import compare
        from tasks.isolation.seeding import held_clock

        market = self.market
        choice = await self.choice(point, self._main_fills)
        # the live engine has no stock engine to be compared with: then the other two are compared all the same
        live: Row = {"live_engine": choice.need if choice.name == "live" else ""}
        with held_clock():
            stock = await self._outcome_or_error("stock", point, market)
            jump = await self._outcome_or_error("jump", point, market)
        if isinstance(stock, str) or isinstance(jump, str):
            # a point that fails must fail in the same words
            said = [outcome if isinstance(outcome, str) else "no error" for outcome in (stock, jump)]
            if said[0] == said[1]:
                return {"engine": "jump", "differences": [], "failed_alike": said[0], "executors": 0, **live}
            difference = {"field": "error", "stock": said[0], "jump": said[1], "candle": None}
            return {"engine": "jump", "differences": [difference], "failed_alike": "", "executors": 0, **live}
        return {
            **live,
            "engine": jump.engine,
            "engine_note": jump.engine_note,
            "differences": [difference.to_dict() for difference in compare(stock, jump)],
            "failed_alike": "",
            "executors": len(stock.executors),
        }

    async def _outcome_or_error(self, engine: str, point: int, market: Market) -> Outcome | str:
        config = self.config(point)  # what the config refuses is not the engines' doing
        try:
            return await self._engines.of(engine, "stock").run(config, market, curves=False)
        except Exception as error:
            return describe(error)

    async def _audit(self, point: int) -> Row:
        from tasks.engine.audit import audit, audit_history, by_construction

        options = self._definition.options
        choice = await self.choice(point, self._main_fills)
        if choice.name == "live":
            report = by_construction(self.config(point), self.market)
        else:
            report = await audit(
                self._engines.fresh(choice.name, self._main_fills),  # every run derives its features itself
                lambda: self.config(point),
                self.market,
                cuts=int(options.get("cuts", 8)),
                seed=self._definition.seed + point,
            )
        history = await audit_history(lambda: self.config(point), self.market, self._definition.seed + point)
        return {"audit": {**report.to_dict(), "history": history.to_dict()}}

    async def _detail(self, point: int) -> Row:
        from tasks.engine.detail import detail

        outcome, config, warning = await self._outcome(point, self._main_fills)
        return {**self._results(outcome, config, warning), "detail": detail(outcome)}

    async def _trades(self, point: int) -> Row:
        from tasks.engine.trades import trades

        wants_honest = self._definition.options.get("fills") == "honest"  # of a sweep with both
        outcome, _, _ = await self._outcome(point, "honest" if wants_honest else self._main_fills)
        return {"engine": outcome.engine, "trades": trades(outcome)}

    async def _live(self, point: int) -> Row:
        """The point's back-test and its live replay, compared."""
        from tasks.engine.live.engine import LiveOptions
        from tasks.engine.live.need import quotes_price_of_now
        from tasks.engine.live.replay import Runs, known_reason, replay

        choice = await self.choice(point, self._main_fills)
        if choice.name == "live":
            return {"live": None, "engine": "live", "engine_note": choice.need}
        back_test, config, _ = await self._outcome(point, self._main_fills)

        async def live(options: LiveOptions) -> Outcome:
            changed = {name: value for name, value in vars(options).items() if value != getattr(LiveOptions, name)}
            return await self._engines.fresh("live", "honest", **changed).run(self.config(point), self.market)

        async def again(market: Market) -> Outcome:
            return await self._engines.fresh(choice.name, "honest").run(self.config(point), market)

        budget_s = float(self._definition.options.get("budget_s") or 0.0)
        otherwise = known_reason(choice.need, quotes_price_of_now(config), self.market.shift)
        found = await replay(
            back_test,
            Runs(live, again, self.market, same_fills=self._main_fills == "honest"),
            otherwise,
            # what is left of the point's time is for finding the reason
            budget_s=min(budget_s or math.inf, self._definition.point_timeout_s / LIVE_RUNS),
        )
        capital = float(config.total_amount_quote)
        return {
            "engine": back_test.engine,
            "live": {
                **found.to_dict(),
                "pnl": found.live_pnl_quote / capital,
                "backtest_pnl": found.backtest_pnl_quote / capital,
            },
        }

    @property
    def _main_fills(self) -> str:
        """The fills of a row's plain columns: "stock", or "honest" for any others that the sweep asks for."""
        return "stock" if self._definition.fills in ("stock", "both") else "honest"


def _changed_at(folder: str) -> int:
    """When an entry was added to a folder or taken away, nanoseconds; 0 where there is no such folder."""
    try:
        return os.stat(folder).st_mtime_ns  # noqa: PTH116  every point asks, and a Path takes as long again
    except OSError:
        return 0


def is_honest(definition: SweepDefinition) -> bool:
    """Whether controllers are given the back-test's time; with `semantics: stock`, as the stock engine has it, not."""
    return definition.semantics != "stock"


def _joined(*warnings: str) -> str:
    """Those that say something, each once."""
    return "; ".join(filter(None, dict.fromkeys(warnings)))


#: Columns that a path bracket gives of the best path.
_BRACKETED = ("net_pnl", "net_pnl_quote", "sharpe", "max_drawdown", "total_positions")
_NOT_PREFIXED = frozenset({"engine", "engine_note", "warning"})


def _results(outcome: Outcome, config: ControllerConfigBase, market: Market, warning: str, interval_s: int) -> Row:
    """Stock results under their stock names, our metrics beside them. `interval_s`: of the returns, seconds."""
    from tasks.metrics import BackTest, metrics
    from tasks.metrics.formulas import win_rate_warning

    assert outcome.timestamps is not None
    assert outcome.equity is not None
    assert outcome.position_value is not None
    assert outcome.turnover is not None
    test = BackTest(
        outcome.timestamps,
        outcome.equity,
        outcome.position_value,
        outcome.turnover,
        resolution_s=interval_seconds(market.resolution),
        total_amount_quote=float(config.total_amount_quote),
        trades=[trade for trade in outcome.trades if trade.filled_amount_quote > 0],
        interval_s=interval_s,
    )
    row: Row = {"engine": outcome.engine, "engine_note": outcome.engine_note, **outcome.results, **metrics(test)}
    warnings = [warning, win_rate_warning(outcome.results), *outcome.warnings, test.too_short]
    row["warning"] = "; ".join(filter(None, warnings))
    return row

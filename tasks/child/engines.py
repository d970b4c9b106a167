"""Which engine runs a point: the one that the sweep names, and with `engine: auto` the one that is right for it.

    fills: stock     jump, which gives the stock engine's results
    other fills      jump where that is proven right, live where the controller needs it (tasks.engine.live.need)

A controller that trades several pairs, or has no single one, runs on the live engine alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks.protocol.messages import SweepDefinition

if TYPE_CHECKING:
    from tasks.engine._base import Engine, Market, Outcome
    from tasks.engine.fills import FillRules
    from tasks.engine.jump.shared import SharedFeatures
    from tasks.upstream.names import ControllerConfigBase

#: The sweep's fills with the favourable extreme of a candle first; see `fill_path: bracket`.
BEST_PATH = "best path"


@dataclass(frozen=True)
class EngineChoice:
    """The engine of a point."""

    #: "stock", "jump" or "live"
    name: str
    #: why the controller needs the live engine; "" where it does not
    need: str

    def annotated(self, outcome: Outcome) -> Outcome:
        """The outcome; where `auto` took the live engine its note says why."""
        if self.need and self.name == "live":
            outcome.engine_note = "; ".join(filter(None, [f"live engine: {self.need}", outcome.engine_note]))
        return outcome

    @property
    def warning(self) -> str:
        """What a row says that another engine than the one its controller needs has computed."""
        if not self.need or self.name == "live":
            return ""
        return (
            f"{self.need}: a back-test calls update_processed_data once, a bot at every tick; `engine: live` with "
            "`fills: honest` runs it as a bot does"
        )


class Engines:
    """The engines of a chunk, each made once."""

    def __init__(self, definition: SweepDefinition, shared: SharedFeatures) -> None:
        self._definition, self._shared = definition, shared
        self._made: dict[tuple[str, str], Engine] = {}

    def choose(self, fills: str, need: str, *, several_pairs: bool) -> EngineChoice:
        """For a point's fills: "stock", "honest" (whatever the sweep asks for but stock) or BEST_PATH.

        `need`: what `why_live` says of it.
        """
        asked = self._definition.engine
        if asked != "auto":
            name = "jump" if asked == "stock" and fills != "stock" else asked
        else:
            name = "live" if several_pairs or (need and fills != "stock") else "jump"
        return EngineChoice(name, need)

    def of(self, name: str, fills: str) -> Engine:
        """The engine of that name with these fills."""
        if (name, fills) not in self._made:
            self._made[name, fills] = self.fresh(name, fills, self._shared)
        return self._made[name, fills]

    def fresh(self, name: str, fills: str, shared: SharedFeatures | None = None, **options: Any) -> Engine:
        """An engine of its own; without `shared` every run derives its features itself. `options`: LiveOptions."""
        if name == "stock":
            from tasks.engine.stock import StockEngine

            return StockEngine()
        if name == "live":
            from tasks.engine.live.engine import LiveEngine, LiveOptions

            options = {"every_s": self._definition.live_every_s, **options}
            return LiveEngine(self._rules(fills), LiveOptions(**options))
        from tasks.engine.jump.engine import JumpEngine

        return JumpEngine(self._rules(fills), shared)

    def _rules(self, fills: str) -> FillRules:
        from tasks.engine.fills import STOCK, FillRules

        definition = self._definition
        if fills == "stock":
            return STOCK
        path = "worst" if definition.fill_path == "bracket" else definition.fill_path
        return FillRules(
            kind="honest" if definition.fills in ("stock", "both") else definition.fills,  # type: ignore[arg-type]  # refused where it is none
            ticks=definition.fill_ticks,
            volume_share=definition.fill_volume_share,
            path="best" if fills == BEST_PATH else path,  # type: ignore[arg-type]  # refused where it is none
            detail=definition.fill_detail,
            maker_cost=definition.maker_cost,
            taker_cost=definition.taker_cost,
            slippage_bps=definition.slippage_bps,
            funding=definition.funding,
        )


class Needs:
    """Why points need the live engine, asked once for all points of one controller.

    The answer is that of the point with the first value on every axis but those that name the controller, so that it
    does not depend on which point of a chunk comes first.
    """

    def __init__(self) -> None:
        self._known: dict[Any, tuple[str, bool]] = {}

    async def of(
        self, key: Any, config_factory: Callable[[], ControllerConfigBase], market: Market
    ) -> tuple[str, bool]:
        """(why, whether it trades several pairs), for a controller under a key. Raises what the config refuses."""
        if key not in self._known:
            from tasks.engine.live.need import why_live
            from tasks.upstream.backtest.markets import has_one_market

            why = await why_live(config_factory, market)
            self._known[key] = why, not has_one_market(config_factory())
        return self._known[key]

"""A scenario: what differs from the plain sweep when points are run under it.

A window of the period, a world of permuted candles, other costs, another engine. The text of a scenario is part of a
chunk's id, so a chunk is complete without a registry of scenarios, and rows are stored under (sweep, scenario, point):
the same points under the same scenario are computed once, whoever asks for them.

    ""                                    the plain sweep
    start=1704067200,end=1706745600       a window
    noise=17                              the 17th world of permuted candles
    fills=stock,cost=3                    other fills, three times the costs

A new kind of scenario is one field here and, where it changes the candles, one entry in tasks.engine.scenarios.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.named_types import JsonObject

if TYPE_CHECKING:
    from tasks.protocol.messages import SweepDefinition

#: Characters of a scenario's text at most: it travels in every chunk id.
MAX_CHARACTERS = 160


@dataclass(frozen=True)
class Scenario:
    """Changes to a sweep; None and 0 change nothing. Fields are written in this order."""

    #: first and last moment of a window, seconds since epoch, UTC; candles outside it (but the warm-up before it)
    #: do not exist for the points
    start: int | None = None
    end: int | None = None
    #: number of a world of permuted candles, from 1 on; see tasks.engine.scenarios
    noise: int = 0
    #: engine and fills in place of the sweep's
    engine: str = ""
    fills: str = ""
    #: factor on every cost: fees, slippage, funding
    cost: float = 1.0
    #: candles by which everything the controller derives is held back, beyond the sweep's shift
    delay: int = 0
    #: noise on every candle, as a fraction of its range
    jitter: float = 0.0

    def __str__(self) -> str:
        changed = (
            (field.name, getattr(self, field.name))
            for field in dataclasses.fields(self)
            if getattr(self, field.name) != field.default
        )
        return ",".join(
            f"{name}={value:.12g}" if isinstance(value, float) else f"{name}={value}" for name, value in changed
        )

    @property
    def changes_period_only(self) -> bool:
        """Whether it is the plain sweep or a window of it."""
        return dataclasses.replace(self, start=None, end=None) == PLAIN

    @classmethod
    def parse(cls, text: str) -> Scenario:
        """The inverse of `str`. Raises ValueError for anything that `str` does not write."""
        values: JsonObject = {}
        for part in text.split(",") if text else []:
            name, _, value = part.partition("=")
            reader = _READERS.get(name)
            if reader is None or name in values:
                raise ValueError(f"{text[:MAX_CHARACTERS]!r} is not a scenario")
            values[name] = reader(value)
        scenario = cls(**values)
        if len(text) > MAX_CHARACTERS or str(scenario) != text:
            raise ValueError(f"{text[:MAX_CHARACTERS]!r} is not a scenario")
        return scenario

    def applied(self, definition: SweepDefinition) -> SweepDefinition:
        """The definition with this scenario's period, engine, fills and costs; the candles are changed elsewhere."""
        changes: JsonObject = {
            "start": definition.start if self.start is None else self.start,
            "end": definition.end if self.end is None else self.end,
            "engine": self.engine or definition.engine,
            "fills": self.fills or definition.fills,
            "shift": definition.shift + self.delay,
        }
        if self.cost != 1.0:
            changes |= {
                "trade_cost": definition.trade_cost * self.cost,
                "maker_cost": None if definition.maker_cost is None else definition.maker_cost * self.cost,
                "taker_cost": None if definition.taker_cost is None else definition.taker_cost * self.cost,
                "slippage_bps": definition.slippage_bps * self.cost,
                "funding": {
                    pair: [[at, rate * self.cost] for at, rate in rates] for pair, rates in definition.funding.items()
                },
            }
        return dataclasses.replace(definition, **changes)


#: The plain sweep.
PLAIN = Scenario()


def _word(text: str) -> str:
    if not text.isidentifier():
        raise ValueError(f"{text[:40]!r} is not a word")
    return text


_READERS: dict[str, Callable[[str], object]] = {
    "start": int,
    "end": int,
    "noise": int,
    "engine": _word,
    "fills": _word,
    "cost": float,
    "delay": int,
    "jitter": float,
}

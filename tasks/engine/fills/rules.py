"""What a sweep asks of its fills."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class FillRules:
    """How orders fill and what they cost. Plain data; see tasks.engine.fills."""

    kind: Literal["stock", "honest"] = "honest"
    #: fractions of the quote amount, per side; None: the market's trade_cost
    maker_cost: float | None = None
    taker_cost: float | None = None
    #: hundredths of a percent of the price, lost on every taker fill
    slippage_bps: float = 0.0
    #: trading pair -> [[seconds since epoch, rate as a fraction], ...]
    funding: Mapping[str, Sequence[Sequence[float]]] = field(default_factory=dict)

    @property
    def is_stock(self) -> bool:
        """Whether upstream's own simulators say what fills."""
        return self.kind == "stock"


#: As the stock engine fills.
STOCK = FillRules("stock")

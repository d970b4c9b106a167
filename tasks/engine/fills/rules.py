"""What a sweep asks of its fills."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

#: The rungs of the ladder, from the most generous to the most careful, and `honest`, which is `volume` as it comes.
KINDS = ("stock", "touch", "through", "volume", "honest")
#: Which extreme of a candle came first, where that decides.
PATHS = ("worst", "best", "nearest")

#: Prices beyond its own that an order must be traded at, and the share of the volume there that it gets: see
#: docs/trust/fills.md for the measurement they were chosen by.
TICKS = 1
VOLUME_SHARE = 0.1


@dataclass(frozen=True)
class FillRules:
    """How orders fill and what they cost. Plain data; what each rung means stands in tasks.engine.fills."""

    kind: Literal["stock", "touch", "through", "volume", "honest"] = "honest"
    #: price increments beyond its own at which a candle must trade to fill a resting order (not for touch); 0: its own
    ticks: int = TICKS
    #: share of the volume traded beyond its price that a resting order gets (volume and honest), above 0, at most 1
    volume_share: float = VOLUME_SHARE
    path: Literal["worst", "best", "nearest"] = "worst"
    #: interval of finer candles to fill orders in, such as "1s", where the market has them; "": none
    detail: str = ""
    #: fractions of the quote amount, per side; None: the market's trade_cost
    maker_cost: float | None = None
    taker_cost: float | None = None
    #: hundredths of a percent of the price, lost on every taker fill
    slippage_bps: float = 0.0
    #: trading pair -> [[seconds since epoch, rate as a fraction], ...]
    funding: Mapping[str, Sequence[Sequence[float]]] = field(default_factory=dict)
    #: whether orders are rounded and refused as the exchange does, and positions liquidated
    exchange_limits: bool = True

    def __post_init__(self) -> None:
        if self.kind not in KINDS or self.path not in PATHS:
            raise ValueError(f"fills {self.kind!r} with path {self.path!r}: there are {KINDS} and {PATHS}")
        if self.ticks < 0 or not 0 < self.volume_share <= 1:
            raise ValueError("ticks must not be negative, volume_share must be above 0 and at most 1")

    @property
    def is_stock(self) -> bool:
        """Whether upstream's own simulators say what fills."""
        return self.kind == "stock"

    @property
    def ticks_through(self) -> int:
        """How many price increments beyond its own a resting order must be traded at."""
        return 0 if self.kind == "touch" else self.ticks

    @property
    def share(self) -> float | None:
        """Share of the volume that resting orders get; None: as much as they want."""
        return self.volume_share if self.kind in ("volume", "honest") else None


#: As the stock engine fills.
STOCK = FillRules("stock")

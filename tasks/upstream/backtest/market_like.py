"""The market of a point, as far as its data provider reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pandas as pd

    from tasks.upstream.names import TradingRule


class MarketLike(Protocol):
    """The part of tasks.engine._base.Market a provider reads."""

    @property
    def feeds(self) -> Mapping[str, pd.DataFrame]:
        """`{connector}_{PAIR}_{interval}` -> candles."""
        ...

    @property
    def trading_rules(self) -> Mapping[str, Mapping[str, TradingRule]]:
        """Connector -> trading pair -> rule."""
        ...

    @property
    def start(self) -> int:
        """First moment, seconds since epoch."""
        ...

    @property
    def end(self) -> int:
        """Last moment, seconds since epoch."""
        ...

    @property
    def resolution(self) -> str:
        """Interval the engine steps over."""
        ...

    @property
    def shift(self) -> int:
        """Candles by which what is derived is held back."""
        ...

    @property
    def delay(self) -> int:
        """Candles of `shift` that hold back controllers, too, which shift for themselves."""
        ...

    @property
    def warmup(self) -> bool:
        """Whether controllers see candles before the start."""
        ...

    @property
    def series(self) -> Mapping[str, pd.DataFrame]:
        """Name -> data beside candles."""
        ...

    @property
    def funding(self) -> Mapping[str, Sequence[Sequence[float]]]:
        """Trading pair -> [[seconds, rate], ...]."""
        ...

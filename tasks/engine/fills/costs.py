"""What trading costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tasks.engine.candles import Candles, Floats


@dataclass(frozen=True)
class Costs:
    """Fractions of the quote amount."""

    maker: float
    taker: float
    #: how much worse than its price a taker fill is
    slippage: float = 0.0

    def taken(self, side: int, price: float) -> float:
        """The price of a taker fill; `side` 1 buys, -1 sells."""
        return price * (1 + side * self.slippage)


class Funding:
    """Funding rates by trading pair: pairs of (seconds since epoch, rate as a fraction), in any order."""

    def __init__(self, rates: Mapping[str, Sequence[Sequence[float]]] | None = None) -> None:
        self._rates = {pair: np.array(sorted(map(tuple, list_)), dtype=np.float64).reshape(-1, 2)
                       for pair, list_ in (rates or {}).items()}  # fmt: skip
        # Same answer for the same candles: the candles of the run at hand are asked for again and again.
        self._known: tuple[Candles, str, Floats] | None = None

    def has(self, pair: str) -> bool:
        """Whether anything is paid on a trading pair."""
        return pair in self._rates

    def per_base(self, candles: Candles, pair: str) -> Floats:
        """Quote that one long base pays when a row opens, float64, shape (n,): the rate × that open.

        A moment between two opens is paid at the later one.
        """
        if self._known is None or self._known[0] is not candles or self._known[1] != pair:
            paid = np.zeros(len(candles))
            rates = self._rates.get(pair)
            if rates is not None:
                rows = candles.timestamp.searchsorted(rates[:, 0])
                inside = rows < len(candles)
                np.add.at(paid, rows[inside], rates[inside, 1] * candles.open[rows[inside]])
            self._known = (candles, pair, paid)
        return self._known[2]

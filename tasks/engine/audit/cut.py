"""The market as it was known at a moment.

    feed 3m   |-----|-----|--:      a candle that closed by the cut is there as it was
    feed 1m   |-|-|-|-|-|-|-:       the one that is forming shows its open only: high, low and close equal it,
                            ^ cut   volume and the rest are 0; nothing opens after the cut

The forming candle of the engine's own feed also keeps the engine from closing every executor on the last candle that
is compared. A running bot sees forming candles too, so that a controller that shifts for itself finds what it expects.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tasks.upstream.provider import interval_seconds

if TYPE_CHECKING:
    import pandas as pd

    from tasks.engine._base import Market

Floats = npt.NDArray[np.float64]

#: The part of the period in which nothing is cut: indicators have hardly begun there.
HEAD = 0.1

PRICES = ("high", "low", "close")


def engine_candles(market: Market, config: Any) -> Floats:
    """Open times of the candles the engine steps over, seconds, shape (n,)."""
    feed = market.feeds[f"{config.connector_name}_{config.trading_pair}_{market.resolution}"]
    stamps = feed["timestamp"].to_numpy(dtype=np.float64)
    return stamps[(stamps >= market.start) & (stamps <= market.end)]


def cut_moments(candles: Floats, first_row: float, cuts: int, seed: int) -> list[tuple[float, float]]:
    """Up to `cuts` pairs (moment, open time of the last row before it), ascending; seconds.

    A moment is the open of a candle: what opened before it has closed. None lies before the second row on which the
    controller had features (`first_row` is the first), nor in the first tenth of the period.
    """
    n = len(candles)
    lowest = max(int(np.searchsorted(candles, first_row)) + 2, int(n * HEAD), 1)
    rows = range(lowest, n)
    chosen = sorted(random.Random(seed).sample(rows, min(cuts, len(rows))))
    return [(float(candles[row]), float(candles[row - 1])) for row in chosen]


def cut_market(market: Market, moment: float) -> Market:
    """A market in which every feed ends at the moment. The market given is not changed."""
    return replace(
        market,
        feeds={
            key: _cut_feed(feed, interval_seconds(key.rpartition("_")[2]), moment) for key, feed in market.feeds.items()
        },
        end=int(moment),
    )


def _cut_feed(feed: pd.DataFrame, seconds: int, moment: float) -> pd.DataFrame:
    opened = feed["timestamp"].to_numpy()
    known = feed.iloc[: int(np.searchsorted(opened, moment, side="right"))].copy()
    forming = known.index[known["timestamp"] + seconds > moment]
    for column in known.columns:
        if column in PRICES:
            known.loc[forming, column] = known.loc[forming, "open"]
        elif column not in ("timestamp", "open"):
            known.loc[forming, column] = 0.0
    return known

"""The market as it was known at a moment.

    feed 3m   |-----|-----|--:      a candle that closed by the cut is there as it was
    feed 1m   |-|-|-|-|-|-|-:       the one that is forming shows its open only: high, low and close equal it,
                            ^ cut   volume and the rest are 0; nothing opens after the cut

    changed   |-|-|-|-|-|-|~|~|~:   the same up to the cut; after it the prices of the whole period go on upside down

The forming candle of the engine's own feed also keeps the engine from closing every executor on the last candle that
is compared. A running bot sees forming candles too, so that a controller that shifts for itself finds what it expects.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tasks.market_names import feed_key
from tasks.upstream.backtest.provider import interval_seconds

if TYPE_CHECKING:
    import pandas as pd

    from tasks.engine._base import Market
    from tasks.upstream.names import ControllerConfigBase

Floats = npt.NDArray[np.float64]

#: The part of the period in which nothing is cut: indicators have hardly begun there.
HEAD = 0.1

PRICES = ("high", "low", "close")

#: Candles over which a move is measured, for cuts before the largest ones.
HORIZONS = (15, 5, 60, 1)

#: Candles between two of them, at least.
APART = 30

#: The part of the period that is left after the last decision a cut is made behind, where there is one so early.
TAIL = 0.01


@dataclass(frozen=True)
class Candles:
    """What the engine steps over: open times in seconds and close prices in quote currency, both of shape (n,)."""

    opened: Floats
    close: Floats


def engine_candles(market: Market, config: ControllerConfigBase) -> Candles:
    """The candles the engine steps over."""
    feed = market.feeds[feed_key(config.connector_name, config.trading_pair, market.resolution)]
    opened = feed["timestamp"].to_numpy(dtype=np.float64)
    within = (opened >= market.start) & (opened <= market.end)
    return Candles(opened[within], feed["close"].to_numpy(dtype=np.float64)[within])


def cut_moments(
    candles: Candles, first_row: float, cuts: int, seed: int, decided: Iterable[float] = ()
) -> list[tuple[float, float]]:
    """Up to `cuts` pairs (moment, open time of the last row before it), ascending; seconds.

    A moment is the open of a candle: what opened before it has closed. None is before the second row on which the
    controller had features (`first_row` is the first), nor in the first tenth of the period.

    A quarter of them are right behind one of the rows `decided` (open times), where what a decision knew of the next
    candles is gone, the last one near the end. Half of them lie before the largest moves of the close, where a cheat
    has most to gain and a rare one acts: in turn behind a decision and anywhere. The rest lie anywhere. First and last
    sort are spread evenly: a cheat that acts in one part of the period is met there.
    """
    n = len(candles.opened)
    lowest = max(int(np.searchsorted(candles.opened, first_row)) + 2, int(n * HEAD), 1)
    rng = random.Random(seed)
    behind = np.unique(np.searchsorted(candles.opened, np.array(sorted(decided), dtype=np.float64), side="right"))
    behind = behind[(behind >= lowest) & (behind < n)]
    chosen = {int(rng.choice(part)) for part in _parts(behind, cuts // 4)}
    early = behind[behind <= n * (1 - TAIL)]
    if chosen and len(early):
        chosen.remove(max(chosen))
        chosen.add(int(early[-1]))
    anywhere = np.arange(lowest, n)
    chosen |= _before_moves(candles.close, (behind, anywhere), cuts // 2, chosen)
    others = np.setdiff1d(anywhere, list(chosen))
    chosen |= {int(rng.choice(part)) for part in _parts(others, cuts - len(chosen))}
    return [(float(candles.opened[row]), float(candles.opened[row - 1])) for row in sorted(chosen)]


def _before_moves(
    close: Floats, candidates: tuple[npt.NDArray[np.int64], ...], count: int, taken: set[int]
) -> set[int]:
    """Up to `count` rows out of the candidates, in turn, behind whose last close the close moves most.

    A move is over one of HORIZONS, in turn; rows nearer than APART to one that was chosen before are left out.
    """
    chosen: set[int] = set()
    candidates = tuple(rows for rows in candidates if len(rows))
    for number in range(count if candidates else 0):
        rows = candidates[number % len(candidates)]
        horizon = HORIZONS[number // len(candidates) % len(HORIZONS)]
        far = np.ones(len(close), dtype=bool)
        for row in chosen | taken:
            far[max(row - APART, 0) : row + APART + 1] = False
        rows = rows[far[rows]]
        if len(rows):
            later = close[np.minimum(rows - 1 + horizon, len(close) - 1)]
            chosen.add(int(rows[np.argmax(np.abs(np.log(later / close[rows - 1])))]))
    return chosen


def _parts(rows: npt.NDArray[np.int64], parts: int) -> list[npt.NDArray[np.int64]]:
    parts = min(parts, len(rows))
    return np.array_split(rows, parts) if parts > 0 else []


def cut_market(market: Market, moment: float) -> Market:
    """A market in which every feed ends at the moment. The market given is not changed."""
    return replace(
        market,
        feeds={
            key: _cut_feed(feed, interval_seconds(key.rpartition("_")[2]), moment) for key, feed in market.feeds.items()
        },
        end=int(moment),
    )


def changed_market(market: Market, moment: float) -> Market:
    """A market whose candles are the same up to the moment and others after it. The market given is not changed.

    A rise becomes a fall as large: price -> A² / price, A the open of the first candle that has not closed. Volumes
    and counts double. What a cut cannot show, such as the direction of the whole period where a part of it has the
    same, changes here.
    """
    return replace(
        market,
        feeds={
            key: _changed_feed(feed, interval_seconds(key.rpartition("_")[2]), moment)
            for key, feed in market.feeds.items()
        },
    )


def _changed_feed(feed: pd.DataFrame, seconds: int, moment: float) -> pd.DataFrame:
    opened = feed["timestamp"].to_numpy()
    first = int(np.searchsorted(opened, moment - seconds, side="right"))
    if first == len(feed):
        return feed
    changed = feed.copy()
    anchor = float(feed["open"].iloc[first])
    for column in feed.columns:
        values = feed[column].to_numpy(dtype=np.float64).copy()
        if column in ("open", *PRICES):
            other = {"high": "low", "low": "high"}.get(column, column)
            values[first:] = anchor * anchor / feed[other].to_numpy(dtype=np.float64)[first:]
        elif column != "timestamp":
            values[first:] *= 2
        changed[column] = values
    return changed


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

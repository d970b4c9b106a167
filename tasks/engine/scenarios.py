"""The market of a scenario: the candles that exist for its points.

A window is cut, not filtered: the frames end with the window and begin with the warm-up before it. What ends before the
sweep's candles do is a copy, so that nothing after its end can be reached from it, and a candle of a longer interval
that has not closed at the end is left out. Candles of the past may lie in the same memory: they are no secret.

    slice     |---- warm-up ----|------------------- period -------------------|--- hold-out ---|
    window                 |-- warm-up --|======= window ======|

A kind of scenario that changes candles is one function and one entry in CHANGES.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import pandas as pd

from tasks.candles.visible import visible_rows
from tasks.engine.jitter import jittered
from tasks.engine.permutation import permuted, permuted_rates, permuted_rows
from tasks.intervals import interval_seconds

if TYPE_CHECKING:
    from tasks.engine._base import Market
    from tasks.protocol.messages import SweepDefinition
    from tasks.protocol.scenario import Scenario

Frames = dict[str, pd.DataFrame]


def _jitter(market: Market, scenario: Scenario, definition: SweepDefinition) -> Market:
    """Noise on every candle; the same for all points and for windows of the same sweep."""
    if not scenario.jitter:
        return market
    return dataclasses.replace(market, feeds=jittered(market.feeds, scenario.jitter, definition.seed))


def _noise(market: Market, scenario: Scenario, definition: SweepDefinition) -> Market:
    """A world of permuted candles, with the data beside them in the order of the same days; the same for all points."""
    if not scenario.noise:
        return market
    world = (scenario.noise, definition.seed, definition.start, definition.end)
    return dataclasses.replace(
        market,
        feeds=permuted(market.feeds, *world),
        series={name: permuted_rows(frame, *world) for name, frame in market.series.items()},
        funding={pair: permuted_rates(rates, *world) for pair, rates in market.funding.items()},
    )


#: Each changes the market for one kind of scenario and leaves it alone for the others; in this order.
CHANGES: list[Callable[[Market, Scenario, SweepDefinition], Market]] = [_noise, _jitter]


def market_of(market: Market, scenario: Scenario, definition: SweepDefinition) -> Market:
    """The market on which the points of a scenario run.

    `market`: with every candle the sweep has. `definition`: the sweep's, as `Scenario.applied` changed it.
    """
    for change in CHANGES:
        market = change(market, scenario, definition)
    return dataclasses.replace(
        market,
        feeds=window(market.feeds, definition, ends=definition.candles_end or market.end),
        start=definition.start,
        end=definition.end,
        trade_cost=definition.trade_cost,
        shift=definition.shift,
        delay=scenario.delay,
    )


def window(frames: Mapping[str, pd.DataFrame], definition: SweepDefinition, ends: int) -> Frames:
    """The candles from the warm-up before the window to its end; `ends`: last moment of which there are candles.

    The warm-up is what a plain sweep over the window would have: as many candles as its points want.
    """
    return {
        feed: _cut(
            frame,
            visible_rows(
                frame["timestamp"].to_numpy(),
                interval_seconds(feed.rpartition("_")[2]),
                definition.warmup_candles.get(feed),
                definition,
                ends,
            ),
        )
        for feed, frame in frames.items()
    }


def _cut(frame: pd.DataFrame, rows: slice) -> pd.DataFrame:
    """One feed of a window."""
    if rows == slice(0, len(frame)):
        return frame
    part = frame.iloc[rows]
    if rows.stop < len(frame):
        part = part.copy()
    part.index = pd.RangeIndex(len(part))
    return part

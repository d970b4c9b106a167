"""The market of a scenario: the candles that exist for its points.

A window is cut, not filtered: the frames are copies that end with the window and begin with the warm-up before it, so
nothing outside can be reached from them. A kind of scenario that changes candles is one function and one entry in
CHANGES.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from tasks.engine._base import Market
    from tasks.protocol.messages import SweepDefinition
    from tasks.protocol.scenario import Scenario

Frames = dict[str, "pd.DataFrame"]

#: Each changes the frames of all feeds for one kind of scenario and leaves them alone for the others; in this order.
CHANGES: list[Callable[[Frames, Scenario, SweepDefinition], Frames]] = []


def market_of(market: Market, scenario: Scenario, definition: SweepDefinition) -> Market:
    """The market on which the points of a scenario run.

    `market`: with every candle the sweep has. `definition`: the sweep's, as `Scenario.applied` changed it.
    """
    frames = dict(market.feeds)
    for change in CHANGES:
        frames = change(frames, scenario, definition)
    frames = window(frames, market.start, definition)
    return dataclasses.replace(
        market,
        feeds=frames,
        start=definition.start,
        end=definition.end,
        trade_cost=definition.trade_cost,
        shift=definition.shift,
    )


def window(frames: Mapping[str, pd.DataFrame], whole_start: int, definition: SweepDefinition) -> Frames:
    """The candles from the warm-up before the window on to its end, as copies.

    The warm-up is as many candles as the whole sweep has before its own start (`whole_start`, seconds), which is what
    a plain sweep over the window would have.
    """
    cut: Frames = {}
    for feed, frame in frames.items():
        times = frame["timestamp"].to_numpy()
        lead = int(np.searchsorted(times, whole_start, side="left"))
        first = max(0, int(np.searchsorted(times, definition.start, side="left")) - lead)
        last = int(np.searchsorted(times, definition.end, side="right"))
        whole = first == 0 and last == len(frame)
        cut[feed] = frame if whole else frame.iloc[first:last].copy().reset_index(drop=True)
    return cut

"""Finer candles for a sweep's fills: what the folder has of them, as slices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tasks.candles.resample import slice_for, sources_for
from tasks.candles.slicer import read
from tasks.errors import CandlesMissing, CandlesNotCovering
from tasks.intervals import interval_seconds
from tasks.protocol.messages import FeedNeed

if TYPE_CHECKING:
    from orchestrator.sweepfile.sweep import Sweep
    from tasks.candles.formats import CandleFile
    from tasks.candles.slices import Slice


def finer_slices(
    sweep: Sweep,
    needs: Sequence[FeedNeed],
    files: Sequence[CandleFile],
    put: Callable[[bytes], str],
    say: Callable[[str], None],
) -> dict[str, str]:
    """Feed key -> address of the slice of every traded pair's finer candles; a pair without any is said and left out.

    `needs`: the sweep's feeds; those of its resolution are what may be traded. `put`: stores bytes, gives the address.
    """
    if not sweep.fill_detail or sweep.fills == "stock":
        return {}
    addresses = {}
    for need in needs:
        finer = FeedNeed(need.connector, need.trading_pair, sweep.fill_detail, 0)
        if need.interval != sweep.resolution or finer.key in addresses:
            continue
        cut = what_there_is(finer, files, sweep.start, sweep.period.end, say)
        if cut is None:
            say(f"{finer.key}: no candles in the period, so orders fill in the {sweep.resolution} candles")
            continue
        times = cut.columns["timestamp"]
        seconds = len(times) * interval_seconds(sweep.fill_detail)
        share = seconds / (sweep.period.end - sweep.start)
        if share < 0.99:
            say(
                f"{finer.key}: covers {share:.0%} of the period; elsewhere orders fill in candles of {sweep.resolution}"
            )
        addresses[finer.key] = put(cut.ipc())
    return addresses


def what_there_is(
    need: FeedNeed, files: Sequence[CandleFile], start: int, end: int, say: Callable[[str], None]
) -> Slice | None:
    """The candles of a feed in the period, or in the part of it that files have; None where they have none."""
    try:
        return slice_for(need, files, start, end, say=say)
    except CandlesMissing:
        return None
    except CandlesNotCovering:
        for parts in sources_for(need, files):
            stretch = read(parts, start, end)
            first = max(start, int(stretch.first))
            last = min(end, int(stretch.last) + interval_seconds(parts[0].interval))
            if first < last:
                return slice_for(need, files, first, last, say=say)
        return None

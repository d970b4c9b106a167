"""What makes a sweep another one than the last of its folder, in words."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import ujson

from orchestrator.sweepfile.sweep import NOT_IN_ID

if TYPE_CHECKING:
    from orchestrator.results.store_reader import StoreReader
    from tasks.protocol.messages import SweepDefinition

#: Fields of a definition that are no keys of the sweep file.
_WORDS = {
    "controllers": "the controllers",
    "slices": "the candles",
    "lead": "the candles",
    "trading_rules": "the trading rules",
    "versions": "the versions (of hummingbot, hummingsweep or Python)",
    "start": "period",
    "end": "period",
    "point_timeout_s": "point_timeout",
    "candles_end": "period",
}
_HELD_OUT = "what is held out at the period's end"


def another_sweep(store: StoreReader, now: SweepDefinition) -> str:
    """One sentence when this is not a sweep the store has, but another than its last one; else nothing."""
    stored = store.sweeps()
    if not stored or any(each.sweep == now.sweep for each in stored):
        return ""
    last = stored[0].definition
    before, after = asdict(last), asdict(now)
    words = _WORDS
    if _whole_period(last) == _whole_period(now):
        words = {**_WORDS, "end": _HELD_OUT, "candles_end": _HELD_OUT}
    # as text, for 1, 1.0 and true are equal to Python, but other values of a config
    texts = [{name: ujson.dumps(value, sort_keys=True) for name, value in each.items()} for each in (before, after)]
    changed = [words.get(name, name) for name in after if name not in NOT_IN_ID and texts[0][name] != texts[1][name]]
    if list(last.grid) != list(now.grid):  # the order of the axes numbers the points
        changed.append("grid")
    what = ", ".join(dict.fromkeys(changed)) or "name"
    return (
        f"another sweep than {last.sweep}, for these changed: {what}; its points are computed as {now.sweep}, and the "
        f"rows of the earlier sweep stay in {store.folder}"
    )


def _whole_period(definition: SweepDefinition) -> tuple[int, int]:
    """First and last moment, seconds, the hold-out included."""
    return definition.start, definition.candles_end or definition.end

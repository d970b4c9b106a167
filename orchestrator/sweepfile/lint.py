"""What a sweep file says that has no effect, or perhaps another than was meant: allowed, and said before the run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from orchestrator.sweepfile.axes import stands_twice

if TYPE_CHECKING:
    from orchestrator.sweepfile.sweep import Sweep

#: Keys that only honest fills read, and their defaults.
_HONEST_KEYS: dict[str, Any] = {"maker_cost": None, "taker_cost": None, "slippage_bps": 0.0, "funding": {}}


def unused(sweep: Sweep) -> Iterator[str]:
    """One sentence each."""
    for name, values in sweep.axes.items():
        if text := stands_twice(values):
            yield f"{sweep.place('grid', name)}: {text}: its points are computed twice"
    yield from _costs(sweep)


def _costs(sweep: Sweep) -> Iterator[str]:
    given = [key for key, default in _HONEST_KEYS.items() if getattr(sweep, key) != default]
    if given and sweep.fills == "stock":
        yield (
            f"{sweep.file}: {', '.join(given)}: without effect, for stock fills pay trade_cost and nothing else; "
            "write fills: honest (or both)"
        )
        return
    if sweep.engine == "stock" and sweep.fills != "stock":
        yield (
            f"{sweep.file}: engine: stock has no honest fills; the honest results are computed by the jump-ahead engine"
        )
    for pair, rates in sweep.funding.items():
        if pair not in sweep.texts:
            yield f"{sweep.file}: funding: neither controller nor grid has {pair}, so none is paid on it"
        elif not any(sweep.start <= at <= sweep.end for at, _ in rates):
            yield f"{sweep.file}: funding: none of the times of {pair} lies in the period, so no funding is paid"

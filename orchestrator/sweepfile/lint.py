"""What a sweep file says that has no effect, or perhaps another than was meant: allowed, and said before the run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from orchestrator.sweepfile import yaml_lines
from orchestrator.sweepfile.axes import duplicate_value
from tasks.nested import root_key

if TYPE_CHECKING:
    from orchestrator.sweepfile.sweep import Sweep

#: Keys of Hummingbot's controllers that are fractions of a price.
FRACTIONS = ("stop_loss", "take_profit", "triple_barrier_config.stop_loss", "triple_barrier_config.take_profit")
#: No venue takes a larger fraction of a trade.
MAX_USUAL_COST = 0.01
#: Keys that only honest fills read, and their defaults.
_HONEST_KEYS: dict[str, object] = {
    "maker_cost": None, "taker_cost": None, "slippage_bps": 0.0, "funding": {}, "fill_ticks": 1,
    "fill_volume_share": 0.1, "fill_path": "worst", "fill_detail": "",
}  # fmt: skip


def lint(sweep: Sweep) -> Iterator[str]:
    """One sentence each."""
    yield from _odd_numbers(sweep)
    yield from _percentages(sweep)
    yield from _half_nested(sweep)
    for name, values in sweep.axes.items():
        if text := duplicate_value(values):
            yield f"{sweep.place('grid', name)}: {text}: its points are computed twice"
    yield from _costs(sweep)


def _odd_numbers(sweep: Sweep) -> Iterator[str]:
    """Numbers that YAML reads in another way than people: 020 is 16, 1_000 is 1000, 1:30 is 90."""
    document = yaml_lines.load(sweep.text)
    for path, text in document.odd_numbers.items():
        value: Any = document.data
        for part in path:
            value = value[part]
        keys = ".".join(map(str, path))
        octal = text.lstrip("+-").startswith("0")
        why = "a leading 0 makes it octal" if octal else "as YAML does"
        meant = f"{text.lstrip('+-0').replace('_', '') or '0'} or {value}" if octal else str(value)
        yield f"{sweep.file}, line {document.line(path)}: {keys}: {text} is read as {value} ({why}); write {meant}"


def _percentages(sweep: Sweep) -> Iterator[str]:
    """Fractions that look like percent."""
    for key in FRACTIONS:
        values = [*sweep.axes.get(key, ()), *([sweep.controller[key]] if key in sweep.controller else [])]
        numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
        if numbers and (most := max(numbers)) >= 1:
            place = sweep.place("grid" if key in sweep.axes else "controller", key)
            yield f"{place}: {most:g} is {most:.0%}; it is a fraction: if {most:g}% is meant, write {most / 100:g}"
    if sweep.trade_cost > MAX_USUAL_COST:
        cost = sweep.trade_cost
        yield f"{sweep.place('trade_cost')}: {cost:g} is {cost:.2%} of every trade; it is a fraction: 0.0006 is 0.06%"


def _half_nested(sweep: Sweep) -> Iterator[str]:
    """Axes into a mapping that the config does not write out: what is beside them gets that mapping's own defaults."""
    for name in sweep.axes:
        root = root_key(name)
        if root != name and sweep.controller.get(root) is None:
            yield (
                f"{sweep.place('grid', name)}: controller has no {root}, so the keys beside {name.rpartition('.')[2]} "
                f"have the defaults of {root}'s own class, not those of the controller; write {root} out to be sure"
            )


def _costs(sweep: Sweep) -> Iterator[str]:
    given = [key for key, default in _HONEST_KEYS.items() if getattr(sweep, key) != default]
    if given and sweep.fills == "stock":
        yield (
            f"{sweep.file}: {', '.join(given)}: without effect, for stock fills pay trade_cost and nothing else; "
            "write fills: honest (or both)"
        )
        return
    if sweep.fills in ("touch", "through") and sweep.fill_volume_share != _HONEST_KEYS["fill_volume_share"]:
        yield f"{sweep.place('fill_volume_share')}: without effect under fills: {sweep.fills}; write fills: volume"
    if sweep.fills == "touch" and sweep.fill_ticks != _HONEST_KEYS["fill_ticks"]:
        yield f"{sweep.place('fill_ticks')}: without effect under fills: touch; write fills: through"
    if sweep.engine == "stock" and sweep.fills != "stock":
        yield (
            f"{sweep.file}: engine: stock has no honest fills; the honest results are computed by the jump-ahead engine"
        )
    for pair, rates in sweep.funding.items():
        if pair not in sweep.texts:
            yield f"{sweep.file}: funding: neither controller nor grid has {pair}, so none is paid on it"
        elif not any(sweep.start <= at <= sweep.end for at, _ in rates):
            yield f"{sweep.file}: funding: none of the times of {pair} lies in the period, so no funding is paid"

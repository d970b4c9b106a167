"""What was asked, of which data, with which versions: groups of (label, value)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.report.text import a_point, plural, shown
from tasks.named_types import JsonObject
from tasks.times import utc_minute

if TYPE_CHECKING:
    import pyarrow as pa

    from tasks.grid import Axis, Grid
    from tasks.protocol.messages import SweepDefinition

#: Values of an axis that are written out.
MAX_VALUES = 12


@dataclass(frozen=True)
class Group:
    """Facts under one heading."""

    title: str
    items: list[tuple[str, str]]
    #: True: the values are digests
    code: bool = False


def facts(
    definition: SweepDefinition, grid: Grid, table: pa.Table, nodes: list[JsonObject], meta: JsonObject
) -> list[Group]:
    """Every group of a sweep; `table` as of StoreReader.table, `nodes` as of StoreReader.nodes."""
    return [
        Group("Question", _question(definition, meta)),
        Group("Grid", [("points", f"{grid.size:,}"), *((axis.name, axis_text(axis)) for axis in grid.axes)]),
        Group("Data", _data(definition), code=True),
        Group("Versions and work", _work(definition, table, nodes)),
    ]


def axis_text(axis: Axis) -> str:
    """An axis' values, the middle left out when there are many."""
    values = [shown(value) for value in axis.values]
    if len(values) > MAX_VALUES:
        values = [*values[: MAX_VALUES // 2], "…", *values[-MAX_VALUES // 2 :]]
    return f"{len(axis):,}: {', '.join(values)}"


def _question(definition: SweepDefinition, meta: JsonObject) -> list[tuple[str, str]]:
    items = [
        ("sweep", definition.sweep),
        ("period", f"{utc_minute(definition.start)} to {utc_minute(definition.end)} UTC"),
        ("resolution", definition.resolution),
        ("trade_cost", f"{definition.trade_cost:g} of the traded amount, per side"),
        ("engine", definition.engine),
        ("shift", plural(definition.shift, "candle")),
        ("fills", definition.fills),
        ("warmup", "true" if definition.warmup else "false"),
        ("rank_by", str(meta.get("rank_by", ""))),
        ("where", str(meta.get("where") or "every point")),
        ("seed", str(definition.seed)),
    ]
    if definition.fills != "stock":
        costs = {"maker_cost": definition.maker_cost, "taker_cost": definition.taker_cost}
        items += [(name, f"{cost:g}") for name, cost in costs.items() if cost is not None]
        items.append(("slippage_bps", f"{definition.slippage_bps:g}"))
        if definition.funding:
            items.append(("funding", ", ".join(sorted(definition.funding))))
    return items


def _data(definition: SweepDefinition) -> list[tuple[str, str]]:
    items = []
    for feed, digest in sorted(definition.slices.items()):
        lead = definition.lead.get(feed, 0)
        items.append((feed, digest + (f", {plural(lead, 'candle')} before the period" if lead else "")))
    items.append(("controllers", definition.controllers or "no digest"))
    for connector, pairs in sorted(definition.trading_rules.items()):
        items.append((f"trading rules of {connector}", ", ".join(sorted(pairs))))
    return items


def _work(definition: SweepDefinition, table: pa.Table, nodes: list[JsonObject]) -> list[tuple[str, str]]:
    engines = Counter(name for name in table.column("engine").to_pylist() if name)
    items = [(name, version) for name, version in sorted(definition.versions.items())]
    items.append(
        ("engines that ran", ", ".join(f"{name} {count:,}" for name, count in engines.most_common()) or "none")
    )
    for node in nodes:
        points, seconds = node["points"], node["seconds"]
        text = f"{plural(points, 'point')}, {seconds:,.1f} s of its children, {a_point(seconds, points)}"
        items.append((str(node["node"]), text))
    return items

"""Stores with rows in them, for the tests of the orchestrator's data side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestrator.results.layout import decided_by
from orchestrator.results.store import Store
from tasks.protocol.messages import Kind, Rows, SweepDefinition

GRID: dict[str, list[Any]] = {"length": [10, 20, 30], "std": [1.0, 2.5], "trading_pair": ["BTC-USDT", "ETH-USDT"]}


def definition(sweep: str = "test-0123456789", grid: dict[str, list[Any]] | None = None) -> SweepDefinition:
    return SweepDefinition(
        sweep=sweep,
        kind=Kind.RUN,
        controller={"controller_name": "x"},
        grid=GRID if grid is None else grid,
        start=1704067200,
        end=1706659200,
        resolution="1m",
        trade_cost=0.0006,
        engine="jump",
        shift=1,
        fills="stock",
        warmup=True,
        point_timeout_s=600,
        seed=0,
    )


def ok(point: int, **results: Any) -> dict[str, Any]:
    return {"point": point, "status": "ok", "error": "", "engine": "jump", "seconds": 0.25, **results}


def failed(point: int, error: str = "ValueError: no", status: str = "error") -> dict[str, Any]:
    return {"point": point, "status": status, "error": error, "engine": "", "seconds": 0.5}


def chunk(rows: Sequence[dict[str, Any]], name: str = "", node: str = "here/0") -> Rows:
    points = [row["point"] for row in rows]
    return Rows.from_dicts(name or f"1:{min(points)}-{max(points)}", node, 1.5, rows)


def fill(store: Store, rows: Sequence[dict[str, Any]], grid: dict[str, list[Any]] | None = None) -> str:
    """Add a sweep and these rows, one chunk; its id."""
    found = definition(grid=grid)
    store.add_sweep(found, "name: test\n", {})
    if rows:
        store.insert(found.sweep, chunk(rows))
    return found.sweep


#: The columns every row ends with, for `definition()`.
DECIDED = decided_by(definition())

"""Rows of a training window as the store gives them, from an objective per point."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa


def table(objective: Mapping[int, float | None], **columns: list[Any]) -> pa.Table:
    """One ok row a point; None: the point failed."""
    points = list(objective)
    return pa.table(
        {
            "point": pa.array(points, pa.int64()),
            "status": ["error" if objective[point] is None else "ok" for point in points],
            "error": [""] * len(points),
            "engine": ["jump"] * len(points),
            "seconds": [0.0] * len(points),
            "net_pnl": pa.array([objective[point] for point in points], pa.float64()),
            **columns,
        }
    )

"""The warnings of some rows, each said once with the points that carry it.

A row's `warning` is one text whose parts are joined by "; ". Parts that the same rows carry are said together. Parts
that differ in their figures only ("3 of 40 executors ...", "5 of 41 executors ...") are one warning, in the words of
the first row that carries it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tasks.named_types import JsonView

#: Points that are named; more are counted.
MAX_NAMED = 5
_FIGURES = re.compile(r"\d[\d.,]*")
_JOINT = "; "


def warning_lines(rows: Sequence[JsonView]) -> list[str]:
    """A line per warning of the rows, in the order in which the rows have them; [] where none warns.

    `rows`: have `point` and, where they warn, `warning`.
    """
    points: dict[str, list[int]] = {}
    words: dict[str, set[str]] = {}
    first: dict[str, str] = {}
    for row in rows:
        parts = dict.fromkeys(part for part in str(row.get("warning") or "").split(_JOINT) if part)
        for part in parts:
            kind = _FIGURES.sub("#", part)
            first.setdefault(kind, part)
            words.setdefault(kind, set()).add(part)
            if row["point"] not in points.setdefault(kind, []):
                points[kind].append(row["point"])
    together: dict[tuple[tuple[int, ...], bool], list[str]] = {}
    for kind, carriers in points.items():
        together.setdefault((tuple(carriers), len(words[kind]) > 1), []).append(first[kind])
    return [
        f"warning ({_whom(carriers, len(rows))}{f'; figures of point {carriers[0]}' if differ else ''}): "
        f"{_JOINT.join(texts)}"
        for (carriers, differ), texts in together.items()
    ]


def _whom(points: Sequence[int], rows: int) -> str:
    if len(points) == rows and rows > 1:
        return f"all {rows} rows shown"
    named = ", ".join(map(str, points[:MAX_NAMED]))
    more = f" and {len(points) - MAX_NAMED} more" if len(points) > MAX_NAMED else ""
    return f"point{'s' if len(points) > 1 else ''} {named}{more}"

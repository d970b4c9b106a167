"""`across`: points ranked by what they do on all values of an axis.

    across: {trading_pair: min}

Points that agree on all other axes are one group. Its objective is the minimum (mean, median, maximum) of its points'
objectives; of several axes the first one is reduced first. A group is ranked where every one of its points is ok and
meets `where`: a point that failed on one pair says nothing of the others.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.grid import Grid
from tasks.named_types import JsonView

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from orchestrator.analysis.scored import Scored


@dataclass(frozen=True)
class Across:
    """The groups of a sweep's ok points."""

    #: the points as `scored` gave them, each with the objective of its group; NaN and no match where it is not ranked
    scored: Scored
    #: one position per ranked group: the point whose own objective comes nearest to the group's, the lowest of several
    heads: npt.NDArray[np.int64]
    #: position of a head -> own objective of each of the group's points, by the values of the axes (joined by a comma)
    own: dict[int, dict[str, float]]
    #: position of a head -> the points themselves, by the same values
    points: dict[int, dict[str, int]]
    #: position of a head -> all points of its group, ascending
    members: dict[int, list[int]]


def reduced(found: Scored, grid: Grid, across: Mapping[str, str]) -> Across:
    """The groups of `found` under `across`: {axis: min | mean | median | max}."""
    import numpy as np

    places = [grid.names.index(axis) for axis in across]
    lengths = [len(grid.axes[place]) for place in places]
    weights = [math.prod(map(len, grid.axes[place + 1 :])) for place in places]
    points: npt.NDArray[np.int64] = found.points.astype(np.int64)
    member: npt.NDArray[np.int64] = np.zeros(len(points), np.int64)
    rest: npt.NDArray[np.int64] = points.copy()
    for weight, length in zip(weights, lengths, strict=True):
        digit = points // weight % length
        member = member * length + digit
        rest = rest - digit * weight
    keys, group = np.unique(rest, return_inverse=True)
    table = np.full((len(keys), math.prod(lengths)), -1, np.int64)
    table[group, member] = np.arange(len(points))
    good = (table >= 0) & found.matching[table]
    whole: npt.NDArray[np.bool_] = np.all(good, axis=1)
    values = found.objective[table].reshape(len(keys), *lengths)
    for how in across.values():
        values = getattr(np, how)(values, axis=1)
    objective = np.where(whole, values.reshape(len(keys)), np.nan)
    nearest = np.argmin(np.nan_to_num(np.abs(found.objective[table] - objective[:, None]), nan=np.inf), axis=1)
    heads = table[np.arange(len(keys)), nearest][whole]
    labels = [
        ", ".join(str(grid.axes[place].values[digit]) for place, digit in zip(places, digits, strict=True))
        for digits in np.ndindex(*lengths)
    ]
    rows = {int(head): table[place] for head, place in zip(heads, np.flatnonzero(whole), strict=True)}
    return Across(
        scored=dataclasses.replace(found, objective=objective[group], matching=found.matching & whole[group]),
        heads=np.sort(heads),
        own={head: dict(zip(labels, found.objective[row].tolist(), strict=True)) for head, row in rows.items()},
        points={head: dict(zip(labels, found.points[row].tolist(), strict=True)) for head, row in rows.items()},
        members={head: sorted(found.points[row].tolist()) for head, row in rows.items()},
    )


def words(across: Mapping[str, str]) -> str:
    """`across` behind the objective's name: min over trading_pair."""
    return ", ".join(f"{how} over {axis}" for axis, how in across.items())


def of_meta(meta: JsonView) -> dict[str, str]:
    """What a stored sweep says; nothing for one that was stored before there was `across`."""
    return dict(meta.get("across") or {})

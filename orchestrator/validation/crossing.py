"""Every point on every test window (`all: true`): do good points stay good, and what other splits would have said.

Rank correlation: Spearman's, of the objective in training with that in the test, per fold, over the points that have
both. 0: the order in training says nothing of the order in the test.

Paths: combinatorial cross-validation (Lopez de Prado, Advances in Financial Machine Learning, 12) over the test windows
as groups. Of n windows, each choice of TESTED is a test and the others are its training; the point whose mean objective
over the training windows is the best is taken through the tested ones. C(n, k) splits cover every window k/n C(n, k)
times, so that they give as many joined curves, where walk-forward gives one. Each window is a back-test of its own that
starts flat and is settled at its end, so no position reaches from one group into another and nothing has to be purged;
the indicators' warm-up is the only overlap.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.validation.joined import Piece, figures, join
from tasks.named_types import JsonObject

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

#: Windows of a split that are tested.
TESTED = 2
#: More windows would give thousands of splits: of more, neighbours are put together.
MAX_GROUPS = 10
#: Fewer points have no order to speak of.
MIN_POINTS = 3


def rank_correlation(inside: Floats, outside: Floats) -> float | None:
    """Spearman's correlation over the points that are finite in both; None for fewer than MIN_POINTS or all alike."""
    both = np.isfinite(inside) & np.isfinite(outside)
    if both.sum() < MIN_POINTS:
        return None
    first, second = _ranks(inside[both]), _ranks(outside[both])
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(np.corrcoef(first, second)[0, 1])


def groups(windows: int) -> list[list[int]]:
    """Window numbers in at most MAX_GROUPS groups of neighbours."""
    return [part.tolist() for part in np.array_split(np.arange(windows), min(windows, MAX_GROUPS))]


def splits(count: int, tested: int = TESTED) -> list[tuple[int, ...]]:
    """The tested groups of every split; (6, 2): 15."""
    return list(combinations(range(count), tested))


def paths(count: int, tested: int = TESTED) -> list[list[int]]:
    """Which split serves each group, per path; (6, 2): 5 paths of 6 groups."""
    serving: list[list[int]] = [[] for _ in range(count)]
    for number, chosen in enumerate(splits(count, tested)):
        for group in chosen:
            serving[group].append(number)
    return [[serving[group][place] for group in range(count)] for place in range(len(serving[0]) if count else 0)]


def winners(objectives: Floats, parts: Sequence[Sequence[int]], tested: int = TESTED, *, ascending: bool) -> list[int]:
    """The position of the point that wins in training, per split.

    `objectives`: float64, shape (windows, points); a point without an objective on a training window cannot win. -1
    where no point can.
    """
    score = -objectives if ascending else objectives
    found = []
    for chosen in splits(len(parts), tested):
        training = [window for group, part in enumerate(parts) if group not in chosen for window in part]
        mean = score[training].mean(axis=0)
        able = np.isfinite(mean)
        found.append(int(np.argmax(np.where(able, mean, -np.inf))) if able.any() else -1)
    return found


def cross(
    objectives: Floats,
    points: Sequence[int],
    pieces: Callable[[int, Sequence[int]], Mapping[int, Piece]],
    *,
    ascending: bool,
) -> JsonObject | None:
    """The paths and what they say; None with fewer than TESTED + 1 windows, or where no point can win a split.

    `objectives` as in `winners`, for `points`; `pieces` gives what some points did on a window by its number.
    """
    parts = groups(len(objectives))
    if len(parts) <= TESTED:
        return None
    won = winners(objectives, parts, ascending=ascending)
    best = sorted({points[place] for place in won if place >= 0})
    windows = [pieces(window, best) for window in range(len(objectives))]
    found = []
    for served in paths(len(parts)):
        joined = [
            windows[window][points[won[split]]]
            for part, split in zip(parts, served, strict=True)
            for window in part
            if won[split] >= 0 and points[won[split]] in windows[window]
        ]
        if joined:
            found.append(figures(join(joined)))
    if not found:
        return None
    returns = [float(each["return_per_year"]) for each in found]
    sharpes = [float(each["sharpe"]) for each in found if each["sharpe"] is not None]
    return {
        "groups": len(parts),
        "tested": TESTED,
        "splits": math.comb(len(parts), TESTED),
        "paths": len(found),
        "points": len(best),
        "return": _spread([float(each["return"]) for each in found]),
        "return_per_year": _spread(returns),
        "sharpe": _spread(sharpes),
        "losing": sum(value < 0 for value in returns) / len(returns),
    }


def _spread(values: Sequence[float]) -> dict[str, float] | None:
    """Lowest, middle and highest."""
    if not values:
        return None
    return {"low": min(values), "median": float(np.median(values)), "high": max(values)}


def _ranks(values: Floats) -> Floats:
    """Ranks from 0 on, equal values with the mean of theirs."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    first = np.cumsum(counts) - counts
    ranks: Floats = (first + (counts - 1) / 2)[places]
    return ranks

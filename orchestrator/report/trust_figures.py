"""The numbers of the verdict's charts: a few thousand, however many points a sweep has."""

from __future__ import annotations

import numpy as np

from orchestrator.analysis.judgement import Judgement
from orchestrator.analysis.statistics.cscv import Measure
from orchestrator.analysis.statistics.moments import Floats
from orchestrator.analysis.trust import Figures
from orchestrator.report.charts import column, number
from tasks.named_types import JsonObject

BINS = 60
#: Points of the picture of splits, and moments of the fan, at most.
MAX_SPLITS = 1000
MAX_MOMENTS = 400


def charts(judged: Judgement, noise: JsonObject | None) -> JsonObject:
    """What the page's script draws; a chart that cannot be drawn is None. `noise`: findings of the noise worlds."""
    found = judged.figures
    whole = found is not None and found.best is not None and found.shown(1.0) is not None
    return {
        "sharpe": _sharpe(found) if whole and found else None,
        "splits": _splits(found) if whole and found else None,
        "fan": _fan(found, judged.ends) if whole and found else None,
        "noise": _noise(noise) if noise and noise.get("best") is not None else None,
    }


def _sharpe(found: Figures) -> JsonObject | None:
    """Sharpe ratios (annual where the period is long enough) of all points that traded, and of the best of as many by
    luck, as shares."""
    if found.family is None or found.moments is None or found.best is None:
        return None
    year = found.shown(1.0) or 1.0
    points = found.moments.sharpe[found.moments.varies] * year
    luck = found.family.by_luck * year
    best = found.best.sharpe * year
    low, high = (float(edge) for edge in np.quantile(points, [0.002, 1.0]))
    low, high = min(low, float(luck.min()), best), max(high, float(luck.max()), best)
    reach = (high - low) or 1.0
    edges = np.linspace(low - 0.02 * reach, high + 0.02 * reach, BINS + 1)
    return {
        "edges": column(edges),
        "points": column(np.histogram(points, edges)[0] / len(points)),
        "luck": column(np.histogram(luck, edges)[0] / len(luck)),
        "best": number(best),
        "average": number(float(luck.mean())),
        "bar": number(float(luck[int(0.95 * len(luck))])),
        "count": len(points),
        "unit": found.unit,
    }


def _splits(found: Figures) -> JsonObject | None:
    """In and out of sample of the chosen point, per split."""
    over = found.overfitting
    if over is None:
        return None
    step = max(1, len(over.inside) // MAX_SPLITS)
    factor = found.shown(1.0) or 1.0
    if over.measure is Measure.GROWTH:
        factor = found.per_year if found.is_annual else 1.0
    names = {Measure.GROWTH: "log growth", Measure.SORTINO: "Sortino ratio"}
    inside, outside = over.inside[::step] * factor, over.outside[::step] * factor
    return {
        "inside": column(inside),
        "outside": column(outside),
        "measure": f"{names.get(over.measure, 'Sharpe ratio')} {found.unit}",
        "loss": number(over.probability_of_loss),
        "line": column(_line(inside, outside, over.slope)),
    }


def _line(inside: Floats, outside: Floats, slope: float) -> Floats:
    """The fitted line at the lowest and highest value in sample: two heights."""
    ends = np.array([inside.min(), inside.max()])
    return np.asarray(outside.mean() + slope * (ends - inside.mean()))


def _fan(found: Figures, ends: list[int]) -> JsonObject | None:
    if found.best is None:
        return None
    bootstrap = found.best.bootstrap
    kept = np.unique(np.linspace(0, len(ends) - 1, min(len(ends), MAX_MOMENTS)).round().astype(np.int64))
    return {
        "time": [ends[place] for place in kept],
        "bands": [column(band[kept]) for band in bootstrap.fan],
        "curve": column(bootstrap.curve[kept]),
    }


def _noise(noise: JsonObject) -> JsonObject:
    bests = [best for best in noise["bests"] if best is not None]
    return {"bests": column(bests), "best": number(noise["best"]), "objective": noise["objective"]}

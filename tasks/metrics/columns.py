"""What every column of a row is: unit, direction, one sentence, and who computes it.

Metrics are described by the catalogue; here is everything else that a row or a ranking holds, and the prefixes that
repeat metrics under other fills.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from tasks.metrics.catalogue import of_name


class Source(StrEnum):
    """Who gives a column its value."""

    #: the sweep file: an axis, or what is the same for every point
    SWEEP = "sweep file"
    STOCK = "stock engine"
    OURS = "hummingsweep"
    CONTROLLER = "controller"


@dataclass(frozen=True)
class Column:
    """One column of a row or of a ranking."""

    name: str
    #: fraction, quote, ratio, days, seconds, per day, count; "" for what has none
    unit: str
    #: 1: more is better, -1: less is better, 0: neither
    better: int
    sentence: str
    source: Source


#: Prefix of a repeated metric -> what is different.
PREFIXES = {
    "honest_": "With honest fills: ",
    "best_path_": "With the better of the two ways through each candle: ",
}

#: (name, unit, sentence) of what is no metric.
_ROW = (
    ("point", "", "Number of the point in the grid, from 0 on, the last axis fastest."),
    ("status", "", "ok, error (the controller raised), timeout, crashed (the process ended three times), or skipped."),
    ("error", "", "Why there are no results; empty where status is ok."),
    ("engine", "", "Engine that computed the point: stock, jump, or live."),
    ("seconds", "seconds", "Computing time of the point."),
    ("engine_note", "", "Why another engine than the one asked for computed the point."),
    ("warning", "", "What makes the results doubtful."),
    ("controller_log", "", "What the controller logged as a warning or error."),
    ("rank", "", "Place in the ranking, from 1 on; points with equal results share it."),
    ("equal_points", "", "Other points with exactly the same results."),
    ("window", "", "Name of the window that the point ran on."),
    ("role", "", "What the window is for: train, test, or holdout."),
    ("start", "", "First moment of the window."),
    ("end", "", "Last moment of the window."),
)
_DECIDED = (
    ("period_start", "seconds", "First moment of the period, seconds since 1970, UTC."),
    ("period_end", "seconds", "Last moment of the period, seconds since 1970, UTC."),
    ("resolution", "", "Length of the candles that the engine steps over."),
    ("shift", "count", "Candles that a value is held back before the controller sees it."),
    ("fills", "", "How orders fill: stock, honest, or both."),
    ("warmup", "", "Whether the controller sees candles from before the period."),
    ("trade_cost", "fraction", "Fee of the traded amount, per side."),
    ("maker_cost", "fraction", "The same for limit orders."),
    ("taker_cost", "fraction", "The same for market orders."),
    ("slippage_bps", "", "Slippage of market orders, hundredths of a percent."),
    ("seed", "", "Seed of the random generators."),
    ("hummingbot_version", "", "Version of Hummingbot that computed the row."),
    ("hummingsweep_version", "", "Version of hummingsweep that computed the row."),
    ("candles_digest", "", "Hash of the candles."),
    ("trading_rules_digest", "", "Hash of the trading rules; empty without any."),
    ("funding_digest", "", "Hash of the funding rates; empty without any."),
    ("controllers_digest", "", "Hash of the controllers' source."),
)

_OTHERS = {name: Column(name, unit, 0, sentence, Source.OURS) for name, unit, sentence in _ROW} | {
    name: Column(name, unit, 0, sentence, Source.SWEEP) for name, unit, sentence in _DECIDED
}
#: Every column that is no metric.
OTHER_COLUMNS = tuple(_OTHERS.values())


def column(name: str, axes: Collection[str] = ()) -> Column:
    """The description of a column; `axes`: names of the sweep's axes, which are columns too.

    A name that nobody knows is taken for a result that the controller added.
    """
    if name.removeprefix("axis_") in axes:
        return Column(name, "", 0, "Value of this axis, as the sweep file writes it.", Source.SWEEP)
    if name in _OTHERS:
        return _OTHERS[name]
    metric = of_name(name)
    if metric is not None:
        source = Source.STOCK if metric.is_stock else Source.OURS
        note = " Annualised." if metric.annual else ""
        return Column(name, metric.unit, metric.better, metric.sentence + note, source)
    for prefix, words in PREFIXES.items():
        if name.startswith(prefix):
            repeated = column(name.removeprefix(prefix))
            sentence = words + repeated.sentence[:1].lower() + repeated.sentence[1:]
            return Column(name, repeated.unit, repeated.better, sentence, Source.OURS)
    return Column(
        name, "", 0, "A result that the controller or the engine adds; not in the catalogue.", Source.CONTROLLER
    )

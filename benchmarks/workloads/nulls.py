"""Sweeps whose points have no skill, or a planted one of known strength: for calibrating the verdict.

A market is a path of 15-minute log returns with fat tails (Student's t, 4 degrees of freedom) and volatility clusters
(GARCH), or real moves
with drawn signs. A point is a position decided at a close and held over the next step,
so its true mean return is 0 on any martingale, whatever the rule. Four rules, each over a grid of its parameters:

directional   the sign of a fast against a slow average, beyond a threshold
making        inventory against the last move, let go of at a rate: what a market maker's fills amount to
grid          inventory by levels below and above a slow average
dca           enters against a move, adds at levels against it, leaves at a target or a stop

No engine runs here: a thousand sweeps take minutes. benchmarks/calibrate.py runs the engine on others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

STEP_S = 900
STEPS_PER_DAY = 96
#: Deviation of a step: 60 % a year.
STEP_VOLATILITY = 0.6 / np.sqrt(365 * STEPS_PER_DAY)
#: Steps before the period, for averages.
WARM_UP = 1000


@dataclass(frozen=True)
class NullSweep:
    """A sweep on a market without an edge."""

    rule: str
    market: str
    days: int
    #: returns of the periods, float64, shape (T, N)
    returns: Floats
    interval_s: int
    #: position of every point on the axes, each scaled to 0..1, shape (N, axes)
    places: Floats


def fat_tailed(steps: int, rng: np.random.Generator) -> Floats:
    """Log returns of steps, GARCH(1, 1) with Student-t shocks."""
    shocks = rng.standard_t(4, size=steps) / np.sqrt(2.0)
    variance, values = 1.0, np.empty(steps)
    for step in range(steps):
        values[step] = np.sqrt(variance) * shocks[step]
        variance = min(0.02 + 0.08 * values[step] ** 2 + 0.90 * variance, 50.0)
    return values * STEP_VOLATILITY


def real_without_direction(file: Path, steps: int, rng: np.random.Generator) -> Floats:
    """Log returns of a candle file (CSV with timestamp and close columns), each with a sign drawn by a coin.

    Sizes stay where they are, so volatility clusters as it did; nothing about direction can be known. The file's days
    come in random order where more steps are wanted than it has. Shuffled steps would be no null: within whatever is
    shuffled the sum stays, and where a price returned within the day (it did in the month used here) it goes on
    doing so.
    """
    import pandas as pd

    candles = pd.read_csv(file, usecols=["timestamp", "close"]).drop_duplicates("timestamp").sort_values("timestamp")
    stamped = candles["timestamp"].to_numpy(dtype=np.float64)
    stamped = stamped / 1000 if stamped[0] > 1e11 else stamped
    closes = candles["close"].to_numpy()[np.flatnonzero(np.diff(stamped // STEP_S))]
    values = np.diff(np.log(closes))
    days = values[: len(values) // STEPS_PER_DAY * STEPS_PER_DAY].reshape(-1, STEPS_PER_DAY)
    sizes = days[rng.integers(len(days), size=-(-steps // STEPS_PER_DAY))].reshape(-1)[:steps]
    signed: Floats = sizes * rng.choice([-1.0, 1.0], size=len(sizes))
    return signed


def null_sweep(rule: str, points: int, days: int, seed: int, candles: Path | None = None) -> NullSweep:
    """A sweep of about so many points without skill; the same for the same arguments."""
    rng = np.random.default_rng(seed)
    steps = WARM_UP + days * STEPS_PER_DAY
    moves = fat_tailed(steps, rng) if candles is None else real_without_direction(candles, steps, rng)
    axes = _axes(points)
    places = np.array(list(product(*(np.linspace(0, 1, size) for size in axes))))
    positions = RULES[rule](np.cumsum(moves), places)[WARM_UP - 1 : -1]
    gained = positions * np.expm1(moves[WARM_UP:])[:, None]
    interval_s = _interval(days)
    per = interval_s // STEP_S
    account = 1 + np.cumsum(gained, axis=0)[per - 1 :: per]
    returns = account / np.vstack([np.ones(len(places)), account[:-1]]) - 1
    return NullSweep(
        rule, "fat tails" if candles is None else "real candles, signs drawn", days, returns, interval_s, places
    )


def with_edge(sweep: NullSweep, annual_sharpe: float, seed: int, width: float = 0.25) -> tuple[Floats, Floats]:
    """The returns with a planted edge: a steady gain at one point of the grid, fading over its neighbours.

    `annual_sharpe` is the true ratio of that point, beyond what luck adds to it. Also the share of it that every point
    has, shape (N,).
    """
    rng = np.random.default_rng(seed)
    centre = sweep.places[rng.integers(len(sweep.places))]
    fade = np.exp(-((sweep.places - centre) ** 2).sum(axis=1) / (2 * width**2))
    ratio = annual_sharpe / np.sqrt(365 * 86400 / sweep.interval_s)
    planted: Floats = sweep.returns + ratio * fade * sweep.returns.std(axis=0, ddof=1)
    return planted, fade


def _axes(points: int) -> list[int]:
    first = max(2, round(points ** (1 / 3)))
    second = max(2, round((points / first) ** 0.5))
    return [first, second, max(1, round(points / first / second))]


def _interval(days: int) -> int:
    return next(each for each in (86400, 43200, 21600, 14400, 7200, 3600, 1800, 900) if days * 86400 // each >= 90)


def _averages(price: Floats, spans: Floats) -> Floats:
    """Exponential averages of a path, shape (steps, spans)."""
    weight = 2 / (spans + 1)
    found = np.empty((len(price), len(spans)))
    now = np.full(len(spans), price[0])
    for step, value in enumerate(price):
        now += weight * (value - now)
        found[step] = now
    return found


def _of_distinct(price: Floats, spans: Floats) -> Floats:
    distinct, back = np.unique(spans, return_inverse=True)
    return _averages(price, distinct)[:, back]


def _directional(price: Floats, places: Floats) -> Floats:
    fast, slow = np.round(4 * 8 ** places[:, 0]), np.round(40 * 10 ** places[:, 1])
    threshold = places[:, 2] * 2 * STEP_VOLATILITY
    gap = _of_distinct(price, fast) - _of_distinct(price, slow)
    return np.sign(gap) * (np.abs(gap) > threshold)


def _making(price: Floats, places: Floats) -> Floats:
    spread, rate, most = (
        (0.3 + 2 * places[:, 0]) * STEP_VOLATILITY,
        0.05 + 0.5 * places[:, 1],
        1 + 4 * places[:, 2],
    )
    inventory, found = np.zeros(len(places)), np.empty((len(price), len(places)))
    for step, move in enumerate(np.diff(price, prepend=price[0])):
        inventory += np.clip(np.trunc(-move / spread), -2, 2)
        inventory = np.clip(inventory * (1 - rate), -most, most)
        found[step] = inventory
    return found / 3


def _grid(price: Floats, places: Floats) -> Floats:
    spacing = (1 + 6 * places[:, 0]) * STEP_VOLATILITY
    levels = np.round(2 + 8 * places[:, 1])
    centre = _of_distinct(price, np.round(100 * 8 ** places[:, 2]))
    return np.clip(np.round((centre - price[:, None]) / spacing), -levels, levels) / levels


def _dca(price: Floats, places: Floats) -> Floats:
    drop = (4 + 12 * places[:, 0]) * STEP_VOLATILITY
    target = (2 + 10 * places[:, 1]) * STEP_VOLATILITY
    levels = np.round(1 + 4 * places[:, 2])
    average = _averages(price, np.array([60.0]))[:, 0]
    side, held, cost = np.zeros(len(places)), np.zeros(len(places)), np.zeros(len(places))
    found = np.empty((len(price), len(places)))
    for step, value in enumerate(price):
        away = average[step] - value
        gain = side * (value - cost)
        ended = (held > 0) & ((gain > target) | (gain < -3 * drop))
        added = (held > 0) & ~ended & (held < levels) & (gain < -drop * held / 2)
        entered = (held == 0) & (np.abs(away) > drop)
        cost = np.where(entered, value, np.where(added, (cost * held + value) / (held + 1), cost))
        side = np.where(ended, 0, np.where(entered, np.sign(away), side))
        held = np.where(ended, 0, held + entered + added)
        found[step] = side * held
    return found / 3


RULES: dict[str, Callable[[Floats, Floats], Floats]] = {
    "directional": _directional,
    "making": _making,
    "grid": _grid,
    "dca": _dca,
}

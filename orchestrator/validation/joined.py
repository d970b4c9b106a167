"""Test windows joined into one out-of-sample curve, and what it says.

Every window is a back-test that starts with the config's total amount and ends with its positions settled. The curve
goes on where the window before it ended: growth is the product of 1 + return over all intervals of all windows. Between
two windows (an embargo, a longer step) it is flat.

Returns are fractions of the account per fixed interval, the same for all windows: the stored returns of a window are at
the interval that a plain sweep over it has, and are put together into that of the sweep. A rate per year is simple, not
compounded (a bot trades a fixed amount): return x 365 days / length. The Sharpe ratio is mean / deviation (ddof 1) of
the intervals' returns; it is annualised for display only, and from MIN_RETURNS returns on.

The interval of the Sharpe ratio is the asymptotic one of Mertens (2002) that the probabilistic Sharpe ratio of Bailey
and Lopez de Prado (2012) rests on: SR +- 1.96 sqrt((1 - g3 SR + (g4 - 1) / 4 SR^2) / (T - 1)), per interval, with g3
the skew and g4 the kurtosis (3 for a normal).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tasks.named_types import JsonObject
from tasks.protocol.returns import returns_interval

if TYPE_CHECKING:
    import numpy.typing as npt

    from orchestrator.validation.folds import Window

    Floats = npt.NDArray[np.float64]

YEAR_S = 365 * 86400
#: Fewer returns are not annualised and have no interval.
MIN_RETURNS = 30
#: Of a normal distribution, both sides, 95 %.
NORMAL_95 = 1.959963984540054
#: Of a normal distribution, one side, 80 %.
NORMAL_80 = 0.8416212335729143


@dataclass(frozen=True)
class Piece:
    """A point on one window."""

    window: Window
    #: seconds of a whole interval
    interval_s: int
    #: fractions of the account, float64, shape (intervals,); empty where the point failed there
    returns: Floats
    #: moments at which the intervals end, seconds since epoch, float64, shape (intervals,)
    ends: Floats

    @property
    def total(self) -> float:
        """The return over the whole window."""
        return float(np.prod(1.0 + self.returns) - 1.0)

    @property
    def years(self) -> float:
        """The window's length."""
        return max(self.window.end - self.window.start, self.interval_s) / YEAR_S

    @property
    def per_year(self) -> float:
        """The return as a simple rate per year."""
        return self.total / self.years


@dataclass(frozen=True)
class Curve:
    """Several windows, one after another."""

    #: moments at which growth is known, seconds since epoch, float64, shape (n,)
    time: Floats
    #: value of an account that began at 1, float64, shape (n,)
    growth: Floats
    #: all returns in order, float64, shape (n - windows,)
    returns: Floats
    interval_s: int
    pieces: tuple[Piece, ...]


def piece_of(window: Window, interval_s: int, returns: Floats, ends: Floats) -> Piece:
    """A piece of stored returns: after an account was lost (-1 or less, then NaN) nothing moves any more."""
    return Piece(window, interval_s, np.maximum(np.nan_to_num(returns, nan=0.0), -1.0), ends)


def in_longer_intervals(piece: Piece, interval_s: int, ends: Floats) -> Piece:
    """The same piece in intervals of `interval_s` seconds that end at `ends`; their returns are products of 1 + return.

    Every interval of the piece lies in one of them: `interval_s` is a multiple of the piece's.
    """
    places = np.minimum(np.searchsorted(ends, piece.ends, side="left"), len(ends) - 1)
    firsts = np.flatnonzero(np.diff(places, prepend=-1))
    returns = np.zeros(len(ends))
    if len(firsts):
        returns[places[firsts]] = np.multiply.reduceat(1.0 + piece.returns, firsts) - 1.0
    return Piece(piece.window, interval_s, returns, ends)


@functools.lru_cache(maxsize=64)
def common_interval_s(windows: tuple[Window, ...], resolution_s: int) -> int:
    """Seconds of the shortest interval that the returns of all these windows can be put together into.

    The longest of theirs; a multiple of it where one does not fit into it, as 4h into 6h.
    """
    return math.lcm(*{returns_interval(window.start, window.end, resolution_s) for window in windows})


def join(pieces: Sequence[Piece]) -> Curve:
    """One curve of windows in the order of time. Raises ValueError without one, or where two overlap."""
    if not pieces:
        raise ValueError("there is no window to join")
    ordered = sorted(pieces, key=lambda piece: piece.window.start)
    times: list[Floats] = []
    growth: list[Floats] = []
    level, before = 1.0, -math.inf
    for piece in ordered:
        if piece.window.start <= before:
            raise ValueError(f"the windows overlap at {piece.window}")
        before = piece.window.end
        times.append(np.concatenate([[float(piece.window.start)], piece.ends]))
        growth.append(level * np.concatenate([[1.0], np.cumprod(1.0 + piece.returns)]))
        level = float(growth[-1][-1])
    return Curve(
        np.concatenate(times),
        np.concatenate(growth),
        np.concatenate([piece.returns for piece in ordered]),
        ordered[0].interval_s,
        tuple(ordered),
    )


def figures(curve: Curve) -> JsonObject:
    """What a joined curve says; a figure that the data cannot carry is None.

    return (fraction), return_per_year (simple), sharpe (annualised), sharpe_low and sharpe_high (95 %), sharpe_shown
    (see `shown_from`), max_drawdown (0 or negative), windows, winning_windows (share), days, intervals, interval_s.
    """
    years = math.fsum(piece.years for piece in curve.pieces)
    peak = np.maximum.accumulate(curve.growth)
    total = float(curve.growth[-1] - 1.0)
    return {
        "return": total,
        "return_per_year": math.fsum(piece.total for piece in curve.pieces) / years,
        **sharpe(curve.returns, curve.interval_s),
        "sharpe_shown": shown_from(years) if len(curve.returns) >= MIN_RETURNS else None,
        "max_drawdown": float(np.min(curve.growth / peak - 1.0)),
        "windows": len(curve.pieces),
        "winning_windows": sum(piece.total > 0 for piece in curve.pieces) / len(curve.pieces),
        "days": years * 365,
        "intervals": len(curve.returns),
        "interval_s": curve.interval_s,
    }


def sharpe(returns: Floats, interval_s: int) -> dict[str, float | None]:
    """The annualised Sharpe ratio with its 95 % interval; all None below MIN_RETURNS returns or without variation."""
    nothing: dict[str, float | None] = dict.fromkeys(("sharpe", "sharpe_low", "sharpe_high"))
    count = len(returns)
    if count < MIN_RETURNS or not np.isfinite(returns).all():
        return nothing
    deviation = float(returns.std(ddof=1))
    mean = float(returns.mean())
    if deviation <= 1e-12 * max(1.0, abs(mean)):
        return nothing
    ratio = mean / deviation
    centred = (returns - mean) / returns.std()
    skew, kurtosis = float(np.mean(centred**3)), float(np.mean(centred**4))
    error = math.sqrt(max(0.0, 1 - skew * ratio + (kurtosis - 1) / 4 * ratio**2) / (count - 1))
    year = math.sqrt(YEAR_S / interval_s)
    return {
        "sharpe": ratio * year,
        "sharpe_low": (ratio - NORMAL_95 * error) * year,
        "sharpe_high": (ratio + NORMAL_95 * error) * year,
    }


def shown_from(years: float) -> float:
    """The true Sharpe ratio a year from which on tests of this length show an edge in 80 % of cases.

    Shown: the 95 % interval of the ratio found lies above 0. For normal returns, and a ratio per interval far below 1,
    the ratio found is normal around the true one with a deviation of 1 / sqrt(years), so that a true ratio s is shown
    with probability Phi(s sqrt(years) - 1.96): 80 % from (1.96 + 0.84) / sqrt(years) on. Fat tails need more.
    """
    return (NORMAL_95 + NORMAL_80) / math.sqrt(years)


def efficiency(inside: Sequence[Piece], outside: Sequence[Piece]) -> float | None:
    """Mean yearly return of the test windows over that of the training windows; None where training did not earn."""
    if not inside or not outside:
        return None
    earned = math.fsum(piece.per_year for piece in inside) / len(inside)
    kept = math.fsum(piece.per_year for piece in outside) / len(outside)
    return kept / earned if earned > 0 else None

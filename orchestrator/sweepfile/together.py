"""What no single key of a sweep file can know. A new check is one function in CHECKS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from orchestrator.sweepfile.in_sample import check_holdout
from orchestrator.sweepfile.mistakes import Mistake
from orchestrator.sweepfile.skip import skip_for
from tasks.candles.symbols import QUOTES, readings
from tasks.errors import BadAxis
from tasks.intervals import interval_seconds
from tasks.nested import config_values, root_key
from tasks.suggest import nearest
from tasks.times import utc_second

if TYPE_CHECKING:
    from orchestrator.sweepfile.keys import SweepKeys

#: Keys every controller needs; each may be an axis instead.
CONTROLLER_KEYS = ("controller_type", "controller_name")
#: Keys a controller on one pair needs. Generic ones may name their pairs elsewhere; the live engine runs those.
MARKET_KEYS = ("connector_name", "trading_pair")
ON_ONE_PAIR = ("directional_trading", "market_making")
#: Columns of every row; an axis cannot have their names.
ROW_COLUMNS = ("point", "status", "error", "engine", "seconds")
#: A point's index is a signed 64-bit integer in the store.
MAX_POINTS = 2**63 - 1


def mistakes_of(sweep: SweepKeys) -> list[Mistake]:
    """Everything that the checks find."""
    return [mistake for check in CHECKS for mistake in check(sweep)]


def _grid_is_not_empty(sweep: SweepKeys) -> Iterator[Mistake]:
    if not sweep.axes:
        yield Mistake(("grid",), "is empty; give at least one axis, such as bb_length: [50, 100]", BadAxis)


def _controller_is_whole(sweep: SweepKeys) -> Iterator[Mistake]:
    one_pair = sweep.engine in ("jump", "stock") or sweep.controller.get("controller_type") in ON_ONE_PAIR
    for key in CONTROLLER_KEYS + (MARKET_KEYS if one_pair else ()):
        if key not in sweep.axes and not sweep.controller.get(key):
            text = f"is missing; add it as Hummingbot's config has it, or make {key} an axis of the grid"
            yield Mistake(("controller", key), text)


def _pairs_are_written_as_hummingbot_writes_them(sweep: SweepKeys) -> Iterator[Mistake]:
    pairs = [(("controller", "trading_pair"), sweep.controller.get("trading_pair"))]
    pairs += [(("grid", "trading_pair"), value) for value in sweep.axes.get("trading_pair", ())]
    for path, pair in pairs:
        if isinstance(pair, str) and pair and "-" not in pair:
            found = readings(pair, QUOTES)
            hint = f"write {' or '.join(found)}" if found else "write it as BTC-USDT"
            yield Mistake(path, f"{pair!r}: a trading pair is written BASE-QUOTE; {hint}")


def _axes_lead_somewhere(sweep: SweepKeys) -> Iterator[Mistake]:
    for name in sweep.axes:
        root = root_key(name)
        if name in ROW_COLUMNS:
            yield Mistake(("grid", name), "is a column of every row; no axis can have this name", BadAxis)
        elif root != name and root in sweep.axes:
            yield Mistake(("grid", name), f"lies in {root}, which is an axis, too; keep one of them", BadAxis)
        elif root != name:
            try:
                config_values(sweep.controller, {name: None})
            except ValueError as error:
                yield Mistake(("grid", name), f"leads nowhere: controller: {error}", BadAxis)


def _points_can_be_numbered(sweep: SweepKeys) -> Iterator[Mistake]:
    if sweep.grid.size > MAX_POINTS:
        text = f"{sweep.grid.size:.1e} points are too many to number; take values away"
        yield Mistake(("grid",), text, BadAxis)


def _skip_can_be_decided(sweep: SweepKeys) -> Iterator[Mistake]:
    if sweep.skip is None or not sweep.axes or sweep.grid.size > MAX_POINTS:
        return
    try:
        skip = skip_for(sweep.grid.to_mapping(), sweep.controller, sweep.skip)
    except ValueError as error:
        yield Mistake(("skip",), str(error))
        return
    if not skip.kept:
        yield Mistake(
            ("skip",), f"`{sweep.skip}` leaves out all {sweep.grid.size:,} points; turn it around or widen it"
        )


def _across_is_over_axes(sweep: SweepKeys) -> Iterator[Mistake]:
    for axis in sweep.across:
        if axis not in sweep.axes:
            text = f"is no axis of the grid; the nearest is `{nearest(axis, sweep.axes)}`"
            yield Mistake(("across", axis), text)


def _fill_detail_is_finer(sweep: SweepKeys) -> Iterator[Mistake]:
    if not sweep.fill_detail:
        return
    finer, own = interval_seconds(sweep.fill_detail), interval_seconds(sweep.resolution)
    if finer >= own or own % finer:
        text = f"{sweep.fill_detail} does not divide resolution: {sweep.resolution} into finer candles; write 1s or 1m"
        yield Mistake(("fill_detail",), text)


def _funding_is_of_a_pair(sweep: SweepKeys) -> Iterator[Mistake]:
    if sweep.funding and sweep.texts.isdisjoint(sweep.funding):  # a few others may come from a file for many sweeps
        pair = next(iter(sweep.funding))
        near = nearest(pair, sorted(sweep.texts))
        text = f"neither controller nor grid has this trading pair; the nearest is {near}"
        yield Mistake(("funding", pair), text)


def _period_has_a_length(sweep: SweepKeys) -> Iterator[Mistake]:
    if sweep.period.end <= sweep.start:
        text = f"{utc_second(sweep.period.end)} is not after period.start {utc_second(sweep.start)}; swap or mend them"
        yield Mistake(("period", "end"), text)
    elif wrong := check_holdout(sweep):
        yield Mistake(*wrong)


CHECKS: tuple[Callable[[SweepKeys], Iterator[Mistake]], ...] = (
    _grid_is_not_empty,
    _controller_is_whole,
    _pairs_are_written_as_hummingbot_writes_them,
    _axes_lead_somewhere,
    _points_can_be_numbered,
    _skip_can_be_decided,
    _across_is_over_axes,
    _fill_detail_is_finer,
    _funding_is_of_a_pair,
    _period_has_a_length,
)

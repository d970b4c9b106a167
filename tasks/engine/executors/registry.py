"""From a config to the kind of executor it makes, and to its simulation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.engine.executors import dca, grid, order, position
from tasks.engine.executors._base import ExecutorKind, Trajectory
from tasks.engine.executors.accepted import accepted
from tasks.engine.executors.lazy_config import LazyPositionConfig

if TYPE_CHECKING:
    from tasks.engine.candles import Candles
    from tasks.engine.fills.run import RunFills
    from tasks.upstream.names import ExecutorConfigBase

#: Every kind that a back-test simulates.
KINDS: tuple[ExecutorKind, ...] = (position.KIND, dca.KIND, grid.KIND, order.KIND)

_BY_CLASS: dict[type, ExecutorKind] = {kind.config: kind for kind in KINDS} | {LazyPositionConfig: position.KIND}


def kind_of(config: ExecutorConfigBase) -> ExecutorKind | None:
    """The kind of executor that a config makes; None for one that no back-test simulates."""
    found = _BY_CLASS.get(type(config))
    if found is None:  # a class of the user's own, made from one of hummingbot's
        found = next((_BY_CLASS[one] for one in type(config).__mro__ if one in _BY_CLASS), None)
    return found


def simulate(config: ExecutorConfigBase, candles: Candles, row: int, fills: RunFills) -> Trajectory | None:
    """The whole life of the executor that `config` makes on a row of the candles.

    `candles`: the rows the engine steps over, of the executor's own pair, all of them to the end of the period: what
    happens after `row` decides how the executor ends, and the engine that asks must not show it to the controller
    before. `row`: where it is decided, at that row's close; its orders act from the next row on. `fills`: how orders
    fill on these candles in this run; see tasks.engine.fills.run.

    None: its time limit lies before `row`, and it never exists. Raises TypeError for a kind that no back-test has (see
    `kind_of`), NotReproduced for a config that upstream would refuse or that stock fills do not reproduce, and what
    upstream's simulator raises.
    """
    kind = kind_of(config)
    if kind is None:
        raise TypeError(f"no simulation of {type(config).__name__}")
    if type(config) is not LazyPositionConfig:
        accepted(config, kind.config)
    if not fills.rules.is_stock:
        return kind.honest(candles, row, config, fills)
    trajectory = kind.stock(candles, row, config, fills)
    fills.note_stock_orders(config, kind.orders(config))
    return trajectory

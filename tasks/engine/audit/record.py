"""What a controller decided and derived in one run, written down at the source.

The controller's class is wrapped for the run: every call of `determine_executor_actions` and the frame that
`update_processed_data` leaves are recorded, so that any engine can be audited and nothing is lost that an engine's
ledger does not hold, such as an executor whose simulation failed.
"""

from __future__ import annotations

import math
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tasks.upstream.backtest.build import controller_class

if TYPE_CHECKING:
    import pandas as pd

    from tasks.engine.audit.future_mask import FutureMask
    from tasks.upstream.names import ControllerBase, ControllerConfigBase

#: Fields of an executor config that are new in every run.
NEW_EACH_RUN = frozenset({"id"})

#: Columns of the merged frame that are the engine's own candle, not the controller's doing; see `own_columns`.
OWN = frozenset({"timestamp", "open", "high", "low", "close", "volume"})


def own_columns(feed: pd.DataFrame) -> frozenset[str]:
    """Columns of a merged frame that the engine makes of its own candles; what else ends in _bt is the controller's."""
    return OWN | {f"{name}_bt" for name in feed.columns}


class Enough(Exception):
    """The run has come to the last row that is asked for."""


@dataclass(frozen=True)
class Decision:
    """One action of the controller."""

    #: "create", "stop" or "raised"
    kind: str
    #: what is created (type, side, level) or which executor is stopped, to find the same decision in another run
    what: tuple[str, ...]
    #: dotted name -> value, such as triple_barrier_config.stop_loss
    fields: dict[str, Any]


@dataclass
class Record:
    """One run."""

    #: columns of the merged frame that are the engine's own
    own: frozenset[str] = OWN
    #: open time of the last row that is run, seconds; -inf: only the features are made
    until: float = math.inf
    #: open time of the row -> what was decided on it, in order; rows without a decision are left out
    decisions: dict[float, list[Decision]] = field(default_factory=dict)
    #: the features as the controller made them, before the engine merges them; None where it makes none
    raw: pd.DataFrame | None = None
    #: the merged frame the engine stepped over, index = open time of the row
    merged: pd.DataFrame | None = None
    #: open time of the row -> what the controller was told of its executors; None: not asked for
    views: dict[float, tuple[Any, ...]] | None = None
    #: hides what is later while the controller decides; None: all is in reach
    future_mask: FutureMask | None = None
    #: whether a decision raised, or the run came to `until`
    raised: bool = False
    stopped: bool = False
    #: executor id -> (open time of the row that created it, number in that row)
    labels: dict[str, tuple[float, int]] = field(default_factory=dict)

    def count(self) -> int:
        """Number of decisions."""
        return sum(map(len, self.decisions.values()))

    def first_row(self) -> float:
        """Open time of the first row the engine stepped over."""
        assert self.merged is not None
        return float(self.merged.index[0])

    def columns(self) -> list[str]:
        """Names of the feature columns the controller is responsible for."""
        assert self.merged is not None
        return [str(name) for name in self.merged.columns if str(name) not in self.own]

    def restart(self) -> None:
        """An engine that gives up begins again, on another: what it wrote down so far does not count."""
        self.raw = self.merged = None
        self.decisions.clear()
        self.labels.clear()
        if self.views is not None:
            self.views.clear()

    def note(self, time: float, decision: Decision) -> None:
        """A decision was made at a time, seconds since epoch."""
        self.decisions.setdefault(time, []).append(decision)


def recorded(config: ControllerConfigBase, record: Record) -> Any:
    """The same config object, whose controller writes down into `record` what it does.

    The class of the config is replaced by a subclass that answers `get_controller_class` with the wrapped controller.
    """
    config_class = type(config)
    watched = _watched(controller_class(config), record)
    config.__class__ = type(
        config_class.__name__,
        (config_class,),
        {"__module__": config_class.__module__, "get_controller_class": lambda self: watched},
    )
    return config


def _watched(original: Any, record: Record) -> Any:
    async def update_processed_data(self: Any) -> None:
        record.restart()
        await original.update_processed_data(self)
        record.raw = self.processed_data.get("features")
        if record.future_mask is not None:
            record.future_mask.learn(record.raw)

    def determine_executor_actions(self: Any) -> list[Any]:
        now = float(self.market_data_provider.time())
        if record.merged is None:
            record.merged = self.processed_data.get("features")
        if now > record.until:
            record.stopped = True
            raise Enough
        if record.views is not None:
            record.views[now] = _view(self, record)
        try:
            with record.future_mask.on(self, now) if record.future_mask is not None else nullcontext():
                actions: list[Any] = original.determine_executor_actions(self)
        except Exception as error:
            record.raised = True
            record.note(now, Decision("raised", (type(error).__name__,), {"message": str(error)}))
            raise
        for action in actions:
            record.note(now, _decision(action, now, record))
        return actions

    return type(
        original.__name__,
        (original,),
        {
            "__module__": original.__module__,
            "__doc__": original.__doc__,
            "update_processed_data": update_processed_data,
            "determine_executor_actions": determine_executor_actions,
        },
    )


def _decision(action: Any, now: float, record: Record) -> Decision:
    executor = getattr(action, "executor_config", None)
    if executor is None:
        created, number = record.labels.get(action.executor_id, (float("nan"), -1))
        return Decision(
            "stop", (f"{created:.0f}", str(number)), {"keep_position": bool(getattr(action, "keep_position", False))}
        )
    record.labels[executor.id] = (now, sum(d.kind == "create" for d in record.decisions.get(now, [])))
    fields = {name: value for name, value in _flat(executor.model_dump()).items() if name not in NEW_EACH_RUN}
    what = (str(fields.get("type")), str(fields.get("side")), str(fields.get("level_id")))
    return Decision("create", what, fields)


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{prefix}{name}."))
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _view(controller: ControllerBase, record: Record) -> tuple[Any, ...]:
    """What is known of the executors, without what is new in every run."""
    executors = [
        (
            record.labels.get(executor.config.id),
            executor.is_active,
            executor.is_trading,
            executor.close_type,
            executor.close_timestamp,
            executor.filled_amount_quote,
            executor.net_pnl_quote,
        )
        for executor in controller.executors_info
    ]
    held = [
        (position.trading_pair, position.side, position.amount, position.breakeven_price)
        for position in controller.positions_held
    ]
    return (tuple(executors), tuple(held))

"""What a bot would do, written down as plainly as possible: the measure of the live engine.

At every candle plain frames are cut out of the market with pandas, the controller is called, and its executors are
looked at one by one. Nothing is prepared, shared or remembered.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from tasks.engine._base import Market
from tasks.engine.candles import Candles
from tasks.engine.executors import simulate
from tasks.engine.fills import FillRules, RunFills
from tasks.engine.jump.info import executor_info
from tasks.intervals import interval_seconds
from tasks.upstream.names import (
    BacktestPositionHold,
    CloseType,
    CreateExecutorAction,
    RunnableStatus,
    StopExecutorAction,
)

#: Ended executors that a bot remembers.
REMEMBERED = 100


class PlainProvider:
    """Frames and prices of one moment."""

    def __init__(self, market: Market, shift: int) -> None:
        self.market, self.shift = market, shift
        self.seconds = interval_seconds(market.resolution)
        self.row_time = float(market.start)
        self.prices: dict[str, Decimal] = {}
        self.asked: dict[str, int] = {}

    def time(self) -> float:
        return self.row_time

    def get_candles_df(self, connector_name: str, trading_pair: str, interval: str, max_records: int = 500) -> Any:
        key = f"{connector_name}_{trading_pair}_{interval}"
        self.asked[key] = max(self.asked.get(key, 0), max_records)
        known = self.row_time + self.seconds * (1 - self.shift)
        seconds = interval_seconds(interval)
        feed = self.market.feeds[key]
        rows = feed[feed["timestamp"] + seconds <= known]
        if seconds > self.seconds:
            opens = known // seconds * seconds
            base = self.market.feeds[f"{connector_name}_{trading_pair}_{self.market.resolution}"]
            part = base[(base["timestamp"] >= opens) & (base["timestamp"] + self.seconds <= known)]
            if len(part):
                forming = {name: part[name].sum() for name in feed.columns}
                forming |= {
                    "timestamp": opens,
                    "open": part["open"].iloc[0],
                    "high": part["high"].max(),
                    "low": part["low"].min(),
                    "close": part["close"].iloc[-1],
                }
                rows = pd.concat([rows, pd.DataFrame([forming])])
        held = min(len(rows), self.asked[key])
        rows = rows.iloc[-min(max_records, held) :].copy()
        rows.index = pd.RangeIndex(held - len(rows), held)
        return rows

    def get_price_by_type(self, connector_name: str, trading_pair: str, price_type: Any = None) -> Decimal:
        return self.prices[f"{connector_name}_{trading_pair}"]

    def initialize_rate_sources(self, pairs: Any) -> None:
        pass


class PlainExecutor:
    """A simulated executor that was created on a row."""

    def __init__(self, trajectory: Any, created: int) -> None:
        self.trajectory, self.created = trajectory, created
        self.ended: Any = None

    @property
    def id(self) -> str:
        return str(self.trajectory.config.id)

    def running(self, row: int) -> Any:
        state = self.trajectory.at(row)
        filled = state.filled_amount_quote > 0
        return executor_info(self.trajectory, row, state, RunnableStatus.RUNNING, is_trading=filled)

    def end(self, row: int, state: Any, close_type: Any, at: float) -> Any:
        self.ended = executor_info(
            self.trajectory, row, state, RunnableStatus.TERMINATED, close_timestamp=at, close_type=close_type
        )
        return self.ended


class Reference:
    """One run; `decisions` holds every action with the row's time."""

    def __init__(self, market: Market, rules: FillRules, pairs: list[tuple[str, str]]) -> None:
        self.market = market
        feeds = [market.feeds[f"{connector}_{pair}_{market.resolution}"] for connector, pair in pairs]
        times = sorted({time for feed in feeds for time in feed["timestamp"]})
        self.times = [time for time in times if market.start <= time <= market.end]
        self.candles = {pair: on_rows(feed, self.times) for pair, feed in zip(pairs, feeds, strict=True)}
        self.fills = {
            pair: RunFills(
                rules, candles, trade_cost=market.trade_cost,
                trading_rules=lambda connector, pair: market.trading_rules[connector][pair],
            )
            for pair, candles in self.candles.items()
        }  # fmt: skip
        self.executors: list[PlainExecutor] = []
        self.holds: dict[tuple[str, str], Any] = {}
        self.kept: list[Any] = []
        self.decisions: list[tuple[Any, ...]] = []

    async def run(self, config: Any, controller_class: Any) -> None:
        provider = PlainProvider(self.market, 0 if getattr(config, "shifts_itself", False) else self.market.shift)
        self.look(provider, 0)
        queue: asyncio.Queue[Any] = asyncio.Queue()
        controller = controller_class(config=config, market_data_provider=provider, actions_queue=queue)
        for wanted in controller.get_candles_config():
            provider.asked[f"{wanted.connector}_{wanted.trading_pair}_{wanted.interval}"] = wanted.max_records
        for row in range(len(self.times)):
            self.look(provider, row)
            self.end_executors(row)
            controller.executors_info = self.report(row)
            controller.positions_held = self.positions(row)
            await controller.update_processed_data()
            returned = controller.determine_executor_actions()
            actions = []
            while not queue.empty():
                actions += queue.get_nowait()
            for action in [*actions, *returned]:
                self.do(action, row)

    def look(self, provider: PlainProvider, row: int) -> None:
        provider.row_time = self.times[row]
        for (connector, pair), candles in self.candles.items():
            provider.prices[f"{connector}_{pair}"] = Decimal(float(candles.close[row]))

    def end_executors(self, row: int) -> None:
        for info in self.kept:
            config = info.config
            hold = self.holds.setdefault(
                (config.connector_name, config.trading_pair),
                BacktestPositionHold(config.connector_name, config.trading_pair),
            )
            hold.add_executor(info, Decimal(str(info.custom_info["current_position_average_price"])))
        self.kept = []
        for one in self.executors:
            life = one.trajectory
            if one.ended is None and row >= max(life.last, one.created + 1):
                info = one.end(life.last, life.at(life.last), life.close_type, self.times[life.last])
                if life.close_type == CloseType.POSITION_HOLD and info.filled_amount_quote > 0:
                    self.kept.append(info)

    def report(self, row: int) -> list[Any]:
        ended = sorted((one for one in self.executors if one.ended), key=lambda one: one.ended.timestamp)
        remembered = {id(one) for one in ended[-REMEMBERED:]}
        infos = []
        for one in self.executors:
            if one.ended is None:
                infos.append(one.running(row))
            elif id(one) in remembered:
                infos.append(one.ended)
        return infos

    def positions(self, row: int) -> list[Any]:
        return [
            hold.get_position_summary(Decimal(str(float(self.candles[pair].close[row]))))
            for pair, hold in self.holds.items()
            if not hold.is_closed
        ]

    def do(self, action: Any, row: int) -> None:
        if isinstance(action, CreateExecutorAction):
            config = action.executor_config
            fields = {name: value for name, value in config.model_dump().items() if name not in ("id", "controller_id")}
            self.decisions.append((self.times[row], "create", repr(fields)))
            config.controller_id = action.controller_id
            life = self.simulate(config, row)
            if life is not None and life.close_type != CloseType.FAILED:
                self.executors.append(PlainExecutor(life, row))
        elif isinstance(action, StopExecutorAction):
            number = next(place for place, one in enumerate(self.executors) if one.id == action.executor_id)
            self.decisions.append((self.times[row], "stop", number, action.keep_position))
            one = self.executors[number]
            if one.ended is None:
                at = min(row, one.trajectory.last)
                state = one.trajectory.stopped(at, keep=bool(action.keep_position))
                keeps = bool(action.keep_position) and state.filled_amount_quote > 0
                close_type = CloseType.POSITION_HOLD if keeps else CloseType.EARLY_STOP
                info = one.end(at, state, close_type, self.times[row])
                if keeps:
                    self.kept.append(info)

    def simulate(self, config: Any, row: int) -> Any:
        pair = (config.connector_name, config.trading_pair)
        return simulate(config, self.candles[pair], row, self.fills[pair])


def on_rows(feed: pd.DataFrame, times: list[float]) -> Candles:
    """A pair's candles at some moments: flat at the last close where it has none."""
    rows = []
    for time in times:
        before = feed[feed["timestamp"] <= time]
        last = before.iloc[-1] if len(before) else feed.iloc[0]
        if last["timestamp"] == time:
            rows.append([time, *(last[name] for name in ("open", "high", "low", "close", "volume"))])
        else:
            rows.append([time, *[last["close"]] * 4, 0.0])
    frame = pd.DataFrame(rows, columns=["timestamp", "open", "high", "low", "close", "volume"])
    return Candles(frame.set_index(pd.Index(np.array(times, dtype=float), name="epoch_seconds")))

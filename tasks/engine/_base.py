"""What an engine promises.

An engine is made inside the event loop of the chunk, on the first line of the coroutine that uses it, and used by one
thread for one point after another. It owns nothing between points except caches whose use cannot change a result:
the same config on the same market gives the same outcome, whatever ran before it in this child. It never writes into
the market's frames. It raises what the controller raises.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from tasks.named_types import (
    JsonObject,
    Row,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from tasks.metrics.ended import TradeLike
    from tasks.upstream.names import BacktestPositionHold, ControllerConfigBase, ExecutorInfo, TradingRule


@dataclass(frozen=True)
class Market:
    """What all points of a chunk share."""

    #: "{connector}_{PAIR}_{interval}" -> candles: RangeIndex, float64 columns `timestamp` (open time, seconds), open,
    #: high, low, close, volume and those of quote_asset_volume, n_trades, taker_buy_base_volume,
    #: taker_buy_quote_volume that the file holds; sorted; from max_records candles before `start` on (where there
    #: are that many) to `end` inclusive
    feeds: Mapping[str, pd.DataFrame]
    #: name -> data beside candles: `timestamp` (when a row became known, seconds, float64, ascending) and the file's
    #: other columns
    series: Mapping[str, pd.DataFrame] = field(default_factory=dict, kw_only=True)
    #: trading pair -> [[seconds, funding rate as a fraction], ...], ascending
    funding: Mapping[str, Sequence[Sequence[float]]] = field(default_factory=dict, kw_only=True)
    #: connector -> trading pair -> hummingbot TradingRule
    trading_rules: Mapping[str, Mapping[str, TradingRule]]
    #: seconds since epoch
    start: int
    end: int
    #: interval the engine steps over, such as "1m"
    resolution: str
    #: fraction of the quote amount, per side
    trade_cost: float
    #: candles by which everything derived from a candle is held back; 0 as the stock engine
    shift: int = 0
    #: True: controllers also see the candles before `start` that max_records asks for
    warmup: bool = False
    #: candles of `shift` that hold back a controller too which shifts for itself
    delay: int = 0


@dataclass(repr=False)
class Outcome:
    """One back-test, in the stock engine's own terms."""

    #: the stock `results`, keys and values as upstream gives them, `close_types` always a dict
    results: Row
    #: the ledger: list of hummingbot ExecutorInfo, in the stock engine's order
    executors: list[ExecutorInfo]
    #: list of dicts, a dict per candle, as upstream
    pnl_timeseries: list[Row]
    #: list of dicts, as upstream
    position_held_timeseries: list[Row]
    #: list of BacktestPositionHold
    position_holds: list[BacktestPositionHold]
    #: controller.processed_data after the run; "features" is the merged frame
    processed_data: JsonObject
    #: name of the engine that really ran: "stock", "jump" (jumped), "step" (asked at every candle on the cheap path)
    engine: str
    #: why a slower engine than the one asked for ran; "" when it did not
    engine_note: str = ""
    #: open times of the candles stepped over, seconds, float64, shape (n,)
    timestamps: npt.NDArray[np.float64] | None = None
    #: equity change since the start, marked at every candle's close, quote, float64, shape (n,): realised and
    #: unrealised pnl of executors and held positions, fees included; None when not asked for
    equity: npt.NDArray[np.float64] | None = None
    #: value of what is held at every candle's close, quote, signed (long positive), float64, shape (n,)
    position_value: npt.NDArray[np.float64] | None = None
    #: quote traded per candle, entries and exits both, float64, shape (n,); None when curves were not asked for
    turnover: npt.NDArray[np.float64] | None = None
    #: the ledger as far as tasks.metrics reads it; gone through once
    trades: Iterable[TradeLike] = ()
    #: what a reader of the row must know of this back-test, a sentence each
    warnings: list[str] = field(default_factory=list)
    #: of the live engine: open time of the last row on which the controller was asked, seconds, and whether the time
    #: for asking was over before the last row
    asked_until: float | None = None
    exhausted: bool = False
    #: the fills of each entry of `executors`, where the engine knows them better than an ExecutorInfo says
    #: (tasks.engine.executors.filled.Fill); None: what the ExecutorInfo says is all there is
    fills: Sequence[Sequence[Any] | None] | None = None

    def __repr__(self) -> str:
        """Short: asyncio.run writes its result out, twice, and a ledger in full takes seconds."""
        return f"Outcome({self.engine}, {len(self.timestamps) if self.timestamps is not None else '?'} candles)"


class Engine(Protocol):
    """Runs one point at a time."""

    name: str

    async def run(self, config: ControllerConfigBase, market: Market, *, curves: bool = True) -> Outcome:
        """Back-test one controller config (a hummingbot ControllerConfigBase) on a market.

        `curves` asks for equity and position_value.
        """
        ...

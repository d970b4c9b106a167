"""The frame an engine steps over: its own candles, merged with what the controller derived from its feeds.

The same steps as upstream's `BacktestingEngineBase.prepare_market_data`; with shift 0 and no warm-up the same frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from tasks.errors import CandlesNotCovering, ControllerError
from tasks.upstream.names import BacktestingDataProvider

if TYPE_CHECKING:
    from tasks.upstream.provider import SweepDataProvider

#: Columns upstream copies back from the engine's own candles, over whatever the controller's frame holds there.
_OWN = ("open", "high", "low", "close", "volume")


def prepare_market_data(controller: Any, resolution: str) -> pd.DataFrame:
    """The merged frame, index `epoch_seconds` = open time of the engine's candles, float64; also stored as
    `controller.processed_data["features"]`. To be called after `controller.update_processed_data()`; from here on
    the controller's provider counts as stepping.

    A controller that set no "features" gets reference_price (the close of `shift` candles before), spread_multiplier
    1 and signal 0, as upstream.

    Raises ControllerError when the features have no timestamp or when no row is free of NaN, CandlesNotCovering when
    there is no candle in the period.
    """
    provider: SweepDataProvider = controller.market_data_provider
    feed = (controller.config.connector_name, controller.config.trading_pair, resolution)
    raw = provider.resolution_candles(*feed)
    if raw.empty:
        raise CandlesNotCovering(
            f"feed {'_'.join(feed)} has no candle between {provider.start_time} and {provider.end_time} (seconds, UTC)"
        )
    if "features" not in controller.processed_data:
        candles = raw.add_suffix("_bt")
        before = provider.closes_before(*feed, provider.shift)
        candles["reference_price"] = _held_back(candles["close_bt"], before, provider.shift)
        candles["spread_multiplier"] = 1
        candles["signal"] = 0
        candles = _finished(candles)
    else:
        features = controller.processed_data["features"]
        if "timestamp" not in features.columns:
            columns = ", ".join(map(str, features.columns)) or "none"
            raise ControllerError(
                f"processed_data['features'] has no column `timestamp`, the engine merges on it; it has: {columns}"
            )
        candles = merged(raw, features)
    rows = candles.dropna()
    if rows.empty:
        raise ControllerError(_all_rows_lost(candles))
    controller.processed_data["features"] = rows
    provider.stepping = True
    return rows


def merged(raw: pd.DataFrame, features: pd.DataFrame) -> pd.DataFrame:
    """The engine's candles, each with the newest row of the features at or before its open, as upstream joins them.

    For plain columns that reach back to the first candle the rows are looked up directly, which gives the same frame in
    a quarter of the time; anything else goes through upstream's merge_asof.
    """
    opened, stamps = raw["timestamp"].to_numpy(), features["timestamp"].to_numpy()
    plain = all(isinstance(kind, np.dtype) and kind.kind in "fiub" for kind in features.dtypes)
    plain = plain and features.index.nlevels == 1 and features.index.name not in features.columns
    if plain and features.columns.is_unique and opened.dtype == stamps.dtype == np.float64 and len(stamps):
        own = {f"{name}_bt": raw[name].to_numpy() for name in raw}
        sorted_ = bool((stamps[1:] >= stamps[:-1]).all() and (opened[1:] >= opened[:-1]).all())
        if sorted_ and stamps[0] <= opened[0] and own.keys().isdisjoint(features.columns):
            newest = stamps.searchsorted(opened, side="right") - 1
            columns = own | {name: column.to_numpy()[newest] for name, column in features.items()}
            columns |= {"timestamp": opened} | {name: own[f"{name}_bt"] for name in _OWN}
            return pd.DataFrame(columns, index=pd.Index(opened, name="epoch_seconds"))
    return _finished(
        pd.merge_asof(
            raw.add_suffix("_bt"), features, left_on="timestamp_bt", right_on="timestamp", direction="backward"
        )
    )


def _finished(candles: pd.DataFrame) -> pd.DataFrame:
    """Upstream's last steps: the candle's own values back in place, indexed by its open time."""
    candles["timestamp"] = candles["timestamp_bt"]
    candles = cast("pd.DataFrame", BacktestingDataProvider.ensure_epoch_index(candles))
    for column in _OWN:
        candles[column] = candles[f"{column}_bt"]
    return candles


def _held_back(closes: pd.Series[float], before: list[float], shift: int) -> pd.Series[float]:
    """The close of `shift` rows before; the first rows take from `before` (closes before the period) or are NaN."""
    if not shift:
        return closes
    held = closes.shift(shift)
    rows = min(shift, len(closes))
    known = ([float("nan")] * shift + before)[-shift:][:rows]
    held.iloc[:rows] = known
    return held


def _all_rows_lost(candles: pd.DataFrame) -> str:
    counts = candles.isna().sum()
    counts = counts[counts > 0].sort_values(ascending=False)
    columns = ", ".join(f"{column} {count}" for column, count in counts.items())
    return (
        f"no row of the features is left: the engine drops every row with a NaN, and of {len(candles)} rows these "
        f"columns are NaN in: {columns}. Fill or drop them in update_processed_data, or make the period longer than "
        "the indicators' warm-up"
    )

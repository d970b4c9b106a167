"""The frame an engine steps over: its own candles, merged with what the controller derived from its feeds.

The same steps as upstream's `BacktestingEngineBase.prepare_market_data`; with shift 0 and no warm-up the same frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from tasks.errors import CandlesNotCovering, ControllerError
from tasks.isolation.notes import notes
from tasks.upstream.names import (
    BacktestingDataProvider,
    ControllerBase,
)

if TYPE_CHECKING:
    from tasks.upstream.backtest.provider import SweepDataProvider

#: The warning of a directional controller without features.
NO_FEATURES = (
    "the controller sets no processed_data['features'] (a frame with `timestamp` and `signal`), so a back-test reads "
    "signal 0 at every candle"
)
#: Columns upstream copies back from the engine's own candles, over whatever the controller's frame holds there.
_OWN = ("open", "high", "low", "close", "volume")


def prepare_market_data(controller: ControllerBase, resolution: str) -> pd.DataFrame:
    """The merged frame, index `epoch_seconds` = open time of the engine's candles, float64; also stored as
    `controller.processed_data["features"]`. To be called after `controller.update_processed_data()`; from here on
    the controller's provider counts as stepping.

    A controller that set no "features" gets reference_price (the close of `shift` candles before), spread_multiplier
    1 and signal 0, as upstream; for a directional controller, which trades on its signal, the row warns of it.

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
        if getattr(controller.config, "controller_type", "") == "directional_trading":
            notes.warn(NO_FEATURES)
        candles = raw.add_suffix("_bt")
        before = provider.closes_before(*feed, provider.shift)
        candles["reference_price"] = _held_back(candles["close_bt"], before, provider.shift)
        candles["spread_multiplier"] = 1
        candles["signal"] = 0
        candles = _finished(candles)
        gaps = bool(candles.isna().any(axis=None))
    else:
        features = controller.processed_data["features"]
        if "timestamp" not in features.columns:
            columns = ", ".join(map(str, features.columns)) or "none"
            raise ControllerError(
                f"processed_data['features'] has no column `timestamp`, the engine merges on it; it has: {columns}"
            )
        candles, gaps = merged(raw, features)
    rows = candles.dropna() if gaps else candles
    if rows.empty:
        raise ControllerError(_all_rows_lost(candles))
    controller.processed_data["features"] = rows
    provider.stepping = True
    return rows


def merged(raw: pd.DataFrame, features: pd.DataFrame) -> tuple[pd.DataFrame, bool]:
    """The engine's candles, each with the newest row of the features at or before its open, as upstream joins them.
    And whether a row may have a NaN.

    For plain columns that reach back to the first candle the rows are looked up directly, which gives the same frame in
    a quarter of the time; anything else goes through upstream's merge_asof.
    """
    columns = _looked_up(raw, features)
    if columns is not None:
        # Not copied once more, 40 MB in half a year of 1m candles: the columns `_bt` are the market's own, read-only.
        frame = pd.DataFrame(columns, index=pd.Index(columns["timestamp"], name="epoch_seconds"), copy=False)
        gaps = any(values.dtype.kind == "f" and np.isnan(values).any() for values in columns.values())
        return frame, gaps
    frame = pd.merge_asof(
        raw.add_suffix("_bt"), features, left_on="timestamp_bt", right_on="timestamp", direction="backward"
    )
    return _finished(frame), True


def _looked_up(raw: pd.DataFrame, features: pd.DataFrame) -> dict[str, np.ndarray[Any, Any]] | None:
    """The columns of `merged`, where they can be looked up."""
    opened, stamps = raw["timestamp"].to_numpy(), features["timestamp"].to_numpy()
    plain = all(isinstance(kind, np.dtype) and kind.kind in "fiub" for kind in features.dtypes)
    plain = plain and all(isinstance(name, str) for name in features.columns) and features.index.nlevels == 1
    plain = plain and features.index.name not in features.columns
    if not (plain and features.columns.is_unique and opened.dtype == stamps.dtype == np.float64 and len(stamps)):
        return None
    market = {f"{name}_bt": _read_only(raw[name].to_numpy()) for name in raw}
    sorted_ = bool((stamps[1:] >= stamps[:-1]).all() and (opened[1:] >= opened[:-1]).all())
    if not (sorted_ and stamps[0] <= opened[0] and market.keys().isdisjoint(features.columns)):
        return None
    newest = stamps.searchsorted(opened, side="right") - 1
    own = {name: market[f"{name}_bt"].copy() for name in ("timestamp", *_OWN)}
    derived = {str(name): column.to_numpy()[newest] for name, column in features.items() if name not in own}
    names = [*market, *features.columns, *(name for name in own if name not in features.columns)]
    columns = market | derived | own
    return {name: columns[name] for name in names}


def _read_only(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    view = values.view()
    view.flags.writeable = False
    return view


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

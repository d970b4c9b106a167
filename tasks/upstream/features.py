"""The frame an engine steps over: its own candles, merged with what the controller derived from its feeds.

The same steps as upstream's `BacktestingEngineBase.prepare_market_data`; with shift 0 and no warm-up the same frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from tasks.errors import CandlesNotCovering, ControllerError
from tasks.upstream.names import BacktestingDataProvider

if TYPE_CHECKING:
    import pandas as pd

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
    import pandas as pd

    provider: SweepDataProvider = controller.market_data_provider
    feed = (controller.config.connector_name, controller.config.trading_pair, resolution)
    candles = provider.resolution_candles(*feed).add_suffix("_bt")
    if candles.empty:
        raise CandlesNotCovering(
            f"feed {'_'.join(feed)} has no candle between {provider.start_time} and {provider.end_time} (seconds, UTC)"
        )
    if "features" not in controller.processed_data:
        candles["reference_price"] = _held_back(
            candles["close_bt"], provider.closes_before(*feed, provider.shift), provider.shift
        )
        candles["spread_multiplier"] = 1
        candles["signal"] = 0
    else:
        features = controller.processed_data["features"]
        if "timestamp" not in features.columns:
            columns = ", ".join(map(str, features.columns)) or "none"
            raise ControllerError(
                f"processed_data['features'] has no column `timestamp`, the engine merges on it; it has: {columns}"
            )
        candles = pd.merge_asof(candles, features, left_on="timestamp_bt", right_on="timestamp", direction="backward")
    candles["timestamp"] = candles["timestamp_bt"]
    candles = cast("pd.DataFrame", BacktestingDataProvider.ensure_epoch_index(candles))
    for column in _OWN:
        candles[column] = candles[f"{column}_bt"]
    merged = candles.dropna()
    if merged.empty:
        raise ControllerError(_all_rows_lost(candles))
    controller.processed_data["features"] = merged
    provider.stepping = True
    return merged


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

"""What a controller is made on when it is only asked which feeds it wants: a market without a candle or a row.

A bot's feeds are empty too while its controller is made, so whatever a controller asks for there is an empty frame.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tasks.upstream.backtest.market_like import MarketLike
from tasks.upstream.backtest.provider import SweepDataProvider
from tasks.upstream.names import CandlesConfig, TradingRule

if TYPE_CHECKING:
    import pandas as pd

#: Columns of Hummingbot's candles.
COLUMNS = (
    "timestamp", "open", "high", "low", "close", "volume", "quote_asset_volume", "n_trades", "taker_buy_base_volume",
    "taker_buy_quote_volume",
)  # fmt: skip


class _Empty(dict[str, "pd.DataFrame"]):
    """Whatever frame is asked for, without a row."""

    def __init__(self, *columns: str):
        super().__init__()
        self._columns = columns

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> pd.DataFrame:
        import pandas as pd

        return pd.DataFrame({column: pd.Series(dtype="float64") for column in self._columns})

    def get(self, name: str, default: Any = None) -> Any:
        """As by index."""
        return self[name]


@dataclass(frozen=True)
class NoMarket:
    """A market without candles."""

    resolution: str
    shift: int
    feeds: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    trading_rules: Mapping[str, Mapping[str, TradingRule]] = field(default_factory=dict)
    series: Mapping[str, pd.DataFrame] = field(default_factory=lambda: _Empty("timestamp"))
    funding: Mapping[str, Sequence[Sequence[float]]] = field(default_factory=dict)
    start: int = 0
    end: int = 0
    warmup: bool = False
    delay: int = 0


class ProbeDataProvider(SweepDataProvider):
    """Notes the feeds that a controller asks for, and gives it empty ones. For a NoMarket."""

    def __init__(self, market: MarketLike):
        super().__init__(market)
        # neither cut nor copied: there is nothing in them
        self.candles_feeds = self.candles_data = _Empty(*COLUMNS)  # type: ignore[assignment]  # a mapping in place of a dict

    def get_candles_df(
        self, connector_name: str, trading_pair: str, interval: str, max_records: int = 500
    ) -> pd.DataFrame:
        """An empty frame; the feed is noted. Raises pydantic.ValidationError for what names no feed."""
        wanted = CandlesConfig(
            connector=connector_name, trading_pair=trading_pair, interval=interval, max_records=max_records
        )
        self.read_feeds.append(wanted)
        return self.candles_feeds[self._generate_candle_feed_key(wanted)]

    def check_feed(self, config: CandlesConfig) -> None:
        """Every feed is there."""

    def attach(self, controller: object) -> None:
        """Nothing is shown later either."""

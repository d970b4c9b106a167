"""The market as a running bot sees it: candles that were shown, the last price of each pair, the clock.

The provider is filled row by row by the engine. It holds no candle, price or time that the controller may not see yet,
so there is no attribute or call through which something later could be reached. Every frame that is handed out is a
copy of its own, as in a bot: a controller may write to it and keep it.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tasks.engine.live.frames import frame_of
from tasks.engine.live.known_series import KnownSeries
from tasks.errors import CandlesMissing, ControllerError
from tasks.intervals import interval_seconds
from tasks.upstream.backtest.connector import OfflineConnector
from tasks.upstream.backtest.funding_info import OfflineFundingInfo, funding_info, series_name
from tasks.upstream.backtest.offline import OfflineProvider, no_series, rate_of
from tasks.upstream.names import (
    BacktestingDataProvider,
    CandlesConfig,
    MarketDataProvider,
    PriceType,
    TradingRule,
)

Floats = npt.NDArray[np.float64]

#: Candles a feed holds in Hummingbot where nobody says how many.
DEFAULT_RECORDS = 500


class LiveFeed:
    """One candle feed, in the place of Hummingbot's CandlesBase.

    Reads like the DataFrame of its candles too (`feed["close"]`, `feed.iloc`), which is what a back-test keeps under
    the same name, and can be awaited as there.
    """

    def __init__(self, key: str, columns: pd.Index, capacity: int) -> None:
        """`key`: its name; `capacity`: candles that will ever be shown."""
        connector, self._trading_pair, self.interval = key.rsplit("_", 2)
        self.name = f"{connector}_{self._trading_pair}"
        self.columns = list(columns)
        #: rows that Hummingbot's feed would hold; 0 until somebody says how many
        self.max_records = 0
        self._index = columns
        self._rows: Floats = np.zeros((len(columns), capacity + 1))  # one more for the unfinished candle
        self._finished = 0
        self._length = 0
        #: factor on the rows that are shown; 1 in a bot
        self.history = 1.0
        #: seconds that are added to the times of the rows shown; 0 in a bot, where a row carries its candle's open
        self.stamped_later = 0.0
        #: rows that somebody asked for and that the feed does not have; the engine says so at the end
        self.missing = 0

    # what the engine does

    def append(self, candles: Floats, finished: int) -> None:
        """Take over finished candles up to the number `finished`; an unfinished one is gone."""
        if finished > self._finished:
            self._rows[:, self._finished : finished] = candles[:, self._finished : finished]
            self._finished = finished
        self._length = self._finished

    def show_unfinished(self, candle: Floats) -> None:
        """Show an unfinished candle behind the finished ones."""
        self._rows[:, self._finished] = candle
        self._length = self._finished + 1

    # what a controller asks

    @property
    def ready(self) -> bool:
        """Whether it holds as many rows as were asked for; a bot waits until it does."""
        return self._length >= self.max_records

    @property
    def rows(self) -> int:
        """Rows that there are, however many are asked for."""
        return self._length

    @property
    def interval_in_seconds(self) -> int:
        """Seconds of its interval."""
        return interval_seconds(self.interval)

    @property
    def candles_df(self) -> pd.DataFrame:
        """The last `max_records` rows."""
        return self.last(self.max_records or DEFAULT_RECORDS)

    def last(self, records: int) -> pd.DataFrame:
        """The last `records` rows, numbered as in a feed of `max_records` rows."""
        if records > self.max_records:
            self.max_records = records  # a bot makes a longer feed and fills it
        held = min(self._length, self._shown(self.max_records))
        rows = min(held, self._shown(records)) if records > 0 else held
        self.missing = max(self.missing, self.max_records - held)
        values = self._stamped(self._rows[:, self._length - rows : self._length])
        return frame_of(values, self._index, range(held - rows, held))

    def _stamped(self, rows: Floats) -> Floats:
        """A copy of rows with the times that are shown."""
        values = rows.copy()
        if self.stamped_later:
            values[self._index.get_loc("timestamp")] += self.stamped_later
        return values

    def _shown(self, records: int) -> int:
        """How many rows are shown to somebody who asks for `records`."""
        if self.history == 1.0:
            return records
        return self._length if math.isinf(self.history) else math.ceil(records * self.history)

    def between(self, start: float, end: float, records: int | None) -> pd.DataFrame:
        """The rows with times in [start, end] (seconds), the last `records` of them, from all that were ever shown."""
        stamps = self._stamped(self._rows[:, : self._length])[self._index.get_loc("timestamp")]
        begin, stop = int(stamps.searchsorted(start)), int(stamps.searchsorted(end, side="right"))
        if records:
            begin = max(begin, stop - records)
        values = self._stamped(self._rows[:, begin:stop])
        return frame_of(values, self._index, range(stop - begin))

    async def get_historical_candles(self, config: CandlesConfig) -> pd.DataFrame:
        """Hummingbot's HistoricalCandlesConfig: the rows between its two times."""
        return self.between(config.start_time, config.end_time, None)

    def start(self) -> None:
        """It runs already."""

    def stop(self) -> None:
        """Other parts of the controller may still read it."""

    def __await__(self) -> Generator[Any, None, pd.DataFrame]:
        yield from ()
        return self.candles_df

    def __getitem__(self, key: Any) -> Any:
        return self.candles_df[key]

    def __len__(self) -> int:
        return min(self._length, self.max_records)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.candles_df, name)


class LiveProvider(OfflineProvider, MarketDataProvider):  # type: ignore[misc]  # upstream has no type information
    """Hummingbot's MarketDataProvider for one point."""

    def __init__(self, feeds: Mapping[str, LiveFeed], trading_rules: Mapping[str, Mapping[str, TradingRule]]) -> None:
        # Not super().__init__(): it asks AllConnectorSettings for every connector, which imports each one's module.
        self.candles_feeds: dict[str, LiveFeed] = dict(feeds)
        self.candles_data = self.candles_feeds
        #: name -> rows of a series of the sweep file that are known; `funding:` of the sweep file is there too
        self.series: dict[str, KnownSeries] = {}
        #: "{connector}_{pair}" -> price of now, quote per base
        self.prices: dict[str, Decimal] = {}
        self._time: float = 0.0
        #: True once the engine steps
        self.stepping = False
        self._go_offline(trading_rules)

    def time(self) -> float:
        """Seconds of simulated time: the open of the row's candle."""
        return self._time

    def stop(self) -> None:
        """Nothing runs, nothing stops."""

    # candles

    def initialize_candles_feed(self, config: CandlesConfig) -> LiveFeed:
        """See that a feed is there. Raises CandlesMissing."""
        return self.get_candles_feed(config)

    def initialize_candles_feed_list(self, config_list: Iterable[CandlesConfig]) -> None:
        """Several feeds. Raises CandlesMissing."""
        for config in config_list:
            self.get_candles_feed(config)

    def get_candles_feed(self, config: CandlesConfig) -> LiveFeed:
        """The feed of Hummingbot's CandlesConfig. Raises CandlesMissing."""
        feed = self._feed(config.connector, config.trading_pair, config.interval)
        feed.max_records = max(feed.max_records, config.max_records)
        return feed

    def stop_candle_feed(self, config: CandlesConfig) -> None:
        """The feed stays: the candles are here in any case."""

    def get_candles_df(
        self, connector_name: str, trading_pair: str, interval: str, max_records: int = DEFAULT_RECORDS
    ) -> pd.DataFrame:
        """The last `max_records` rows of a feed, the unfinished candle included; a copy. Raises CandlesMissing."""
        return self._feed(connector_name, trading_pair, interval).last(max_records)

    async def get_historical_candles_df(
        self,
        connector_name: str,
        trading_pair: str,
        interval: str,
        start_time: int | None = None,
        end_time: int | None = None,
        max_records: int | None = None,
        max_cache_records: int = 10000,
    ) -> pd.DataFrame:
        """Candles between two moments (seconds) that were shown so far; the last `max_records` of them."""
        feed = self._feed(connector_name, trading_pair, interval)
        if start_time is None and max_records is None:
            return feed.last(DEFAULT_RECORDS)
        return feed.between(start_time or 0, np.inf if end_time is None else end_time, max_records)

    # data beside candles

    def get_series(self, name: str) -> pd.DataFrame:
        """The rows of a series of the sweep file (`series:`) that are known by now; a copy. Raises CandlesMissing."""
        if name not in self.series:
            raise no_series(name, self.series)
        return self.series[name].frame()

    def get_funding_info(self, connector_name: str, trading_pair: str) -> OfflineFundingInfo:
        """The funding rate that is known now; see tasks.upstream.backtest.funding_info. Raises ControllerError."""
        series = self.series.get(series_name(trading_pair))
        price = self.prices.get(f"{connector_name}_{trading_pair}", Decimal("NaN"))
        return funding_info(trading_pair, None if series is None else series.frame(), self._time, price)

    # prices, rates, rules

    def get_price_by_type(self, connector_name: str, trading_pair: str, price_type: PriceType | None = None) -> Decimal:
        """The close of the row's candle, whatever the type: candles know no spread. Raises ControllerError."""
        try:
            return self.prices[f"{connector_name}_{trading_pair}"]
        except KeyError:
            raise ControllerError(self._no_price(f"{connector_name}_{trading_pair}")) from None

    def get_rate(self, pair: str) -> Decimal:
        """The price of this pair or of its reverse on any connector. Raises ControllerError."""
        base, _, quote = pair.partition("-")
        if base == quote:
            return Decimal(1)
        rate = rate_of(pair, self.prices)
        if rate is not None:
            return rate
        raise ControllerError(self._no_price(pair))

    def _no_price(self, what: str) -> str:
        there = ", ".join(sorted(self.prices)) or "none yet"
        return (
            f"the price of {what} is asked for; there are prices of: {there}. "
            "A pair has a price where its candles of the resolution are among the sweep's"
        )

    def get_trading_pairs(self, connector_name: str) -> list[str]:
        """The pairs with trading rules."""
        return list(self.trading_rules.get(connector_name, {}))

    quantize_order_price = BacktestingDataProvider.quantize_order_price

    # connectors: rules and settings, no exchange

    def get_connector_with_fallback(self, connector_name: str) -> OfflineConnector:
        """As `get_connector`."""
        return self.connectors[connector_name]

    def get_non_trading_connector(self, connector_name: str) -> OfflineConnector:
        """As `get_connector`."""
        return self.connectors[connector_name]

    def _feed(self, connector: str, trading_pair: str, interval: str) -> LiveFeed:
        key = f"{connector}_{trading_pair}_{interval}"
        try:
            return self.candles_feeds[key]
        except KeyError:
            there = ", ".join(sorted(self.candles_feeds)) or "none"
            raise CandlesMissing(
                f"feed {key} is not in the sweep's candles (there: {there}): "
                "name it in the controller's get_candles_config"
            ) from None

"""What a back-test's data provider gives a controller that asks for a feed."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Protocol

from tasks.market_names import feed_key

if TYPE_CHECKING:
    import pandas as pd

    from tasks.upstream.names import CandlesConfig


class HasFeeds(Protocol):
    """The part of a data provider that a handle uses."""

    @property
    def candles_feeds(self) -> Mapping[str, pd.DataFrame]:
        """`{connector}_{PAIR}_{interval}` -> candles as the controller may see them."""
        ...

    def check_feed(self, config: CandlesConfig) -> None:
        """See that a feed is there. Raises CandlesMissing, CandlesNotCovering."""
        ...


class FeedHandle:
    """What `get_candles_feed` gives: awaited it is the feed's frame, as in the stock engine's provider; in a bot it is
    an object with these attributes."""

    def __init__(self, provider: HasFeeds, config: CandlesConfig):
        self._provider, self._config = provider, config
        self.interval, self.max_records = config.interval, config.max_records
        self._trading_pair = config.trading_pair
        self.name = config.connector

    @property
    def candles_df(self) -> pd.DataFrame:
        """As `candles_feeds` gives it. Raises CandlesMissing, CandlesNotCovering."""
        self._provider.check_feed(self._config)
        key = feed_key(self._config.connector, self._config.trading_pair, self._config.interval)
        return self._provider.candles_feeds[key]

    @property
    def ready(self) -> bool:
        """Always: the candles are here already."""
        return True

    def start(self) -> None:
        """Nothing has to be started."""

    def stop(self) -> None:
        """Nothing has to be stopped."""

    async def start_network(self) -> None:
        """There is no network."""

    async def stop_network(self) -> None:
        """There is no network."""

    def __await__(self) -> Generator[None, None, pd.DataFrame]:
        yield from ()
        return self.candles_df


class InitialisedFeed:
    """What `initialize_candles_feed` gives: awaited, as the stock engine does, it sees that the feed is there."""

    def __init__(self, provider: HasFeeds, config: CandlesConfig):
        self._provider, self._config = provider, config

    def __await__(self) -> Generator[None, None, None]:
        yield from ()
        self._provider.check_feed(self._config)

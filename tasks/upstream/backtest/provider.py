"""The data provider of a back-test: candles and trading rules of a market, nothing from anywhere else.

Upstream's `BacktestingDataProvider` goes to the exchange when a feed does not cover the period by its own timestamps
or when it holds no trading rules, and its base starts a background task for rates. This one never does: what is not
in the market is an error that says what is missing.

What a controller sees of a feed, with `shift` = k candles and interval i:

    raw candle      opens at t, closes at t + i, stamped t
    controller      stamped t + k*i: k = 1 stamps a candle with the moment it closes
    engine          merges the controller's features backward on its own candles' OPEN times, so that the row that
                    opens at t holds only what closed at t or before, for several feeds at once

The engine's own candles (`resolution_candles`) stay raw.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from tasks.errors import CandlesMissing, CandlesNotCovering, ControllerError
from tasks.intervals import INTERVAL_SECONDS
from tasks.isolation.clock import clock
from tasks.isolation.notes import notes
from tasks.market_names import feed_key, price_key
from tasks.upstream.backtest.connector import OfflineConnector
from tasks.upstream.backtest.feed_handle import FeedHandle, InitialisedFeed
from tasks.upstream.backtest.funding_info import OfflineFundingInfo, funding_info, rates_frames, series_name
from tasks.upstream.backtest.market_like import MarketLike
from tasks.upstream.backtest.offline import OfflineProvider, no_series, rate_of
from tasks.upstream.backtest.point_feeds import PointFeeds
from tasks.upstream.backtest.wanted import wanted_feeds
from tasks.upstream.names import (
    BacktestingDataProvider,
    CandlesConfig,
    ControllerBase,
    PriceType,
)

if TYPE_CHECKING:
    import pandas as pd


class SweepDataProvider(OfflineProvider, BacktestingDataProvider):  # type: ignore[misc]  # upstream has no type information
    """Serves one point from a market. Cheap to make: nothing is copied until a controller asks for a feed.

    `candles_feeds` and `candles_data` are one dict: the store's name in this release of hummingbot and in others.
    Where upstream would build an exchange's connector there is an OfflineConnector.
    """

    def __init__(self, market: MarketLike):
        # Not super().__init__(): it asks AllConnectorSettings for every connector, which imports each one's module.
        self.market = market
        self.candles_feeds = PointFeeds(market.feeds, self._as_upstream, self._served, self._visible)
        self.candles_data = self.candles_feeds
        self.prices: dict[str, Decimal] = {}
        self.start_time: int = market.start
        self.end_time: int = market.end
        self._time: float = market.start
        #: candles by which this point's controller is held back; `attach` lowers it where it shifts for itself
        self.shift: int = market.shift
        #: True once the engine steps: with a shift, feeds end at the current candle from then on
        self.stepping = False
        self._go_offline(market.trading_rules)
        self._records: dict[str, int] = {}
        #: CandlesConfig of feeds that a controller asked for through this provider
        self.asked_feeds: list[CandlesConfig] = []
        #: and of those whose candles it read while it was made, which makes a bot start them
        self.read_feeds: list[CandlesConfig] = []
        self._attached = False
        clock.follow(self)

    def attach(self, controller: ControllerBase) -> None:
        """Take from the controller how many candles it wants of each feed and whether it shifts for itself.

        A class or a config with a true attribute `shifts_itself` is held back by the market's `delay` only.
        """
        if getattr(controller, "shifts_itself", False) or getattr(controller.config, "shifts_itself", False):
            self.shift = self.market.delay
        for wanted in wanted_feeds(controller):
            key = self._generate_candle_feed_key(wanted)
            self._records[key] = max(self._records.get(key, 0), wanted.max_records)
        self._attached = True
        self.candles_feeds.forget_taken()

    # what a controller asks

    def get_candles_df(
        self, connector_name: str, trading_pair: str, interval: str, max_records: int = 500
    ) -> pd.DataFrame:
        """The candles of a feed as this point's controller may see them; a copy.

        Without warm-up they begin at the period's start, as upstream; with it, as many candles earlier as the
        controller's `get_candles_config` wants of this feed. `timestamp` is shifted as the module says. As upstream,
        `max_records` is ignored and the frame reaches to the period's end, also while the engine steps; but with a
        shift it then ends at the current candle, as it does in a running bot.

        Raises CandlesMissing.
        """
        key = feed_key(connector_name, trading_pair, interval)
        if self.candles_feeds.is_put_in(key) and not self._as_upstream():
            return self.candles_feeds[key].copy()  # it derived this from what it was shown
        shown = self._shown(key, interval, until=self._visible_until(interval))
        if not self._attached:
            self.read_feeds.append(
                CandlesConfig(
                    connector=connector_name, trading_pair=trading_pair, interval=interval, max_records=max_records
                )
            )
        return shown

    def _as_upstream(self) -> bool:
        """Whether controllers see feeds as the stock engine shows them: whole and raw."""
        return not self.shift and not self.market.warmup

    def _served(self, key: str) -> pd.DataFrame:
        """A feed for `candles_feeds`, up to the period's end."""
        return self._shown(key, key.rpartition("_")[2], until=self.end_time)

    def _visible(self, frame: pd.DataFrame) -> pd.DataFrame:
        """What of a frame of `candles_feeds` may be seen now; a view."""
        if not (self.shift and self.stepping) or "timestamp" not in frame or frame["timestamp"].dtype.kind not in "iuf":
            return frame
        return frame.iloc[: int(frame["timestamp"].to_numpy().searchsorted(self._time, side="right"))]

    def _visible_until(self, interval: str) -> float:
        """The open time of the last raw candle that a controller may see now."""
        if self.shift and self.stepping:
            return min(self.end_time, self._time - self.shift * interval_seconds(interval))
        return self.end_time

    def _shown(self, key: str, interval: str, until: float) -> pd.DataFrame:
        """A copy of a feed from its warm-up on to the raw candle that opens at `until`, stamped with the shift."""
        feed = self._feed(key)
        first: float = self.start_time
        seconds = interval_seconds(interval)
        if self.market.warmup and key in self._records:
            # The newest candle closed at `start` must have as many before it as an unshifted controller has.
            records = self._records[key] + max(self.shift - 1, 0)
            first = (self.start_time // seconds - records) * seconds
        candles = _between(feed, first, until).copy()
        if self.shift:
            candles["timestamp"] = candles["timestamp"] + self.shift * seconds
        return candles

    def get_price_by_type(self, connector_name: str, trading_pair: str, price_type: PriceType) -> Decimal:
        """The current candle's close of the traded pair, whatever the type.

        Of another pair, and before the first candle: with a shift the last close that a controller may see of its
        finest feed (before any is seen: the first open). Upstream gives 1 for those, and so does this without a shift
        and for a pair without candles.
        """
        price = self.prices.get(price_key(connector_name, trading_pair))
        if price is not None:
            return price
        if self.shift or self.market.shift:
            feeds = [
                key for key in self.market.feeds if key.rpartition("_")[0] == price_key(connector_name, trading_pair)
            ]
            if feeds:
                return self._last_seen_close(min(feeds, key=lambda key: interval_seconds(key.rpartition("_")[2])))
        notes.warn(
            f"the controller asked the price of {trading_pair} on {connector_name}, which the back-test does not know "
            "then: it was told 1, as the stock engine does"
        )
        return Decimal("1")

    def _last_seen_close(self, key: str) -> Decimal:
        feed = self._feed(key)
        closed = int(
            feed["timestamp"].to_numpy().searchsorted(self._time - interval_seconds(key.rpartition("_")[2]), "right")
        )
        return Decimal(str(feed["close"].iloc[closed - 1] if closed else feed["open"].iloc[0]))

    def resolution_candles(self, connector_name: str, trading_pair: str, interval: str) -> pd.DataFrame:
        """The engine's own candles: raw, from the period's start to its end; a view. Raises CandlesMissing."""
        return _between(self._feed(feed_key(connector_name, trading_pair, interval)), self.start_time, self.end_time)

    def closes_before(self, connector_name: str, trading_pair: str, interval: str, candles: int) -> list[float]:
        """Closes of up to `candles` raw candles before the period's start, oldest first; none without warm-up."""
        if not self.market.warmup or candles <= 0:
            return []
        feed = self._feed(feed_key(connector_name, trading_pair, interval))
        begin = int(feed["timestamp"].searchsorted(self.start_time))
        closes: list[float] = feed["close"].iloc[max(begin - candles, 0) : begin].tolist()
        return closes

    def get_candles_feed(self, config: CandlesConfig) -> FeedHandle:
        """A feed as `candles_feeds` has it: awaited its frame, or as `candles_df` of what is returned."""
        self.asked_feeds.append(config)
        return FeedHandle(self, config)

    def initialize_candles_feed(self, config: CandlesConfig) -> InitialisedFeed:
        """To be awaited: sees that a feed is there; see `check_feed`."""
        self.asked_feeds.append(config)
        return InitialisedFeed(self, config)

    def check_feed(self, config: CandlesConfig) -> None:
        """See that a feed is there. Raises CandlesMissing, CandlesNotCovering.

        Whether its source covers the period was judged where it was cut, with the whole file in view; a slice may have
        gaps, also at its ends. Here only a feed without any candle of the period is refused.
        """
        key = self._generate_candle_feed_key(config)
        feed = self._feed(key)
        seconds = interval_seconds(config.interval)
        opened = feed["timestamp"]
        first, after = _places(opened, self.start_time - seconds + 1, self.end_time)
        if first >= after:
            covered = "nothing" if feed.empty else f"{opened.iloc[0]:.0f} to {opened.iloc[-1] + seconds:.0f}"
            raise CandlesNotCovering(
                f"feed {key} covers {covered}, the period is {self.start_time} to {self.end_time} (seconds, UTC)"
            )

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
        """The candles of `get_candles_df` between two moments (seconds); the last `max_records` of them."""
        candles = self.get_candles_df(connector_name, trading_pair, interval)
        last = self._time if end_time is None else end_time
        stamped = candles["timestamp"]
        candles = candles[(stamped >= (start_time or 0)) & (stamped <= last)]
        return candles.iloc[-max_records:] if max_records else candles

    def get_series(self, name: str) -> pd.DataFrame:
        """A series of the sweep file (`series:`) as this point's controller may see it; a copy.

        `timestamp` is when a row became known, in seconds. With a shift the frame ends at the current candle while the
        engine steps, as candles do; a shift of more than one candle, and a scenario's delay, hold it back by as many
        candles of the resolution. A bot's own provider has no such call: ask `hasattr(provider, "get_series")`.

        Raises CandlesMissing.
        """
        if name not in self.market.series:
            raise no_series(name, self.market.series)
        held_back = max(self.shift - 1, 0) * interval_seconds(self.market.resolution)
        last = min(self.end_time, self._time) if self.shift and self.stepping else self.end_time
        series = _between(self.market.series[name], float("-inf"), last - held_back).copy()
        if held_back:
            series["timestamp"] = series["timestamp"] + held_back
        return series

    def get_funding_info(self, connector_name: str, trading_pair: str) -> OfflineFundingInfo:
        """The funding rate that is known now, from the series `funding_{trading_pair}` (a column `rate`; `mark_price`,
        `index_price` and `next_funding_utc_timestamp` where it has them), or else from `funding:` of the sweep file.

        Raises ControllerError where neither is there.
        """
        name = series_name(trading_pair)
        frames = {**rates_frames(self.market.funding), **self.market.series}
        known = _between(frames[name], float("-inf"), self._time) if name in frames else None
        price = self.prices.get(price_key(connector_name, trading_pair), Decimal("NaN"))
        return funding_info(trading_pair, known, self._time, price)

    def get_rate(self, pair: str) -> Decimal:
        """The current candle's close of this pair or of its reverse. Raises ControllerError for any other."""
        rate = rate_of(pair, self.prices)
        if rate is not None:
            return rate
        raise ControllerError(f"rate of {pair} is asked for: a back-test knows the traded pair's price only")

    # what upstream would start or stop

    def stop(self) -> None:
        """Nothing runs, nothing stops; the market belongs to the other points too."""

    async def initialize_trading_rules(self, connector_name: str) -> None:
        """The rules are here or they are not: see `get_trading_rules`."""

    def _create_non_trading_connector(self, connector_name: str) -> OfflineConnector:
        return self.connectors[connector_name]

    def _feed(self, key: str) -> pd.DataFrame:
        try:
            return self.candles_feeds.raw(key)
        except KeyError:
            there = ", ".join(sorted(self.candles_feeds)) or "none"
            raise CandlesMissing(
                f"feed {key} is not in the sweep's candles (there: {there}): "
                "name it in the controller's get_candles_config, or in candles_config of its config"
            ) from None


def _between(feed: pd.DataFrame, first: float, last: float) -> pd.DataFrame:
    """The candles that open in [first, last]; a view. A market's feeds are sorted."""
    begin, end = _places(feed["timestamp"], first, last)
    return feed.iloc[begin:end]


def _places(opened: pd.Series[float], first: float, last: float) -> tuple[int, int]:
    """The positions of the first candle that opens in [first, last] and of the one after the last."""
    times = opened.to_numpy()
    return int(times.searchsorted(first)), int(times.searchsorted(last, side="right"))


def interval_seconds(interval: str) -> int:
    """Seconds of an interval as Hummingbot writes it. Raises CandlesMissing for one that Hummingbot does not know."""
    try:
        return INTERVAL_SECONDS[interval]
    except KeyError:
        known = ", ".join(INTERVAL_SECONDS)
        raise CandlesMissing(f"interval {interval!r} is none of Hummingbot's: {known}") from None

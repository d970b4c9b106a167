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

from collections.abc import ItemsView, Iterator, Mapping, ValuesView
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

from tasks.errors import CandlesMissing, CandlesNotCovering, ControllerError, TradingRulesMissing
from tasks.intervals import INTERVAL_SECONDS
from tasks.market_names import feed_key
from tasks.upstream.backtest.connector import OfflineConnector, OfflineConnectors
from tasks.upstream.names import BacktestingDataProvider

if TYPE_CHECKING:
    import pandas as pd


class MarketLike(Protocol):
    """The part of tasks.engine._base.Market a provider reads."""

    @property
    def feeds(self) -> Mapping[str, pd.DataFrame]:
        """`{connector}_{PAIR}_{interval}` -> candles."""
        ...

    @property
    def trading_rules(self) -> Mapping[str, Mapping[str, Any]]:
        """Connector -> trading pair -> rule."""
        ...

    @property
    def start(self) -> int:
        """First moment, seconds since epoch."""
        ...

    @property
    def end(self) -> int:
        """Last moment, seconds since epoch."""
        ...

    @property
    def resolution(self) -> str:
        """Interval the engine steps over."""
        ...

    @property
    def shift(self) -> int:
        """Candles by which what is derived is held back."""
        ...

    @property
    def delay(self) -> int:
        """Candles of `shift` that hold back controllers, too, which shift for themselves."""
        ...

    @property
    def warmup(self) -> bool:
        """Whether controllers see candles before the start."""
        ...


class SweepDataProvider(BacktestingDataProvider):  # type: ignore[misc]  # upstream has no type information
    """Serves one point from a market. Cheap to make: nothing is copied until a controller asks for a feed.

    `candles_feeds` and `candles_data` are one dict: the store's name in this release of hummingbot and in others.
    Where upstream would build an exchange's connector there is an OfflineConnector.
    """

    def __init__(self, market: MarketLike):
        # Not super().__init__(): it asks AllConnectorSettings for every connector, which imports each one's module.
        self.market = market
        self.candles_feeds = _Feeds(market.feeds)
        self.candles_data = self.candles_feeds
        self.trading_rules = market.trading_rules
        self.prices: dict[str, Decimal] = {}
        self.start_time: int = market.start
        self.end_time: int = market.end
        self._time: float = market.start
        #: candles by which this point's controller is held back; `attach` lowers it where it shifts for itself
        self.shift: int = market.shift
        #: True once the engine steps: with a shift, feeds end at the current candle from then on
        self.stepping = False
        self.connectors = OfflineConnectors(market.trading_rules)
        self.conn_settings: dict[str, Any] = {}
        self._non_trading_connectors = self.connectors
        self._non_trading_connectors_started: dict[str, bool] = {}
        self._rates: dict[str, Decimal] = {}
        self._rates_required: dict[str, Any] = {}
        self._rates_update_task = None
        self._rates_update_interval = 0
        self._records: dict[str, int] = {}

    def attach(self, controller: Any) -> None:
        """Take from the controller how many candles it wants of each feed and whether it shifts for itself.

        A class or a config with a true attribute `shifts_itself` is held back by the market's `delay` only.
        """
        if getattr(controller, "shifts_itself", False) or getattr(controller.config, "shifts_itself", False):
            self.shift = self.market.delay
        for wanted in controller.get_candles_config():
            key = self._generate_candle_feed_key(wanted)
            self._records[key] = max(self._records.get(key, 0), wanted.max_records)

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
        feed = self._feed(key)
        first: float = self.start_time
        seconds = interval_seconds(interval)
        if self.market.warmup and key in self._records:
            # The newest candle closed at `start` must have as many before it as an unshifted controller has.
            records = self._records[key] + max(self.shift - 1, 0)
            first = (self.start_time // seconds - records) * seconds
        last: float = self.end_time
        if self.shift and self.stepping:
            last = min(last, self._time - self.shift * seconds)
        candles = _between(feed, first, last).copy()
        if self.shift:
            candles["timestamp"] = candles["timestamp"] + self.shift * seconds
        return candles

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

    async def get_candles_feed(self, config: Any) -> pd.DataFrame:
        """The whole feed, raw; a copy of this point's own. Raises CandlesMissing, CandlesNotCovering."""
        await self.initialize_candles_feed(config)
        return self.candles_feeds[self._generate_candle_feed_key(config)]

    async def initialize_candles_feed(self, config: Any) -> None:
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

    def get_trading_rules(self, connector_name: str, trading_pair: str) -> Any:
        """Hummingbot's TradingRule of a pair. Raises TradingRulesMissing."""
        try:
            return self.trading_rules[connector_name][trading_pair]
        except KeyError:
            raise TradingRulesMissing(
                f'no trading rules for {trading_pair} on {connector_name}: write {{"{trading_pair}": '
                '{"min_order_size": "...", "min_price_increment": "...", "min_base_amount_increment": "..."}} '
                f"in trading_rules/{connector_name}.json beside the candles, or fetch them with `hummingsweep sync`"
            ) from None

    def get_rate(self, pair: str) -> Decimal:
        """The current candle's close of this pair or of its reverse. Raises ControllerError for any other."""
        base, _, quote = pair.partition("-")
        for known, price in self.prices.items():
            if known.endswith(f"_{pair}"):
                return price
            if known.endswith(f"_{quote}-{base}"):
                return 1 / price
        raise ControllerError(f"rate of {pair} is asked for: a back-test knows the traded pair's price only")

    # what upstream would start or stop

    @property
    def ready(self) -> bool:
        """Always: everything is here already."""
        return True

    def stop(self) -> None:
        """Nothing runs, nothing stops; the market belongs to the other points too."""

    async def initialize_trading_rules(self, connector_name: str) -> None:
        """The rules are here or they are not: see `get_trading_rules`."""

    def initialize_rate_sources(self, connector_pairs: Any) -> None:
        """No rates task is started; see `get_rate`."""

    def remove_rate_sources(self, connector_pairs: Any) -> None:
        """There are none."""

    def get_connector(self, connector_name: str) -> OfflineConnector:
        """Rules and settings, no exchange."""
        return self.connectors[connector_name]

    def _create_non_trading_connector(self, connector_name: str) -> OfflineConnector:
        return self.connectors[connector_name]

    def _feed(self, key: str) -> pd.DataFrame:
        try:
            return self.candles_feeds.raw(key)
        except KeyError:
            there = ", ".join(sorted(self.candles_feeds)) or "none"
            raise CandlesMissing(
                f"feed {key} is not in the sweep's candles (there: {there}): "
                "name it in the controller's get_candles_config"
            ) from None


class _Feeds(dict[str, "pd.DataFrame"]):
    """A point's feeds. Who takes a frame out of here may do with it what he likes: it is his own copy from then on."""

    def __init__(self, feeds: Mapping[str, pd.DataFrame]):
        super().__init__(feeds)
        self._market = feeds
        self._copied: set[str] = set()

    def held(self) -> dict[str, int]:
        """Feed -> what stands for its content: the same number while it is the market's, also in a copy."""
        held = {}
        for key, feed in super().items():
            theirs = self._market.get(key)
            is_theirs = feed is theirs or (theirs is not None and feed.equals(theirs))
            held[key] = id(theirs if is_theirs else feed)
        return held

    def raw(self, key: str) -> pd.DataFrame:
        """A feed to be read only: the market's, or what a controller made of it. Raises KeyError."""
        return super().__getitem__(key)

    def __getitem__(self, key: str) -> pd.DataFrame:
        if key not in self._copied:
            super().__setitem__(key, super().__getitem__(key).copy())
            self._copied.add(key)
        return super().__getitem__(key)

    def __setitem__(self, key: str, feed: pd.DataFrame) -> None:
        self._copied.add(key)
        super().__setitem__(key, feed)

    def get(self, key: str, default: Any = None) -> Any:
        try:
            return self[key]
        except KeyError:
            return default

    def pop(self, key: str, *default: Any) -> Any:
        if key in self:
            self[key]
        return super().pop(key, *default)

    def setdefault(self, key: str, default: Any = None) -> Any:
        if key not in self:
            self[key] = default
        return self[key]

    def __iter__(self) -> Iterator[str]:
        """Its own, so that `dict(feeds)` and `{**feeds}` take every frame by its name."""
        return super().__iter__()

    def __or__(self, other: Any) -> Any:
        return self.copy() | dict(other)

    def items(self) -> ItemsView[str, pd.DataFrame]:  # type: ignore[override]
        self._copy_all()
        return super().items()

    def values(self) -> ValuesView[pd.DataFrame]:  # type: ignore[override]
        self._copy_all()
        return super().values()

    def copy(self) -> dict[str, pd.DataFrame]:
        self._copy_all()
        return super().copy()

    def _copy_all(self) -> None:
        for key in self:
            self[key]


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

"""What the live engine derives from a market once, for all points that run on it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from tasks.engine._base import Market
from tasks.engine.candles import Candles
from tasks.engine.fills.path import FinerPaths, Path
from tasks.engine.live.known_series import SeriesTape
from tasks.engine.live.pairs import Books, Pair
from tasks.engine.live.tape import Tape, tape
from tasks.intervals import interval_seconds
from tasks.market_names import feed_key
from tasks.upstream.backtest.funding_info import rates_frames


class Prepared:
    """What the points of one market share."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.seconds = interval_seconds(market.resolution)
        self._books: dict[tuple[Pair, ...], Books] = {}
        self._tapes: dict[Any, Tape] = {}
        self._paths: dict[str, FinerPaths] = {}
        #: data beside candles, by name
        self.series = {
            name: SeriesTape(frame) for name, frame in {**rates_frames(market.funding), **market.series}.items()
        }

    def books(self, pairs: Iterable[Pair]) -> Books:
        """The rows and candles of some pairs, the main one first. Pairs without candles are left out, but not the main
        one."""
        main, *others = pairs
        there = (main, *(pair for pair in others if feed_key(*pair, self.market.resolution) in self.market.feeds))
        if there not in self._books:
            self._books[there] = Books(self.market, there)
        return self._books[there]

    def known_books(self) -> Iterable[Books]:
        """Those made so far."""
        return self._books.values()

    def tape(self, key: str, books: Books, shift: int, *, unfinished: bool) -> Tape:
        """What a feed shows on the rows of `books`."""
        wanted = (key, id(books), shift, unfinished)
        if wanted not in self._tapes:
            pair, _, interval = key.rpartition("_")
            base = self.market.feeds.get(f"{pair}_{self.market.resolution}") if unfinished else None
            known = books.rows + (1 - shift) * self.seconds
            first = -math.inf if self.market.warmup else float(self.market.start)
            self._tapes[wanted] = tape(self.market.feeds[key], interval, base, self.seconds, known, first)
        return self._tapes[wanted]

    def path(self, detail: str, pair: Pair, candles: Candles) -> Path | None:
        """The candles inside the rows that a pair's orders fill in; None: the rows themselves."""
        finer = self._paths.setdefault(detail, FinerPaths(detail))
        return finer.of(candles, self.market, pair.connector, pair.trading_pair)

"""The fills of one run: the rules a sweep asks for, on the candles of one trading pair."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.engine.candles import Candles, Floats
from tasks.engine.fills.costs import Costs, Funding
from tasks.engine.fills.exchange import NO_LIMITS, ExchangeLimits, MarketLimits, RefusalCount
from tasks.engine.fills.path import Path
from tasks.engine.fills.rules import FillRules

if TYPE_CHECKING:
    from tasks.upstream.names import ExecutorConfigBase, TradingRule

#: Share of a position's value that an exchange wants to see as margin before it closes the position; 0.4 to 0.5% on
#: the large exchanges for positions of ordinary size.
MAINTENANCE = 0.005


class RunFills:
    """What `tasks.engine.executors.simulate` needs beside config and candles.

    One per run and trading pair, made before the run's first executor: orders of one run share the volume of a candle,
    and this is where what they took is kept.
    """

    def __init__(
        self,
        rules: FillRules,
        candles: Candles,
        *,
        trade_cost: float,
        trading_rules: Callable[[str, str], TradingRule],
        path: Path | None = None,
        funding: Funding | None = None,
    ) -> None:
        """`candles`: the rows the engine steps over. `trade_cost`: fraction of the quote amount, per side.
        `trading_rules`: (connector, trading pair) -> hummingbot's TradingRule; raises KeyError where there is none.
        `path`: the candles orders fill in; None: the engine's rows. `funding`: None: that of the rules."""
        self.rules = rules
        self.candles = candles
        self.trade_cost = trade_cost
        maker = trade_cost if rules.maker_cost is None else rules.maker_cost
        taker = trade_cost if rules.taker_cost is None else rules.taker_cost
        self.costs = Costs(maker, taker, rules.slippage_bps / 10_000)
        self._trading_rules = trading_rules
        self._path = path
        self._funding = Funding(rules.funding) if funding is None else funding
        self._limits = MarketLimits(trading_rules)
        #: positions that ran out of margin
        self.liquidated = 0

    @cached_property
    def path(self) -> Path:
        """The candles that orders fill in."""
        return Path.of_rows(self.candles) if self._path is None else self._path

    @cached_property
    def room(self) -> Floats:
        """Base that resting buy and sell orders may get in each candle of the path, shape (2, m)."""
        return self.path.room(self.rules.share)

    @cached_property
    def used(self) -> Floats:
        """Base that resting buy and sell orders of this run got in each candle of the path, shape (2, m)."""
        return np.zeros((2, len(self.path.row)))

    def rules_of(self, config: ExecutorConfigBase) -> Any:
        """The TradingRule of an executor's pair; None where there is none, as upstream's engine takes it."""
        try:
            return self._trading_rules(config.connector_name, config.trading_pair)
        except (KeyError, AttributeError):
            return None

    def limits_of(self, config: ExecutorConfigBase) -> ExchangeLimits:
        """What the exchange does to orders of an executor's pair."""
        return self._limits.of(config) if self.rules.exchange_limits else NO_LIMITS

    @property
    def refusals(self) -> RefusalCount:
        """Executors whose orders the exchange refuses; with stock fills they trade all the same."""
        return self._limits.refusals

    def note_stock_orders(self, config: ExecutorConfigBase, orders: Iterable[tuple[Decimal, Decimal]]) -> None:
        """Count an executor that trades with stock fills, and whether an exchange would take its orders.

        `orders`: (price, base) of its entries.
        """
        self._limits.note(config, orders)

    def funding_per_base(self, pair: str) -> Floats | None:
        """Quote that one long base pays when a row opens, float64, shape (n,); None: nothing is paid."""
        return self._funding.per_base(self.candles, pair) if self._funding.has(pair) else None

    def margin_of(self, config: ExecutorConfigBase) -> float:
        """Share of its value that a position may lose before its margin is gone: 1 / leverage; NaN: it has none.

        Only perpetual connectors have margin; `leverage` is the executor config's.
        """
        if not self.rules.exchange_limits or "perpetual" not in config.connector_name:
            return np.nan
        return 1 / float(getattr(config, "leverage", 1) or 1)

    def warnings(self) -> list[str]:
        """What a reader of the row must know, a sentence each; [] when there is nothing."""
        if self.rules.is_stock:
            return self._limits.warnings()
        found = [self.refusals.sentence("were refused by the exchange and traded nothing")]
        found += self._limits.without_limits() if self.rules.exchange_limits else []
        if self.liquidated:
            found.append(f"{self.liquidated} positions lost their margin and were liquidated")
        if self.rules.share is not None and "room" in vars(self) and not self.path.has_volume:
            found.append("the candles have no volume, so orders fill whatever their size")
        return [text for text in found if text]

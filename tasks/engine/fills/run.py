"""The fills of one run: the rules a sweep asks for, on the candles of one market."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tasks.engine.candles import Candles, Floats
from tasks.engine.fills.costs import Costs, Funding
from tasks.engine.fills.rules import FillRules


class RunFills:
    """What `tasks.engine.executors.simulate` needs beside config and candles.

    One per run and trading pair, made before the first executor, on the candles the engine steps over. `trade_cost`:
    fraction of the quote amount, per side. `trading_rules`: (connector, trading pair) -> hummingbot's TradingRule;
    raises KeyError where there is none. `funding`: rates shared by the runs of a chunk; None: those of the rules.
    """

    def __init__(
        self,
        rules: FillRules,
        candles: Candles,
        *,
        trade_cost: float,
        trading_rules: Callable[[str, str], Any],
        funding: Funding | None = None,
    ) -> None:
        self.rules = rules
        self.candles = candles
        self.trade_cost = trade_cost
        maker = trade_cost if rules.maker_cost is None else rules.maker_cost
        taker = trade_cost if rules.taker_cost is None else rules.taker_cost
        self.costs = Costs(maker, taker, rules.slippage_bps / 10_000)
        self._trading_rules = trading_rules
        self._funding = Funding(rules.funding) if funding is None else funding

    def rules_of(self, config: Any) -> Any:
        """The TradingRule of an executor's pair; None where there is none, as upstream's engine takes it."""
        try:
            return self._trading_rules(config.connector_name, config.trading_pair)
        except (KeyError, AttributeError):
            return None

    def funding_per_base(self, pair: str) -> Floats:
        """Quote that one long base pays when a row opens, float64, shape (n,)."""
        return self._funding.per_base(self.candles, pair)

"""From an executor's config to its simulated life, on its own pair's candles.

The one place where the live engine meets the simulations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.engine.executors import Trajectory, kind_of, simulate
from tasks.engine.fills import FillRules, RunFills
from tasks.errors import ControllerError

if TYPE_CHECKING:
    from tasks.engine.fills.costs import Funding
    from tasks.engine.live.pairs import Books, Pair
    from tasks.engine.live.prepared import Prepared
    from tasks.upstream.names import ExecutorConfigBase

#: Executors that need more than candles -> what they need.
_NEEDS = {
    "arbitrage_executor": "the order books of two connectors",
    "xemm_executor": "the order books of two connectors",
    "lp_executor": "a liquidity pool",
}


class Executions:
    """Makes the executors of one run, each on the candles of its own pair."""

    def __init__(self, rules: FillRules, books: Books, funding: Funding, prepared: Prepared) -> None:
        market = prepared.market
        self._books = books
        self._fills: dict[Pair, RunFills] = {
            pair: RunFills(
                rules,
                book.candles,
                trade_cost=market.trade_cost,
                trading_rules=lambda connector, trading_pair: market.trading_rules[connector][trading_pair],
                path=prepared.path(rules.detail, pair, book.candles),
                funding=funding,
            )
            for pair, book in books.by_pair.items()
        }

    def create(self, config: ExecutorConfigBase, row: int) -> Trajectory | None:
        """The life of an executor created on a row; None where its window holds no row.

        Raises ControllerError for an executor that candles cannot simulate, and what Books.of raises.
        """
        if kind_of(config) is None:
            kind = str(getattr(config, "type", "?"))
            needs = f" needs {_NEEDS[kind]}: it" if kind in _NEEDS else ""
            raise ControllerError(
                f"creates an executor of type {kind!r} ({type(config).__name__}), which{needs} cannot be simulated on "
                "candles; a back-test has position_executor, dca_executor, grid_executor and order_executor"
            )
        book = self._books.of(config.connector_name, config.trading_pair, row)
        return simulate(config, book.candles, row, self._fills[book.pair])

    def warnings(self) -> list[str]:
        """What a reader of the row must know, see RunFills.warnings; of every pair."""
        return [
            text if len(self._fills) == 1 else f"{pair.trading_pair}: {text}"
            for pair, fills in self._fills.items()
            for text in fills.warnings()
        ]

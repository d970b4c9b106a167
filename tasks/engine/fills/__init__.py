"""Fills other than stock: what an order would have got, from candles. What each rung assumes: docs/trust/fills.md.

    rules      what a sweep asks for (FillRules)
    run        the rules on the candles of one run (RunFills): what simulations are given
    path       the candles that orders fill in: the engine's rows, or finer ones inside them
    exchange   how an exchange rounds and refuses orders
    costs      fees, slippage, funding

The decision is taken at the close of the row that creates the executor; its orders act from the next row on. A market
entry fills at that close. A limit entry rests and fills at its own price, as maker; where the close is through its
price already, at that close, as taker, never worse than its price; a LIMIT_MAKER order rests at the close. When a
resting order fills is the rung's: reached (touch), traded through by ticks (through), and no more than a share of the
volume there (volume, honest). Stops are touched and fill at their level, or at the open where that is beyond it.

Levels follow from the price of the fills: stop = average * (1 - stop_loss), target = average * (1 + take_profit), gains
for the trailing stop likewise, all before fees; the trailing stop follows the closes and holds from the next candle on.
Funding is paid by what is open when a candle opens at or after its moment, on the value at that open: longs pay a
positive rate, shorts receive it.

Not simulated: the queue at the best price, what one's own orders do to the market, latency, balances, cross margin,
activation bounds; for grids also max_open_orders, order_frequency and the trailing stop.
"""

from tasks.engine.fills.rules import STOCK, FillRules
from tasks.engine.fills.run import RunFills

__all__ = ["STOCK", "FillRules", "RunFills"]

"""Honest fills: what an order would have got from candles alone, and where they leave it open, the worse of it.

The decision is taken at the close of the row that creates the executor; its orders act from the next row on.

    entry, market         the close of the creating row, taker
    entry, limit          rests from the next row on and fills at its own price, maker, when a candle trades THROUGH it
                          (low < price for a buy; touching is no fill); where the close is already through the price,
                          at that close on the creating row, taker, but never worse than the price
    entry, limit maker    as limit, but where it would cross it rests at the close instead
    stop loss             touched (low <= level for a long): at the level, or at the open where that is beyond it, taker
    trailing stop         the level follows the closes and holds from the next row on; otherwise as a stop loss
    take profit, limit    at its own price, maker, when traded through; never better, also where a candle opens beyond
    take profit, market   at its level, taker, when touched
    time limit, end       at the close of the last row, taker; an entry that has not filled is cancelled
    stopped early         at the close of that row, taker; or kept at its entry price

Within one candle: an open beyond the target is the target's; after that resting entries fill before stops, and stops
before targets. In the candle of a limit entry the target counts only if the close is beyond it, the stop always: the
price had to go down through the order to reach the low.

Levels follow from the price of the fills: stop = average × (1 - stop_loss), target = average × (1 + take_profit), gains
for the trailing stop likewise, all before fees. Fees are booked on the side on which they arise, as fractions of the
quote amount: maker or taker. Slippage moves taker fills only, against the trade. Funding is paid by what is open when a
candle opens at or after its moment, on the value at that open: longs pay a positive rate, shorts receive it.

Not simulated, as in stock fills: partial fills, queues, balances, margin and liquidation, activation bounds; for grids
also max_open_orders, order_frequency and the trailing stop.
"""

from tasks.engine.fills.rules import STOCK, FillRules
from tasks.engine.fills.run import RunFills

__all__ = ["STOCK", "FillRules", "RunFills"]

"""What an exchange makes of an order: rounded to its increments, or refused as too small.

As Hummingbot's connectors do before they send it (ExchangePyBase._create_order, quantize_order_price,
quantize_order_amount): price and amount are rounded down to min_price_increment and min_base_amount_increment; then an
amount below min_order_size or a value below min_notional_size is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tasks.upstream.names import ExecutorConfigBase, TradingRule


#: Increments below this are "none": a TradingRule made of nothing has 1e-56.
_NO_INCREMENT = Decimal("1e-18")


class Order(NamedTuple):
    """An order as the exchange has it."""

    #: quote per base
    price: Decimal
    #: base
    amount: Decimal
    #: why it is refused; "" where it is not
    refusal: str


class ExchangeLimits:
    """The limits of one trading pair."""

    def __init__(self, rule: TradingRule) -> None:
        """`rule`: hummingbot's TradingRule, or None where there is none: nothing is rounded or refused then."""
        self.pair = "" if rule is None else str(rule.trading_pair)
        self._size, self._notional = Decimal(0), Decimal(0)
        self._price_step = self._amount_step = Decimal(0)
        if rule is not None:
            self._size, self._notional = rule.min_order_size, rule.min_notional_size
            self._price_step = _step(rule.min_price_increment)
            self._amount_step = _step(rule.min_base_amount_increment)

    @property
    def has_limits(self) -> bool:
        """Whether any order would be rounded or refused."""
        return bool(self._size or self._notional or self._price_step or self._amount_step)

    @property
    def tick(self) -> float:
        """The price increment in quote; 0.0: not known."""
        return float(self._price_step)

    @property
    def amount_step(self) -> float:
        """The increment of amounts in base; 0.0: not known."""
        return float(self._amount_step)

    def refusal(self, price: Decimal, amount: Decimal) -> str:
        """Why an order is refused; "" where it is not. As `order`, without looking twice at one that is far above."""
        return "" if not self._is_small(price, amount) else self.order(price, amount).refusal

    def _is_small(self, price: Decimal, amount: Decimal) -> bool:
        """Rounding cannot make an order of twice the smallest amount too small."""
        size = 2 * max(self._size, self._amount_step)
        return not (amount > size and price * amount > 2 * self._notional)

    def order(self, price: Decimal, amount: Decimal, *, at_market: bool = False) -> Order:
        """What becomes of an order. `at_market`: it has no price of its own; `price` is what it is valued at."""
        if self._price_step and not at_market:
            price = price // self._price_step * self._price_step
        wanted = amount
        if self._amount_step:
            amount = amount // self._amount_step * self._amount_step
        if amount < self._size or amount <= 0:
            at_least = f"the exchange's min_order_size {self._size.normalize():f}"
            if amount <= 0 and not self._size:
                at_least = f"the exchange's min_base_amount_increment {self._amount_step.normalize():f}"
            return Order(price, amount, f"an order of {float(wanted):g} {self._base} is below {at_least}")
        if price * amount < self._notional:
            value = float(price * amount)
            limit = f"{self._notional.normalize():f}"
            return Order(
                price,
                amount,
                f"an order worth {value:.4g} {self._quote} is below the exchange's min_notional_size {limit}",
            )
        return Order(price, amount, "")

    @property
    def _base(self) -> str:
        return self.pair.partition("-")[0]

    @property
    def _quote(self) -> str:
        return self.pair.partition("-")[2]


class RefusalCount:
    """How many executors an exchange refuses, and why the first of them."""

    def __init__(self) -> None:
        self.executors = self.refused = 0
        self._first = ""

    def note(self, refusal: str) -> None:
        """One executor; `refusal` "" where its orders are accepted."""
        self.executors += 1
        if refusal:
            self.refused += 1
            self._first = self._first or refusal

    def sentence(self, what: str) -> str:
        """ "`refused` of `executors` executors `what`: why"; "" where none was refused."""
        if not self.refused:
            return ""
        return f"{self.refused} of {self.executors} executors {what}: {self._first}"


class MarketLimits:
    """The limits of every pair that a run trades, and how many of its executors they refuse."""

    def __init__(self, trading_rules: Callable[[str, str], TradingRule]) -> None:
        """`trading_rules`: (connector, trading pair) -> hummingbot's TradingRule; raises where there is none."""
        self._trading_rules = trading_rules
        self._known: dict[tuple[str, str], ExchangeLimits] = {}
        self.refusals = RefusalCount()

    def of(self, config: ExecutorConfigBase) -> ExchangeLimits:
        """Those of an executor's pair."""
        key = config.connector_name, config.trading_pair
        known = self._known.get(key)
        if known is None:
            try:
                known = ExchangeLimits(self._trading_rules(*key))
            except Exception:  # whatever a provider says about a pair that has no rules
                known = NO_LIMITS
            self._known[key] = known
        return known

    def note(self, config: ExecutorConfigBase, orders: Iterable[tuple[Decimal, Decimal]]) -> None:
        """Count an executor that trades whatever its size. `orders`: (price, base) of its entries."""
        limits = self.of(config)
        self.refusals.note(next((why for price, base in orders if (why := limits.refusal(price, base))), ""))

    def warnings(self) -> list[str]:
        """What a reader of a row with stock fills must know; [] when there is nothing."""
        text = self.refusals.sentence("would be refused by the exchange, and trade here all the same")
        return [*([text] if text else []), *self.without_limits()]

    def without_limits(self) -> list[str]:
        """A sentence per pair that was traded and of whose limits nothing is known."""
        found = []
        for (connector, pair), limits in self._known.items():
            if limits is NO_LIMITS:
                found.append(
                    f"no trading rules of {pair} on {connector}: its orders are neither rounded nor refused as the "
                    f"exchange does; name them in trading_rules/{connector}.json"
                )
            elif not limits.has_limits:
                found.append(
                    f"the trading rules of {pair} on {connector} hold no increments and no smallest order: its orders "
                    "are neither rounded nor refused as the exchange does"
                )
        return found


#: Of a pair without trading rules.
NO_LIMITS = ExchangeLimits(None)


def _step(increment: Decimal) -> Decimal:
    return increment if increment > _NO_INCREMENT else Decimal(0)

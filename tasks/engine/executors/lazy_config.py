"""Executors alike in all but moment, side, price and amount, which have no config of their own until it is read.

DirectionalTradingControllerBase.get_executor_config puts the same barriers, leverage and pair into every executor's
config. Where all of that is upstream's own (tasks.engine.jump.scheduler_choice), the first executor of a run is made
by upstream,
checks included; of the others the ledger keeps what differs and the number drawn for the id, and the config is made
when
someone reads it.
"""

from __future__ import annotations

import hashlib
import random
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import base58
from pydantic import BaseModel

if TYPE_CHECKING:
    from tasks.upstream.names import PositionExecutorConfig, TradeType


class LazyPositionConfig:
    """The config of an executor like `pattern`, a PositionExecutorConfig; read like one.

    `timestamp`: seconds; `entry_price`: quote; `amount`: base. Draws from the rng what upstream draws for the id.
    """

    __slots__ = ("_number", "_pattern", "amount", "entry_price", "side", "timestamp", "triple_barrier_config")

    def __init__(
        self, pattern: PositionExecutorConfig, timestamp: float, side: TradeType, entry_price: Decimal, amount: Decimal
    ) -> None:
        self._pattern = pattern
        self.timestamp = timestamp
        self.side = side
        self.entry_price = entry_price
        self.amount = amount
        self.triple_barrier_config = pattern.triple_barrier_config
        self._number = random.randint(0, 99999)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pattern, name)

    @property
    def id(self) -> str:
        """As ExecutorConfigBase.set_id makes it."""
        digest = hashlib.sha256(f"{self.timestamp}-{self._number}".encode()).digest()
        return base58.b58encode(digest).decode()

    def made(self) -> BaseModel:
        """Hummingbot's config, as upstream would have made it."""
        config: BaseModel = self._pattern.model_copy(
            update={
                "id": self.id,
                "timestamp": self.timestamp,
                "side": self.side,
                "entry_price": self.entry_price,
                "amount": self.amount,
                "triple_barrier_config": self.triple_barrier_config.model_copy(),
            }
        )
        return config

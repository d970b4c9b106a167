"""What metrics read of an executor that ended."""

from __future__ import annotations

from typing import Any, Protocol


class TradeLike(Protocol):
    """An executor of the ledger, as far as metrics read it: hummingbot's ExecutorInfo, or what has these of it."""

    @property
    def filled_amount_quote(self) -> Any:
        """Quote traded."""
        ...

    @property
    def net_pnl_quote(self) -> Any:
        """Pnl after fees, quote."""
        ...

    @property
    def close_type(self) -> Any:
        """Hummingbot's CloseType; None while it runs."""
        ...

"""What a controller sees on a row: the time, the price, the row's features, its executors and held positions."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tasks.engine.candles import Candles
from tasks.engine.jump.lazy import LazyList
from tasks.engine.jump.ledger import Ledger
from tasks.market_names import price_key

if TYPE_CHECKING:
    import pandas as pd

    from tasks.upstream.names import ControllerBase

#: Rows of a block.
_BLOCK = 2048


class View:
    """Puts a controller on a row, as upstream's `update_state` does on every row."""

    def __init__(self, controller: ControllerBase, ledger: Ledger, candles: Candles) -> None:
        self._controller = controller
        self._provider = controller.market_data_provider
        self._ledger = ledger
        self._candles = candles
        self._rows = _Rows(candles.frame)
        #: the row the controller was put on last
        self.row = -1

    def present(self, row: int) -> None:
        """Everything as of a row. The ledger is on that row already."""
        self.row = row
        controller, provider, ledger = self._controller, self._provider, self._ledger
        config = controller.config
        provider.prices = {price_key(config.connector_name, config.trading_pair): Decimal(self._candles.close[row])}
        provider._time = self._rows.time(row)
        controller.processed_data.update(self._rows.values(row))
        controller.executors_info = LazyList(ledger.executors_reader())
        controller.positions_held = ledger.positions_held()

    def step_to(self, row: int) -> float:
        """Only the time, where the controller is not asked; returns it, in seconds."""
        time: float = self._rows.time(row)
        self._provider._time = time
        return float(time)


class _Rows:
    """Rows of a frame as upstream's `row.to_dict()` gives them, taken out of the frame a block at a time."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame.copy(deep=False)  # columns that the controller adds later are not in upstream's rows
        self._times = frame.index.to_numpy()
        self._names = list(frame.columns)
        # Numbers only: a row is then a float64 series, whatever the columns' own types.
        self._first = 0
        self._block = self._taken(0)
        self._plain = self._block.dtype == np.float64

    def time(self, row: int) -> Any:
        """The row's `timestamp`: numpy's float where the row is a float64 series, as upstream hands it on."""
        time = self._times[row]
        return time if self._plain else float(time)

    def values(self, row: int) -> dict[Any, Any]:
        """Column -> value."""
        k = row - self._first
        if not 0 <= k < len(self._block):
            k = row % _BLOCK
            self._first = row - k
            self._block = self._taken(self._first)
        if not self._plain:
            import pandas as pd

            fresh: dict[Any, Any] = pd.Series(self._block[k], index=self._frame.columns).to_dict()
            return fresh
        return dict(zip(self._names, self._block[k].tolist(), strict=True))

    def _taken(self, first: int) -> npt.NDArray[Any]:
        frame = self._frame if len(self._frame) <= _BLOCK else self._frame.iloc[first : first + _BLOCK]
        return frame.to_numpy()

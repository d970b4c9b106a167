"""The rows an engine steps over, as arrays, and the searches the simulators make in them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]


class Candles:
    """The merged frame of a run (index `epoch_seconds`, ascending, no duplicate) as float64 arrays of shape (n,).

    A row is a position in them. Made once per run and never written to. Prices are finite and above 0.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame
        self.timestamp: Floats = frame.index.to_numpy(dtype=np.float64)
        self.open = self._column("open")
        self.high = self._column("high")
        self.low = self._column("low")
        self.close = self._column("close")
        self.volume = self._column("volume")

    def __len__(self) -> int:
        return len(self.timestamp)

    @cached_property
    def growth(self) -> Floats:
        """close / close of the row before, by upstream's operations: 1 + (close / previous - 1); 1 on row 0."""
        growth = np.ones(len(self))
        growth[1:] = 1 + (self.close[1:] / self.close[:-1] - 1)
        return growth

    def row_at(self, timestamp: float) -> int:
        """The last row that opens at `timestamp` or before; -1 when there is none."""
        return int(self.timestamp.searchsorted(timestamp, side="right")) - 1

    def last_row(self, config: Any, time_limit: float | None) -> int:
        """The last row of an executor's window: its time limit counted from its own timestamp, or the end."""
        if not time_limit:
            return len(self) - 1
        return self.row_at(config.timestamp + time_limit)

    def _column(self, name: str) -> Floats:
        return np.ascontiguousarray(self.frame[name].to_numpy(dtype=np.float64))

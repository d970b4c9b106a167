"""What a controller sees on a row: the time, the price, the row's features, its executors and held positions."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tasks.engine.jump.book import Book
from tasks.engine.jump.candles import Candles
from tasks.engine.jump.lazy import LazyList

if TYPE_CHECKING:
    import pandas as pd

#: Rows turned into Python objects at a time where every row is asked for, and how many in a row count as every row.
_CHUNK, _RUN = 512, 8


class View:
    """Puts a controller on a row, as upstream's `update_state` does on every row."""

    def __init__(self, controller: Any, book: Book, candles: Candles) -> None:
        self._controller = controller
        self._provider = controller.market_data_provider
        self._book = book
        self._candles = candles
        self._rows = _Rows(candles.frame)
        self._key = f"{controller.config.connector_name}_{controller.config.trading_pair}"

    def present(self, row: int) -> None:
        """Everything as of a row. The book is on that row already."""
        controller, provider, book = self._controller, self._provider, self._book
        provider.prices = {self._key: Decimal(self._candles.close[row])}
        provider._time = self._rows.time(row)
        controller.processed_data.update(self._rows.values(row))
        controller.executors_info = LazyList(book.executors_reader())
        controller.positions_held = book.positions_held()


class _Rows:
    """Rows of a frame as upstream's `row.to_dict()` gives them."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame
        self._times = frame.index.to_numpy()
        self._names = list(frame.columns)
        # All numbers: a row is then a float64 series, whatever the columns' own types.
        self._plain = all(dtype.kind in "iuf" and dtype.itemsize == 8 for dtype in frame.dtypes)
        self._columns = [frame[name].to_numpy() for name in self._names] if self._plain else []
        self._chunk: list[tuple[float, ...]] = []
        self._chunk_first = 0
        self._row = -1
        self._in_a_row = 0

    def time(self, row: int) -> Any:
        """The row's `timestamp`: numpy's float where the row is a float64 series, as upstream hands it on."""
        time = self._times[row]
        return time if self._plain else float(time)

    def values(self, row: int) -> dict[Any, Any]:
        """Column -> value."""
        if not self._plain:
            import pandas as pd

            values = self._frame.iloc[row : row + 1].values[0]
            fresh: dict[Any, Any] = pd.Series(values, index=self._frame.columns).to_dict()
            return fresh
        self._in_a_row = self._in_a_row + 1 if row == self._row + 1 else 0
        self._row = row
        k = row - self._chunk_first
        if not 0 <= k < len(self._chunk):
            if self._in_a_row < _RUN:
                return {name: float(column[row]) for name, column in zip(self._names, self._columns, strict=True)}
            self._chunk_first, k = row, 0
            part = [column[row : row + _CHUNK].astype(float).tolist() for column in self._columns]
            self._chunk = list(zip(*part, strict=True))
        return dict(zip(self._names, self._chunk[k], strict=True))

"""Small candle files of every kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tasks.candles.formats import COLUMNS, CandleFile, candle_file
from tasks.candles.slices import Columns

#: 2024-01-01T00:00:00Z, a Monday
MONDAY = 1704067200

Make = Callable[..., CandleFile]


def candles(count: int, seconds: int = 60, start: float = MONDAY, seed: int = 0, columns: int = 6) -> Columns:
    """Seeded candles whose high and low contain open and close; volumes with three decimals."""
    chance = np.random.default_rng(seed)
    close = np.round(100 + np.cumsum(chance.normal(0, 0.1, count)), 2)
    open_ = np.concatenate(([100.0], close))[:count]
    made: Columns = {
        "timestamp": start + seconds * np.arange(count, dtype=np.float64),
        "open": open_,
        "high": np.round(np.maximum(open_, close) + chance.uniform(0, 0.05, count), 2),
        "low": np.round(np.minimum(open_, close) - chance.uniform(0, 0.05, count), 2),
        "close": close,
    }
    for name in COLUMNS[5:columns]:
        made[name] = np.round(chance.uniform(0, 1000, count), 3)
    return made


def csv_lines(columns: Columns) -> list[str]:
    """Header and lines as Hummingbot writes them, times as whole numbers where they are whole."""
    lines = [",".join(columns)]
    for row in zip(*columns.values(), strict=True):
        fields = [str(int(value)) if value == int(value) else repr(float(value)) for value in row]
        lines += [",".join(fields)]
    return lines


@pytest.fixture
def write(tmp_path: Path) -> Make:
    """Write lines (or columns) as a CSV under Hummingbot's name and say what file it is."""

    def make(content: Columns | list[str], name: str = "candles_binance_BTC-USDT_1m.csv") -> CandleFile:
        lines = csv_lines(content) if isinstance(content, dict) else content
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n")
        file = candle_file(path)
        assert file is not None
        return file

    return make

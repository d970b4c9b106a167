"""What is said before a broker or a child is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.execution.publish import precheck
from orchestrator.sweepfile.sweep import Sweep
from tasks.errors import CandlesMissing


@pytest.mark.parametrize(("there", "message"), [(False, "no such candle folder"), (True, "is a file")])
def test_a_candle_folder_that_is_none_is_named_itself(tmp_path: Path, there: bool, message: str) -> None:
    """Not the trading rules in it, which nobody has asked for."""
    folder = tmp_path / "candles"
    if there:
        folder.write_text("")
    sweep = Sweep.from_mapping(
        {
            "controller": {
                "controller_type": "directional_trading",
                "controller_name": "bollinger_v1",
                "connector_name": "binance_perpetual",
                "trading_pair": "BTC-USDT",
            },
            "grid": {"bb_std": [1.5, 2.0]},
            "period": {"start": "2024-01-01", "end": "2024-01-31"},
            "candles": str(folder),
        },
        str(tmp_path / "sweep.yml"),
    )
    with pytest.raises(CandlesMissing, match=f"^{folder}: {message}; set `candles:` in the sweep file"):
        precheck(sweep)

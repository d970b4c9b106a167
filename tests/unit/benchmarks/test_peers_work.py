"""The work of `bench peers`: what every contender computes equals the stock engine called directly."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.contenders import work


@pytest.mark.parametrize("kind", ["cheap", "indicator"])
def test_a_point_equals_the_stock_engine_called_directly(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hummingbot.data_feed.market_data_provider import MarketDataProvider

    monkeypatch.setattr(MarketDataProvider, "initialize_rate_sources", lambda *_: None)
    folder = str(work.prepare(tmp_path / "work", 50, kind))
    for point in (0, 7):
        ours, stock = work.compute(folder, point), work.compute_stock(folder, point)
        assert ours[:2] == stock[:2]
        assert ours[1]["total_executors"] > 0

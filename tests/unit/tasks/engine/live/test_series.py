"""Series on the live engine: what a controller gets of them at each candle, and that nothing later is there."""

from __future__ import annotations

import asyncio
import dataclasses
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.workloads.market import START, market_of, random_walk
from benchmarks.workloads.stateful import Generic, GenericConfig
from tasks.engine._base import Market
from tasks.engine.live.engine import LiveEngine
from tasks.errors import CandlesMissing, ControllerError
from tasks.upstream.names import TradeType

HOUR = 3600.0
SERIES = pd.DataFrame(
    {
        "timestamp": [START + HOUR * hour for hour in range(-2, 12)],
        "rate": [0.01 * hour for hour in range(14)],
        "mood": [f"mood {hour}" for hour in range(14)],
    }
)


class ReaderConfig(GenericConfig):
    controller_name: str = "reader"

    def get_controller_class(self) -> Any:
        return Reader


class Reader(Generic):
    """Notes what it gets, and buys when the series' last rate has an even number of hundredths."""

    seen: dict[float, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        Reader.seen = {}

    async def update_processed_data(self) -> None:
        provider = self.market_data_provider
        frame = provider.get_series("mood")
        held = [values for one in provider.series.values() for values in one._values]
        later = any(
            np.isin(values, SERIES[len(frame) :][name]).any() for values, name in zip(held, SERIES, strict=False)
        )
        info = provider.get_funding_info("binance_perpetual", "BTC-USDT")
        self.seen[provider.time()] = (frame.copy(), info, later)
        frame["rate"] = 9.0  # its own copy
        self.due = round(info.rate * 100) % 2 == 0

    def determine_executor_actions(self) -> list[Any]:
        running = any(one.is_active for one in self.executors_info)
        return [self.position(TradeType.BUY, time_limit=600)] if self.due and not running else []


def market(shift: int = 1, **fields: Any) -> Market:
    """Four hours of 1m."""
    return dataclasses.replace(
        market_of(random_walk(240, seed=2), shift=shift),
        **{"series": {"mood": SERIES, "funding_BTC-USDT": SERIES}, **fields},
    )


def run(on: Market) -> Any:
    config = ReaderConfig(id="x", total_amount_quote=1000)
    return asyncio.run(LiveEngine().run(config, on))


@pytest.mark.parametrize("shift", [0, 1, 2])
def test_a_series_is_known_when_candles_of_its_moment_are(shift: int) -> None:
    outcome = run(market(shift))
    assert len(Reader.seen) == 240
    for time, (frame, info, later) in Reader.seen.items():
        known = time + (1 - shift) * 60
        expected = SERIES[SERIES["timestamp"] <= known]
        pd.testing.assert_frame_equal(frame.reset_index(drop=True), expected.reset_index(drop=True))
        assert not later
        assert info.rate == pytest.approx(Decimal(str(expected["rate"].iloc[-1])))
        assert info.next_funding_utc_timestamp >= time
    assert 5 < len(outcome.executors) < 24  # in every other hour


def test_funding_of_the_sweep_file_is_a_series_too() -> None:
    run(
        market(
            series={"mood": SERIES}, funding={"BTC-USDT": [[START, 0.01], [START + HOUR, 0.02], [START + 9 * HOUR, 9]]}
        )
    )
    rates = {time: info.rate for time, (_, info, _) in Reader.seen.items()}
    assert rates[START] == Decimal("0.01")
    assert rates[START + 2 * HOUR] == Decimal("0.02")


def test_a_series_that_is_not_there_is_named() -> None:
    with pytest.raises(CandlesMissing, match=r"series mood is not in the sweep \(there: none\)"):
        run(market(series={}))
    with pytest.raises(ControllerError, match=r"series: \{funding_BTC-USDT: FILE\}"):
        run(market(series={"mood": SERIES}))

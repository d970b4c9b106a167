"""With how many candles a controller decides as with all of them."""

from __future__ import annotations

import asyncio
from typing import Any

from benchmarks.workloads.controllers import Bollinger, BollingerConfig
from benchmarks.workloads.market import START, market_of, random_walk
from tasks.engine._base import Market
from tasks.engine.audit import HistoryReport, audit_history

FEED = "binance_perpetual_BTC-USDT_1m"


class IndicatorConfig(BollingerConfig):
    controller_name: str = "indicator"
    kind: str = ""
    span: float = 0.0

    def get_controller_class(self) -> Any:
        return Indicator


class Indicator(Bollinger):
    async def update_processed_data(self) -> None:
        config = self.config
        df = self.market_data_provider.get_candles_df(
            config.connector_name, config.trading_pair, config.interval, config.length
        )
        close = df["close"]
        if config.kind == "rolling":
            df["line"] = close.rolling(20).mean()
        elif config.kind == "ema":
            df["line"] = close.ewm(span=config.span, adjust=False).mean()
        else:
            df["line"] = close.expanding().mean()
        df["signal"] = (close > df["line"]).astype(int)
        self.processed_data = {"signal": int(df["signal"].iloc[-1]), "features": df}


def audited(kind: str, length: int, span: float = 0.0) -> HistoryReport:
    def config() -> Any:
        return IndicatorConfig(
            id="x", connector_name="binance_perpetual", trading_pair="BTC-USDT", kind=kind, length=length, span=span
        )

    return asyncio.run(audit_history(config, market(), seed=1))


def market() -> Market:
    candles = random_walk(2000, seed=9)
    plain = market_of(candles, shift=1)
    return Market(**{**vars(plain), "start": START + 500 * 60, "warmup": True})


def test_a_window_that_fits_into_the_candles_does_not_differ() -> None:
    found = audited("rolling", 30)
    assert found.columns == {}
    assert found.sentence.startswith("history: nothing differs with up to ")
    assert found.moments == 12


def test_an_average_with_a_long_memory_is_named_with_the_number_of_candles_that_is_enough() -> None:
    found = audited("ema", 30, span=50)
    assert "line" in found.columns
    drift = found.columns["line"]
    assert drift.moments > 6
    assert drift.share is not None
    assert drift.share > 0.001
    enough = found.smallest[FEED]
    assert 60 < enough < 400
    assert f"enough is {FEED} max_records: {enough}" in found.sentence
    assert audited("ema", enough, span=50).columns == {}
    assert "line" in audited("ema", enough // 2, span=50).columns


def test_an_expanding_mean_needs_every_candle() -> None:
    found = audited("expanding", 100)
    assert "line" in found.columns
    assert found.smallest == {}
    assert "no number of candles that is there is enough" in found.sentence


def test_a_controller_that_raises_is_not_tested_and_says_why() -> None:
    found = audited("ema", 30, span=0.0)
    assert found.not_tested.startswith("ValueError")
    assert found.sentence.startswith("history not tested: ValueError")

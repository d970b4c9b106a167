"""Series of the sweep file from the file to the row: command line, children, both engines."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import START, Cluster, Place, small_sweep

#: Buys while the last known value of the series is above a limit.
CONTROLLER = """
    import pandas as pd

    from hummingbot.data_feed.candles_feed.data_types import CandlesConfig
    from hummingbot.strategy_v2.controllers.directional_trading_controller_base import (
        DirectionalTradingControllerBase, DirectionalTradingControllerConfigBase)


    class MoodyConfig(DirectionalTradingControllerConfigBase):
        controller_name: str = "moody"
        limit: float = 0.5


    class Moody(DirectionalTradingControllerBase):
        def get_candles_config(self):
            return [CandlesConfig(connector=self.config.connector_name, trading_pair=self.config.trading_pair,
                                  interval="1m", max_records=20)]

        async def update_processed_data(self):
            provider, config = self.market_data_provider, self.config
            frame = provider.get_candles_df(config.connector_name, config.trading_pair, "1m", 20)
            mood = provider.get_series("mood")
            rate = provider.get_funding_info(config.connector_name, config.trading_pair).rate
            assert rate >= 0
            frame = pd.merge_asof(frame, mood, on="timestamp")
            frame["signal"] = (frame["mood"] > config.limit).astype(int)
            self.processed_data = {"signal": int(frame["signal"].iloc[-1]), "features": frame}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, session_cluster: Cluster) -> Place:
    """Eight hours in which the mood is good in the hours 2 and 5."""
    folder = tmp_path_factory.mktemp("series")
    place = small_sweep(folder, session_cluster.environment)
    file = folder / "controllers" / "directional_trading" / "moody.py"
    file.parent.mkdir(parents=True)
    file.write_text(textwrap.dedent(CONTROLLER))
    write(folder, good=(2, 5))
    place.sweep["controller"] |= {"controller_name": "moody", "cooldown_time": 600, "time_limit": 300}
    place.sweep |= {
        "controllers": "controllers",
        "grid": {"limit": [0.5, 2.0]},
        "series": {"mood": "mood.csv", "funding_BTC-USDT": "funding.csv"},
    }
    return place


def write(folder: Path, good: tuple[int, ...]) -> None:
    """The series: `mood` 1 in the good hours of the period, and rates every eight hours."""
    hours = range(-1, 10)
    rows = [f"{START + 3600 * (hour + 1)},{int(hour in good)}.0" for hour in hours]
    (folder / "mood.csv").write_text("\n".join(["timestamp,mood", *reversed(rows)]) + "\n")
    (folder / "funding.csv").write_text(f"timestamp,rate\n{START},0.0001\n{START + 28_800},0.0002\n")


def traded_hours(place: Place, out: str) -> set[int]:
    """Hours of the period in which point 0 opened executors."""
    trades = place.run("trades", out, "--point", "0", "--format", "json")
    assert trades.code == 0, trades.err
    return {int(one["created"][11:13]) - 1 for one in trades.document["executors"]}


def ran(place: Place, out: str, **keys: Any) -> list[dict[str, Any]]:
    place.sweep |= keys
    done = place.run("run", place.file, "--out", out, "--no-report", "--no-audit")
    assert done.code == 0, done.err
    return place.rows(out)


@pytest.mark.parametrize("engine", ["jump", "live"])
def test_a_controller_trades_by_a_series_on_both_engines(place: Place, engine: str) -> None:
    rows = ran(place, engine, engine=engine)
    assert {row["engine"] for row in rows} <= {engine, "step"}
    traded = {row["limit"]: row["total_executors"] for row in rows}
    assert traded[2.0] == 0
    assert traded[0.5] > 4
    assert traded_hours(place, engine) == {2, 5}


def test_other_values_are_another_sweep_and_a_file_that_is_not_there_is_named(place: Place) -> None:
    before = ran(place, "again", engine="jump")
    write(place.folder, good=(3,))
    after = ran(place, "again")
    assert after[0]["total_executors"] < before[0]["total_executors"]
    (place.folder / "mood.csv").unlink()
    refused = place.run("run", place.file, "--out", "none", "--no-report")
    assert (refused.code, "mood.csv: no such file" in refused.err) == (2, True), refused.err

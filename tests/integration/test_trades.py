"""The ledger of a point as data, and what decides its fills, from the sweep file to the row."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hummingsweep import Sweep
from tasks.errors import HummingsweepError
from tests.integration.conftest import START, Cluster, Place, small_sweep, write_candles


@pytest.fixture
def in_cluster(session_cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process is the orchestrator of the session's cluster."""
    for name, value in session_cluster.environment.items():
        if name.startswith("HUMMINGSWEEP_"):
            monkeypatch.setenv(name, value)


def ran(place: Place, **keys: Any) -> tuple[Sweep, pd.DataFrame]:
    """The sweep of a place with other keys, and its rows."""
    place.sweep |= keys
    sweep = Sweep.from_file(place.file, out=place.folder / "out")
    return sweep, sweep.run(progress=False, audit=False, report=False)


ENGINES: dict[str, dict[str, Any]] = {
    "stock": {"engine": "stock", "fills": "stock"},
    "jump": {"engine": "jump", "fills": "stock"},
    "jump, honest": {"engine": "jump"},
    "live": {"engine": "live"},
}


@pytest.mark.usefixtures("in_cluster")
@pytest.mark.parametrize("engine", ENGINES)
def test_the_trades_of_a_point_add_up_to_its_row(place: Place, engine: str) -> None:
    sweep, rows = ran(place, grid={"length": [10]}, **ENGINES[engine])
    row, (executors, fills) = rows.loc[0], sweep.trades(0)
    assert row["engine"] == engine.partition(",")[0]
    assert len(executors) == row["total_executors"] > 3
    assert executors["pnl_quote"].sum() == pytest.approx(row["net_pnl_quote"], abs=1e-6)
    assert set(executors["close_type"]) == set(row["close_types"])
    for table, times in ((executors, ["created", "filled", "closed"]), (fills, ["time"])):
        for name in times:
            assert str(table[name].dtype) == "datetime64[ns, UTC]"
    assert fills["time"].is_monotonic_increasing
    assert (fills["price"] > 0).all()
    assert set(fills["liquidity"]) <= ({"maker", "taker"} if sweep.file.fills != "stock" else {""})


@pytest.mark.usefixtures("in_cluster")
def test_a_sweep_with_both_fills_has_the_trades_of_both(place: Place) -> None:
    sweep, rows = ran(place, grid={"length": [10]}, fills="both")
    for side, column in (("", "net_pnl_quote"), ("stock", "net_pnl_quote"), ("honest", "honest_net_pnl_quote")):
        executors, _ = sweep.trades(0, fills=side)
        assert executors["pnl_quote"].sum() == pytest.approx(rows.loc[0, column], abs=1e-6)
    assert rows.loc[0, "net_pnl_quote"] != rows.loc[0, "honest_net_pnl_quote"]
    refused = place.run("trades", "out", "--point", "0", "--fills", "touch")
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert "--fills touch: a sweep with `fills: both` has stock and honest" in refused.err


@pytest.mark.usefixtures("in_cluster")
def test_every_format_of_the_command_holds_the_same_tables(place: Place) -> None:
    sweep, _ = ran(place, grid={"length": [10, 20]})
    executors, fills = sweep.trades([0, 1])
    asked = ("trades", "out", "--point", "0", "--point", "1")
    csv = place.run(*asked)
    assert csv.code == 0, csv.err
    read = pd.read_csv(io.StringIO(csv.out), parse_dates=["created", "filled", "closed"], float_precision="round_trip")
    assert read["pnl_quote"].tolist() == executors["pnl_quote"].tolist()
    assert read["closed"].tolist() == executors["closed"].tolist()
    document = place.run(*asked, "--format", "json").document
    assert [len(document[name]) for name in ("executors", "fills")] == [len(executors), len(fills)]
    assert document["fills"][0]["time"] == fills["time"].iloc[0].strftime("%Y-%m-%dT%H:%M:%SZ")
    written = place.folder / "fills.parquet"
    assert place.run(*asked, "--format", "parquet", "--table", "fills", "--to", written).code == 0
    pd.testing.assert_frame_equal(pd.read_parquet(written), fills, check_dtype=False)

    nothing = place.run("trades", "out", "--point", "7")
    assert (nothing.code, "point 7" in nothing.err) == (2, True)
    write_candles(place.folder / "candles", seed=2)
    with pytest.raises(HummingsweepError, match="candles, controllers, trading rules or versions changed"):
        sweep.trades(0)


def finer(folder: Path, hours: int) -> None:
    """Candles of a second from which those of the minute are derived: the extremes of a minute lie apart in time."""
    file = write_candles(folder, rows=hours * 3600, seed=5, interval="1s")
    frame = pd.read_csv(file)
    close = 40_000 * np.exp(np.cumsum(np.random.default_rng(5).normal(0, 0.00012, len(frame))))
    opened = np.concatenate([[40_000.0], close[:-1]])
    frame = frame.assign(open=opened, close=close, high=np.maximum(opened, close), low=np.minimum(opened, close))
    frame.round(2).to_csv(file, index=False)


@pytest.mark.usefixtures("in_cluster")
def test_finer_candles_and_the_path_bracket_reach_the_rows(tmp_path: Path, session_cluster: Cluster) -> None:
    place = small_sweep(tmp_path, session_cluster.environment)
    (tmp_path / "candles" / "candles_binance_perpetual_BTC-USDT_1m.csv").unlink()
    finer(tmp_path / "candles", hours=10)
    place.sweep["controller"] |= {"stop_loss": 0.0006, "take_profit": 0.0006, "cooldown_time": 60}
    keys = {"grid": {"length": [5, 10]}, "period": {"start": START + 3600, "end": START + 9 * 3600}}
    sweep, bracket = ran(place, fill_path="bracket", **keys)
    for _, row in bracket.iterrows():
        assert row["best_path_net_pnl"] > row["net_pnl"]
        hangs = (row["best_path_net_pnl"] > 0) != (row["net_pnl"] > 0)
        assert hangs == ("which of high and low came first" in row["warning"])
    assert all(time.second == 0 for time in sweep.trades(0).fills["time"])

    sweep, detailed = ran(place, fill_path="worst", fill_detail="1s", **keys)
    assert (detailed["net_pnl"] >= bracket["net_pnl"]).all()
    assert (detailed["net_pnl"] <= bracket["best_path_net_pnl"]).all()
    assert {time.second for time in sweep.trades(0).fills["time"]} > {0}

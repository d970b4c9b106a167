"""A new user's way, from an empty folder to a config in the bot: sync, candles check, run, report, promote.

The exchange is the tests' own, on loopback; everything else is what the user has.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.conftest import CONTROLLERS, Cluster, Place
from tests.integration.exchange import Exchange

SWEEP = f"""\
name: first
controller:
  controller_type: directional_trading
  controller_name: crossing
  connector_name: binance_perpetual
  trading_pair: BTC-USDT
  total_amount_quote: 1000
  stop_loss: 0.01
  time_limit: 3600
  max_executors_per_side: 2
  cooldown_time: 300
grid:
  length: [5, 10, 20]
  take_profit: [0.002, 0.004]
  interval: [1m, 3m]
period: {{start: 2024-01-02, end: 2024-01-02T08:00:00Z}}
candles: data/candles
controllers: {CONTROLLERS}
"""

#: How the released Hummingbot reads a controller's config.
LOAD = """
import sys
sys.path.insert(0, sys.argv[2])
from hummingbot.strategy_v2.backtesting.backtesting_engine_base import BacktestingEngineBase
from pathlib import Path
file = Path(sys.argv[1])
config = BacktestingEngineBase.get_controller_config_instance_from_yml(file.name, str(file.parent), "controllers")
print("LOADED", config.id, config.length, config.take_profit, config.interval)
"""


@pytest.fixture
def user(tmp_path: Path, session_cluster: Cluster) -> Place:
    """An empty folder."""
    return Place(tmp_path, session_cluster.environment)


def test_from_an_empty_folder_to_a_config_in_the_bot(user: Place) -> None:
    (user.folder / "sweep.yml").write_text(SWEEP)
    with Exchange() as exchange:
        early = user.run("run", "sweep.yml")
        assert early.code == 2
        assert "Traceback" not in early.err
        assert "hummingsweep sync" in early.err  # it says what to do

        synced = user.run("sync", "sweep.yml", HUMMINGSWEEP_SYNC_BASE_URL=exchange.url)
        assert synced.code == 0, synced.err
    # from here on there is no exchange
    listed = user.run("candles", "list", "data/candles", "--json")
    assert "1m" in listed.out
    assert "3m" in listed.out
    checked = user.run("candles", "check", "data/candles")
    assert checked.code == 0, checked.out + checked.err

    ran = user.run("run", "sweep.yml")
    assert ran.code == 0, ran.err
    assert "12/12 points, 0 failed" in ran.out + ran.err
    rows = user.rows("runs/first")
    assert {row["status"] for row in rows} == {"ok"}
    assert sum(row["total_positions"] for row in rows) > 0
    assert len({row["net_pnl"] for row in rows}) > 1

    report = user.folder / "runs" / "first" / "report.html"
    assert report.is_file()
    report.unlink()
    assert user.run("report", "runs/first").code == 0
    page = report.read_text()
    assert "<html" in page
    assert "net_pnl" in page

    promoted = user.run("promote", "runs/first", "--rank", "1", "--to", "bot", "--anyway", "--json")
    assert promoted.code == 0, promoted.err
    (config,) = (user.folder / "bot" / "conf" / "controllers").glob("*.yml")
    loaded = subprocess.run(
        [sys.executable, "-c", LOAD, str(config), str(CONTROLLERS.parent)],
        capture_output=True, text=True, check=True, cwd=user.folder,
    ).stdout  # fmt: skip
    (line,) = [line for line in loaded.splitlines() if line.startswith("LOADED")]
    best = max(rows, key=lambda row: row["net_pnl"])
    _, name, length, take_profit, interval = line.split()
    assert name == config.stem
    assert (int(length), float(take_profit), interval) == (best["length"], float(best["take_profit"]), best["interval"])
    assert json.loads(promoted.out)

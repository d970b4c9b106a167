"""What another release changes, from its source."""

from __future__ import annotations

import shutil
import sysconfig
from pathlib import Path

from tasks.upstream.release_source import compared
from tasks.upstream.verified import TABLES, table_for

INSTALLED = Path(sysconfig.get_path("purelib"))
SIMULATOR = "hummingbot/strategy_v2/backtesting/executors_simulator/order_executor_simulator.py"
RELEASE = max(TABLES)


def test_the_installed_release_read_from_its_source_is_the_verified_one() -> None:
    assert compared(INSTALLED, TABLES[RELEASE]) == ([], [])


def test_a_changed_function_and_a_name_that_moved_are_said(tmp_path: Path) -> None:
    shutil.copytree(INSTALLED / "hummingbot" / "strategy_v2", tmp_path / "hummingbot" / "strategy_v2")
    file = tmp_path / SIMULATOR
    text = file.read_text()
    assert "def simulate(" in text
    file.write_text(text.replace("def simulate(", "def simulate(  # changed\n", 1))
    (tmp_path / "hummingbot/strategy_v2/utils/common.py").unlink()
    gone, differing = compared(tmp_path, TABLES[RELEASE])
    assert "hummingbot.strategy_v2.utils.common.generate_unique_id" in gone
    assert "OrderExecutorSimulator.simulate" in differing
    assert "PositionExecutorSimulator.simulate" not in differing


def test_a_release_without_a_table_is_compared_with_the_newest() -> None:
    assert table_for("20990101") == (RELEASE, TABLES[RELEASE])
    assert table_for(RELEASE)[0] == RELEASE

"""What `promote` writes, loaded by the released hummingbot's own code, for every example sweep.

In a process of its own: hummingbot keeps the folder of configs and the `controllers` package in module globals.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestrator.execution.promote import promote
from orchestrator.results.store_reader import StoreReader
from orchestrator.sweepfile.sweep import read, sweep_id
from tasks.grid import Grid
from tests import made

#: Loads a promoted config twice, as a back-test and as `v2_with_controllers.py` do, and once from the sweep's values.
LOAD = """
import json, sys
from pathlib import Path
orders = json.load(sys.stdin)
sys.path.insert(0, orders["examples"])
from hummingbot.client import settings
from hummingbot.strategy.strategy_v2_base import StrategyV2ConfigBase
from hummingbot.strategy_v2.backtesting.backtesting_engine_base import BacktestingEngineBase
import yaml
answers = []
for order in orders["configs"]:
    controller, script = Path(order["controller"]), Path(order["script"])
    settings.CONTROLLERS_CONF_DIR_PATH = controller.parent
    from_yml = BacktestingEngineBase.get_controller_config_instance_from_yml
    one = from_yml(controller.name, str(controller.parent), "controllers")
    fields = yaml.safe_load(script.read_text())
    (other,) = StrategyV2ConfigBase(**fields).load_controller_configs()
    tested = type(one)(**{**order["values"], "id": one.id})
    answers.append({
        "id": one.id, "class": type(one).__name__, "script": fields["script_file_name"],
        "same": one.model_dump() == other.model_dump(), "as tested": one.model_dump() == tested.model_dump(),
    })
print("ANSWER" + json.dumps(answers))
"""


def test_hummingbot_loads_what_was_promoted(tmp_path: Path, repository: Path) -> None:
    examples = repository / "examples"
    orders: list[dict[str, Any]] = []
    for file in sorted(examples.glob("[a-z]*.yml")):
        sweep = read(file)
        definition = sweep.definition()
        name = sweep_id(definition)
        last = min(definition_size(definition.grid), 40) - 1
        made.store(
            tmp_path / file.stem, definition.grid, sweep=name, controller=definition.controller, points=range(last + 1)
        )
        with StoreReader.open(tmp_path / file.stem) as store:
            controller, script = promote(store, name, tmp_path / "bot", point=last)
        values = {**definition.controller, **Grid.from_mapping(definition.grid).values(last)}
        orders.append({"controller": str(controller), "script": str(script), "values": values})
    assert len(orders) >= 4
    done = subprocess.run(
        [sys.executable, "-c", LOAD],
        input=json.dumps({"examples": str(examples), "configs": orders}),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=240,
        check=False,
    )
    if "ANSWER" not in done.stdout:
        pytest.fail(done.stderr[-3000:])
    answers = json.loads(done.stdout.partition("ANSWER")[2])
    for order, answer in zip(orders, answers, strict=True):
        assert answer["id"] == Path(order["controller"]).stem
        assert answer["script"] == "v2_with_controllers.py"
        assert answer["same"], f"the script loads another config: {answer}"
        assert answer["as tested"], f"the config differs from what was back-tested: {answer}"


def definition_size(grid: dict[str, list[Any]]) -> int:
    return Grid.from_mapping(grid).size

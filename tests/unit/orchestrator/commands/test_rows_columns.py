"""`rows --columns` describes every column of a sweep's rows."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from orchestrator.commands.root import app
from orchestrator.results.store import Store
from tests import made


def test_every_column_has_its_unit_direction_source_and_sentence(tmp_path: Path) -> None:
    sweep = made.store(tmp_path)
    with Store.open(tmp_path) as store:
        names = store.table(sweep).column_names
    told = CliRunner().invoke(app, ["rows", str(tmp_path), "--columns", "--format", "json"])
    found = {one["name"]: one for one in json.loads(told.stdout)}
    assert list(found) == names
    assert (found["net_pnl"]["unit"], found["net_pnl"]["better"]) == ("fraction", 1)
    assert found["bb_length"]["source"] == "sweep file"
    assert all(one["sentence"].endswith(".") for one in found.values())


def test_the_table_names_the_currency(tmp_path: Path) -> None:
    made.store(tmp_path)
    told = CliRunner().invoke(app, ["rows", str(tmp_path), "--columns"])
    (line,) = [line for line in told.stdout.splitlines() if line.startswith("net_pnl_quote")]
    assert line.split()[1:3] == ["USDT", "more"]

"""`rows --columns` describes every column of a sweep's rows; options that do not go together are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.commands.root import app
from orchestrator.results.store_reader import StoreReader
from tests import made


def test_every_column_has_its_unit_direction_source_and_sentence(tmp_path: Path) -> None:
    sweep = made.store(tmp_path)
    with StoreReader.open(tmp_path) as store:
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


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--format", "csv"], "format csv: returns are written as parquet or npy"),
        (["--windows"], "--windows does not go with --returns"),
        (["--status", "ok"], "--status does not go with --returns"),
    ],
)
def test_returns_take_only_what_goes_with_them(tmp_path: Path, options: list[str], said: str) -> None:
    made.store(tmp_path)
    told = CliRunner().invoke(app, ["rows", str(tmp_path), "--returns", *options])
    assert told.exit_code == 2
    assert told.stdout == ""
    assert said in told.stderr

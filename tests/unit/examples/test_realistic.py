"""The realistic candles of the examples: made by their script, sound, and with the features of real ones."""

from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest
from pyarrow import parquet

from orchestrator.execution.precheck import precheck
from orchestrator.sweepfile.sweep import read
from tasks.candles.check import examine
from tasks.candles.formats import find


@pytest.fixture(scope="module")
def realistic(repository):
    spec = importlib.util.spec_from_file_location("realistic", repository / "examples" / "realistic.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["realistic"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["realistic"]


def test_the_files_that_are_shipped_are_what_the_script_makes(realistic, repository, tmp_path):
    for made in realistic.write(tmp_path, seed=13):
        shipped = parquet.read_table(repository / "examples" / "realistic" / made.name)
        assert shipped.equals(parquet.read_table(made)), "run python examples/realistic.py"
    readme = (tmp_path / "README.md").read_text()
    assert readme == (repository / "examples" / "realistic" / "README.md").read_text()
    assert "NOT the past of any exchange" in readme


def test_they_have_fat_tails_and_volatility_clusters_and_are_sound(realistic, repository):
    for file in find(repository / "examples" / "realistic"):
        found = examine(file)
        assert found.sound and not found.gaps, found.findings
        facts = realistic.facts(parquet.read_table(file.path)["close"].to_numpy())
        assert 8 < facts["kurtosis"] < 80
        assert facts["clusters"] > 0.1
        assert abs(facts["bounce"]) < 0.05
        assert 0.0005 < facts["volatility"] < 0.002
        assert np.isfinite(list(facts.values())).all()


@pytest.mark.parametrize("name", ["real_directional", "real_market_making", "real_spreads"])
def test_the_examples_need_nothing_that_is_not_in_the_repository(repository, name):
    precheck(read(repository / "examples" / f"{name}.yml"))

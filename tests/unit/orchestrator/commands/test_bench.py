"""The command that starts benchmarks: which script with which options, and what it does with their answers."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from orchestrator.commands import bench as benches
from orchestrator.commands.bench import Benchmark, bench, command
from tasks.errors import HummingsweepError


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with a script per benchmark; each answers with its own arguments."""
    (tmp_path / "benchmarks").mkdir()
    script = 'import json, sys\nprint(json.dumps({"asked": sys.argv[1:]}))\nsys.exit("--mb" in sys.argv)\n'
    for name in Benchmark:
        (tmp_path / "benchmarks" / f"{name.value}.py").write_text(script)
    monkeypatch.setattr(benches, "REPOSITORY", tmp_path)
    return tmp_path


def run(*arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(bench)
    done = CliRunner().invoke(app, list(arguments))
    return done.exit_code, done.output


def test_each_benchmark_has_a_command(checkout: Path) -> None:
    assert command(Benchmark.ENGINE, checkout, quick=True, json=True)[1:] == [
        str(checkout / "benchmarks" / "engine.py"),
        "--quick",
        "--json",
    ]
    assert command(Benchmark.PEERS, checkout, quick=False, json=False) == [
        sys.executable,
        str(checkout / "benchmarks" / "peers.py"),
    ]
    assert command(Benchmark.SLICE, checkout, quick=True, json=True)[2:] == ["--mb", "50", "--runs", "1", "--json"]
    assert command(Benchmark.START, checkout, quick=False, json=True)[2:] == []


def test_all_with_json_is_one_document_and_the_worst_exit_code(checkout: Path) -> None:
    code, out = run("all", "--json", "--quick")
    document = json.loads(out)
    assert set(document) == {one.value for one in Benchmark} - {"all"}
    assert document["cluster"] == {"asked": ["--quick", "--json"]}
    assert code == 1  # slice failed


def test_one_benchmark_hands_its_exit_code_on(checkout: Path) -> None:
    assert run("peers")[0] == 0
    assert run("slice", "--quick")[0] == 1


def test_an_answer_that_is_no_json_is_said(checkout: Path) -> None:
    (checkout / "benchmarks" / "messages.py").write_text("raise SystemExit(3)")
    code, out = run("all", "--json")
    assert json.loads(out)["messages"] == {"failed": 3}
    assert code == 1


def test_an_installed_package_has_no_benchmarks(tmp_path: Path) -> None:
    with pytest.raises(HummingsweepError, match="from a clone"):
        command(Benchmark.PEERS, tmp_path, quick=False, json=False)


def test_the_names_are_those_of_real_scripts(repository: Path) -> None:
    for name in (Benchmark.SLICE, Benchmark.START, Benchmark.PEERS, Benchmark.CLUSTER):
        assert Path(command(name, repository, quick=False, json=False)[1]).is_file()

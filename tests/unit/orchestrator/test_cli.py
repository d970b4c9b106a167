"""The command line without a sweep: help, and wrong usage."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from orchestrator.commands.root import app


def _commands() -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []

    def walk(command: Any, path: tuple[str, ...]) -> None:
        names = command.list_commands(None) if hasattr(command, "list_commands") else []
        for name in names:
            walk(command.get_command(None, name), (*path, name))
        if not names:
            found.append(path)

    walk(typer.main.get_command(app), ())
    return found


@pytest.mark.parametrize("path", _commands(), ids=" ".join)
def test_help_ends_in_examples_of_this_command(path: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "200"}, terminal_width=200)
    lines = [line.strip() for line in shown.output.splitlines() if line.strip()]
    examples = lines[lines.index("Examples:") + 1 :]
    assert examples
    assert all(line.startswith(f"hummingsweep {' '.join(path)}") for line in examples), examples


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["rows"], "Missing argument"),
        (["promote", "x"], "Missing option '--to'"),
        (["rnu"], "Did you mean 'run'"),
        (["run", "x.yml", "--brokr", "y"], "No such option: --brokr"),
        (["--nope"], "No such option: --nope"),
        (["candles", "lst"], "Did you mean 'list'"),
        (["serve", "--port", "abc"], "--port"),
        (["serve", ".", "--port", "99999"], "give a port from 1 to 65535"),
        (["bench", "nope"], "is not one of"),
        (["run", "x.yml", "--top", "-1"], "--top"),
        (["run", "x.yml", "--children", "-1"], "--children"),
        (["report", "x", "--best", "-1"], "--best"),
        (["verify", "x.yml", "--sample", "0"], "--sample"),
        (["audit", "x.yml", "--cuts", "0"], "--cuts"),
        (["promote", "x", "--to", "y", "--point", "3", "--rank", "1"], "--rank or --point, not both"),
    ],
)
def test_wrong_usage_is_one_line(arguments: list[str], words: str) -> None:
    found = CliRunner().invoke(app, arguments)
    assert found.exit_code == 2
    assert found.stdout == ""
    assert found.stderr.startswith("hummingsweep: ")
    assert found.stderr.count("\n") == 1
    assert words in found.stderr


def test_versions() -> None:
    found = CliRunner().invoke(app, ["--version"])
    assert found.exit_code == 0
    assert "hummingbot 2" in found.stdout


def test_commands_that_need_no_broker_start_without_celery() -> None:
    code = (
        "import sys, orchestrator.commands.root; print([name for name in ('celery', 'kombu') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"

"""bench: the benchmarks of the checkout, one after the other."""

from __future__ import annotations

import json as standard_json
import os
import subprocess
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.commands._shared import Json, say
from tasks import launch
from tasks.errors import HummingsweepError

#: The checkout, when this is one.
REPOSITORY = Path(__file__).resolve().parents[2]


class Benchmark(StrEnum):
    """What can be measured."""

    ENGINE = "engine"
    CLUSTER = "cluster"
    SLICE = "slice"
    START = "start"
    PEERS = "peers"
    MESSAGES = "messages"
    SCALE = "scale"
    LIVE = "live"
    ALL = "all"


#: How a script is told to be quick where it has no --quick.
QUICK = {Benchmark.SLICE: ["--mb", "50", "--runs", "1"], Benchmark.START: ["--runs", "1", "--packages", "0"]}
#: Answers in JSON in any case.
ALWAYS_JSON = frozenset({Benchmark.START})


def bench(
    name: Annotated[Benchmark, typer.Argument(help="What to measure.", show_default=False)],
    quick: Annotated[bool, typer.Option("--quick", help="Smaller and fewer; figures are rougher.")] = False,
    json: Json = False,
) -> None:
    """Run a benchmark of the checkout, everything compared in the same run; see benchmarks/README.md.

    Exit code 1 when a result is unequal or a promised figure is not reached.

    Examples:
      hummingsweep bench engine
      hummingsweep bench all --quick --json
    """
    names = [one for one in Benchmark if one is not Benchmark.ALL] if name is Benchmark.ALL else [name]
    commands = {one: command(one, REPOSITORY, quick=quick, json=json) for one in names}
    documents: dict[str, object] = {}
    worst = 0
    for one, arguments in commands.items():
        if name is not Benchmark.ALL:
            raise typer.Exit(subprocess.run(arguments, cwd=REPOSITORY, env=_environment(), check=False).returncode)
        if not json:
            say(f"\n== {one.value}")
            sys.stdout.flush()
        done = subprocess.run(
            arguments,
            cwd=REPOSITORY,
            env=_environment(),
            stdout=subprocess.PIPE if json else None,
            text=True,
            check=False,
        )
        worst = max(worst, done.returncode)
        if json:
            documents[one.value] = _document(done)
    if json:
        say(standard_json.dumps(documents, indent=2))
    raise typer.Exit(min(worst, 1))


def command(name: Benchmark, repository: Path, *, quick: bool, json: bool) -> list[str]:
    """The command of one benchmark. Raises HummingsweepError when its script is not there (an installed package)."""
    script = repository / "benchmarks" / f"{name.value}.py"
    if not script.is_file():
        raise HummingsweepError(
            f"{script}: no such script; benchmarks are part of the source, not of the installed package: "
            "run this from a clone"
        )
    arguments = [sys.executable, str(script)]
    if quick:
        arguments += QUICK.get(name, ["--quick"])
    if json and name not in ALWAYS_JSON:
        arguments.append("--json")
    return arguments


def _environment() -> dict[str, str]:
    return {**launch.environment(os.environ), "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{REPOSITORY / 'benchmarks'}"}


def _document(done: subprocess.CompletedProcess[str]) -> object:
    """A script's answer, or that it had none."""
    try:
        return standard_json.loads(done.stdout)
    except ValueError:
        return {"failed": done.returncode}

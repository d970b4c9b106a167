"""Each import contract breaks when an import that it forbids is planted, and no list of rooms can go stale."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

LINT = Path(sys.executable).with_name("lint-imports")
PACKAGES = ("hummingsweep", "orchestrator", "tasks")

#: contract -> file and the import that breaks it
PLANTED = {
    "the facade stands above the orchestrator, the orchestrator above what runs on a node": (
        "tasks/suggest.py",
        "from orchestrator.progress import streams",
    ),
    "the orchestrator uses only the light rooms of tasks, and never hummingbot": (
        "orchestrator/results/columns.py",
        "from tasks.engine import equity",
    ),
    "the wings of the orchestrator": ("orchestrator/sweepfile/axes.py", "from orchestrator.results import store"),
    "the rooms of a node": ("tasks/grid.py", "from tasks.engine import equity"),
    "only the upstream room imports hummingbot": ("tasks/engine/equity.py", "import hummingbot"),
}


def contracts(repository: Path) -> list[dict[str, Any]]:
    settings = tomllib.loads((repository / "pyproject.toml").read_text())
    found: list[dict[str, Any]] = settings["tool"]["importlinter"]["contracts"]
    return found


def broken(clone: Path) -> tuple[set[str], str]:
    """The contracts that do not hold, and all that was said."""
    done = subprocess.run([LINT, "--no-cache"], cwd=clone, capture_output=True, text=True)
    said = " ".join((done.stdout + done.stderr).split())
    return {one["name"] for one in contracts(clone) if f"{one['name']} BROKEN" in said}, said


@pytest.fixture(scope="module")
def clone(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clone")
    for name in PACKAGES:
        shutil.copytree(repository / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(repository / "pyproject.toml", folder)
    return folder


def test_every_contract_has_an_import_that_breaks_it(repository: Path) -> None:
    assert {one["name"] for one in contracts(repository)} == set(PLANTED)


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_import_breaks_its_contract(name: str, clone: Path) -> None:
    file, line = PLANTED[name]
    before = (clone / file).read_text()
    try:
        (clone / file).write_text(f"{before}\n{line}\n")
        names, said = broken(clone)
    finally:
        (clone / file).write_text(before)
    assert name in names, said


def test_a_room_that_no_contract_knows_is_an_error(clone: Path) -> None:
    """The layers of both packages are exhaustive."""
    for package in ("orchestrator", "tasks"):
        room = clone / package / "attic.py"
        room.write_text("")
        try:
            _, said = broken(clone)
        finally:
            room.unlink()
        assert f"{package}.attic" in said, said


def test_what_the_orchestrator_may_use_is_said_of_every_room_of_tasks(repository: Path) -> None:
    """A new room above `protocol` is either forbidden to the orchestrator or light; one that is neither is an error."""
    forbidden = next(one for one in contracts(repository) if one["type"] == "forbidden")["forbidden_modules"]
    light = {"broker", "candles", "feeds", "metrics", "sync", "grid", "protocol"}
    rooms = next(one for one in contracts(repository) if one.get("containers") == ["tasks"])["layers"]
    above = [room for layer in rooms for room in layer.split(" | ")]
    above = above[: above.index("protocol") + 1]
    heavy = {name.removeprefix("tasks.") for name in forbidden if name.startswith("tasks.")}
    assert set(above) == heavy | light
    assert not heavy & light

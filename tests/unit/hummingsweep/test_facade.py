"""The public face: what `hummingsweep` exports, and the examples in its docstrings."""

from __future__ import annotations

import ast
import doctest
import importlib
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import hummingsweep

NAMES = {name for name in hummingsweep.__all__ if name != "__version__"}


def test_every_exported_name_is_there_and_no_other() -> None:
    assert hummingsweep.__all__ == sorted(hummingsweep.__all__)
    assert dir(hummingsweep) == hummingsweep.__all__
    for name in hummingsweep.__all__:
        assert getattr(hummingsweep, name) is not None
    assert set(hummingsweep._HOMES) == NAMES
    with pytest.raises(AttributeError, match="no attribute 'Swep'"):
        _ = hummingsweep.Swep


def test_type_checkers_see_the_same_names() -> None:
    """The names are loaded when they are asked for, so the imports for type checkers are written by hand."""
    tree = ast.parse(Path(hummingsweep.__file__).read_text())
    imported = {
        (alias.name, node.module)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module in hummingsweep._HOMES.values()
        for alias in node.names
    }
    assert imported == set(hummingsweep._HOMES.items())


@pytest.mark.parametrize("name", sorted(NAMES))
def test_what_is_exported_and_its_public_methods_have_docstrings(name: str) -> None:
    thing = getattr(hummingsweep, name)
    assert thing.__doc__
    for member, value in vars(thing).items():
        if not member.startswith("_") and (callable(value) or isinstance(value, classmethod | property)):
            assert value.__doc__, f"{name}.{member}"


def test_the_documentation_names_every_export(repository: Path) -> None:
    page = (repository / "docs" / "api.md").read_text()
    for name, home in hummingsweep._HOMES.items():
        assert f"::: {home}.{name}" in page


def test_the_version_is_the_distributions() -> None:
    assert hummingsweep.__version__ == metadata.version("hummingsweep")


def test_importing_it_loads_nothing() -> None:
    code = "import sys, hummingsweep; print([m for m in sys.modules if m.split('.')[0] in ('tasks', 'orchestrator')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize("module", ["hummingsweep", "orchestrator.api", "orchestrator.sweepfile.axes", "tasks.grid"])
def test_examples_in_docstrings_give_what_they_say(
    module: str, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a folder of their own, with the examples' files beside them."""
    (tmp_path / "examples").symlink_to(repository / "examples")
    monkeypatch.chdir(tmp_path)
    found = doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS)
    assert found.attempted > 0
    assert found.failed == 0

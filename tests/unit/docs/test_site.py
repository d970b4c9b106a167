"""What the documentation site takes from the code, and what it finds wrong in a page."""

from __future__ import annotations

import dataclasses
import importlib.util
import logging
import re
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from orchestrator.commands.root import COMMANDS
from orchestrator.sweepfile.sweep import Sweep
from tasks.settings import PREFIX, Settings

PAGE = SimpleNamespace(file=SimpleNamespace(src_path="page.md"))


@pytest.fixture(scope="module")
def hooks(repository: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("site_hooks", repository / "docs" / "_site" / "hooks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_tables_are_made_from_the_code(hooks: ModuleType) -> None:
    def made(name: str) -> str:
        return str(hooks.on_page_markdown(f"<!-- generated: {name} -->", PAGE))

    fields = {field.alias or name for name, field in Sweep.model_fields.items()}
    assert fields == set(re.findall(r"^\| `(\w+)", made("sweep-file-keys"), re.MULTILINE))
    assert all(f"`{PREFIX}{field.name.upper()}`" in made("settings") for field in dataclasses.fields(Settings))
    assert set(COMMANDS) <= set(re.findall(r"### hummingsweep (\w+)", made("commands")))
    assert "sharpe" in made("metrics")


def test_every_page_finds_the_files_and_tests_that_it_names(
    hooks: ModuleType, repository: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for page in (repository / "docs").rglob("*.md"):
        assert hooks.missing_files(page.read_text()) == [], page
    for page in ("README.md", "README.zh.md", "CONTRIBUTING.md", "ops/RUNBOOK.md", "benchmarks/README.md"):
        assert hooks.missing_files((repository / page).read_text()) == [], page
    with caplog.at_level(logging.WARNING):
        hooks.on_page_markdown("`tasks/nowhere.py` `test_no_such_test` <!-- generated: nothing -->", PAGE)
    assert len(caplog.records) == 3


def test_links_between_the_files_of_the_repository_lead_somewhere(repository: Path) -> None:
    """Those of the site are checked by `make docs`."""
    for page in (*repository.glob("*.md"), *repository.glob("*/README.md")):
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page}: {link}"

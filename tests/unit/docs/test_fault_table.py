"""The tests that the documentation names as proof are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

NAME = re.compile(r"\btest_\w+")


@pytest.mark.parametrize("page", ["docs/clusters/faults.md", "ops/SECURITY.md"])
def test_every_test_that_a_page_names_exists(repository: Path, page: str) -> None:
    files = list((repository / "tests").rglob("*.py"))
    there = {file.stem for file in files}
    there |= {name for file in files for name in re.findall(r"^\s*def (test_\w+)", file.read_text(), re.MULTILINE)}
    named = set(NAME.findall((repository / page).read_text()))
    assert len(named) > 15
    missing = sorted(name for name in named - there if not any(each.startswith(name) for each in there))
    assert missing == []

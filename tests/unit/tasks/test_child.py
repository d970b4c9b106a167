"""What a child keeps from point to point, and what it does not."""

from __future__ import annotations

import decimal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.child import Child
from tasks.engine.surroundings import Surroundings
from tasks.settings import Settings
from tasks.upstream.build import deactivate

MODULES = {
    "precise": "import decimal, random\ndecimal.getcontext().prec = 50\nrandom.random()\n",
    "plain": "",
}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    before = Surroundings.now()
    (tmp_path / "controllers" / "generic").mkdir(parents=True)
    for name, text in MODULES.items():
        (tmp_path / "controllers" / "generic" / f"{name}.py").write_text(text)
    yield tmp_path
    deactivate()
    before.put_back()


def test_settings_made_at_import_stay_and_those_of_a_point_do_not(folder: Path) -> None:
    child = Child(Settings(), "node/1")
    child.settle(folder, "generic", "precise")
    assert decimal.getcontext().prec == 50
    for name, precision in (("precise", 50), ("plain", 28), ("precise", 50), ("plain", 28)):
        decimal.getcontext().prec = 3
        child.settle(folder, "generic", name)
        assert decimal.getcontext().prec == precision


def test_another_folder_begins_anew(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "controllers" / "generic").mkdir(parents=True)
    (other / "controllers" / "generic" / "precise.py").write_text("")
    child = Child(Settings(), "node/1")
    for place, precision in ((folder, 50), (other, 28), (folder, 50)):
        child.settle(place, "generic", "precise")
        assert decimal.getcontext().prec == precision

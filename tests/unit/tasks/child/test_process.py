"""What a child keeps from point to point, and what it does not."""

from __future__ import annotations

import decimal
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.child.process import Child
from tasks.isolation.process_state import ProcessState
from tasks.settings import Settings
from tasks.upstream.backtest.build import deactivate, load_controller_module

MODULES = {
    "precise": "import decimal, random\ndecimal.getcontext().prec = 50\nrandom.random()\n",
    "plain": "",
    "one": "from controllers.generic.common import SEEN\nBASE = len(SEEN)\n",
    "other": "import random\nfrom controllers.generic.common import SEEN\nBASE = len(SEEN)\nTHROWN = random.random()\n",
    "bent": "import random\nimport numpy as np\nTHROWN = random.random()\nTABLE = np.arange(3)\n",
    "common": "import decimal\ndecimal.getcontext().prec = 40\nSEEN = []\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    before = ProcessState.now()
    (tmp_path / "controllers" / "generic").mkdir(parents=True)
    for name, text in MODULES.items():
        (tmp_path / "controllers" / "generic" / f"{name}.py").write_text(text)
    yield tmp_path
    deactivate()
    before.put_back()


def test_settings_made_at_import_stay_and_those_of_a_point_do_not(folder: Path) -> None:
    child = Child(Settings(), "node/1")
    child.settle(folder, "generic", "precise", 1)
    assert decimal.getcontext().prec == 50
    for name, precision in (("precise", 50), ("plain", 28), ("precise", 50), ("plain", 28)):
        decimal.getcontext().prec = 3
        child.settle(folder, "generic", name, 1)
        assert decimal.getcontext().prec == precision


def test_what_controllers_share_is_for_each_as_if_it_were_alone(folder: Path) -> None:
    child = Child(Settings(), "node/1")
    seeded = set()
    for name in ("one", "other", "one", "other", "other", "one"):
        child.settle(folder, "generic", name, 1)
        module = load_controller_module(folder, "generic", name)
        assert decimal.getcontext().prec == 40
        assert module.BASE == 0
        seeded.add(getattr(module, "THROWN", None))
        module.SEEN.append(1)
        decimal.getcontext().prec = 5
    assert len(seeded) == 2


def test_what_cannot_be_put_back_is_imported_anew_with_the_same_dice(folder: Path) -> None:
    child = Child(Settings(), "node/1")
    child.settle(folder, "generic", "bent", 1)
    first = load_controller_module(folder, "generic", "bent")
    seeded = first.THROWN
    first.TABLE.shape = (3, 1)
    random.seed(5)
    child.settle(folder, "generic", "bent", 1)
    second = load_controller_module(folder, "generic", "bent")
    assert second is not first
    assert second.TABLE.shape == (3,)
    assert seeded == second.THROWN


def test_another_folder_begins_anew(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "controllers" / "generic").mkdir(parents=True)
    (other / "controllers" / "generic" / "precise.py").write_text("")
    child = Child(Settings(), "node/1")
    for place, precision in ((folder, 50), (other, 28), (folder, 50)):
        child.settle(place, "generic", "precise", 1)
        assert decimal.getcontext().prec == precision

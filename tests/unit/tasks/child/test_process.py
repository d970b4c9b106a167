"""What a child keeps from point to point, and what it does not."""

from __future__ import annotations

import decimal
import logging
import random
import shutil
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from tasks.child.process import Child, use_utc
from tasks.isolation import notes as module
from tasks.isolation.clock import clock
from tasks.isolation.notes import notes
from tasks.isolation.process_state import ProcessState
from tasks.protocol.blobs import digest_of, pack_controllers, unpack_controllers
from tasks.settings import Settings
from tasks.upstream.backtest.build import deactivate, load_controller_module
from tests import made

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
    child.isolation.reset(folder, "generic", "precise", seed=1, point=0)
    assert decimal.getcontext().prec == 50
    for name, precision in (("precise", 50), ("plain", 28), ("precise", 50), ("plain", 28)):
        decimal.getcontext().prec = 3
        child.isolation.reset(folder, "generic", name, seed=1, point=0)
        assert decimal.getcontext().prec == precision


def test_what_controllers_share_is_for_each_as_if_it_were_alone(folder: Path) -> None:
    child = Child(Settings(), "node/1")
    seeded = set()
    for name in ("one", "other", "one", "other", "other", "one"):
        child.isolation.reset(folder, "generic", name, seed=1, point=0)
        module = load_controller_module(folder, "generic", name)
        assert decimal.getcontext().prec == 40
        assert module.BASE == 0
        seeded.add(getattr(module, "THROWN", None))
        module.SEEN.append(1)
        decimal.getcontext().prec = 5
    assert len(seeded) == 2


def test_what_cannot_be_put_back_is_imported_anew_with_the_same_dice(folder: Path) -> None:
    child = Child(Settings(), "node/1")
    child.isolation.reset(folder, "generic", "bent", seed=1, point=0)
    first = load_controller_module(folder, "generic", "bent")
    seeded = first.THROWN
    first.TABLE.shape = (3, 1)
    random.seed(5)
    child.isolation.reset(folder, "generic", "bent", seed=1, point=0)
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
        child.isolation.reset(place, "generic", "precise", seed=1, point=0)
        assert decimal.getcontext().prec == precision


def test_a_module_that_asks_for_the_time_at_its_import_is_imported_anew_for_another_start(folder: Path) -> None:
    (folder / "controllers" / "generic" / "began.py").write_text("import time\nBEGAN = time.time()\n")
    child = Child(Settings(), "node/1")
    for start in (1000.0, 1000.0, 2000.0):
        with clock.simulated(start):
            child.isolation.reset(folder, "generic", "began", seed=1, point=0, start=start)
            assert start == load_controller_module(folder, "generic", "began").BEGAN


def test_what_a_module_swallows_at_its_import_is_said_of_every_point(folder: Path) -> None:
    text = "import logging\nlogging.getLogger('x').warning('no talib here')\n"
    (folder / "controllers" / "generic" / "quiet.py").write_text(text)
    child = Child(Settings(), "node/1")
    listener = module._Listener()
    logging.getLogger().addHandler(listener)
    try:
        for point in range(3):
            notes.clear()
            child.isolation.reset(folder, "generic", "quiet", seed=1, point=point)
            assert notes.controller_log() == "WARNING: no talib here"
    finally:
        logging.getLogger().removeHandler(listener)


def test_a_points_random_numbers_do_not_depend_on_what_ran_before(folder: Path) -> None:
    child = Child(Settings(), "node/1")
    drawn = []
    for point in (3, 5, 3):
        child.isolation.reset(folder, "generic", "plain", seed=1, point=point)
        drawn.append(random.random())
    assert drawn[0] == drawn[2] != drawn[1]


def test_a_child_is_in_utc_whatever_the_machine_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    assert time.localtime(0).tm_hour == 9
    use_utc()
    assert time.localtime(0).tm_hour == 0
    assert datetime.fromtimestamp(3600).hour == 1


def test_a_bundle_that_a_point_deletes_whole_comes_back_without_the_broker(tmp_path: Path) -> None:
    """While a point runs its child has no connection."""
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a.py").write_text("x = 1")
    bundle = pack_controllers(tmp_path / "source")
    child = Child(Settings(cache=str(tmp_path / "cache")), "node/1")
    unpack_controllers(bundle, child.settings.cache_folder / "bundles")
    definition = made.definition("a-sweep", {"length": [5]}, controllers=digest_of(bundle))
    folder = child.controllers(definition)
    shutil.rmtree(folder)
    assert child.controllers(definition) == folder
    assert (folder / "controllers" / "a.py").read_text() == "x = 1"

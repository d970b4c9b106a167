"""What `import` means in a controllers folder: other projects' names for it, and modules beside it."""

from __future__ import annotations

import importlib.util
import os
import py_compile
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.errors import ControllerError
from tasks.upstream.backtest import build
from tasks.upstream.backtest.build import load_controller_module
from tasks.upstream.backtest.folder import activate, deactivate, module_state

FILES = {
    "controllers/generic/uses.py": "from core.features import VALUE\nimport core.features as features\nimport lonely\n",
    "controllers/generic/aliased.py": """
from app.controllers.generic.base import Base as A
from bots.controllers.generic.base import Base as B
from controllers.generic.base import Base as C
import app.controllers.generic.base as base
""",
    "controllers/generic/base.py": "class Base: pass\n",
    "controllers/generic/asks.py": "from core.features import now\n",
    "controllers/generic/lacks.py": "import talib_of_nobody\n",
    "controllers/generic/lacks_own.py": "from controllers.generic.nothing import x\n",
    "controllers/generic/examples/basic.py": "NAME = 'basic'\n",
    "import-path-0/core/features.py": "import time\nVALUE = 5\nSEEN = []\ndef now():\n    return time.time()\n",
    "import-path-1/lonely.py": "X = 1\n",
    "import-path-1/json.py": "raise RuntimeError('an installed module comes first')\n",
}


@pytest.fixture
def bundle(tmp_path: Path) -> Iterator[Path]:
    for file, text in FILES.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text)
    yield tmp_path
    deactivate()


def test_modules_of_the_import_path_are_found_and_unloaded_with_the_folder(bundle: Path) -> None:
    module = load_controller_module(bundle, "generic", "uses")
    assert (module.VALUE, module.lonely.X) == (5, 1)
    deactivate()
    assert not {"core", "core.features", "lonely", "controllers"}.intersection(sys.modules)
    with pytest.raises(ImportError):
        importlib.import_module("lonely")


def test_what_a_helper_beside_holds_is_put_back_before_a_point(bundle: Path) -> None:
    module = load_controller_module(bundle, "generic", "uses")
    module.features.SEEN.append(1)
    module.features.VALUE = 6
    assert module_state().restore()
    assert (module.features.SEEN, module.features.VALUE) == ([], 5)


def test_a_helper_beside_asks_the_clock_of_the_back_test(bundle: Path) -> None:
    from tasks.isolation.clock import clock

    module = load_controller_module(bundle, "generic", "asks")
    with clock.simulated(77.0):
        assert module.now() == 77.0


def test_the_names_of_other_projects_mean_the_same_modules(bundle: Path) -> None:
    module = load_controller_module(bundle, "generic", "aliased")
    assert module.A is module.B is module.C
    assert module.base is sys.modules["controllers.generic.base"]
    assert module.base.__name__ == module.base.__spec__.name == "controllers.generic.base"
    assert not hasattr(module.base, "__path__")
    deactivate()
    assert not [name for name in sys.modules if name.startswith(("app", "bots.", "controllers"))]


def test_a_name_with_dots_is_a_module_further_down(bundle: Path) -> None:
    assert load_controller_module(bundle, "generic", "examples.basic").NAME == "basic"
    assert build.is_loaded(bundle, "generic", "examples.basic")


def test_a_missing_module_is_said_with_what_to_do(bundle: Path) -> None:
    with pytest.raises(ControllerError, match=r"lacks\.py, line 1: .*talib_of_nobody.*import_path: \[FOLDER\].*pip in"):
        load_controller_module(bundle, "generic", "lacks")
    with pytest.raises(ControllerError, match=r"lacks_own\.py.*the controllers folder has no such file"):
        load_controller_module(bundle, "generic", "lacks_own")


def test_another_folder_does_not_see_these_modules(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    load_controller_module(bundle, "generic", "uses")
    other = tmp_path_factory.mktemp("other")
    (other / "controllers" / "generic").mkdir(parents=True)
    (other / "controllers" / "generic" / "uses.py").write_text("import lonely\n")
    activate(other)
    with pytest.raises(ControllerError, match="lonely"):
        load_controller_module(other, "generic", "uses")


def test_what_lies_in_pycache_is_not_run(bundle: Path) -> None:
    """A controller may have put the code of another source there: Python believes it where size and time agree."""
    source = bundle / "controllers" / "generic" / "examples" / "basic.py"
    cached = Path(importlib.util.cache_from_source(str(source)))
    right, facts = source.read_text(), source.stat()
    source.write_text(right.replace("basic", "wrong"))
    os.utime(source, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    py_compile.compile(str(source), str(cached))
    source.write_text(right)
    os.utime(source, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    activate(bundle)
    assert importlib.import_module("controllers.generic.examples.basic").NAME == "basic"

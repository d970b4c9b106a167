"""The controllers folder as users have it: found, checked, packed."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from orchestrator.execution.controllers import check_controller, controllers_folder, helper_hint, pack
from orchestrator.sweepfile.sweep import Sweep
from tasks.errors import ControllerError

SWEEP = {
    "controller": {
        "controller_type": "generic",
        "controller_name": "examples.basic",
        "connector_name": "binance",
        "trading_pair": "BTC-USDT",
    },
    "grid": {"length": [1, 2]},
    "period": {"start": "2024-01-01", "end": "2024-01-02"},
}


def sweep_of(folder: Path, **keys: object) -> Sweep:
    return Sweep.from_mapping({**SWEEP, **keys}, folder / "sweep.yml")


def write(folder: Path, *files: str) -> None:
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text("")


def names(bundle: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(bundle)) as files:
        return files.getnames()


@pytest.mark.parametrize("layout", ["controllers", "app/controllers", "bots/controllers"])
def test_a_project_is_as_good_as_the_folder_in_it(tmp_path: Path, layout: str) -> None:
    write(tmp_path, f"{layout}/generic/examples/basic.py")
    assert controllers_folder(tmp_path) == tmp_path / layout
    assert controllers_folder(tmp_path / layout) == tmp_path / layout
    check_controller(sweep_of(tmp_path, controllers=str(tmp_path)))


def test_a_name_with_dots_is_a_path(tmp_path: Path) -> None:
    write(tmp_path, "controllers/generic/examples/basic.py")
    check_controller(sweep_of(tmp_path))
    write(tmp_path, "controllers/generic/rebalancer/rebalancer.py")
    named = {**SWEEP["controller"], "controller_name": "rebalancer.rebalancer"}  # type: ignore[dict-item]
    check_controller(sweep_of(tmp_path, controller=named))


def test_one_that_is_not_there_is_named_with_the_nearest(tmp_path: Path) -> None:
    write(tmp_path, "controllers/generic/examples/basics.py")
    with pytest.raises(ControllerError, match=r"basic\.py: no such controller; did you mean generic/examples/basics"):
        check_controller(sweep_of(tmp_path))


def test_modules_of_the_import_path_come_along_without_the_controllers_and_without_data(tmp_path: Path) -> None:
    write(tmp_path, "app/controllers/generic/a.py", "core/features.py", "core/data.csv", "venv/lib/x.py")
    write(tmp_path, "env/pyvenv.cfg", "env/lib/y.py", ".git/z.py", "scripts/run.py")
    found = names(pack(sweep_of(tmp_path, controllers="app/controllers", import_path=["."])))
    assert found == ["controllers/generic/a.py", "import-path-0/core/features.py", "import-path-0/scripts/run.py"]


def test_what_lies_beside_decides_the_bundle(tmp_path: Path) -> None:
    write(tmp_path, "controllers/generic/a.py", "lib/help.py")
    sweep = sweep_of(tmp_path, import_path=["lib"])
    before = pack(sweep)
    assert pack(sweep) == before
    (tmp_path / "lib" / "help.py").write_text("x = 1")
    assert pack(sweep) != before


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    write(tmp_path, "controllers/generic/a.py")
    with pytest.raises(ControllerError, match=r"nowhere: no such folder; set `import_path:`"):
        pack(sweep_of(tmp_path, import_path=["nowhere"]))


def test_an_error_about_a_missing_helper_names_the_folder_that_has_it(tmp_path: Path) -> None:
    write(tmp_path, "app/controllers/generic/a.py", "core/__init__.py")
    sweep = sweep_of(tmp_path, controllers="app/controllers")
    error = "controllers/generic/a.py, line 1: raises on import: ModuleNotFoundError: No module named 'core'"
    assert f"import_path: [{tmp_path}]" in helper_hint(error, sweep)
    assert helper_hint("No module named 'talib'", sweep) == ""
    write(tmp_path, "app/controllers/generic/rates/source.py")
    said = helper_hint("No module named 'source'", sweep)
    assert said.endswith("source lies in the controllers folder: import it as controllers.generic.rates.source")
    assert helper_hint("something else", sweep) == ""

"""The project as a wheel, in an environment that holds nothing else: what a user installs, and not the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.integration.conftest import Place

PACKAGES = ("hummingsweep", "tasks", "orchestrator")
#: Nothing of the checkout or of the tests' own environment.
FOREIGN = ("PYTHONPATH", "PYTHONSAFEPATH", "VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT")


@pytest.fixture(scope="module")
def uv(repository: Path) -> str:
    beside = repository / ".tools" / "bin" / "uv"
    found = shutil.which("uv") or (str(beside) if beside.exists() else None)
    if found is None:
        pytest.skip("no uv on this machine")
    return found


@pytest.fixture(scope="module")
def clone(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a clone holds, as far as a build reads it; the checkout itself stays as it is."""
    clone = tmp_path_factory.mktemp("clone")
    for name in PACKAGES:
        shutil.copytree(repository / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "requirements.lock"):
        shutil.copy(repository / name, clone / name)
    return clone


@pytest.fixture(scope="module")
def wheel(uv: str, clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run([uv, "build", "--quiet", "--wheel", "--out-dir", str(folder), str(clone)], folder)
    [wheel] = folder.glob("*.whl")
    return wheel


def run(command: list[str], folder: Path, **environment: str) -> str:
    """Run a command in a folder; what it prints."""
    kept = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    # the interpreter that the tests run on: uv would download one where it finds none
    kept["UV_PYTHON"] = str(Path(sys.executable).resolve())
    done = subprocess.run(command, cwd=folder, env={**kept, **environment}, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_holds_every_file_of_the_packages_and_nothing_else(wheel: Path, clone: Path) -> None:
    """Lua, SQL and page templates are read at run time."""
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    files = {
        path.relative_to(clone).as_posix()
        for name in PACKAGES
        for path in (clone / name).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert held == files


@pytest.mark.timeout(900)
def test_it_installs_into_an_empty_environment(uv: str, wheel: Path, clone: Path, tmp_path: Path) -> None:
    run([uv, "venv", "--quiet", "--python", sys.executable, str(tmp_path / "env")], tmp_path)
    python = str(tmp_path / "env" / "bin" / "python")
    lock = str(clone / "requirements.lock")
    run([uv, "pip", "install", "--quiet", "--python", python, "--constraint", lock, str(wheel)], tmp_path)
    code = "import hummingsweep; print(hummingsweep.__version__, hummingsweep.Sweep.__name__, hummingsweep.__file__)"
    said = run([python, "-c", code], tmp_path).split()
    assert said[1] == "Sweep"
    assert said[2].startswith(str(tmp_path / "env"))
    assert run([str(tmp_path / "env" / "bin" / "hummingsweep"), "--version"], tmp_path).startswith(
        f"hummingsweep {said[0]}"
    )


@pytest.mark.long
@pytest.mark.timeout(900)
def test_uv_tool_install_from_a_clone_gives_a_command_that_runs_a_sweep(
    uv: str, clone: Path, alone: Place, tmp_path: Path
) -> None:
    lock = str(clone / "requirements.lock")
    folders = {"UV_TOOL_DIR": str(tmp_path / "tools"), "UV_TOOL_BIN_DIR": str(tmp_path / "bin")}
    run([uv, "tool", "install", "--quiet", "--constraints", lock, str(clone)], tmp_path, **folders)
    settings = {name: value for name, value in alone.environment.items() if name.startswith("HUMMINGSWEEP_")}
    command = [str(tmp_path / "bin" / "hummingsweep"), "run", str(alone.file), "--no-audit", "--no-report"]
    run(command, tmp_path, **settings)
    assert alone.stored() == 12

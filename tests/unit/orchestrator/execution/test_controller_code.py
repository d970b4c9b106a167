"""A controller's files are found by its imports: its own, its helpers', nothing of what is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.execution.controller_code import sources
from tasks.errors import ControllerError


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def test_helpers_of_helpers_travel_and_strangers_do_not(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "controllers/directional_trading/mine.py": "import numpy\nfrom controllers.common.bands import width\n"
            "from .sibling import x\nfrom core.signals import cross\nfrom hummingbot.core import y\n",
            "controllers/directional_trading/sibling.py": "x = 1",
            "controllers/directional_trading/other.py": "raise SystemExit",
            "controllers/common/bands.py": "from . import deeper\nwidth = 2",
            "controllers/common/deeper.py": "",
            "lib/core/__init__.py": "",
            "lib/core/signals.py": "def cross(): ...",
        },
    )
    found = sources(tmp_path / "controllers", "directional_trading", "mine", [tmp_path / "lib"])
    assert sorted(map(str, found)) == [
        "controllers/common/bands.py",
        "controllers/common/deeper.py",
        "controllers/directional_trading/mine.py",
        "controllers/directional_trading/sibling.py",
        "core/__init__.py",
        "core/signals.py",
    ]
    assert next(iter(found)) == Path("controllers/directional_trading/mine.py")
    assert all(source.is_file() for source in found.values())


def test_a_controller_that_is_missing_or_no_python_is_said(tmp_path: Path) -> None:
    with pytest.raises(ControllerError, match="no such controller to copy"):
        sources(tmp_path, "generic", "gone")
    write(tmp_path, {"generic/broken.py": "def ("})
    with pytest.raises(ControllerError, match="cannot be read as Python"):
        sources(tmp_path, "generic", "broken")

"""Whose code a stack frame runs: the user's, or Python's, a package's, this project's."""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path
from types import FrameType

#: Where code lies that is not the user's: this project, Python's own library and what is installed beside it.
_NOT_THE_USERS = (
    "<",  # <frozen importlib>, <string>, <__array_function__ internals>
    f"{Path(__file__).parents[1]}{os.sep}",
    *{sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")},
)

_PYTHONS = (
    "<",
    f"{Path(__file__).parent}{os.sep}",
    *{sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib")},
)
#: Below Python's own library where there is no virtual environment.
_INSTALLED = tuple({sysconfig.get_path(name) + os.sep for name in ("purelib", "platlib")})


def is_users_frame(frame: FrameType | None) -> bool:
    """Whether a frame runs code that the user wrote."""
    return frame is not None and is_users_file(frame.f_code.co_filename)


def is_users_file(file: str) -> bool:
    """Whether a source file was written by the user."""
    return not file.startswith(_NOT_THE_USERS)


def is_of_python(file: str) -> bool:
    """Whether a source file is of Python's own library, or of this package, which looks at stacks."""
    return file.startswith(_PYTHONS) and not file.startswith(_INSTALLED)


def place(file: str, line: int) -> str:
    """`file:line` as messages show it: from `controllers/` on where the file lies in a controllers folder."""
    before, name, inner = file.rpartition("/controllers/")
    return f"controllers/{inner}:{line}" if name and before else f"{file}:{line}"

"""Starts a process of ours, so that no file of the folder one stands in is taken for one of our modules.

Python looks for modules in the current folder (`-m`, `-c`, notebooks) and in PYTHONPATH before it looks anywhere else.
A user's `tasks.py`, `redis.py` or `orchestrator/` there would be executed in place of ours. So the guardian, nodes, the
download process and Flower are started as

    python -P tasks/launch.py MODULE ARGUMENTS...

with PYTHONSAFEPATH for the processes that they start in turn. What stood in PYTHONPATH comes last in `sys.path`:
controllers may import from there, but nothing there hides a module. MODULE's `main()` returns the exit code.

Imports nothing but the standard library, for it runs before `sys.path` is as it should be.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Mapping

#: Carries the folders of PYTHONPATH to a process that is started without PYTHONPATH.
USER_PATH = "HUMMINGSWEEP_PYTHONPATH"


def command(module: str, *arguments: str) -> list[str]:
    """The command line of a process that runs a module's `main()`."""
    return [sys.executable, "-P", os.path.abspath(__file__), module, *arguments]


def environment(current: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process that is started with `command`.

    Without PYTHONPATH, and without the CELERY_* variables of the user's own Celery project, which would name another
    broker or a configuration module.
    """
    kept = {name: value for name, value in current.items() if not name.startswith("CELERY_")}
    folders = user_folders(kept.pop("PYTHONPATH", "")) or [kept.get(USER_PATH, "")]
    return {**kept, "PYTHONSAFEPATH": "1", USER_PATH: os.pathsep.join(folders)}


def user_folders(python_path: str) -> list[str]:
    """The folders that PYTHONPATH names, absolute; without the current folder, which an empty entry or a dot means."""
    return [os.path.abspath(folder) for folder in python_path.split(os.pathsep) if folder not in ("", ".", "./")]


def main() -> int:
    """Put `sys.path` in order, then run the module."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if root not in sys.path:  # a clone that is not installed, or an editable install
        sys.path.insert(0, root)
    sys.path += [folder for folder in user_folders(os.environ.get(USER_PATH, "")) if folder not in sys.path]
    del sys.argv[0]
    return int(importlib.import_module(sys.argv[0]).main())


if __name__ == "__mp_main__":  # a spawned child of a node; see tasks.garbage, and tasks.child.process for its end
    gc.disable()
if __name__ == "__main__":
    sys.exit(main())

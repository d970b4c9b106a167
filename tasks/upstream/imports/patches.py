"""What is changed on hummingbot's modules in a child, right after they are imported.

hummingbot writes under its own package folder (`data_path`), sets the root logger to INFO on import and prints pandas'
warnings about controllers' chained assignments once per point. None of it changes a result.
"""

from __future__ import annotations

import importlib
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.isolation.after_import import after_import
from tasks.isolation.clock import use_clock
from tasks.upstream.imports import lean

#: hummingbot's modules that ask for the time in a controller's name: filters, defaults of executors' configs, ids.
_ASK_THE_TIME = (
    "hummingbot.strategy_v2.controllers.controller_base",
    "hummingbot.strategy_v2.executors.data_types",
    "hummingbot.strategy_v2.utils.common",
)


@contextmanager
def import_quietly() -> Iterator[None]:
    """Import the engine's part of hummingbot inside this: the root logger keeps its handlers and level.

    With lean imports, this is the time in which modules are deferred.

    `hummingbot.strategy_v2.backtesting.backtesting_data_provider` calls `logging.basicConfig(level=INFO)` on import.
    """
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    root.addHandler(placeholder := logging.NullHandler())  # basicConfig does nothing where a handler is
    try:
        yield
    finally:
        lean.seal()
        root.removeHandler(placeholder)
        for handler in [handler for handler in root.handlers if handler not in handlers]:
            root.removeHandler(handler)
        root.setLevel(level)


def apply(data_folder: Path | None = None) -> None:
    """Import the engine's part of hummingbot and make it fit for a child. Costs seconds the first time.

    `data_folder`: where `hummingbot.data_path()` points to, made when something asks for it; default: below the
    system's temporary folder.
    """
    importlib.import_module("tasks.upstream.names")
    import hummingbot
    import pandas as pd

    hummingbot.set_data_path(str(data_folder or _default_data_folder()))
    pd.set_option("mode.chained_assignment", None)
    logging.getLogger(hummingbot.__name__).setLevel(logging.ERROR)
    for name in _ASK_THE_TIME:
        after_import(name, use_clock)


def _default_data_folder() -> Path:
    return Path(tempfile.gettempdir()) / "hummingsweep" / "data"

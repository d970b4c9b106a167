"""The public face of the project: `from hummingsweep import Sweep`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.analysis.rank import Ranking
    from orchestrator.api import Sweep
    from tasks.errors import HummingsweepError

    __version__: str

__all__ = ["HummingsweepError", "Ranking", "Sweep", "__version__"]

#: Where each name is defined.
_HOMES = {
    "HummingsweepError": "tasks.errors",
    "Ranking": "orchestrator.analysis.rank",
    "Sweep": "orchestrator.api",
}


def __getattr__(name: str) -> Any:
    """Names are loaded when they are asked for: importing the package costs nothing."""
    if name in _HOMES:
        from importlib import import_module

        from hummingsweep import _import_path

        _import_path.refuse_hidden_modules()
        return getattr(import_module(_HOMES[name]), name)
    if name == "__version__":
        from importlib.metadata import version

        return version("hummingsweep")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

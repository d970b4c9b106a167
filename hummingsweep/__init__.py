"""The public face of the project: `from hummingsweep import Sweep`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.api import Sweep

    __version__: str

__all__ = ["Sweep", "__version__"]


def __getattr__(name: str) -> Any:
    """Names are loaded when they are asked for: importing the package costs nothing."""
    if name == "Sweep":
        from orchestrator.api import Sweep

        return Sweep
    if name == "__version__":
        from importlib.metadata import version

        return version("hummingsweep")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

"""The desk: what a user runs, and from Python what a user calls: `from orchestrator import Sweep`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.notebook import Sweep

__all__ = ["Sweep"]


def __getattr__(name: str) -> Any:
    """Loaded when it is asked for: the guardian and the nodes import this package too."""
    if name == "Sweep":
        from orchestrator.notebook import Sweep

        return Sweep
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

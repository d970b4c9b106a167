"""The public face of the project: `from hummingsweep import Sweep`.

>>> from hummingsweep import HummingsweepError, Sweep
>>> sweep = Sweep.from_file("examples/quickstart.yml", grid={"bb_length": [20, 40], "take_profit": [0.004, 0.008]})
>>> sweep
<Sweep quickstart: 4 points, out runs/quickstart>

`sweep.run()` computes the points and returns a pandas DataFrame. What the user can mend is a HummingsweepError, whose
text says what is wrong, where, and what to write instead:

>>> try:
...     Sweep.from_file("examples/quickstart.yml", trade_cots=0.001)
... except HummingsweepError as error:
...     print(error)
examples/quickstart.yml...trade_cots...trade_cost...
"""

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

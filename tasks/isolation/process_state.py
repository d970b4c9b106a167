"""Settings of the process that a controller may change and the next point would find: put back before every point.

What a controller's module sets at its import belongs to the controller and stays (Child.settle).

decimal's context    precision, rounding, traps of this thread
warnings             the filters
logging              the level below which nothing is logged
environment          os.environ, and the time zone that TZ names
working directory    where relative paths start
resource limits      memory, file size, descriptors: the soft ones, as far as the hard ones let them be raised again
"""

from __future__ import annotations

import decimal
import logging
import os
import resource
import time
import warnings
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

#: Limits whose excess makes a point fail or ends its process; what this platform has of them.
_LIMITS = tuple(
    getattr(resource, name)
    for name in (
        "RLIMIT_AS",
        "RLIMIT_DATA",
        "RLIMIT_STACK",
        "RLIMIT_FSIZE",
        "RLIMIT_CPU",
        "RLIMIT_NOFILE",
        "RLIMIT_NPROC",
    )
    if hasattr(resource, name)
)


@dataclass(frozen=True)
class ProcessState:
    """What they were at one moment."""

    _decimal: decimal.Context
    _warnings: list[Any]
    _logging: int
    _numpy: dict[str, Any]
    _environment: dict[Any, Any]
    #: None where it was deleted
    _folder: str | None
    #: soft ones, in the order of _LIMITS
    _limits: tuple[int, ...]

    @classmethod
    def now(cls) -> ProcessState:
        """As they are now."""
        environment: Any = os.environ
        return cls(
            decimal.getcontext().copy(),
            list(warnings.filters),
            logging.root.manager.disable,
            dict(np.geterr()),
            dict(environment._data),
            _folder(),
            _limits(),
        )

    def same(self) -> bool:
        """Whether they are so now. Flags that decimal raised meanwhile do not count: they decide nothing."""
        return list(warnings.filters) == self._warnings and self._same_but_warnings()

    def decide_the_same(self) -> bool:
        """Whether a computation that runs now comes out as it would have then: as `same`, but filters that only say or
        hide a warning do not count."""
        now, then = ([one for one in filters if one[0] == "error"] for filters in (warnings.filters, self._warnings))
        return now == then and self._same_but_warnings()

    def _same_but_warnings(self) -> bool:
        environment: Any = os.environ
        return (
            _deciding(decimal.getcontext()) == _deciding(self._decimal)
            and logging.root.manager.disable == self._logging
            and np.geterr() == self._numpy
            and environment._data == self._environment
            and _folder() == self._folder
            and _limits() == self._limits
        )

    def put_back(self) -> None:
        """Make them so again."""
        decimal.setcontext(self._decimal.copy())
        if self.same():
            return
        warnings.filters[:] = self._warnings  # type: ignore[index]  # a list, whatever the stubs say
        warnings._filters_mutated()  # type: ignore[attr-defined]  # not public
        logging.disable(self._logging)
        np.seterr(**self._numpy)
        environment: Any = os.environ
        for name in environment._data.keys() - self._environment.keys():
            del os.environ[environment.decodekey(name)]
        for name, value in self._environment.items():
            if environment._data.get(name) != value:
                os.environ[environment.decodekey(name)] = environment.decodevalue(value)
        time.tzset()  # a controller may have set TZ
        for limit, soft in zip(_LIMITS, self._limits, strict=True):
            with suppress(OSError, ValueError):  # the hard one was lowered: that cannot be undone
                resource.setrlimit(limit, (soft, resource.getrlimit(limit)[1]))
        if self._folder is not None and _folder() != self._folder:
            with suppress(OSError):  # it was deleted
                os.chdir(self._folder)


def _limits() -> tuple[int, ...]:
    return tuple(resource.getrlimit(limit)[0] for limit in _LIMITS)


def _deciding(context: decimal.Context) -> tuple[Any, ...]:
    return (
        context.prec,
        context.rounding,
        context.Emin,
        context.Emax,
        context.capitals,
        context.clamp,
        context.traps,
    )


def _folder() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109  every point asks, and a Path takes as long again
    except OSError:
        return None

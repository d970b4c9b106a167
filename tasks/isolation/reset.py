"""Before a point: everything that a point before it may have changed is put back.

    module state       what the modules and classes of the controllers folder hold        tasks.isolation.module_state
    process state      decimal's context, the environment, the working directory, ...     tasks.isolation.process_state
    random numbers     from the sweep's seed and the point                                tasks.isolation.seeding
    clock              the sweep's start, until a back-test steps                         tasks.isolation.clock
    notes              what the import of the module had to say is said again             tasks.isolation.notes

What a point did is gone; what a module sets at its import stays, as it would in a bot. A module is imported with random
numbers of its own and with the clock at the sweep's start, so that it matters for no row which point needs it first.
Network, tasks and threads are the business of tasks.isolation.blackout.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import NamedTuple, Protocol

from tasks.isolation.clock import clock
from tasks.isolation.module_state import ModuleState
from tasks.isolation.notes import Note, notes
from tasks.isolation.process_state import ProcessState
from tasks.isolation.seeding import seed_rng

#: The "point" whose random numbers a module gets at its import.
AT_IMPORT = -1


class ControllerModules(Protocol):
    """What tasks.upstream.backtest.build offers, which this package stands below."""

    def module_state(self) -> ModuleState:
        """What the modules that are imported hold."""
        ...

    def deactivate(self) -> None:
        """Unload them all."""
        ...

    def is_loaded(self, controllers: Path, controller_type: str, name: str, /) -> bool:
        """Whether a controller's module is imported. Raises ControllerError."""
        ...

    def load_controller_module(self, controllers: Path, controller_type: str, name: str, /) -> ModuleType:
        """Import it. Raises ControllerError."""
        ...


class _Imported(NamedTuple):
    """What the import of a controller's module left."""

    process_state: ProcessState
    notes: tuple[Note, ...]


class PointIsolation:
    """Of one child. Made before any controller is imported."""

    def __init__(self, modules: ControllerModules, process_state: ProcessState):
        """`process_state`: as it was before any controller was imported."""
        self._modules = modules
        self._process_state = process_state
        self._folder = Path()
        self._start = 0.0
        #: whether a module asked for the time at its import: what it holds then belongs to one start
        self._start_matters = False
        self._imported: dict[tuple[str, str], _Imported] = {}

    def reset(
        self, controllers: Path, controller_type: str, name: str, *, seed: int, point: int, start: float = 0.0
    ) -> None:
        """Make everything as it is when this controller has just been imported, with the point's random numbers.

        `start`: first moment of the period, seconds since epoch. Raises ControllerError for a module that cannot be
        imported.
        """
        modules, key = self._modules, (controller_type, name)
        if self._folder != controllers or (self._start_matters and self._start != start):
            if self._folder == controllers:
                modules.deactivate()
            self._folder, self._start, self._start_matters, self._imported = controllers, start, False, {}
        clock.rewind()
        restored = modules.module_state().restore()
        if not restored or (self._imported and key not in self._imported):
            modules.deactivate()  # or a helper that another controller has imported would not run for this one
        if key not in self._imported or not modules.is_loaded(controllers, controller_type, name):
            self._process_state.put_back()
            seed_rng(seed, AT_IMPORT)
            reads, before = clock.reads, notes.taken()
            modules.load_controller_module(controllers, controller_type, name)
            if clock.reads != reads:
                self._start, self._start_matters = start, True
            self._imported.setdefault(key, _Imported(ProcessState.now(), notes.since(before)))
        imported = self._imported[key]
        imported.process_state.put_back()
        notes.add(imported.notes)
        seed_rng(seed, point)

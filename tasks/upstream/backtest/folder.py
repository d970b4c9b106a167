"""The controllers folder: which files `import controllers` means, and how its modules are loaded and unloaded.

One folder is active at a time and answers to the import name `controllers`; another folder's modules are unloaded
first, so that two sweeps with different versions of one controller never mix in a child. A bundle on a node holds

    controllers/            the folder itself
    import-path-0/, ...     the folders of the sweep file's `import_path`, in its order: their modules are found after
                            installed packages

Modules of all of them ask the clock of tasks.isolation.clock. `app.controllers` (quants-lab) and `bots.controllers`
(Hummingbot's API) are other names for `controllers`.
"""

from __future__ import annotations

import functools
import importlib
import importlib.abc
import importlib.util
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from tasks.errors import ControllerError, words
from tasks.isolation.clock import give_clock
from tasks.isolation.clock_words import NAME as CALL_WITH_CLOCK
from tasks.isolation.clock_words import call_with_clock, code_with_clock
from tasks.isolation.module_state import ModuleState
from tasks.protocol.blobs import IMPORT_PATH
from tasks.upstream.backtest.missing_import import advice
from tasks.upstream.names import (
    BacktestingEngineBase,
    ControllerBase,
)

#: The import name of a controllers folder, as in Hummingbot.
PACKAGE = "controllers"
#: What other projects call the package that their controllers folder lies in.
OUTER_PACKAGES = ("app", "bots")


@dataclass
class _Active:
    """The controllers folder that `import controllers` means now."""

    root: Path | None = None
    #: the folder as it was asked for
    asked: Path | None = None
    package: ModuleType | None = None
    #: folders of the import path
    beside: tuple[Path, ...] = ()
    #: what was imported before the folder became active, or when the last one was unloaded: nothing of it lies there
    before: dict[str, ModuleType] = field(default_factory=dict)
    controller_classes: dict[type, type[ControllerBase]] = field(default_factory=dict)
    state: ModuleState = field(default_factory=ModuleState)


_active = _Active()


def activate(controllers: Path) -> Path:
    """Make `import controllers` mean this folder and return the folder itself. Raises ControllerError.

    Takes the folder or one that holds `controllers/`, as an extracted bundle does; folders of an import path are looked
    for beside the latter.
    """
    if controllers is _active.asked and _active.root is not None and sys.modules.get(PACKAGE) is _active.package:
        return _active.root
    inner = controllers / PACKAGE
    root = (inner if inner.is_dir() else controllers).resolve()
    if root == _active.root and sys.modules.get(PACKAGE) is _active.package:
        _active.asked = controllers
        return root
    if not root.is_dir():
        raise ControllerError(f"{controllers}: no such controllers folder; set `controllers:` in the sweep file")
    deactivate()
    importlib.invalidate_caches()
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)
        sys.meta_path.append(_last_finder)
    _active.before = dict(sys.modules)
    _active.beside = tuple(sorted(root.parent.glob(f"{IMPORT_PATH}*")))
    tops = {file.stem for folder in _active.beside for file in folder.iterdir()}
    _active.state = ModuleState(inside=(f"{PACKAGE}.", *(f"{top}." for top in sorted(tops))), whole=frozenset(tops))
    package = ModuleType(PACKAGE)
    entry = root / "__init__.py"
    if entry.is_file():
        spec = importlib.util.spec_from_file_location(
            PACKAGE, entry, loader=_ClockedLoader(PACKAGE, str(entry)), submodule_search_locations=[str(root)]
        )
        assert spec is not None and spec.loader is not None
        package = importlib.util.module_from_spec(spec)
        sys.modules[PACKAGE] = package
        loader = spec.loader
        try:
            guarded(lambda: loader.exec_module(package), root, PACKAGE)
        except ControllerError:
            del sys.modules[PACKAGE]
            raise
    else:
        package.__path__, package.__package__ = [str(root)], PACKAGE
        sys.modules[PACKAGE] = package
    _active.root, _active.asked, _active.package = root, controllers, package
    return root


def deactivate() -> None:
    """Unload every module that came from the active folder, and the classes upstream and this module remember."""
    folders = [folder for folder in (_active.root, *_active.beside) if folder is not None]
    for name, module in list(sys.modules.items()):
        if _active.before.get(name) is module:  # thousands of modules; to look at each costs more than a run
            continue
        if name == PACKAGE or name.startswith(_PREFIXES) or name in _ALIASES or (folders and _lies_in(module, folders)):
            del sys.modules[name]
    for name in OUTER_PACKAGES:
        if isinstance(sys.modules.get(name), _Outer):
            del sys.modules[name]
    _active.root = _active.package = None
    _active.beside = ()
    _active.before = dict(sys.modules)
    _active.controller_classes.clear()
    _active.state = ModuleState()
    upstream_class_cache().clear()


def _lies_in(module: ModuleType, folders: list[Path]) -> bool:
    """Whether a module, or a package without `__init__.py`, lies in one of some folders."""
    try:
        place = module.__dict__.get("__file__") or next(iter(module.__dict__.get("__path__") or ()), "")
    except (AttributeError, TypeError):  # something odd that somebody has put there
        return False
    # The name first: thousands of modules are loaded, and to compare paths costs more than a run of the engine.
    is_near = isinstance(place, str) and any(folder.name in place for folder in folders)
    return is_near and any(Path(place).is_relative_to(folder) for folder in folders)


def is_loaded(controllers: Path, controller_type: str, name: str) -> bool:
    """Whether the module `controllers.<type>.<name>` of this folder is imported. Raises ControllerError."""
    activate(controllers)
    return f"{PACKAGE}.{controller_type}.{name}" in sys.modules


def module_state() -> ModuleState:
    """What the active folder's modules and classes hold."""
    return _active.state


def known_classes() -> dict[type, type[ControllerBase]]:
    """The controller class of each config class of the active folder, as far as it was asked for."""
    return _active.controller_classes


def upstream_class_cache() -> dict[str, type[ControllerBase]]:
    """Upstream's cache of controller classes: by controller_name alone, whatever type or folder they came from."""
    cache: dict[str, type[ControllerBase]] = BacktestingEngineBase._BacktestingEngineBase__controller_class_cache
    return cache


def guarded[T](work: Callable[[], T], root: Path, what: str) -> T:
    """Run an import; whatever it raises becomes one line with the user's file and line, a ControllerError."""
    try:
        return work()
    except (Exception, SystemExit) as error:
        if isinstance(error, SyntaxError) and error.filename:
            file, line, text = error.filename, error.lineno or 0, f"{type(error).__name__}: {error.msg}"
        else:
            frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _below(frame.filename, root)]
            file, line = (frames[-1].filename, frames[-1].lineno or 0) if frames else (what, 0)
            text = f"{type(error).__name__}: {words(error)}"
            if isinstance(error, ImportError):
                source = (frames[-1].line or "") if frames else ""
                text = "; ".join(filter(None, [text, advice(error, source, (PACKAGE, *OUTER_PACKAGES))]))
            elif type(error).__name__ == "PydanticUserError":
                text += "; Hummingbot uses pydantic 2 today, and this was written for pydantic 1"
        where = f"{PACKAGE}/{Path(file).relative_to(root).as_posix()}" if _below(file, root) else file
        raise ControllerError(f"{where}, line {line}: raises on import: {' '.join(text.split())}") from error


def _below(file: str, root: Path) -> bool:
    return Path(file).is_relative_to(root)


class _ClockedLoader(SourceFileLoader):
    """Loads a module of the user's, which then asks the clock of the back-test."""

    def exec_module(self, module: ModuleType) -> None:
        give_clock(vars(module), **{CALL_WITH_CLOCK: call_with_clock})
        super().exec_module(module)

    def get_code(self, fullname: str) -> CodeType:
        """The module's code, compiled from its source: what lies in __pycache__ may be of another source, put there by
        a controller that ran before."""
        path = self.get_filename(fullname)
        return _code(self.get_data(path), path)


@functools.lru_cache(maxsize=64)
def _code(data: bytes, path: str) -> CodeType:
    """The code of a module's source, kept: the audit imports the same modules anew for each of its runs."""
    return code_with_clock(data, path) or SourceFileLoader("", path).source_to_code(data, path)


class _Outer(ModuleType):
    """Stands for `app` or `bots` where only their `controllers` is there."""


class _Alias(importlib.abc.Loader):
    """Hands out a module of `controllers` under another name."""

    def __init__(self, module: ModuleType):
        self._module, self._own = module, module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._own  # the import system has put its own there


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the modules of the active folder, before every other finder."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.startswith(f"{PACKAGE}."):
            return _clocked(PathFinder.find_spec(fullname, path))
        if fullname.startswith(_PREFIXES[1:]) or fullname in _ALIASES:
            module = importlib.import_module(fullname.partition(".")[2])
            return ModuleSpec(fullname, _Alias(module), is_package=hasattr(module, "__path__"))
        if path is not None and any(_is_beside(folder) for folder in path):
            return _clocked(PathFinder.find_spec(fullname, path))
        return None


class _LastFinder(importlib.abc.MetaPathFinder):
    """Finds what nothing else finds: modules of the import path, and packages that only hold `controllers`."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if path is not None or _active.root is None:
            return None
        found = _clocked(PathFinder.find_spec(fullname, [str(folder) for folder in _active.beside]))
        if found is None and fullname in OUTER_PACKAGES:
            found = ModuleSpec(fullname, _OuterLoader(), is_package=True)
        return found


class _OuterLoader(importlib.abc.Loader):
    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Outer(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """It holds nothing but `controllers`."""


def _clocked(spec: ModuleSpec | None) -> ModuleSpec | None:
    if spec is not None and type(spec.loader) is SourceFileLoader:
        spec.loader = _ClockedLoader(spec.loader.name, spec.loader.path)
    return spec


def _is_beside(folder: str) -> bool:
    return any(Path(folder).is_relative_to(one) for one in _active.beside)


_ALIASES = tuple(f"{name}.{PACKAGE}" for name in OUTER_PACKAGES)
_PREFIXES = (f"{PACKAGE}.", *(f"{alias}." for alias in _ALIASES))
_finder, _last_finder = _Finder(), _LastFinder()

"""Lean children: the engine is imported without what a back-test never uses.

Most of what `import hummingbot...backtesting` costs are exchange SDKs, the database models and the terminal's windows.
They hang on a few modules that the engine's own modules import for a name or two: an annotation, a base class of live
trading, a printing function. These few (`DEFERRED`) are cut off:

    while the engine is imported     a deferred module is a LazyModule, and `from it import Name` gives a LazyAttribute
    afterwards (`seal`)              whoever imports or touches a deferred module gets the real one, imported then

A LazyAttribute is a promise of one class or function: called, subclassed, asked for an attribute or in isinstance it
imports
the real one. So nothing is dummied, and a controller that needs a deferred module has it, for the price of its import.

The cut was chosen with the import graph (`python -X importtime`), not by package: replacing the SDKs themselves fails
on module-level arithmetic and on pydantic schemas, while the modules above them are asked for names only. `aiohttp`
alone is deferred as a package: hummingbot's web classes name it in annotations. What is left is pandas, numpy, pydantic
and the engine; `benchmarks/start.py` measures it.
"""

from __future__ import annotations

import importlib
import importlib.abc
import sys
import threading
import typing
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import FrameType, ModuleType
from typing import Any

#: module -> names that controllers import for an annotation or a status line: they stay a LazyAttribute for them, so
#: that the
#: import alone does not bring the module in.
DEFERRED: dict[str, frozenset[str]] = {
    "aiohttp": frozenset(),
    "hummingbot.client.config.config_helpers": frozenset(),
    "hummingbot.client.ui": frozenset(),
    "hummingbot.client.ui.interface_utils": frozenset({"format_df_for_printout"}),
    "hummingbot.connector.connector_base": frozenset({"ConnectorBase"}),
    "hummingbot.core.gateway.gateway_http_client": frozenset(),
    "hummingbot.core.rate_oracle.rate_oracle": frozenset({"RateOracle"}),
    "hummingbot.data_feed.candles_feed.candles_base": frozenset(),
    "hummingbot.data_feed.candles_feed.candles_factory": frozenset({"CandlesFactory"}),
}

#: The import name of the user's controllers.
_CONTROLLERS = "controllers"


def install_lean_imports() -> None:
    """Defer the modules of DEFERRED that are not imported yet. To be called before the engine is imported; once."""
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)
        _finder.collecting = True


def seal() -> None:
    """The engine is imported: from here on a deferred module that anyone imports is the real one."""
    _finder.collecting = False


def awake() -> list[str]:
    """The deferred modules that something needed after all."""
    return sorted(_finder.real)


class LazyModule(ModuleType):
    """In sys.modules where a deferred module would be, until something of it is needed."""

    def __init__(self, spec: ModuleSpec):
        super().__init__(spec.name)
        self.__dict__.update(__spec__=spec, __file__=spec.origin, __loader__=spec.loader, _lazy_attributes={})
        if spec.submodule_search_locations is not None:
            self.__dict__["__path__"] = list(spec.submodule_search_locations)

    def __getattr__(self, name: str) -> Any:
        module = self.__name__
        if module not in _finder.real:
            if _is_dunder(name):
                raise AttributeError(name)
            if _finder.collecting or (name in DEFERRED.get(module, ()) and _importer() == _CONTROLLERS):
                laters: dict[str, LazyAttribute] = self.__dict__["_lazy_attributes"]
                return laters.setdefault(name, LazyAttribute(module, name))
        return getattr(wake(module), name)

    def __setattr__(self, name: str, value: Any) -> None:
        """Importing sets dunders and submodules; anything else is meant for the real module."""
        awake = self.__name__ in _finder.real
        if awake or not (isinstance(value, ModuleType) or _is_dunder(name)):
            setattr(wake(self.__name__), name, value)
        else:
            self.__dict__[name] = value

    def __dir__(self) -> list[str]:
        return dir(wake(self.__name__))


class LazyAttribute:
    """One class or function of a deferred module, imported when it is used."""

    __slots__ = ("_later_module", "_later_name")

    def __init__(self, module: str, name: str):
        object.__setattr__(self, "_later_module", module)
        object.__setattr__(self, "_later_name", name)

    def __getattr__(self, name: str) -> Any:
        # typing and abc ask everything for dunders; an annotation is no reason to import
        if _is_dunder(name) and self._later_module not in _finder.real:
            raise AttributeError(name)
        return getattr(real(self), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(real(self), name, value)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: D102  Python calls it
        return real(self)(*args, **kwargs)

    def __getitem__(self, item: Any) -> Any:
        return real(self)[item]

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[Any, ...]:
        return (real(self),)

    def __instancecheck__(self, instance: Any) -> bool:
        return isinstance(instance, real(self))

    def __subclasscheck__(self, subclass: Any) -> bool:
        return issubclass(subclass, real(self))

    def __or__(self, other: Any) -> Any:
        return typing.Union[self, other]  # noqa: UP007  # the operator is what is being defined

    def __ror__(self, other: Any) -> Any:
        return typing.Union[other, self]  # noqa: UP007  # as above

    def __repr__(self) -> str:
        return f"<lazy_attribute {self._later_module}.{self._later_name}>"


def real(lazy_attribute: LazyAttribute) -> Any:
    """What a LazyAttribute promises. Raises AttributeError where the module has no such name."""
    return getattr(wake(lazy_attribute._later_module), lazy_attribute._later_name)


def wake(name: str) -> ModuleType:
    """Import a deferred module, put it where its placeholder was and return it. Raises what its import raises."""
    with _finder.lock:
        if name in _finder.real:
            return _finder.real[name]
        seal()  # what it imports in turn must be real
        parent = name.rpartition(".")[0]
        if isinstance(sys.modules.get(parent), LazyModule):
            wake(parent)
        lazy_module = sys.modules.pop(name)
        _finder.waking.add(name)
        try:
            module = importlib.import_module(name)
        except BaseException:
            sys.modules[name] = lazy_module
            raise
        finally:
            _finder.waking.discard(name)
        _finder.real[name] = module
        _replace(lazy_module, module)
        return module


def _replace(lazy_module: ModuleType, module: ModuleType) -> None:
    """Put the module wherever hummingbot or the user holds the placeholder, and its attributes for the lazy ones."""
    for holder in list(sys.modules.values()):
        if isinstance(holder, LazyModule) or getattr(holder, "__name__", "").partition(".")[0] not in _HOLDERS:
            continue
        for name, value in list(vars(holder).items()):
            if value is lazy_module:
                setattr(holder, name, module)
            elif type(value) is LazyAttribute and value._later_module == module.__name__:
                setattr(holder, name, getattr(module, value._later_name))


_HOLDERS = frozenset({"hummingbot", _CONTROLLERS})


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """While collecting, finds a placeholder for a deferred module and for everything below one."""

    def __init__(self) -> None:
        self.collecting = False
        self.real: dict[str, ModuleType] = {}
        self.waking: set[str] = set()
        self.lock = threading.RLock()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        parent = fullname.rpartition(".")[0]
        below = isinstance(sys.modules.get(parent), LazyModule)
        if fullname in self.waking or not (below or fullname in DEFERRED):
            return None
        if not self.collecting:
            if below:
                wake(parent)
            already = sys.modules.get(fullname)
            return _Already(already).spec if already is not None else None
        found = PathFinder.find_spec(fullname, path, target)
        if found is None:
            return None
        spec = ModuleSpec(fullname, self, origin=found.origin)
        spec.submodule_search_locations = found.submodule_search_locations
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return LazyModule(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing: that is the point."""


class _Already(importlib.abc.Loader):
    """Hands out a submodule that its package imported while the import system was looking for it.

    The import system notices and would run the module's own spec again; so for that moment its spec is this one.
    """

    def __init__(self, module: ModuleType):
        self._module, self._own = module, module.__spec__
        self.spec = module.__spec__ = ModuleSpec(module.__name__, self)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._own


_finder = _Finder()


def _importer() -> str:
    """The top-level package of the module that asks a placeholder for a name."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_globals.get("__name__", "").startswith("importlib"):
        frame = frame.f_back
    importer: str = frame.f_globals.get("__name__", "") if frame is not None else ""
    return importer.partition(".")[0]


def _is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")

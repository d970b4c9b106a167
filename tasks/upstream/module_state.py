"""What the modules and classes of a controllers folder hold, put back before every point.

A controller that counts in a class attribute or keeps things in a module's dict would carry one point into the next:
a row would depend on what ran before it in this child. So what lies there is laid down when a module has been imported,
and put back when a point begins: the names in modules and classes, and the content of lists, dicts, sets, deques,
instances of the folder's own classes, counters of itertools, defaults and attributes of functions, their caches.

Arrays and frames are not looked into (their names are put back), nor is anything outside the folder: other packages,
the environment, files.
"""

from __future__ import annotations

import ast
import copy
import functools
import importlib
import itertools
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from types import FunctionType, ModuleType
from typing import Any

# Everywhere the type is asked and never the object: a name may stand for a package that is imported when it is touched.
_CONTAINERS = (list, deque, dict, set, bytearray)
_CACHE = type(functools.cache(lambda: None))


class ModuleState:
    """The state of one package's modules. Made when nothing of it is imported yet."""

    def __init__(self, package: str) -> None:
        self._package = package
        self._modules: dict[str, ModuleType] = {}
        self._names: list[_Names] = []
        self._contents: dict[int, _Content] = {}
        self._imported = 0  # modules of the process at the last look through them

    def lay_down(self) -> None:
        """Remember what modules hold that have just been imported. To be called before a point uses them."""
        for name, module in self._unknown():
            self._modules[name] = module
            classes = [one for one in vars(module).values() if issubclass(type(one), type) and one.__module__ == name]
            for owner in (module, *classes):
                names = _Names(owner)
                self._names.append(names)
                for value in names.held.values():
                    for part in (value, *_carried(value)):
                        self._note(part)

    def restore(self) -> None:
        """Put everything back. To be called when no point runs."""
        for names in self._names:
            names.restore()
        for content in self._contents.values():
            content.restore()
        for name, _ in self._unknown():
            # imported while a point ran, which may have left something in it: imported anew, and then known
            del sys.modules[name]
            with suppress(Exception):  # the point that needs it says so
                importlib.import_module(name)
        self.lay_down()

    def unchanged(self) -> bool:
        """Whether everything is as `restore` left it."""
        return (
            all(names.unchanged() for names in self._names)
            and all(content.unchanged() for content in self._contents.values())
            and not self._unknown()
        )

    def _unknown(self) -> list[tuple[str, ModuleType]]:
        if len(sys.modules) == self._imported:  # a look through thousands of them takes a millisecond
            return []
        inside, modules = f"{self._package}.", sys.modules.copy()
        unknown = [
            (name, module)
            for name, module in modules.items()
            if name.startswith(inside) and self._modules.get(name) is not module
        ]
        if not unknown:
            self._imported = len(modules)
        return unknown

    def _note(self, value: Any) -> None:
        if id(value) in self._contents or not self._changes_in_place(value):
            return
        with suppress(Exception):  # what cannot be copied is left as it is
            self._contents[id(value)] = _Content(value)

    def _changes_in_place(self, value: Any) -> bool:
        kind = type(value)
        if issubclass(kind, _CONTAINERS):
            return value is not sys.modules
        of = value if kind is _CACHE else kind
        ours = str(of.__module__).startswith(f"{self._package}.")
        return ours and not issubclass(kind, type) and (kind is _CACHE or hasattr(value, "__dict__"))


class _Names:
    """What the names of a module or a class stand for."""

    def __init__(self, owner: Any) -> None:
        self._owner = owner
        self.held = {name: value for name, value in vars(owner).items() if not name.startswith("__")}
        self._counters = {
            name: ast.literal_eval(repr(value).removeprefix("count").replace(")", ",)"))
            for name, value in self.held.items()
            if type(value) is itertools.count
        }

    def restore(self) -> None:
        for name, arguments in self._counters.items():
            if repr(self.held[name]) != repr(itertools.count(*arguments)):
                self.held[name] = itertools.count(*arguments)
        if self.unchanged():
            return
        now = dict(vars(self._owner))
        for name in now.keys() - self.held.keys():
            # a submodule hangs on its package under its name
            if not name.startswith("__") and not issubclass(type(now[name]), ModuleType):
                delattr(self._owner, name)
        for name, value in self.held.items():
            if name not in now or now[name] is not value:
                setattr(self._owner, name, value)

    def unchanged(self) -> bool:
        now = vars(self._owner)
        same = all(now.get(name, self) is value for name, value in self.held.items())
        more = (name for name in now if name not in self.held and not name.startswith("__"))
        counted = all(
            repr(self.held[name]) == repr(itertools.count(*arguments)) for name, arguments in self._counters.items()
        )
        return same and counted and all(issubclass(type(now[name]), ModuleType) for name in more)


class _Content:
    """The content of one object that changes in place."""

    def __init__(self, value: Any) -> None:
        #: held, so that no other object gets its id
        self._value = value
        self._copy = copy.deepcopy(self._inside())

    def restore(self) -> None:
        if type(self._value) is _CACHE:
            self._value.cache_clear()
        elif not self.unchanged():
            inside, content = self._inside(), copy.deepcopy(self._copy)
            inside.clear()
            if isinstance(inside, dict | set):
                inside.update(content)
            else:
                inside.extend(content)

    def unchanged(self) -> bool:
        try:
            return bool(self._inside() == self._copy)
        except Exception:  # arrays have no truth
            return False

    def _inside(self) -> Any:
        if type(self._value) is _CACHE:
            return None
        return self._value if isinstance(self._value, _CONTAINERS) else self._value.__dict__


def _carried(value: Any) -> Iterator[Any]:
    """What a function carries from call to call."""
    function = value.__func__ if type(value) in (staticmethod, classmethod) else value
    if type(function) is FunctionType:
        yield from function.__defaults__ or ()
        yield from (function.__kwdefaults__ or {}).values()
        yield vars(function)

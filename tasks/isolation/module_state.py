"""What the modules and classes of a controllers folder hold, put back before every point.

A controller that counts in a class attribute or keeps things in a module's dict would carry one point into the next:
a row would depend on what ran before it in this child. So what lies there is stored when a module has been imported,
and put back when a point begins: the names in modules and classes (classes inside classes, too), and, wherever it can
be reached from them, the content of

    lists, dicts, sets, deques           objects of the folder's and of hummingbot's classes, namespaces
    functions: defaults, attributes,     rng: random.Random, numpy's generators
    caches, what they enclose            counters of itertools, small arrays of numbers

Each thing is put back in place and keeps its identity, so that two names for one thing stay that. Not looked into:
frames and large arrays (their names are put back), generators and other iterators under way, objects of other packages;
nor anything outside the folder, such as files.
"""

from __future__ import annotations

import ast
import functools
import importlib
import itertools
import operator
import sys
from contextlib import suppress
from types import MethodType, ModuleType
from typing import Any

from tasks.isolation.object_snapshot import PLAIN, ObjectSnapshot, kind_of_content


class ModuleState:
    """The state of the user's modules. Made when none of them is imported yet."""

    def __init__(self, inside: tuple[str, ...] = ("controllers.",), whole: frozenset[str] = frozenset()) -> None:
        """`inside`: what the names of the modules begin with; `whole`: modules by name."""
        self._inside, self._whole = inside, whole
        self._modules: dict[str, ModuleType] = {}
        self._names: list[_Names] = []
        self._snapshots: dict[int, ObjectSnapshot] = {}
        self._imported = 0  # modules of the process at the last look through them

    def snapshot(self) -> None:
        """Remember what modules hold that have just been imported. To be called before a point uses them."""
        for name, module in self._unknown():
            self._modules[name] = module
            owners = [module]
            for owner in owners:  # grows while it is walked: classes inside classes
                names = _Names(owner)
                self._names.append(names)
                inner = [one for one in names.held.values() if issubclass(type(one), type)]
                owners += [one for one in inner if one.__module__ == name and all(one is not other for other in owners)]
                # objects that stand in a config class as defaults belong to all configs
                fields = vars(owner).get("__pydantic_fields__", {})
                self._note([*names.held.values(), *(field.default for field in fields.values())])

    def restore(self) -> bool:
        """Put everything back; False where something cannot be. To be called when no point runs."""
        try:
            for names in self._names:
                names.restore()
            for content in self._snapshots.values():
                content.restore()
        except Exception:  # a list that does not let itself be emptied, an array that was frozen
            return False
        for name, _ in self._unknown():
            # imported while a point ran, which may have left something in it: imported anew, and then known
            del sys.modules[name]
            with suppress(Exception):  # the point that needs it says so
                importlib.import_module(name)
        self.snapshot()
        return True

    def unchanged(self) -> bool:
        """Whether everything is as `restore` left it."""
        return (
            all(names.unchanged() for names in self._names)
            and all(content.unchanged() for content in self._snapshots.values())
            and not self._unknown()
        )

    def _unknown(self) -> list[tuple[str, ModuleType]]:
        if len(sys.modules) == self._imported:  # a look through thousands of them takes a millisecond
            return []
        modules = sys.modules.copy()
        unknown = [
            (name, module)
            for name, module in modules.items()
            if (name.startswith(self._inside) or name in self._whole) and self._modules.get(name) is not module
        ]
        if not unknown:
            self._imported = len(modules)
        return unknown

    def _note(self, values: list[Any]) -> None:
        """Take a snapshot of every changing object that is, or can be reached from, one of these."""
        seen: set[int] = set()
        while values:
            value = values.pop()
            if type(value) in PLAIN or id(value) in self._snapshots or id(value) in seen:
                continue
            if type(value) in (staticmethod, classmethod):
                values.append(value.__func__)
            elif type(value) is property:
                values += [value.fget, value.fset, value.fdel]
            elif type(value) is functools.cached_property:
                values.append(value.func)
            elif type(value) is MethodType:
                values.append(value.__self__)
            elif type(value) is functools.partial:
                values += [value.func, *value.args, *value.keywords.values()]
            elif isinstance(value, tuple | frozenset):
                seen.add(id(value))
                values += value
            elif (kind := kind_of_content(value, self._is_ours)) is not None:
                with suppress(Exception):  # what cannot be looked into is left as it is
                    content = kind(value)
                    self._snapshots[id(value)] = content
                    values += content.parts()

    def _is_ours(self, value: Any) -> bool:
        module = str(value.__module__)
        return module.startswith(self._inside) or module in self._whole


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
        #: names and values when they were last found to be unchanged, those of Python's own too
        self._found: tuple[list[str], list[Any]] = ([], [])

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
        names, values = self._found
        found = len(now) == len(names) and all(map(operator.is_, now.values(), values))
        if found and all(map(operator.is_, now, names)) and not self._counters:
            return True  # in a tenth of the time: every point asks
        same = all(now.get(name, self) is value for name, value in self.held.items())
        more = (name for name in now if name not in self.held and not name.startswith("__"))
        counted = all(
            repr(self.held[name]) == repr(itertools.count(*arguments)) for name, arguments in self._counters.items()
        )
        unchanged = same and counted and all(issubclass(type(now[name]), ModuleType) for name in more)
        if unchanged:
            self._found = list(now), list(now.values())
        return unchanged

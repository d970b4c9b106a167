"""The content of one thing that changes in place: stored, compared with later, put back.

A content is shallow: it knows which things lie in a thing, not what lies in them; those have contents of their own. So
everything keeps its identity, and what cannot be copied (a lock in a dict) does not matter.
"""

from __future__ import annotations

import ast
import copy
import functools
import itertools
import logging
import operator
import pickle
import random
import sys
from collections import deque
from collections.abc import Callable, Iterator
from enum import Enum
from types import CellType, FunctionType, ModuleType, SimpleNamespace
from typing import Any

import numpy as np

# Everywhere the type is asked and never the object: a name may stand for a package that is imported when it is touched.
_CONTAINERS = (list, deque, dict, set, bytearray)
_CACHE = type(functools.cache(lambda: None))
#: What is the same where it is equal.
PLAIN = frozenset({int, float, str, bytes, bool, complex, type(None)})
#: Not looked into, whoever wrote them.
_CONSTANT = (type, ModuleType, Enum, logging.Logger)
#: A table of more lists and dicts than these is compared as one.
_MAX_BRANCHES = 200
#: Arrays up to so many bytes are put back.
_SMALL = 256 << 10
_DICE: tuple[tuple[Any, Callable[[Any], Any], Callable[[Any, Any], None]], ...] = (
    (random.Random, lambda rng: rng.getstate(), lambda rng, state: rng.setstate(state)),
    (
        np.random.Generator,
        lambda rng: rng.bit_generator.state,
        lambda rng, state: setattr(rng.bit_generator, "state", state),
    ),
    (np.random.RandomState, lambda rng: rng.get_state(), lambda rng, state: rng.set_state(state)),
)


def kind_of_content(value: Any, is_ours: Callable[[Any], bool]) -> type[ObjectSnapshot] | None:
    """How a value's content is stored; None where it has none that is put back.

    `is_ours`: whether a class or a function was written in the folder.
    """
    kind: Any = type(value)
    if issubclass(kind, _CONTAINERS):
        if value is sys.modules:
            return None
        return _Tree if _is_large_tree(value) else _Container
    if kind is FunctionType:
        return _Function if is_ours(value) else None
    if kind is CellType:
        return _Cell
    if kind is _CACHE:
        return _Cache if is_ours(value) else None
    if any(issubclass(kind, rng) for rng, *_ in _DICE):
        return _Dice
    if kind is np.ndarray:
        return _Array if not value.dtype.hasobject and value.nbytes <= _SMALL and value.flags.writeable else None
    if issubclass(kind, _CONSTANT):
        return None
    is_data = str(kind.__module__).startswith("hummingbot.") and hasattr(kind, "model_fields")
    return _Object if is_data or issubclass(kind, SimpleNamespace) or is_ours(kind) else None


class ObjectSnapshot:
    """The content of one thing that changes in place. The things in it have contents of their own."""

    def __init__(self, value: Any) -> None:
        #: held, so that no other object gets its id
        self._value = value
        self._held = self._look()
        #: where counters lie in it, and how each stood: they cannot be turned back, so new ones take their places
        self._counters = {place: repr(one) for place, one in _places(self._held) if type(one) is itertools.count}

    def restore(self) -> None:
        """Put the object back to what it held."""
        for place, stood in self._counters.items():
            if repr(self._held[place]) != stood:
                self._held[place] = itertools.count(*ast.literal_eval(stood.removeprefix("count").replace(")", ",)")))
        if not self.unchanged():
            self._put_back()

    def unchanged(self) -> bool:
        """Whether the object holds what it held."""
        try:
            counted = all(repr(self._held[place]) == stood for place, stood in self._counters.items())
            return counted and _same(self._look(), self._held)
        except Exception:  # it was bent out of shape
            return False

    def parts(self) -> list[Any]:
        """What can be reached from here."""
        return list(self._held)

    def _look(self) -> Any:
        raise NotImplementedError

    def _put_back(self) -> None:
        raise NotImplementedError


class _Container(ObjectSnapshot):
    def parts(self) -> list[Any]:
        if isinstance(self._value, dict):
            return [*self._held.values(), getattr(self._value, "default_factory", None)]
        return [] if isinstance(self._value, bytearray) else list(self._held)

    def unchanged(self) -> bool:
        now, held = self._value, self._held
        if self._counters:
            return super().unchanged()
        if isinstance(now, dict) and len(now) == len(held) and all(map(operator.is_, now.values(), held.values())):
            return all(map(operator.is_, now, held)) or super().unchanged()
        if isinstance(now, list | deque) and len(now) == len(held) and all(map(operator.is_, now, held)):
            return True  # long tables are looked through at every point
        if isinstance(now, set):
            return len(now) == len(held) and now == set(held)
        return super().unchanged()

    def _look(self) -> Any:
        if isinstance(self._value, dict):
            return dict(self._value)
        return bytes(self._value) if isinstance(self._value, bytearray) else list(self._value)

    def _put_back(self) -> None:
        self._value.clear()
        if isinstance(self._value, dict | set):
            self._value.update(self._held)
        else:
            self._value.extend(self._held)


class _Tree(ObjectSnapshot):
    """A large table of texts and numbers, such as a JSON file: compared and put back as one."""

    def parts(self) -> list[Any]:
        return []

    def unchanged(self) -> bool:
        return bool(self._value == self._held)

    def _look(self) -> Any:
        return copy.deepcopy(self._value)

    def _put_back(self) -> None:
        self._value.clear()
        if isinstance(self._value, dict):
            self._value.update(copy.deepcopy(self._held))
        else:
            self._value.extend(copy.deepcopy(self._held))


class _Object(ObjectSnapshot):
    """An instance: its attributes, those in slots too."""

    def parts(self) -> list[Any]:
        return list(self._held.values())

    def _look(self) -> Any:
        value = self._value
        held = dict(vars(value)) if hasattr(value, "__dict__") else {}
        for name in self._slots():
            if hasattr(value, name):
                held[name] = getattr(value, name)
        return held

    def _put_back(self) -> None:
        slots = set(self._slots())
        if hasattr(self._value, "__dict__"):
            attributes = vars(self._value)
            attributes.clear()
            attributes.update({name: held for name, held in self._held.items() if name not in slots})
        for name in slots:
            if name in self._held:
                object.__setattr__(self._value, name, self._held[name])
            elif hasattr(self._value, name):
                object.__delattr__(self._value, name)

    def _slots(self) -> Iterator[str]:
        for base in type(self._value).__mro__:
            slots = vars(base).get("__slots__", ())
            for name in (slots,) if isinstance(slots, str) else slots:
                hidden = name.startswith("__") and not name.endswith("__")
                if name not in ("__dict__", "__weakref__"):
                    yield f"_{base.__name__.lstrip('_')}{name}" if hidden else name


class _Function(ObjectSnapshot):
    """Defaults, attributes and what it encloses."""

    def _look(self) -> Any:
        return self._value.__defaults__, self._value.__kwdefaults__, dict(vars(self._value))

    def parts(self) -> list[Any]:
        defaults, keywords, attributes = self._held
        # a cell has its own content: names that several functions enclose are one
        cells = self._value.__closure__ or ()
        return [*(defaults or ()), *(keywords or {}).values(), keywords, *attributes.values(), *cells]

    def unchanged(self) -> bool:
        defaults, keywords, attributes = self._held
        function = self._value
        same = function.__defaults__ is defaults and function.__kwdefaults__ is keywords
        return same and _same(vars(function), attributes)

    def _put_back(self) -> None:
        defaults, keywords, attributes = self._held
        self._value.__defaults__, self._value.__kwdefaults__ = defaults, keywords
        vars(self._value).clear()
        vars(self._value).update(attributes)


class _Cell(ObjectSnapshot):
    """A name that a function encloses."""

    def _look(self) -> Any:
        return [self._value.cell_contents]

    def _put_back(self) -> None:
        [self._value.cell_contents] = self._held


class _Cache(ObjectSnapshot):
    """A functools cache: emptied."""

    def _look(self) -> Any:
        return None

    def parts(self) -> list[Any]:
        return [self._value.__wrapped__]

    def restore(self) -> None:
        self._value.cache_clear()


class _Dice(ObjectSnapshot):
    def _look(self) -> Any:
        return next(look(self._value) for kind, look, _ in _DICE if isinstance(self._value, kind))

    def parts(self) -> list[Any]:
        return []

    def unchanged(self) -> bool:
        return pickle.dumps(self._look()) == pickle.dumps(self._held)

    def _put_back(self) -> None:
        next(put for kind, _, put in _DICE if isinstance(self._value, kind))(self._value, self._held)


class _Array(ObjectSnapshot):
    """Numbers."""

    def _look(self) -> Any:
        return self._value.shape, self._value.tobytes()

    def parts(self) -> list[Any]:
        return []

    def _put_back(self) -> None:
        shape, held = self._held
        if self._value.shape != shape:
            raise ValueError("an array was bent into another shape")
        self._value.flags.writeable = True  # frozen meanwhile
        self._value[...] = np.frombuffer(held, self._value.dtype).reshape(shape)


def _is_large_tree(value: Any) -> bool:
    """Whether many lists and dicts lie in a list or dict, and nothing in them but texts and numbers."""
    if type(value) not in (list, dict):
        return False
    branches, seen = [value], 1
    for branch in branches:  # grows while it is walked
        for one in branch.values() if type(branch) is dict else branch:
            if type(one) in (list, dict):
                seen += 1
                branches.append(one)
            elif type(one) not in PLAIN:
                return False
        if seen > _MAX_BRANCHES * 1000:
            return False
    return seen > _MAX_BRANCHES


def _places(held: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(held, dict):
        yield from held.items()
    elif isinstance(held, list):
        yield from enumerate(held)


def _same(now: Any, held: Any) -> bool:
    """Whether the same things lie there, in the same order; numbers and texts by value and type."""
    if isinstance(held, dict):
        return len(now) == len(held) and all(map(_is, now, held)) and all(map(_is, now.values(), held.values()))
    if isinstance(held, list):
        return len(now) == len(held) and all(map(_is, now, held))
    return bool(now == held)


def _is(one: Any, other: Any) -> bool:
    return one is other or (type(one) is type(other) and type(one) in PLAIN and one == other)

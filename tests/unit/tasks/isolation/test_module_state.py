"""What a point leaves in its controllers' modules and classes is gone before the next one."""

from __future__ import annotations

import importlib
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tasks.isolation.module_state import ModuleState

#: By numpy's generator with seed 7.
FIRST_THROWN = float(np.random.default_rng(7).random())

KEEPER = """
import itertools
import random
import threading
from collections import defaultdict, deque, namedtuple
from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import SimpleNamespace
from typing import Any

import numpy as np
from pydantic import BaseModel

COUNT = 0
SEEN = {"a": [1]}
QUEUE = deque([1], maxlen=3)
IDS = itertools.count(5, 2)
TABLE = np.arange(3)
LATER: list = []


class Memory:
    hits = 0
    names: set = set()

    def __init__(self):
        self.last = None


    class Inner:
        count = 0


MEMORY = Memory()
HANDLERS = [MEMORY, Memory()]
LOCKED = {"lock": threading.Lock(), "n": 0}
SPACE = SimpleNamespace(n=0)
DICE = random.Random(7)
ARRAYS_DICE = np.random.default_rng(7)
LINKS = {"levels": {}}
LEVELS = LINKS["levels"]


@dataclass(slots=True)
class Slotted:
    n: int = 0


SLOTTED = Slotted()
COUNTERS = {"ids": itertools.count(7)}
Pair = namedtuple("Pair", "name seen")
PAIR = Pair("a", [])
BOUND = Memory().names.add
NUMBERS = np.arange(3)
TREE = {"rows": [[number, {"n": number}] for number in range(300)]}


class Settings(BaseModel):
    memory: Any = MEMORY
    other: Any = Memory()


def counter():
    n = 0
    seen = []

    def count():
        nonlocal n
        n += 1
        seen.append(n)
        return n, len(seen)

    return count


def memo(function):
    cache = {}

    def remembering(key):
        return cache.setdefault(key, function(key))

    return remembering


count = counter()


@memo
def looked_up(key):
    return len(calls)
BY_PAIR = defaultdict(list)
calls = []


@lru_cache
def cached(key):
    calls.append(key)
    return key


def remember(key, cache={}, *, other=[]):
    cache[key] = 1
    other.append(key)
    remember.calls = getattr(remember, "calls", 0) + 1
    return len(cache), len(other), remember.calls
"""


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[tuple[ModuleState, Any]]:
    package = ModuleType("kept")
    package.__path__ = [str(tmp_path)]
    sys.modules["kept"] = package
    (tmp_path / "keeper.py").write_text(KEEPER)
    (tmp_path / "late.py").write_text("HELD = []\n")
    state = ModuleState(("kept.",))
    module = importlib.import_module("kept.keeper")
    state.snapshot()
    yield state, module
    for name in [name for name in sys.modules if name == "kept" or name.startswith("kept.")]:
        del sys.modules[name]


def _spoil_name(module: Any) -> None:
    module.COUNT += 1


def _spoil_dict(module: Any) -> None:
    module.SEEN["a"].append(2)


def _spoil_new_name(module: Any) -> None:
    module.NEW = 1


def _spoil_counter(module: Any) -> None:
    next(module.IDS)


def _spoil_class(module: Any) -> None:
    module.Memory.hits += 1


def _spoil_set_of_class(module: Any) -> None:
    module.Memory.names.add("x")


def _spoil_new_in_class(module: Any) -> None:
    module.Memory.future = [1]


def _spoil_instance(module: Any) -> None:
    module.MEMORY.last = 3


def _spoil_default_dict(module: Any) -> None:
    module.BY_PAIR["x"].append(1)


def _spoil_deque(module: Any) -> None:
    module.QUEUE.append(2)


def _spoil_array_name(module: Any) -> None:
    module.TABLE = module.TABLE + 1


def _spoil_deleted(module: Any) -> None:
    del module.LATER


def _spoil_array(module: Any) -> None:
    module.TABLE[1] = 5


def _spoil_inner_class(module: Any) -> None:
    module.Memory.Inner.count += 1


def _spoil_object_in_a_list(module: Any) -> None:
    module.HANDLERS[1].last = 4


def _spoil_what_holds_a_lock(module: Any) -> None:
    module.LOCKED["n"] += 1


def _spoil_namespace(module: Any) -> None:
    module.SPACE.n += 1


def _spoil_slots(module: Any) -> None:
    module.SLOTTED.n += 1


def _spoil_dice(module: Any) -> None:
    module.DICE.random()


def _spoil_generator(module: Any) -> None:
    module.ARRAYS_DICE.random()


def _spoil_closure(module: Any) -> None:
    module.count()


def _spoil_memo(module: Any) -> None:
    module.looked_up("a")


def _spoil_default_of_a_config(module: Any) -> None:
    module.Settings().other.last = 5


def _spoil_counter_in_a_dict(module: Any) -> None:
    next(module.COUNTERS["ids"])


def _spoil_list_in_a_named_tuple(module: Any) -> None:
    module.PAIR.seen.append(1)


def _spoil_and_freeze_an_array(module: Any) -> None:
    module.NUMBERS[:] = 9
    module.NUMBERS.flags.writeable = False


def _spoil_a_large_table(module: Any) -> None:
    module.TREE["rows"][250][1]["n"] = -1


def _spoil_linked(module: Any) -> None:
    module.LINKS["levels"]["a"] = 1


SPOILERS = [value for name, value in list(globals().items()) if name.startswith("_spoil_")]


@pytest.mark.parametrize("spoil", SPOILERS, ids=lambda spoil: spoil.__name__)
def test_it_is_seen_and_put_back(keeper: tuple[ModuleState, Any], spoil: Any) -> None:
    state, module = keeper
    state.restore()
    assert state.unchanged()
    spoil(module)
    assert not state.unchanged()
    state.restore()
    assert state.unchanged()
    assert module.COUNT == 0
    assert module.SEEN == {"a": [1]}
    assert list(module.QUEUE) == [1]
    assert next(module.IDS) == 5
    assert module.TABLE.tolist() == [0, 1, 2]
    assert module.LATER == []
    assert (module.Memory.hits, module.Memory.names, module.MEMORY.last) == (0, set(), None)
    assert not hasattr(module, "NEW")
    assert not hasattr(module.Memory, "future")
    assert dict(module.BY_PAIR) == {}
    assert module.Memory.Inner.count == module.LOCKED["n"] == module.SPACE.n == module.SLOTTED.n == 0
    assert module.HANDLERS[0] is module.MEMORY
    assert module.HANDLERS[1].last is None
    assert (module.DICE.random(), module.ARRAYS_DICE.random()) == (random.Random(7).random(), FIRST_THROWN)
    assert module.count() == (1, 1)
    module.calls.append(1)
    assert module.looked_up("a") == 1
    assert module.Settings().other.last is None
    assert module.LINKS["levels"] is module.LEVELS == {}
    assert next(module.COUNTERS["ids"]) == 7
    assert module.PAIR.seen == []
    assert module.NUMBERS.tolist() == [0, 1, 2]
    assert module.TREE["rows"][250] == [250, {"n": 250}]


def test_what_cannot_be_put_back_is_told(keeper: tuple[ModuleState, Any]) -> None:
    state, module = keeper
    assert state.restore()
    module.NUMBERS.shape = (3, 1)
    assert not state.unchanged()
    assert not state.restore()


def test_functions_begin_anew(keeper: tuple[ModuleState, Any]) -> None:
    state, module = keeper
    first = module.remember("a")
    module.cached(1)
    state.restore()
    assert module.remember("b") == first == (1, 1, 1)
    module.cached(1)
    assert module.calls == [1]  # asked again, and the list was emptied in between


def test_what_holds_arrays_is_put_back(keeper: tuple[ModuleState, Any]) -> None:
    state, module = keeper
    module.SEEN["frame"] = module.TABLE
    state.restore()
    assert module.SEEN == {"a": [1]}


def test_a_module_imported_while_a_point_ran_is_imported_anew(keeper: tuple[ModuleState, Any]) -> None:
    state, _ = keeper
    importlib.import_module("kept.late").HELD.append(1)
    assert not state.unchanged()
    state.restore()
    assert state.unchanged()
    late = importlib.import_module("kept.late")
    assert late.HELD == []
    late.HELD.append(2)
    state.restore()
    assert importlib.import_module("kept.late") is late
    assert late.HELD == []

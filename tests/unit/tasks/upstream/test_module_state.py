"""What a point leaves in its controllers' modules and classes is gone before the next one."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tasks.upstream.module_state import ModuleState

KEEPER = """
import itertools
from collections import defaultdict, deque
from functools import lru_cache

import numpy as np

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


MEMORY = Memory()
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
    state = ModuleState("kept")
    module = importlib.import_module("kept.keeper")
    state.lay_down()
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

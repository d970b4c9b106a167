"""Whatever bytes come in, a sentence comes out, and memory stays bounded."""

from __future__ import annotations

import resource
import sys
import traceback
from typing import Any

import pytest
import ujson
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.errors import HummingsweepError
from tests.fuzz.doors import DEFINITION, DOORS, Door
from tests.fuzz.explore import FOUND, corpus, explore, keep

#: What any number of inputs may add to the memory of the process; the largest input is 64 KB.
MAX_MORE_MB = 300


def memory_mb() -> float:
    """The most this process ever held, resident."""
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held / (1 << 20 if sys.platform == "darwin" else 1 << 10)


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
def test_every_input_of_the_corpus_and_some_changes_of_it(door: Door) -> None:
    found = explore(door, tries=len(corpus(door)) + 20)
    assert not found.failures, report(found.failures)


@pytest.mark.long
@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
def test_many_changes_of_the_corpus_which_grows_by_what_reaches_new_lines(door: Door) -> None:
    before = memory_mb()
    found = explore(door, seconds=30, seed=len(corpus(door)))
    keep(found, FOUND)
    assert not found.failures, report(found.failures)
    assert memory_mb() - before < MAX_MORE_MB


def report(failures: list[tuple[bytes, BaseException]]) -> str:
    """Each input and its traceback."""
    return "\n".join(f"{data[:2000]!r}\n{''.join(traceback.format_exception(error))}" for data, error in failures)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)
ROWS = DOORS[0]
DEFINITIONS = next(door for door in DOORS if door.name == "definition")
ROW_COLUMNS = ("point", "status", "error", "engine", "seconds", "net_pnl", "close_types")


def passes(door: Door, message: Any) -> None:
    """The door answers with nothing but a sentence."""
    try:
        data = ujson.dumps(message).encode("utf-8", "surrogatepass")
    except (OverflowError, ValueError, TypeError):
        return
    try:
        door.enter(data)
    except HummingsweepError as error:
        assert str(error)


@settings(max_examples=50)
@given(st.dictionaries(st.sampled_from([*ROW_COLUMNS, "other"]), st.lists(JSON, min_size=3, max_size=3), max_size=8))
def test_columns_of_any_values(columns: dict[str, Any]) -> None:
    message = ujson.loads(ROWS.seeds()[0])
    message["columns"] |= columns
    passes(ROWS, message)


@settings(max_examples=50)
@given(st.dictionaries(st.sampled_from(["chunk", "node", "seconds", "columns", "memory_bytes", "returns", "x"]), JSON))
def test_messages_of_any_fields(fields: dict[str, Any]) -> None:
    passes(ROWS, ujson.loads(ROWS.seeds()[0]) | fields)


@settings(max_examples=100)
@given(st.dictionaries(st.sampled_from(sorted(ujson.loads(DEFINITION.encode()))), JSON, max_size=4))
def test_definitions_of_any_fields(fields: dict[str, Any]) -> None:
    passes(DEFINITIONS, ujson.loads(DEFINITION.encode()) | fields)

"""What is kept of what a controller logs and swallows."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tasks.isolation import notes as module
from tasks.isolation.notes import MAX_CHARACTERS, MAX_FROM_ONE_PLACE, MAX_LINES, Note, notes
from tasks.upstream.backtest.folder import activate, deactivate

SAYS = """
import logging

def swallow(text="no such model"):
    try:
        raise FileNotFoundError(text)
    except Exception:
        return None

def log(text, *arguments):
    logging.getLogger("mine").warning(text, *arguments)

def asks():
    return next(iter([]), None), list(x for x in [1]), hasattr(logging, "nothing"), {}.get("a")
"""


@pytest.fixture
def says(tmp_path: Path) -> Iterator[ModuleType]:
    import importlib

    folder = tmp_path / "controllers"
    folder.mkdir()
    (folder / "says.py").write_text(SAYS)
    activate(folder)
    before = list(logging.getLogger().handlers)
    module.install()
    notes.clear()
    yield importlib.import_module("controllers.says")
    for handler in set(logging.getLogger().handlers).difference(before):
        logging.getLogger().removeHandler(handler)
    sys.monitoring.set_events(module._TOOL, sys.monitoring.events.NO_EVENTS)
    sys.monitoring.free_tool_id(module._TOOL)
    deactivate()


def test_a_swallowed_error_is_kept_with_its_line(says: ModuleType) -> None:
    says.swallow()
    assert notes.controller_log() == "caught FileNotFoundError: no such model (controllers/says.py, line 6)"


def test_a_logged_warning_is_kept_and_what_we_log_is_not(says: ModuleType) -> None:
    says.log("model %s is missing\n", "x.json")
    ours = logging.getLogger("x").makeRecord("x", logging.ERROR, str(module.__file__), 1, "of this project", (), None)
    logging.getLogger().handle(ours)
    assert notes.controller_log() == "WARNING: model x.json is missing"


def test_asking_is_no_error(says: ModuleType) -> None:
    says.asks()
    assert notes.controller_log() == ""


def test_what_is_kept_is_bounded(says: ModuleType) -> None:
    for number in range(1000):
        says.swallow(str(number))
    says.log("x" * 10_000)
    for number in range(MAX_LINES):
        notes.look(f"line {number}")
    assert notes.controller_log() == " | ".join(f"line {number}" for number in range(MAX_LINES))
    assert len(notes.taken()) <= MAX_FROM_ONE_PLACE + 1 + MAX_LINES
    assert all(len(note.text) <= MAX_CHARACTERS for note in notes.taken())


def test_another_point_begins_without_notes(says: ModuleType) -> None:
    says.swallow()
    notes.warn("ours")
    notes.clear()
    assert (notes.controller_log(), notes.warnings()) == ("", [])


def test_what_another_point_derived_brings_its_notes_along() -> None:
    notes.clear()
    notes.warn("first")
    before = notes.taken()
    notes.look("second")
    taken = notes.since(before)
    notes.clear()
    notes.add(taken)
    assert notes.taken() == (Note("second", False),)

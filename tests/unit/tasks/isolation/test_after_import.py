"""Actions that run when a module has been imported."""

from __future__ import annotations

import importlib
import sys

import pytest

from tasks.isolation.after_import import after_import


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module `patched_later` on the path, not imported yet."""
    (tmp_path / "patched_later.py").write_text("value = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "patched_later"
    sys.modules.pop("patched_later", None)


def test_something_is_done_after_an_import(module):
    after_import(module, lambda imported: setattr(imported, "value", imported.value + 1))
    after_import(module, lambda imported: setattr(imported, "value", imported.value * 10))
    assert module not in sys.modules
    imported = importlib.import_module(module)
    assert imported.value == 20
    assert imported.__spec__.loader.get_source(module) == "value = 1\n", "its own loader is back in place"
    assert importlib.import_module(module).value == 20


def test_something_is_done_at_once_when_it_is_there(module):
    importlib.import_module(module)
    after_import(module, lambda imported: setattr(imported, "value", 5))
    assert sys.modules[module].value == 5


def test_a_module_that_does_not_exist_stays_so():
    after_import("no_such_module_here", print)
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("no_such_module_here")

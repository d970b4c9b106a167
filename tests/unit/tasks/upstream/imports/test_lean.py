"""Deferring, on packages made for it: what is put off, when it comes, and that it is then the real one."""

from __future__ import annotations

import importlib
import sys
import textwrap
import typing

import pytest

from tasks.upstream.imports import lean

FILES = {
    "deep/__init__.py": """
        LOADED = []
        import deep.inner
        class Base:
            size = 3
            def __init__(self, x=0):
                self.x = x
        def twice(x):
            return 2 * x
        """,
    "deep/inner.py": "import deep\ndeep.LOADED.append('inner')\nVALUE = 7\n",
    "circle.py": "import user_of_deep\nNAME = user_of_deep.NAME\n",
    "broken.py": "raise RuntimeError('no such library')\n",
    # a module of the engine: names things of deep, uses none of them
    "user_of_deep.py": "import deep\nfrom deep import Base, twice\nNAME = 'user'\n"
    "def annotated(x: Base, y: dict[str, Base]) -> Base | None: ...\n",
    "subclasses.py": "from deep import Base\nclass Child(Base): pass\n",
}


@pytest.fixture
def deferring(tmp_path, monkeypatch):
    """A finder of its own that defers `deep`, `circle` and `broken`; gone again afterwards."""
    for path, source in FILES.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(textwrap.dedent(source))
    names = {"deep", "deep.inner", "circle", "broken", "user_of_deep", "subclasses", "controllers", "controllers.x"}
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(lean, "DEFERRED", {"deep": frozenset({"twice"}), "circle": frozenset(), "broken": frozenset()})
    monkeypatch.setattr(lean, "_HOLDERS", frozenset({"user_of_deep"}))
    finder = lean._Finder()
    monkeypatch.setattr(lean, "_finder", finder)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    lean.install_lean_imports()
    yield finder
    for name in names & set(sys.modules):
        del sys.modules[name]


def test_a_module_that_only_names_things_imports_nothing(deferring):
    user = importlib.import_module("user_of_deep")
    assert lean.awake() == []
    assert type(user.Base) is lean.LazyAttribute and type(user.deep) is lean.LazyModule
    assert typing.get_type_hints(user.annotated)["x"] is user.Base


@pytest.mark.parametrize(
    ("use", "answer"),
    [
        (lambda user: user.twice(4), 8),
        (lambda user: user.Base(5).x, 5),
        (lambda user: user.Base.size, 3),
        (lambda user: isinstance(user.Base(1), user.Base), True),
        (lambda user: isinstance(1, user.Base), False),
        (lambda user: type("Child", (sys.modules["deep"].Base,), {}).size, 3),
        (lambda user: user.deep.inner.VALUE, 7),
    ],
)
def test_use_brings_the_real_one(deferring, use, answer):
    user = importlib.import_module("user_of_deep")
    lean.seal()
    assert use(user) == answer
    assert lean.awake() == ["deep"]
    assert type(sys.modules["deep"]) is not lean.LazyModule


def test_once_awake_the_real_things_are_everywhere(deferring):
    user = importlib.import_module("user_of_deep")
    lean.seal()
    user.twice(1)
    real = sys.modules["deep"]
    assert user.deep is real and user.Base is real.Base and user.twice is real.twice


def test_a_subclass_needs_it_at_once_and_gets_it(deferring):
    module = importlib.import_module("subclasses")
    assert module.Child.__mro__[1] is sys.modules["deep"].Base
    assert lean.awake() == ["deep"]


def test_after_the_seal_an_import_is_the_real_one(deferring):
    importlib.import_module("user_of_deep")
    lean.seal()
    names = {}
    exec("from deep import Base", {"__name__": "anyone"}, names)
    assert names["Base"] is sys.modules["deep"].Base and lean.awake() == ["deep"]


def test_what_was_never_asked_for_while_collecting_is_not_deferred(deferring):
    lean.seal()
    assert importlib.import_module("deep").twice(2) == 4
    assert lean.awake() == []


def test_a_controller_gets_a_promise_of_listed_names_and_the_real_thing_otherwise(deferring):
    importlib.import_module("user_of_deep")
    lean.seal()
    names = {}
    exec("from deep import twice", {"__name__": "controllers.x"}, names)
    assert lean.awake() == [] and names["twice"](3) == 6
    exec("from deep import Base", {"__name__": "controllers.x"}, names)
    assert names["Base"] is sys.modules["deep"].Base


def test_a_submodule_is_imported_once(deferring):
    """Its package imports it while the import system is looking for it."""
    importlib.import_module("user_of_deep")
    lean.seal()
    inner = importlib.import_module("deep.inner")
    assert sys.modules["deep"].LOADED == ["inner"]
    assert inner is sys.modules["deep.inner"] is sys.modules["deep"].inner
    assert inner.__spec__.loader is not None and inner.__spec__.name == "deep.inner"


def test_a_module_that_cannot_be_imported_says_so_each_time(deferring):
    broken = importlib.import_module("broken")
    lean.seal()
    for _ in range(2):
        with pytest.raises(RuntimeError, match="no such library"):
            broken.anything  # noqa: B018  # the access is the test
    assert sys.modules["broken"] is broken


def test_setting_something_reaches_the_real_module(deferring):
    lazy_module = importlib.import_module("deep")
    lean.seal()
    lazy_module.twice = lambda x: 3 * x
    assert sys.modules["deep"].twice(2) == 6
    assert "Base" in dir(lazy_module)


def test_a_promise_of_nothing(deferring):
    importlib.import_module("user_of_deep")
    later = lean.LazyAttribute("deep", "Nothing")
    with pytest.raises(AttributeError, match="Nothing"):
        later()
    assert repr(later) == "<lazy_attribute deep.Nothing>"

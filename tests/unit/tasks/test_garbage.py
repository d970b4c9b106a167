"""The garbage collector rests while modules are imported, and is at work again after it."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from tasks.garbage import importing


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    yield
    gc.unfreeze()
    gc.freeze()  # as tests/conftest.py has it
    gc.enable()


def test_it_rests_within_and_works_again_after() -> None:
    frozen = gc.get_freeze_count()
    with importing():
        assert not gc.isenabled()
        made = [[number] for number in range(1000)]
    assert gc.isenabled()
    assert gc.get_freeze_count() >= frozen + len(made)


def test_it_works_again_after_an_import_that_failed() -> None:
    with pytest.raises(ModuleNotFoundError), importing():
        import no_such_module  # type: ignore[import-not-found]  # noqa: F401
    assert gc.isenabled()

"""What the row of a point that failed says beside its error."""

from __future__ import annotations

import asyncio
import contextlib
from types import SimpleNamespace
from typing import Any

import pytest

from tasks.child.point import PointRunner
from tasks.errors import ControllerError
from tasks.isolation.notes import Note, notes
from tasks.protocol.messages import Kind


class NoDeadline:
    @contextlib.asynccontextmanager
    async def point(self, marker: Any) -> Any:
        yield


def failed(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The row of a point whose controller swallows an error, whose engine warns, and which fails then."""

    async def work(point: int) -> dict[str, Any]:
        notes.add([Note("caught ImportError: no torch", False)])
        notes.warn("an amount was rounded down to 0")
        raise ControllerError("mine: KeyError: 'signal'")

    runner = object.__new__(PointRunner)
    monkeypatch.setattr(PointRunner, "market", None)
    runner.__dict__ |= {
        "_definition": SimpleNamespace(kind=kind, start=0, semantics="stock", fills="stock", shift=0),
        "_deadline": NoDeadline(),
        "_me": SimpleNamespace(hang_up=lambda: None),
        "_work": {kind: work},
    }
    monkeypatch.setattr(PointRunner, "_clock", lambda self: contextlib.nullcontext())
    monkeypatch.setattr("tasks.child.point.blackout.guard", contextlib.nullcontext)  # installed in children only
    return asyncio.run(runner.row(3))


def test_the_error_of_a_probe_carries_what_was_swallowed_before(monkeypatch: pytest.MonkeyPatch) -> None:
    row = failed(Kind.PROBE, monkeypatch)
    assert row["error"] == "mine: KeyError: 'signal'; before that: caught ImportError: no torch"


def test_the_row_of_an_error_carries_log_and_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    row = failed(Kind.RUN, monkeypatch)
    assert (row["status"], row["error"]) == ("error", "mine: KeyError: 'signal'")
    assert row["controller_log"] == "caught ImportError: no torch"
    assert row["warning"] == "an amount was rounded down to 0"

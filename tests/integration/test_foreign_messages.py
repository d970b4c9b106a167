"""What somebody without the key, but with a node's password, can put before a child."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cluster import guardian
from tasks.broker.connect import connect
from tasks.child import chunk as chunk_module
from tasks.child import process as process_module
from tasks.child.process import Child
from tasks.errors import BlobError, MessageError
from tasks.protocol import names
from tasks.protocol.blobs import Blobs
from tasks.protocol.keys import Keys
from tasks.protocol.messages import SweepDefinition
from tasks.settings import Settings, versions
from tests.made import definition

HOSTILE = [
    "../../victim",
    "a/b",
    "",
    ".",
    "..",
    "a:b",
    "a*",
    "a\n",
    "a\x00",
    "x" * 500,
    "\u00e9",
    "[a]",
    7,
    None,
    ["a"],
]


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    process, broker = guardian.start_server(tmp_path)
    yield Child(Settings(broker=broker, key="0123456789abcdef", cache=str(tmp_path / "cache")), "n@host/1")
    process.kill()
    process.wait()


def published(child: Child, sweep: str, **changes: Any) -> str:
    made = definition(sweep, {"length": [5, 10]}, versions=versions(), **changes)
    return Blobs(connect(child.settings, patient=False), child.settings.key).put(made.encode(), sign=True)


def test_a_definition_under_another_sweeps_name_is_refused_also_by_a_child_that_has_run_it(child: Child) -> None:
    address = published(child, "a-sweep")
    with pytest.raises(BlobError, match="in its place"):
        child.definition("another", address)
    assert child.definition("a-sweep", address).sweep == "a-sweep"
    with pytest.raises(BlobError, match="in its place"):
        child.definition("another", address)


@pytest.mark.parametrize("sweep", HOSTILE, ids=repr)
def test_a_sweep_that_is_no_name_touches_no_key_and_no_file(
    child: Child, sweep: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Its name became a path in the cache folder, and the file there was deleted."""
    victim = tmp_path / "victim-1-0-0"
    victim.touch()
    monkeypatch.setattr(process_module, "child", lambda: child)
    chunk_module.run_chunk(sweep, "1:0-0")
    assert victim.exists()
    assert child.redis.dbsize() == 0
    assert capfd.readouterr().err.startswith("a message is passed over: not a sweep id")
    with pytest.raises(names.InvalidName):
        Keys(sweep)


@pytest.mark.parametrize("chunk", ["", "1", "1:", "1:0-99999999999", "1:../../x", "a" * 10**6, "\ud800", 7, None])
def test_a_chunk_that_is_none_is_passed_over(
    child: Child, chunk: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(process_module, "child", lambda: child)
    chunk_module.run_chunk("a-sweep", chunk)
    assert child.redis.dbsize() == 0
    assert len(capfd.readouterr().err) < 1000


@pytest.mark.parametrize(
    "changes",
    [
        {"controllers": "../../x"},
        {"slices": {"feed": "../x"}},
        {"slices": {"feed": 7}},
        {"series": {"rate": "../x"}},
        {"slices": 5},
        {"sweep": "../x"},
    ],
)
def test_a_definition_with_an_address_that_is_no_hash_is_no_definition(changes: dict[str, Any]) -> None:
    made = definition(**{"sweep": "a-sweep", "grid": {"length": [5, 10]}} | changes)
    with pytest.raises(MessageError):
        SweepDefinition.decode(made.encode())


def test_a_foreign_name_is_shown_on_one_line() -> None:
    assert names.printable("a\x1b[2J\nb") == "a\\x1b[2J\\nb"
    assert len(names.printable("x" * 1000)) == 200
    assert names.as_text(b"\xff a") == "\\xff a"

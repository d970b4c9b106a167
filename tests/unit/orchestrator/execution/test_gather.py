"""A command whose few points wait says why: they lie behind other sweeps' chunks, or the children are starting."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from orchestrator.execution import gather, in_flight
from orchestrator.progress.watcher import Silent
from tasks.errors import BrokerError
from tasks.protocol.chunks import Chunk
from tasks.protocol.messages import Kind, Rows
from tasks.protocol.records import NodeRecord


class Redis:
    def __init__(self, running: bool, at_work: str = ""):
        self._running, self.at_work = running, at_work

    def incr(self, key: str) -> int:
        return 1

    def exists(self, key: str) -> int:
        return int(self._running)

    def scan_iter(self, pattern: str, count: int, _type: str) -> list[bytes]:
        return [b"hs:another:running"] if self.at_work else []

    def hvals(self, key: str) -> list[bytes]:
        return [f"{self.at_work}/1 1700000000.0".encode()]


class Stream:
    """Nothing for two looks, then the rows."""

    def __init__(self, *_: object):
        self._looks = 0

    def read(self, wait_s: float) -> Iterator[tuple[str, Rows]]:
        self._looks += 1
        if self._looks > 2:
            yield "1-0", Rows.from_dicts("1:0-0", "node/1", 0.1, [{"point": 0, "status": "ok"}])

    def forget(self, entries: list[str]) -> None: ...

    def take_set_aside(self) -> list[Any]:
        return []


class LosingRedis(Redis):
    """Counts generations, too."""

    def __init__(self) -> None:
        super().__init__(running=False)
        self.generation = 0

    def incr(self, key: str) -> int:
        self.generation += 1
        return self.generation

    def set(self, key: str, value: int) -> None: ...

    def sadd(self, key: str, value: str) -> None: ...


class AnsweringStream(Stream):
    """Rows of what was sent under a second name, nothing for what was sent under the first."""

    sent: ClassVar[list[tuple[str, float]]] = []

    def read(self, wait_s: float) -> Iterator[tuple[str, Rows]]:
        again = [chunk for chunk, _ in self.sent if not chunk.startswith("1:")]
        if again:
            yield "1-0", Rows.from_dicts(again[-1], "node/1", 0.1, [{"point": 0, "status": "ok"}])


@pytest.mark.parametrize("holds_the_definition", [True, False])
def test_a_chunk_whose_message_went_to_a_node_that_is_cut_off_is_sent_again(
    holds_the_definition: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker hands a message to a connection that nobody listens to any more, and it is gone."""
    sent: list[tuple[str, float]] = []
    monkeypatch.setattr(AnsweringStream, "sent", sent)
    monkeypatch.setattr(gather, "Stream", AnsweringStream)
    monkeypatch.setattr(gather, "put_away_foreign", lambda *_: [])
    monkeypatch.setattr(gather, "keep", lambda *_: holds_the_definition)
    monkeypatch.setattr(in_flight, "LOST_AFTER_S", 0.0)
    monkeypatch.setattr(in_flight, "LOOK_EVERY_S", 0.0)
    said: list[str] = []

    def send(sweep: str, chunk: Chunk, message: str, within_s: float, progress: str = "") -> None:
        sent.append((chunk.id, within_s))

    cluster: Any = SimpleNamespace(
        redis=LosingRedis(),
        children=lambda: 1,
        nodes=list,
        send=send,
        missing=set,
        check_alive=lambda say: None,
        say=said.append,
    )
    definition: Any = SimpleNamespace(sweep="test-0123456789", kind=Kind.AUDIT)
    if not holds_the_definition:
        with pytest.raises(BrokerError, match="lost what this command had sent"):
            gather.gather(cluster, definition, [0], Silent())
        return
    rows = gather.gather(cluster, definition, [0], Silent(), within_s=7.0)
    assert rows == [{"point": 0, "status": "ok"}]
    assert sent == [("1:0-0", 7.0), ("2:0-0", 7.0)]
    assert said == ["the broker lost 1 chunks: they are sent again"]


@pytest.mark.parametrize(
    ("running", "at_work", "words"),
    [
        (False, "node@host", ["busy with other sweeps"]),
        (False, "dead@host", ["they are starting"]),
        (False, "", ["they are starting"]),
        (True, "node@host", []),
    ],
)
def test_who_waits_is_told_once_why(
    running: bool, at_work: str, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gather, "Stream", Stream)
    monkeypatch.setattr(gather, "put_away_foreign", lambda *_: [])
    monkeypatch.setattr(gather, "BUSY_S", -1.0)
    said: list[str] = []
    cluster: Any = SimpleNamespace(
        redis=Redis(running, at_work),
        children=lambda: 1,
        nodes=lambda: [NodeRecord("node@host", 1, "q", {})],
        send=lambda *_: None,
        check_alive=lambda say: None,
        say=said.append,
    )
    definition: Any = SimpleNamespace(sweep="s", kind=Kind.AUDIT)
    assert gather.gather(cluster, definition, [0], Silent()) == [{"point": 0, "status": "ok"}]
    assert len(said) == len(words)
    assert all(word in line for word, line in zip(words, said, strict=True))

"""Which entries of a node's queue and of Celery's remote control are taken for what they say; the others are empty."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import pytest

from tasks.node.foreign_messages import MAX_ENTRY, read_entry
from tasks.protocol.messages import CHUNK_TASK

AFTER = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
CHUNK = [["a-sweep", "1:0-2", 5.0], {}, AFTER]
COMMAND: dict[str, Any] = {"method": "ping", "arguments": {}, "destination": None, "pattern": None, "matcher": None}


def entry(body: object, exchange: str = "", headers: dict[str, Any] | None = None) -> str:
    """A message as it lies on the broker; a text is a body that is written already."""
    written = body if isinstance(body, str) else base64.b64encode(json.dumps(body).encode()).decode()
    message = {
        "body": written, "content-encoding": "utf-8", "content-type": "application/x-ujson",
        "headers": {"task": CHUNK_TASK, "id": "1", "lang": "py"} if headers is None else headers,
        "properties": {
            "delivery_tag": "x", "delivery_info": {"exchange": exchange, "routing_key": "q"},
            "body_encoding": "base64", "priority": 0, "reply_to": "r", "correlation_id": "1",
        },
    }  # fmt: skip
    return json.dumps(message)


def written(changes: dict[str, Any]) -> str:
    """The message of a chunk with other or more fields."""
    return json.dumps(json.loads(entry(CHUNK)) | changes)


def is_taken(text: str, capsys: pytest.CaptureFixture[str]) -> bool:
    """Whether it comes through; where it does not, one line says so."""
    found = read_entry(text)
    said = capsys.readouterr().err
    assert said.count("a message is passed over") == (found["headers"] == {})
    assert len(said) < 1000
    return bool(found["headers"])


def chunk_with(**headers: Any) -> str:
    return entry(CHUNK, headers={"task": CHUNK_TASK, "id": "1", **headers})


@pytest.mark.parametrize(
    "text",
    [
        entry(CHUNK),
        entry([["a-sweep", "1:0-2"], {}, AFTER]),
        chunk_with(redelivered=True, root_id="1", argsrepr="3 of 7", origin="gen1@host", timelimit=[None, None]),
        entry(COMMAND, "celery.pidbox", {"clock": 3, "expires": 1.5}),
        entry({"method": "revoke", "arguments": {"task_id": ["a"]}}, "celery.pidbox", {"clock": 3}),
    ],
)  # fmt: skip
def test_what_celery_and_an_orchestrator_send_is_taken(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert is_taken(text, capsys)


@pytest.mark.parametrize(
    "text",
    [
        entry("W"),  # no base64: ended every node that took it, one after the other
        entry("\u00e9"),
        entry([1]),  # not three parts: the same
        entry({"a": 1}),
        entry([["a-sweep", "1:0-2"], [1], AFTER]),
        entry([["a-sweep", "1:0-2"], {"limit_s": 1}, AFTER]),
        entry([["a-sweep", "1:0-2"], {}, None]),
        entry([["a-sweep", "1:0-2"], {}, {**AFTER, "chain": [{"task": "x"}]}]),
        entry([["a-sweep", "1:0-2", "soon"], {}, AFTER]),
        entry([["a-sweep"] * 10, {}, AFTER]),
        entry([["a-sweep", 7], {}, AFTER]),
        entry(base64.b64encode(zlib.compress(b"0" * 10**6)).decode(), headers={"task": CHUNK_TASK, "id": "1"}),
        chunk_with(compression="application/x-gzip"),
        chunk_with(compression={}, method="x"),
        chunk_with(eta="2030-01-01"),
        chunk_with(expires=1),
        chunk_with(retries=-5),
        chunk_with(retries=10**30),
        chunk_with(root_id=[1]),
        chunk_with(argsrepr={"a": 1}),
        chunk_with(stamped_headers=["x"]),
        chunk_with(anything_else=1),
        written({"content-type": "application/x-python-serialize"}),
        written({"content-encoding": "rot13"}),
        written({"padding": "x" * MAX_ENTRY}),
    ],
)  # fmt: skip
def test_a_chunk_that_no_orchestrator_sends_is_passed_over(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert not is_taken(text, capsys)


@pytest.mark.parametrize(
    "text",
    [
        entry("W", "celery.pidbox", {"clock": 1}),
        entry(7, "celery.pidbox", {}),
        entry({**COMMAND, "method": {}}, "celery.pidbox", {}),
        entry({**COMMAND, "arguments": "abc"}, "celery.pidbox", {}),
        entry({**COMMAND, "destination": 7}, "celery.pidbox", {}),
        entry({"method": "add_consumer", "arguments": {"queue": {"x": 1}}}, "celery.pidbox", {}),  # ended the node
        entry({"method": "add_consumer", "arguments": {"queue": ["x"]}}, "celery.pidbox", {}),
        entry(COMMAND, "celery.pidbox", {"clock": 10**400}),
        entry(COMMAND, "celery.pidbox", {"clock": "x"}),
        entry(COMMAND, "celery.pidbox", {"clock": 1, "compression": "application/x-gzip"}),
        entry(COMMAND, "somewhere", {}),
    ],
)
def test_a_command_that_celery_would_not_send_is_passed_over(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert not is_taken(text, capsys)

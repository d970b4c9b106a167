"""Messages on a node's queue that are none: passed over with a word.

kombu and Celery take what lies on a queue for a message of Celery's. Anything else (a stray LPUSH, another program's
queue, a hostile one) ended the node with a traceback, a node for each. What is not of the form that `send` of an
orchestrator gives is replaced by an empty message, which Celery rejects.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterator
from typing import Any

from kombu.utils import json as kombu_json

from tasks.protocol.messages import CHUNK_TASK
from tasks.protocol.names import printable

#: Headers that change when and how a task runs; no orchestrator of ours sends them.
_NEVER_SENT = ("eta", "expires", "timelimit", "group", "shadow", "replaced_task_nesting", "stamps", "stamped_headers")
#: Exchanges of Celery's own remote control and events, whose messages name no task.
_OF_CELERY = ("celery.pidbox", "celeryev")


def install() -> None:
    """kombu 5.7 (pinned) asks the function `loads` of its Redis transport for what an entry of a list says."""
    from kombu.transport import redis

    redis.loads = read_entry  # type: ignore[assignment, attr-defined]  # a name that the module imported


def read_entry(text: str) -> Any:
    """A message, or [message, exchange, routing key] as kombu keeps one that is handed out."""
    try:
        found = kombu_json.loads(text)  # type: ignore[no-untyped-call]  # kombu has no types
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, list):
        if len(found) == 3 and isinstance(found[1], str) and isinstance(found[2], str):
            return _Entry(_message(found[0], text), found[1], found[2])
        return _Entry(_empty(text), "", "")
    return _message(found, text)


class _Entry(dict[str, Any]):
    """A message that can also be taken apart into message, exchange and routing key.

    kombu's caller wants either, and does not say which: on the queue lie messages, among those handed out lie threes.
    """

    def __init__(self, message: dict[str, Any], exchange: str, routing_key: str):
        super().__init__(message)
        self._parts = (message, exchange, routing_key)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._parts)


def _message(found: Any, text: str) -> dict[str, Any]:
    return found if _is_message(found) else _empty(text)


def _is_message(found: Any) -> bool:
    """Whether Celery can take it without stumbling."""
    if not isinstance(found, dict) or not isinstance(properties := found.get("properties"), dict):
        return False
    info, headers = properties.get("delivery_info"), found.get("headers")
    if not isinstance(info, dict) or not isinstance(headers, dict) or not isinstance(found.get("body"), str | None):
        return False
    texts = [properties.get("delivery_tag"), info.get("exchange"), info.get("routing_key")]
    if not all(isinstance(each, str) for each in texts) or properties.get("body_encoding") not in (None, "base64"):
        return False
    if not all(isinstance(found.get(name), str | None) for name in ("content-type", "content-encoding")):
        return False
    if "task" not in headers:
        return str(info["exchange"]).endswith(_OF_CELERY)
    return (
        headers["task"] == CHUNK_TASK
        and isinstance(headers.get("id"), str)
        and not any(headers.get(name) for name in _NEVER_SENT if name != "timelimit")
        and headers.get("timelimit") in (None, [None, None])
        and isinstance(headers.get("retries", 0) or 0, int)
    )


def _empty(text: str) -> dict[str, Any]:
    said = f"a message is passed over: not of an orchestrator: {printable(text)}"
    print(said, file=sys.stderr, flush=True)  # noqa: T201  a line in the node's log
    return {
        "body": "",
        "headers": {},
        "content-type": "application/data",
        "content-encoding": "binary",
        "properties": {"delivery_tag": uuid.uuid4().hex, "delivery_info": {"exchange": "", "routing_key": ""}},
    }

"""Messages on a node's queue that are none: passed over with a word.

kombu and Celery take what lies on a queue for a message of Celery's. Anything else (a stray LPUSH, another program's
queue, a hostile one) ended the node with a traceback, a node for each. What is not of the form that `send` of an
orchestrator gives is replaced by an empty message, which Celery rejects. Looked at are the body and every header, too:
a body that is no base64, or no three parts, ended the node as well, and a compressed one would be unpacked, whatever
size it has.
"""

from __future__ import annotations

import base64
import sys
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import ujson
from kombu.utils import json as kombu_json

from tasks.broker.serializer import CONTENT_TYPE
from tasks.protocol.chunks import MAX_CHUNK_ID
from tasks.protocol.messages import CHUNK_TASK
from tasks.protocol.names import printable
from tasks.settings import QUEUE_PREFIX

#: Characters of an entry at most: the longest chunk id stands in it three times, and once in base64.
MAX_ENTRY = 5 * MAX_CHUNK_ID
#: Headers of a chunk's message that may say something; any other must be absent, null, 0 or empty.
_HEADERS: Mapping[str, type] = {
    "lang": str, "task": str, "id": str, "root_id": str, "parent_id": str, "argsrepr": str, "kwargsrepr": str,
    "origin": str, "redelivered": bool, "ignore_result": bool, "retries": int,
}  # fmt: skip
#: Headers that mean nothing in these forms.
_NOTHING = ("{}", [None, None])
#: Parts of a chunk's arguments: sweep, chunk id, seconds that it may take.
_ARGUMENTS: tuple[type | tuple[type, ...], ...] = (str, str, (int, float))
#: Retries that a task may say it has had; no chunk of ours has any.
_MOST_RETRIES = 1_000
#: Celery's logical clock counts messages. Nodes take over the highest they hear, and could write no larger one.
_MOST_CLOCK = 2**53
#: Arguments of Celery's commands that may be lists of texts: the ids of tasks.
_LISTS = ("task_id", "ids")
#: Exchange of Celery's remote control, whose messages name no task.
_REMOTE_CONTROL = "celery.pidbox"


def install() -> None:
    """kombu 5.7 (pinned) asks the function `loads` of its Redis transport for what an entry of a list says."""
    from kombu.transport import redis

    redis.loads = read_entry  # type: ignore[assignment, attr-defined]  # a name that the module imported


def read_entry(text: str) -> Any:
    """A message, or [message, exchange, routing key] as kombu keeps one that is handed out."""
    if len(text) > MAX_ENTRY:
        return _Entry(_empty(text), "", "")
    try:
        found = kombu_json.loads(text)  # type: ignore[no-untyped-call]  # kombu has no types
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, list):
        if len(found) == 3 and _is_message(found[0]) and _is_way_back(found[1], found[2]):
            return _Entry(found[0], found[1], found[2])
        return _Entry(_empty(text), "", "")
    return _Entry(found if _is_message(found) else _empty(text), "", "")


class _Entry(dict[str, Any]):
    """A message that can also be taken apart into message, exchange and routing key.

    kombu's caller wants either, and does not say which: on the queue lie messages, among those handed out lie threes.
    """

    def __init__(self, message: dict[str, Any], exchange: str, routing_key: str):
        """No routing key: it is to go back nowhere, and kombu drops what it finds to be None."""
        super().__init__(message)
        self._parts = (message if routing_key else None, exchange, routing_key)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._parts)


def _is_way_back(exchange: Any, routing_key: Any) -> bool:
    """Whether a message that a node held goes back to a queue of ours: what cannot go back, kombu tries for ever."""
    return isinstance(routing_key, str) and routing_key.startswith(QUEUE_PREFIX) and exchange in ("", routing_key)


def _is_message(found: Any) -> bool:
    """Whether Celery can take it without stumbling."""
    if not isinstance(found, dict) or not isinstance(properties := found.get("properties"), dict):
        return False
    info, headers = properties.get("delivery_info"), found.get("headers")
    if not isinstance(info, dict) or not isinstance(headers, dict):
        return False
    texts = [properties.get("delivery_tag"), info.get("exchange"), info.get("routing_key")]
    if not all(isinstance(each, str) for each in texts):
        return False
    if not all(isinstance(properties.get(name), str | None) for name in ("reply_to", "correlation_id", "expiration")):
        return False
    if not all(type(each.get("priority", 0)) is int for each in (properties, info)):
        return False
    if found.get("content-type") != CONTENT_TYPE or found.get("content-encoding") != "utf-8":
        return False
    body = _body(found.get("body"), properties.get("body_encoding"))
    if "task" not in headers:
        return str(info["exchange"]).endswith(_REMOTE_CONTROL) and _is_command(headers, body)
    return _is_chunk(headers, body)


def _body(body: object, encoding: object) -> Any:
    """What a body says; None for what cannot be read."""
    if not isinstance(body, str) or encoding != "base64":
        return None
    try:
        return ujson.loads(base64.b64decode(body, validate=True))
    except (ValueError, OverflowError, RecursionError):  # binascii.Error is a ValueError
        return None


def _is_chunk(headers: Mapping[str, Any], body: Any) -> bool:
    """Whether headers and body are those of a chunk: no other task, no date, no callbacks, nothing to unpack."""
    for name, value in headers.items():
        kind = _HEADERS.get(name)
        if value and value not in _NOTHING and (kind is None or type(value) is not kind):
            return False
    if headers["task"] != CHUNK_TASK or not headers.get("id") or not 0 <= (headers.get("retries") or 0) < _MOST_RETRIES:
        return False
    if not isinstance(body, list) or len(body) != 3:
        return False
    arguments, keywords, after = body
    return (
        isinstance(arguments, list)
        and 2 <= len(arguments) <= len(_ARGUMENTS)
        and all(isinstance(value, kind) for value, kind in zip(arguments, _ARGUMENTS, strict=False))
        and keywords == {}
        and isinstance(after, dict)
        and not any(after.values())
    )


def _is_command(headers: Mapping[str, Any], body: Any) -> bool:
    """Whether headers and body are those of a command of Celery's remote control; who may send one may do it."""
    clock = headers.get("clock") or 0
    if headers.get("compression") or not isinstance(clock, int) or not 0 <= clock < _MOST_CLOCK:
        return False
    return (
        isinstance(body, dict)
        and isinstance(body.get("method"), str)
        and isinstance(arguments := body.get("arguments") or {}, dict)
        and all(_is_argument(name, value) for name, value in arguments.items())
        and isinstance(body.get("destination"), list | None)
        and isinstance(body.get("pattern"), str | None)
        and isinstance(body.get("matcher"), str | None)
    )


def _is_argument(name: str, value: Any) -> bool:
    """Whether a command may get this: Celery carries some out later, where a list or mapping would end the node."""
    if isinstance(value, list):
        return name in _LISTS and all(isinstance(each, str) for each in value)
    return isinstance(value, str | int | float | None)


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

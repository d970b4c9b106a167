"""ujson for Celery messages, found by kombu through the entry point `kombu.serializers` in every process."""

from __future__ import annotations

from typing import Any

import ujson

CONTENT_TYPE = "application/x-ujson"


def encode(message: Any) -> str:
    """As text; raises TypeError for what JSON cannot hold (dates, bytes)."""
    return str(ujson.dumps(message))


def decode(text: str | bytes) -> Any:
    """The inverse of `encode`."""
    return ujson.loads(text)


#: What kombu registers: encoder, decoder, content type, content encoding.
register_args = (encode, decode, CONTENT_TYPE, "utf-8")

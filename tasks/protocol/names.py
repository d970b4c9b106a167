"""Names that come from outside: what a sweep, a node and a content hash may be called.

Sweep ids, chunk ids, node names and hashes arrive in messages and records that anybody with the broker's password can
write. They become parts of keys, of file names and of lines on a terminal. Each is checked here before it is used for
any of these; everything else may take a name that it was given for a good one.
"""

from __future__ import annotations

import re

from tasks.errors import MessageError

#: Letters, digits, dot, dash and underscore; never a path, a pattern of keys or a control character.
_SWEEP = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,159}")
#: As Celery names a worker: name-pid@host.
_NODE = re.compile(r"[A-Za-z0-9_.-]{1,128}(@[A-Za-z0-9_.-]{1,255})?")
#: SHA-256 in hexadecimal.
_HASH = re.compile(r"[0-9a-f]{64}")
#: The part of a node's name that its owner chooses (HUMMINGSWEEP_NODE).
_LABEL = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class InvalidName(MessageError):
    """A name from outside holds characters that it may not, or is too long."""


def sweep_id(text: str) -> str:
    """The id of a sweep, checked. Raises InvalidName."""
    return _matching(_SWEEP, text, "a sweep id")


def node_name(text: str) -> str:
    """The full name of a node, checked. Raises InvalidName."""
    return _matching(_NODE, text, "a node's name")


def content_hash(text: str) -> str:
    """The address of a blob, checked. Raises InvalidName."""
    return _matching(_HASH, text, "a content hash")


def is_node_label(text: str) -> bool:
    """Whether a node may be called so by its owner."""
    return _LABEL.fullmatch(text) is not None


def as_text(value: bytes | str) -> str:
    """What redis-py answers, as text; bytes that are not UTF-8 are written out, so that they can be shown."""
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value


def _matching(pattern: re.Pattern[str], text: str, what: str) -> str:
    if not isinstance(text, str) or pattern.fullmatch(text) is None:
        raise InvalidName(f"not {what}", str(text).encode("utf-8", "backslashreplace"))
    return text


def printable(text: str, most: int = 200) -> str:
    """A foreign text on one line: what a terminal would obey or could not show is written out; cut after `most`."""
    if not text.isprintable():
        text = "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)
    return text[:most]

"""Records on the broker: what orchestrators and nodes tell each other beside the messages, field by field.

    hs:<sweep>:status     SweepStatus     written by the orchestrator; read by watch, list, the exporter
    hs:<sweep>:running    RunningChunk    per chunk, written by the child that has it (tasks/child/begin.lua)
    hs:<sweep>:tally      NodeTally       per node, written with each chunk's rows (tasks/child/commit.lua)
    hs:nodes              NodeRecord      per node, written by the node itself

Everybody with a password may write some of them, and an older release may have. `decode` raises MessageError for what
cannot be used, and `readable` passes it over: a foreign record hides itself, and stops nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import ujson

from tasks.errors import MessageError
from tasks.protocol import names
from tasks.protocol.names import as_text

#: What redis-py answers for a field or a value.
type Raw = bytes | str
#: What redis-py takes for the name and the value of a field.
type Field = bytes | bytearray | memoryview[int] | str | int | float

_INTEGERS = range(2**63)


class SweepState(StrEnum):
    """Where a sweep is."""

    #: all chunks are sent, and nobody collects the rows yet
    SUBMITTED = "submitted"
    #: an orchestrator sends chunks and collects rows
    RUNNING = "running"
    #: its orchestrator ended before every point had a row
    STOPPED = "stopped"
    #: every point has a row
    DONE = "done"
    #: chunks that no child has begun are passed over
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class SweepStatus:
    """How a sweep stands, as its orchestrator wrote it last."""

    #: points of the grid, points with a row, and those of them that are not ok
    points: int
    done: int
    failed: int
    state: SweepState
    #: when this was written, seconds since epoch
    at: float
    #: where its chunks wait
    queue: str = ""
    #: the part of the run it is in; "" for the sweep itself
    stage: str = ""

    def encode(self) -> dict[Field, Field]:
        """As the fields of a Redis hash."""
        return {
            "points": self.points,
            "done": self.done,
            "failed": self.failed,
            "state": self.state.value,
            "at": self.at,
            "queue": self.queue,
            "stage": self.stage,
        }

    @classmethod
    def decode(cls, raw: Mapping[Raw, Raw]) -> SweepStatus:
        """The inverse of `encode`. Raises MessageError."""
        fields = {as_text(name): as_text(value) for name, value in raw.items()}
        try:
            return cls(
                points=_count(fields["points"]),
                done=_count(fields["done"]),
                failed=_count(fields["failed"]),
                state=SweepState(fields["state"]),
                at=_number(fields["at"]),
                queue=names.printable(fields.get("queue", "")),
                stage=names.printable(fields.get("stage", "")),
            )
        except (KeyError, ValueError) as error:
            raise _unusable("a sweep's status", fields) from error


@dataclass(frozen=True)
class ChildName:
    """A child as rows and records name it: `<node>/<process id>`."""

    node: str
    process: int

    def __str__(self) -> str:
        return f"{self.node}/{self.process}"

    @classmethod
    def parse(cls, text: str) -> ChildName:
        """The inverse of `str`. Raises MessageError."""
        node, _, process = text.rpartition("/")
        try:
            return cls(names.node_name(node), _count(process))
        except ValueError as error:
            raise _unusable("a child's name", text) from error


@dataclass(frozen=True)
class RunningChunk:
    """A chunk that a child has begun."""

    child: ChildName
    #: when it began, seconds since epoch by the node's clock
    since: float

    def encode(self) -> str:
        """As the value of a field."""
        return f"{self.child} {self.since}"

    @classmethod
    def decode(cls, raw: Raw) -> RunningChunk:
        """The inverse of `encode`. Raises MessageError."""
        text = as_text(raw)
        child, _, since = text.rpartition(" ")
        try:
            return cls(ChildName.parse(child), _number(since))
        except ValueError as error:
            raise _unusable("a running chunk", text) from error


@dataclass(frozen=True)
class NodeTally:
    """What one node committed of one sweep."""

    chunks: int = 0
    points: int = 0
    #: points whose row is not ok
    failed: int = 0
    #: wall clock in its children
    seconds: float = 0.0

    @classmethod
    def decode_all(cls, raw: Mapping[Raw, Raw]) -> dict[str, NodeTally]:
        """Node -> its tally, from the fields `<node> chunks|points|failed|seconds`; others are passed over."""
        sums: dict[str, dict[str, float]] = {}
        for name, value in raw.items():
            node, _, what = as_text(name).rpartition(" ")
            if what in cls.__dataclass_fields__:
                try:
                    sums.setdefault(names.node_name(node), {})[what] = _number(as_text(value))
                except (ValueError, MessageError):
                    continue
        return {
            node: cls(
                int(found.get("chunks", 0)), int(found.get("points", 0)), int(found.get("failed", 0)),
                found.get("seconds", 0.0),
            )
            for node, found in sums.items()
        }  # fmt: skip


@dataclass(frozen=True)
class NodeRecord:
    """A node as it presents itself."""

    name: str
    children: int
    #: where it takes chunks from; see tasks.settings.queue_name
    queue: str
    #: distribution -> version
    versions: Mapping[str, str]
    #: when it started, seconds since epoch by its own clock; 0: not known
    since: float = 0.0

    def encode(self) -> str:
        """As the value under its name in `hs:nodes`."""
        return ujson.dumps(
            {"children": self.children, "queue": self.queue, "versions": dict(self.versions), "since": self.since}
        )

    @classmethod
    def decode(cls, name: Raw, raw: Raw) -> NodeRecord:
        """The inverse of `encode`. Raises MessageError."""
        try:
            fields = ujson.loads(raw)
            found = fields["versions"]
            if not isinstance(found, dict) or not isinstance(fields["queue"], str):
                raise TypeError("a field is of another type")
            return cls(
                name=names.node_name(as_text(name)),
                children=min(_count(fields["children"]), MAX_CHILDREN),
                queue=names.printable(fields["queue"]),
                versions={names.printable(str(what)): names.printable(str(version)) for what, version in found.items()},
                since=_number(fields.get("since", 0.0)),
            )
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise _unusable("a node's record", as_text(raw)) from error


#: Children of a node that are believed: the number says how much is sent ahead.
MAX_CHILDREN = 4096


def readable[T, R](entries: Iterable[T], decode: Callable[[T], R]) -> tuple[list[R], int]:
    """What can be decoded of some records, and how many cannot."""
    good: list[R] = []
    bad = 0
    for entry in entries:
        try:
            good.append(decode(entry))
        except MessageError:
            bad += 1
    return good, bad


def _count(text: str | int) -> int:
    try:
        number = int(text)
    except OverflowError as error:  # JSON's 1e999 is infinite
        raise ValueError(f"{text} is no count") from error
    if number not in _INTEGERS:
        raise ValueError(f"{number} is no count")
    return number


def _number(text: str | float) -> float:
    try:
        number = float(text)
    except OverflowError as error:
        raise ValueError("a number is too large") from error
    if not math.isfinite(number) or number < 0:
        raise ValueError(f"{number} is no number of these")
    return number


def _unusable(what: str, found: object) -> MessageError:
    return MessageError(f"not {what}", str(found).encode("utf-8", "backslashreplace"))

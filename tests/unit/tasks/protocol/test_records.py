"""Records on the broker come back as they were written; what somebody else wrote is told from them."""

from __future__ import annotations

import pytest
import ujson
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import MessageError
from tasks.protocol.records import (
    MAX_CHILDREN,
    ChildName,
    NodeRecord,
    NodeTally,
    RunningChunk,
    SweepState,
    SweepStatus,
    readable,
)

STATUS = SweepStatus(12, 7, 1, SweepState.RUNNING, 1_700_000_000.25, "hummingsweep.q", "walk-forward")
TALLY = NodeTally(2, 30, 1, 4.5)
NODE = NodeRecord("n-7@host", 4, "hummingsweep.q", {"python": "3.12"}, 1_700_000_000.5)


def as_redis(fields: dict[object, object]) -> dict[bytes | str, bytes | str]:
    return {str(name).encode(): str(value).encode() for name, value in fields.items()}


def test_each_record_comes_back_as_it_was_written() -> None:
    assert SweepStatus.decode(as_redis(STATUS.encode())) == STATUS  # type: ignore[arg-type]  # invariant dict
    assert NodeRecord.decode(b"n-7@host", NODE.encode()) == NODE
    running = RunningChunk(ChildName("n-7@host", 31), 1_700_000_000.5)
    assert RunningChunk.decode(running.encode().encode()) == running
    assert NodeTally.decode_all(
        {b"n@h chunks": b"2", b"n@h points": b"30", b"n@h failed": b"1", b"n@h seconds": b"4.5"}
    ) == {"n@h": NodeTally(2, 30, 1, 4.5)}


@pytest.mark.parametrize(
    "changes",
    [
        {"points": "many"}, {"points": "-1"}, {"points": "1e9"}, {"points": "9" * 30}, {"done": ""},
        {"state": "resting"},
        {"at": "nan"}, {"at": "inf"}, {"failed": "\u0661x"},
    ],
)  # fmt: skip
def test_a_status_with_a_field_of_another_kind_is_none(changes: dict[str, str]) -> None:
    with pytest.raises(MessageError, match="not a sweep's status"):
        SweepStatus.decode(as_redis({**STATUS.encode(), **changes}))


def test_a_status_that_lacks_a_field_is_none_and_one_of_an_earlier_release_is_one() -> None:
    for name in ("points", "done", "failed", "state", "at"):
        fields = STATUS.encode()
        del fields[name]
        with pytest.raises(MessageError):
            SweepStatus.decode(as_redis(fields))  # type: ignore[arg-type]
    fields = STATUS.encode()
    del fields["stage"], fields["queue"]
    assert SweepStatus.decode(as_redis(fields)).stage == ""  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        (b"n@h", b"{broken"), (b"n@h", b"[]"), (b"n@h", b"7"), (b"n@h", b"null"), (b"n@h", b"\xff"), (b"n@h", b""),
        (b"n@h", b'{"children": "x", "queue": "q", "versions": {}}'),
        (b"n@h", b'{"children": -4, "queue": "q", "versions": {}}'),
        (b"n@h", b'{"children": 4, "queue": 5, "versions": {}}'),
        (b"n@h", b'{"children": 4, "queue": "q", "versions": []}'),
        (b"n@h", b'{"children": 4, "queue": "q"}'),
        (b"n h", NODE.encode().encode()), (b"../x", NODE.encode().encode()), (b"\xff\xfe", NODE.encode().encode()),
        (b"n@host", b'{"children":1e9992,"queue":"q","versions":{"python":"3.12"},"since":5.0}'),
    ],
)  # fmt: skip
def test_a_foreign_node_is_none(name: bytes, raw: bytes) -> None:
    with pytest.raises(MessageError):
        NodeRecord.decode(name, raw)


def test_a_node_that_claims_a_billion_children_is_believed_some_thousand() -> None:
    raw = ujson.dumps({"children": 10**9, "queue": "q\x1b[2J", "versions": {"a": "\x07"}})
    node = NodeRecord.decode("n@h", raw)
    assert node.children == MAX_CHILDREN
    assert (node.queue + node.versions["a"]).isprintable()


def test_readable_counts_what_it_passes_over() -> None:
    assert readable(["n@h/1 5.0", "x", b"\xff", "n@h/1 nan"], RunningChunk.decode) == (
        [RunningChunk(ChildName("n@h", 1), 5.0)],
        3,
    )


@given(st.dictionaries(st.binary(max_size=40), st.binary(max_size=40), max_size=6))
def test_nothing_that_may_lie_there_raises_anything_else(fields: dict[bytes | str, bytes | str]) -> None:
    NodeTally.decode_all(fields)
    for name, value in fields.items():
        readable([value], RunningChunk.decode)
        readable([(name, value)], lambda record: NodeRecord.decode(*record))
    readable([fields], SweepStatus.decode)

"""What lies on a node's queue and is no message of an orchestrator is passed over; real messages come through."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import kombu
import kombu.transport.redis
import pytest

from orchestrator.cluster import guardian
from orchestrator.cluster.broker import Cluster
from tasks.broker.connect import connect
from tasks.node import foreign_messages
from tasks.protocol.chunks import Chunk
from tasks.protocol.messages import CHUNK_TASK
from tasks.settings import Settings

PROPERTIES = {"delivery_tag": "x", "delivery_info": {"exchange": "", "routing_key": "q"}, "body_encoding": "base64"}
GOOD: dict[str, Any] = {
    "body": "W1siYSIsIjE6MC0wIl0se30se31d", "content-encoding": "utf-8", "content-type": "application/x-ujson",
    "headers": {"task": CHUNK_TASK, "id": "1"}, "properties": PROPERTIES,
}  # fmt: skip
BAD: list[Any] = [
    [], {}, 7, None, [1, 2, 3], [{}, "", ""],
    *({**GOOD, "properties": each} for each in ({}, [], {"delivery_tag": "x"}, {**PROPERTIES, "delivery_tag": {}},
      {**PROPERTIES, "body_encoding": "rot13"}, {**PROPERTIES, "delivery_info": {"exchange": 1}})),
    *({**GOOD, "headers": each} for each in (7, None, {}, {"task": {}}, {"task": "os.system", "id": "1"},
      {"task": CHUNK_TASK}, {"task": CHUNK_TASK, "id": "1", "timelimit": 7},
      {"task": CHUNK_TASK, "id": "1", "eta": "x"})),
    {**GOOD, "body": 7}, {**GOOD, "content-type": {}},
]  # fmt: skip


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    process, broker = guardian.start_server(tmp_path_factory.mktemp("server"))
    yield Cluster(Settings(broker=broker, key="0123456789abcdef"))
    process.kill()
    process.wait()


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = kombu.transport.redis
    monkeypatch.setattr(module, "loads", module.loads)
    foreign_messages.install()


def received(cluster: Cluster) -> list[kombu.Message]:
    """What a consumer of the queue is given."""
    found: list[kombu.Message] = []
    with (
        cluster.app.connection_for_read() as connection,
        connection.Consumer(kombu.Queue(cluster.settings.queue), on_message=found.append),
    ):
        connection.drain_events(timeout=5)
        for message in found:
            message.ack()
    return found


@pytest.mark.parametrize(
    "entry", [b"garbage", b"\xff\xfe", b"[" * 100_000, *(json.dumps(each).encode() for each in BAD)]
)
def test_it_ends_no_node(cluster: Cluster, entry: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    """Each of these ended the node that took it, with a traceback."""
    connect(cluster.settings, patient=False).lpush(cluster.settings.queue, entry)
    (message,) = received(cluster)
    assert message.headers == {}
    assert "a message is passed over: not of an orchestrator" in capsys.readouterr().err
    assert connect(cluster.settings, patient=False).exists("unacked") == 0


def test_what_an_orchestrator_sends_comes_through(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    cluster.send("a-sweep", Chunk.of(1, range(3)), limit_s=5.0, progress="3 of 7")
    (message,) = received(cluster)
    assert message.headers["task"] == CHUNK_TASK
    assert message.decode()[0] == ["a-sweep", "1:0-2", 5.0]
    assert capsys.readouterr().err == ""
    raw = json.dumps([message.serializable(), "", cluster.settings.queue])
    assert list(foreign_messages.read_entry(raw)) == json.loads(raw)


@pytest.mark.parametrize(
    "entry",
    [
        "garbage",
        "7",
        json.dumps(GOOD),
        '[{}, "", ""]',
        json.dumps([GOOD, "", ""]),
        json.dumps([GOOD, "", "hs:nodes"]),
        None,
    ],
)  # fmt: skip
def test_what_cannot_go_back_to_a_queue_is_dropped_and_the_rest_goes_back(cluster: Cluster, entry: str | None) -> None:
    """Among the messages that nodes hold, one that goes nowhere kept every node from its work: they tried for ever."""
    redis = connect(cluster.settings, patient=False)
    redis.flushdb()
    held = entry or json.dumps([GOOD, "", cluster.settings.queue])
    redis.hset("unacked", "tag", held)
    redis.zadd("unacked_index", {"tag": 1.0})
    with cluster.app.connection_for_read() as connection:
        connection.default_channel.qos.restore_visible()
    assert redis.exists("unacked", "unacked_index") == 0
    assert redis.llen(cluster.settings.queue) == (entry is None)
    assert redis.exists("hs:nodes") == 0
    redis.flushdb()

"""A broker on ops/redis that is restarted has everything that was committed, whichever server it is.

Redis before 8 and Valkey before 9 replay the transactions of their append-only file as the user `default`, whom
users.acl lets nobody be: a script that commits rows is such a transaction.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError
from redis.retry import Retry

from tasks.broker.connect import connect
from tasks.child.attempts import Attempts
from tasks.protocol.blobs import Blobs
from tasks.protocol.keys import Keys
from tasks.protocol.messages import Rows
from tasks.settings import Settings
from tests.integration.configured import Configured, has_tls, serve, server_name, servers
from tests.integration.conftest import Cluster, eventually, small_sweep
from tests.integration.test_acl import node_log
from tests.integration.test_tls import FILES, certificates

CHUNKS = 603
#: A client that takes the first refusal for an answer.
ONCE = Retry(NoBackoff(), 0)


@pytest.fixture(params=servers(), ids=server_name)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Configured]:
    with serve(request.param, tmp_path / "broker") as server:
        yield server


def client(server: Configured, user: str) -> Redis:
    return connect(Settings.read(server.environment(user)), patient=True)


def committed(server: Configured, sweep: str = "kept") -> tuple[int, int, dict[Any, Any]]:
    """Chunks done, messages of rows in the stream, and the nodes' tallies."""
    redis, keys = client(server, "orchestrator"), Keys(sweep)
    return redis.scard(keys.done), redis.xlen(keys.rows), redis.hgetall(keys.tally)


def commit(server: Configured, chunks: range, sweep: str = "kept") -> None:
    """What a node does with finished chunks."""
    attempts = Attempts(client(server, "node"), Keys(sweep))
    for point in chunks:
        chunk = f"1:{point}-{point}"
        attempts.begin(chunk, "n@host/1")
        row = {"point": point, "status": "ok", "net_pnl": 0.5}
        assert attempts.commit(chunk, Rows.from_dicts(chunk, "n@host/1", 0.1, [row]))


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=lambda how: how.name)
def test_what_nodes_committed_is_there_after_a_restart(server: Configured, how: signal.Signals) -> None:
    commit(server, range(CHUNKS))
    client(server, "admin").config_set("appendfsync", "always")  # SIGKILL may cost the last second otherwise
    commit(server, range(CHUNKS, CHUNKS + 1))
    before = committed(server)
    assert before[:2] == (CHUNKS + 1, CHUNKS + 1)
    server.restart(how)
    assert committed(server) == before


def test_it_is_there_after_the_append_only_file_was_rewritten_and_went_on(server: Configured) -> None:
    commit(server, range(50))
    admin = client(server, "admin")
    admin.bgrewriteaof()
    eventually(lambda: not admin.info("persistence")["aof_rewrite_in_progress"], what="the rewrite's end")
    commit(server, range(50, 90))
    before = committed(server)
    server.restart()
    assert committed(server) == before
    server.restart()
    assert committed(server) == before


def test_blobs_and_messages_on_the_way_are_there_after_a_restart(server: Configured) -> None:
    redis = client(server, "orchestrator")
    address = Blobs(redis, "a key of sixteen").put(os.urandom(100_000), sign=True)
    with redis.pipeline(transaction=True) as pipeline:
        pipeline.lpush("hummingsweep.queue", "a", "b")
        pipeline.sadd(Keys("kept").sent, "1:0-0")
        pipeline.execute()
    server.restart()
    after = client(server, "orchestrator")
    assert Blobs(after, "a key of sixteen").get(address, signed=True)
    assert after.llen("hummingsweep.queue") == 2
    assert after.scard(Keys("kept").sent) == 1


def test_nobody_logs_in_as_the_default_user_although_it_has_every_right(server: Configured) -> None:
    for password in ("", "default", server.password("admin")):
        with pytest.raises(AuthenticationError):
            Redis(port=server.port, username="default", password=password, retry=ONCE).ping()
    with pytest.raises(AuthenticationError):
        Redis(port=server.port, retry=ONCE).ping()


@pytest.mark.parametrize("binary", [binary for binary in servers() if has_tls(binary)], ids=server_name)
def test_a_broker_on_tls_keeps_what_was_committed(binary: Path, tmp_path: Path) -> None:
    folder = tmp_path / "tls"
    folder.mkdir()
    certificates(folder, "127.0.0.1")
    lines = [f"tls-{what} {folder / name}" for what, name in FILES.items()]
    with serve(binary, folder, *lines, tls=True) as server:
        server.scheme, server.query = "rediss", f"?ssl_ca_certs={folder / 'ca.pem'}"
        commit(server, range(20))
        before = committed(server)
        server.restart()
        assert committed(server) == before


# on one server that replays as `default`, where there is one: the others are the same road
@pytest.mark.parametrize("server", servers()[1:2] or servers()[:1], ids=server_name, indirect=True)
def test_rows_that_nobody_has_collected_yet_are_collected_after_a_planned_restart(
    server: Configured, tmp_path: Path, bare_environment: dict[str, str]
) -> None:
    cluster = server.cluster(bare_environment)
    place = small_sweep(tmp_path, cluster.environment)
    with _nodes(cluster):
        cluster.add_node(children=1, **server.environment("node"))
        sent = place.run("submit", place.file, "--json")
        assert sent.code == 0, sent.err + node_log(cluster)
        sweep = sent.document["sweep"]
        redis = client(server, "orchestrator")
        eventually(lambda: redis.scard(Keys(sweep).done) == redis.scard(Keys(sweep).sent), what="the last chunk")
        server.restart()
        watched = place.run("watch", sent.document["out"])
        assert watched.code == 0, watched.err
        assert len(place.rows(sent.document["out"])) == 12


@contextlib.contextmanager
def _nodes(cluster: Cluster) -> Iterator[None]:
    """Ends the cluster's nodes; its server is another fixture's."""
    try:
        yield
    finally:
        for node in cluster.nodes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(node.pid, signal.SIGKILL)
            node.wait()

"""A broker that lost rows of chunks that are done: whoever looks says so and computes them again."""

from __future__ import annotations

import pytest

from tasks.broker.connect import connect
from tasks.protocol.keys import Keys
from tests.integration.conftest import Cluster, Place, eventually, settings_of


@pytest.fixture
def place(place: Place, request: pytest.FixtureRequest) -> Place:
    """A sweep of each test's own: what one test's sweep left on the broker is not the next one's."""
    place.sweep["name"] = f"lost-{request.node.name.partition('[')[2].partition(' ')[0] or 'run'}"
    return place


@pytest.mark.parametrize("mark", ["done chunks are remembered", "nothing is remembered"])
def test_a_submitted_sweep_whose_rows_the_broker_lost_is_computed_again(
    place: Place, session_cluster: Cluster, mark: str
) -> None:
    """`watch` waited for ever."""
    sent = place.run("submit", place.file, "--out", "runs/test", "--json")
    assert sent.code == 0, sent.err
    keys = Keys(sent.document["sweep"])
    redis = connect(settings_of(session_cluster), patient=False)
    chunks = redis.scard(keys.sent)
    eventually(lambda: redis.scard(keys.done) == chunks, what="the last chunk")
    redis.delete(keys.rows)
    if mark.startswith("nothing"):
        redis.delete(keys.done, keys.attempts, keys.running)
    watched = place.run("watch", "runs/test")
    assert watched.code == 0, watched.err
    assert "the broker holds neither rows nor chunks of 12 points" in watched.err
    assert f"({chunks if mark.startswith('done') else 0} chunks are marked as done)" in watched.err
    assert [row["status"] for row in place.rows()] == ["ok"] * 12


def test_a_run_computes_done_chunks_without_rows_again_and_says_so(place: Place, session_cluster: Cluster) -> None:
    sent = place.run("submit", place.file, "--out", "runs/test", "--json")
    assert sent.code == 0, sent.err
    keys = Keys(sent.document["sweep"])
    redis = connect(settings_of(session_cluster), patient=False)
    eventually(lambda: redis.scard(keys.done) == redis.scard(keys.sent), what="the last chunk")
    redis.delete(keys.rows)
    finished = place.run("run", place.file, "--out", "runs/test", "--no-report", "--no-audit")
    assert finished.code == 0, finished.err
    assert "are marked as done on the broker, but neither it nor" in finished.err
    assert len(place.rows()) == 12

"""The bookkeeping on a real server: chunks are begun, committed and given up exactly once."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest

from orchestrator.cluster import guardian
from orchestrator.cluster.bookkeeping import cancel, is_cancelled, keep, nodes_at_work, put_away_foreign
from orchestrator.cluster.collect import SET_ASIDE, Stream
from orchestrator.cluster.lease import CollectorLease, collector_lease
from orchestrator.execution.reconcile import collect_waiting
from orchestrator.results.store import Store
from tasks.broker.connect import connect
from tasks.child.attempts import CANCELLED, DEATHS, DONE, FOR_ANOTHER, Attempts
from tasks.child.deadline import HARD_GRACE_S
from tasks.errors import BlobError, BrokerError, ParcelMissing
from tasks.protocol.blobs import PART_BYTES, Blobs
from tasks.protocol.keys import Keys, blob_key, node_heartbeat_key
from tasks.protocol.messages import Rows, Status, SweepDefinition
from tasks.settings import Settings
from tests.made import definition

ME = "node@host/1"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    process, broker = guardian.start_server(tmp_path_factory.mktemp("server"))
    yield broker
    process.kill()
    process.wait()


@pytest.fixture
def redis(broker: str) -> Iterator[Any]:
    client = connect(Settings(broker=broker), patient=False)
    yield client
    client.close()


@pytest.fixture
def attempts(redis: Any, request: pytest.FixtureRequest) -> Attempts:
    return Attempts(redis, Keys(request.node.originalname))


def rows(chunk: str, *points: int) -> Rows:
    return Rows.from_dicts(chunk, "node/1", 0.1, [{"point": point, "status": "ok"} for point in points])


def test_rows_and_done_come_together_and_once(attempts: Attempts, redis: Any) -> None:
    assert attempts.begin("1:0-1", ME)[0] == 1
    assert attempts.commit("1:0-1", rows("1:0-1", 0, 1))
    assert not attempts.commit("1:0-1", rows("1:0-1", 0, 1))
    assert attempts.begin("1:0-1", ME)[0] == DONE
    assert redis.xlen(attempts.keys.rows) == 1
    assert not redis.exists(attempts.keys.attempts, attempts.keys.running)


def test_a_cancelled_sweep_begins_nothing(attempts: Attempts, redis: Any) -> None:
    redis.set(attempts.keys.cancelled, "1")
    assert attempts.begin("1:0-1", ME)[0] == CANCELLED


def test_chunks_of_an_earlier_orchestrator_are_passed_over(attempts: Attempts, redis: Any) -> None:
    redis.set(attempts.keys.generation, 2)
    assert attempts.begin("1:0-1", ME)[0] == CANCELLED
    assert attempts.begin("2:0-1", ME)[0] == 1


def test_a_replayed_chunk_of_a_sweep_that_is_gone_leaves_no_key(attempts: Attempts, redis: Any) -> None:
    """Each left a count of attempts on the broker, for ever."""
    assert attempts.begin("7:0-1", ME) == (1, "")
    attempts.let_go("7:0-1")
    assert list(redis.scan_iter(attempts.keys.all_of_it)) == []


def test_the_point_that_kills_its_child_is_found(attempts: Attempts) -> None:
    chunk = "1:0-3"
    attempts.begin(chunk, ME)  # the first attempt leaves nothing: it dies
    for death in range(DEATHS):
        assert attempts.begin(chunk, ME)[0] == death + 2
        finished = attempts.finished(chunk, 600)
        assert 2 not in finished
        for point in (0, 1):
            if point not in finished:
                attempts.mark(chunk, point, "n@host/7")
                attempts.store_row(chunk, {"point": point, "status": "ok"})
        attempts.mark(chunk, 2, "n@host/7")  # ... and dies here
    finished = attempts.finished(chunk, 600)
    assert sorted(finished) == [0, 1, 2]
    assert finished[2]["status"] == "crashed"


def test_a_point_that_never_comes_back_is_a_timeout(attempts: Attempts, redis: Any) -> None:
    redis.set(node_heartbeat_key("n@host"), 1)
    attempts.mark("1:0-0", 0, "n@host/7")
    assert attempts.finished("1:0-0", point_timeout_s=-HARD_GRACE_S)[0]["status"] == "timeout"


def test_why_the_child_ended_is_told_by_the_hang_marker_where_there_is_one(attempts: Attempts, redis: Any) -> None:
    redis.set(node_heartbeat_key("n@host"), 1)
    attempts.mark("1:0-0", 0, "n@host/7")
    assert attempts.finished("1:0-0", -HARD_GRACE_S, hung=False) == {}  # it died of itself; a fresh child came late
    assert attempts.finished("1:0-0", 600, hung=True)[0]["status"] == "timeout"


def test_the_time_in_which_a_dead_node_held_a_point_is_not_the_points(attempts: Attempts) -> None:
    attempts.mark("1:0-0", 0, "gone@host/7")
    assert attempts.finished("1:0-0", point_timeout_s=-HARD_GRACE_S) == {}


def test_a_node_whose_clock_is_off_finds_no_point_that_hung(
    redis: Any, attempts: Attempts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock two minutes ahead made `timeout` of a point that had just begun on another node."""
    redis.set(node_heartbeat_key("n@host"), 1)
    attempts.mark("1:0-0", 0, "n@host/7")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 120)
    assert attempts.finished("1:0-0", point_timeout_s=60) == {}


def test_garbage_among_the_rows_of_a_careful_attempt_is_passed_over(redis: Any, attempts: Attempts) -> None:
    """It became an error of every point of the chunk."""
    key = attempts.keys.partial("1:0-3")
    attempts.store_row("1:0-3", {"point": 2, "status": "ok"})
    fields = {"0": "no JSON", "1": '{"point": 2, "status": "ok"}', "3": '{"point": 3, "status": "fine"}', "x": "1"}
    redis.hset(key, mapping={**fields, "4": "[]", "5": "7", "under way": "who knows"})
    assert attempts.finished("1:0-3", 600) == {2: {"point": 2, "status": "ok"}}
    redis.hset(key, "under way", "1 nan ../../x")
    assert attempts.finished("1:0-3", 600) == {2: {"point": 2, "status": "ok"}}


def test_rows_of_other_points_among_those_of_a_careful_attempt_are_passed_over(redis: Any, attempts: Attempts) -> None:
    """They went out with the chunk's own, which was refused for them, in the name of a node that had done nothing."""
    attempts.store_row("1:0-3", {"point": 2, "status": "ok"})
    key = attempts.keys.partial("1:0-3")
    redis.hset(key, mapping={"7": '{"point": 7, "status": "ok"}', "1": '{"point": true, "status": "ok"}'})
    redis.hset(key, "under way", f"9 0 {ME}")
    assert attempts.finished("1:0-3", 600) == {2: {"point": 2, "status": "ok"}}


def test_what_is_no_count_of_deaths_is_counted_anew(redis: Any, attempts: Attempts) -> None:
    """The chunk went back and forth between node and broker for ever."""
    key = attempts.keys.partial("1:0-3")
    for spoiled in ("x", str(2**63 - 1)):
        redis.hset(key, mapping={"under way": f"1 0 {ME}", "deaths 1": spoiled})
        assert attempts.finished("1:0-3", 600, hung=False) == {}
    assert attempts.finished("1:0-3", 600, hung=False)[1]["status"] == "crashed"


def test_another_type_where_a_careful_attempt_keeps_its_rows_is_put_away(redis: Any, attempts: Attempts) -> None:
    """The same."""
    redis.set(attempts.keys.partial("1:0-3"), "not a hash")
    assert attempts.finished("1:0-3", 600) == {}
    attempts.store_row("1:0-3", {"point": 2, "status": "ok"})
    assert attempts.finished("1:0-3", 600) == {2: {"point": 2, "status": "ok"}}


def test_a_chunk_that_may_not_begin_is_not_running(attempts: Attempts, redis: Any) -> None:
    attempts.begin("1:0-1", "died@host/7")
    redis.set(attempts.keys.cancelled, "cancelled")
    assert attempts.begin("1:0-1", ME)[0] == CANCELLED
    assert redis.hkeys(attempts.keys.running) == []


def sweep_of(attempts: Attempts) -> SweepDefinition:
    """A definition under the name of these attempts, of six points."""
    return definition(attempts.keys.sweep, {"length": [5, 10, 20], "stop": [0.1, 0.2]})


def test_the_stream_keeps_what_is_not_stored(attempts: Attempts, redis: Any) -> None:
    for chunk in ("1:0-0", "1:1-1"):
        attempts.commit(chunk, rows(chunk, int(chunk[-1])))
    stream = Stream(redis, sweep_of(attempts))
    entries = list(stream.read(0.01))
    assert [came.chunk for _, came in entries] == ["1:0-0", "1:1-1"]
    stream.forget([entries[0][0]])
    assert [came.chunk for _, came in Stream(redis, sweep_of(attempts)).read(0.01)] == ["1:1-1"]


def test_who_does_not_wait_does_not_block(attempts: Attempts, redis: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A blocked client is woken ten times a second: a wait of a millisecond costs fifty."""
    asked: list[int | None] = []
    read = redis.xread
    monkeypatch.setattr(redis, "xread", lambda *names, **how: asked.append(how["block"]) or read(*names, **how))
    assert list(Stream(redis, sweep_of(attempts)).read(0)) == []
    assert list(Stream(redis, sweep_of(attempts)).read(0.05)) == []
    assert asked == [None, 50]


def test_what_does_not_fit_is_taken_off_the_stream_and_kept_in_the_output_folder(
    attempts: Attempts, redis: Any, tmp_path: Path
) -> None:
    redis.xadd(attempts.keys.rows, {"rows": b"{broken"})
    redis.xadd(attempts.keys.rows, {"else": b"1"})
    attempts.commit("1:1-1", rows("1:1-1", -5))
    attempts.commit("1:0-0", rows("1:0-0", 0))
    stream = Stream(redis, sweep_of(attempts), tmp_path)
    assert [came.chunk for _, came in stream.read(0.01)] == ["1:0-0"]
    aside = stream.take_set_aside()
    assert [(each.chunk, each.node) for each in aside] == [("", ""), ("", ""), ("1:1-1", "node/1")]
    assert "node node do not fit their chunk" in str(aside[2])
    assert "point -5 is not of chunk 1:1-1" in str(aside[2])
    assert stream.take_set_aside() == []
    assert redis.xlen(attempts.keys.rows) == 1
    kept = [json.loads(file.read_text()) for file in sorted((tmp_path / SET_ASIDE).iterdir())]
    assert kept[0]["message"] == "{broken"
    assert kept[2]["node"] == "node/1"


def test_large_messages_do_not_come_in_the_company_of_others(attempts: Attempts, redis: Any) -> None:
    for _ in range(6):
        redis.xadd(attempts.keys.rows, {"rows": b"x" * (40 << 20)})
    attempts.commit("1:0-0", rows("1:0-0", 0))
    stream = Stream(redis, sweep_of(attempts))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    came: list[str] = []
    while not came:
        came = [rows.chunk for _, rows in stream.read(0)]
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < (250 << 20 if sys.platform == "darwin" else 250 << 10)
    assert len(stream.take_set_aside()) == 6


def test_a_distrusted_node_begins_no_chunk_of_the_sweep(attempts: Attempts, redis: Any) -> None:
    redis.sadd(attempts.keys.distrusted, "n@host")
    assert attempts.begin("1:0-0", "n@host/7")[0] == FOR_ANOTHER
    assert attempts.begin("1:0-0", "m@host/7")[0] == 1
    assert redis.hlen(attempts.keys.running) == 1


def test_blobs_come_back_and_are_sent_once(redis: Any) -> None:
    blobs = Blobs(redis, "key")
    data = np.arange(PART_BYTES // 4, dtype=">u8").tobytes()
    digest = blobs.put(data)
    assert blobs.get(digest) == data
    redis.hset(blob_key(digest), "mark", "untouched")
    assert blobs.put(data) == digest
    assert redis.hget(blob_key(digest), "mark") == b"untouched"


def test_keys_of_a_sweep_that_hold_something_else_are_put_away(redis: Any, attempts: Attempts) -> None:
    """The sweep could not be continued, nor cancelled, by any command: `WRONGTYPE`."""
    keys = attempts.keys
    attempts.commit("1:0-0", rows("1:0-0", 0))
    assert put_away_foreign(redis, keys) == []
    for key in (keys.sent, keys.done, keys.rows, keys.attempts, keys.running, keys.tally, keys.distrusted):
        redis.delete(key)
        redis.set(key, "something else")
    for key in (keys.cancelled, keys.collector):
        redis.delete(key)
        redis.rpush(key, "something else")
    redis.set(keys.generation, "x")
    assert len(put_away_foreign(redis, keys)) == 10
    assert redis.incr(keys.generation) == 1
    redis.set(keys.generation, 2**63 - 1)
    assert put_away_foreign(redis, keys) == [keys.generation]
    attempts.commit("2:0-0", rows("2:0-0", 0))
    assert put_away_foreign(redis, keys) == []


def test_a_list_where_rows_are_handed_in_is_deleted_by_who_reads_them(redis: Any, attempts: Attempts) -> None:
    """`verify`, `audit`, `report` and `watch` ended with `WRONGTYPE`, and so did the same command given again."""
    redis.rpush(attempts.keys.rows, "something else")
    stream = Stream(redis, definition(attempts.keys.sweep, {"length": [5]}))
    assert list(stream.read(0)) == []
    attempts.commit("1:0-0", rows("1:0-0", 0))
    assert [came.chunk for _, came in stream.read(0)] == ["1:0-0"]


def test_rows_that_are_handed_in_again_change_nothing(redis: Any, attempts: Attempts, tmp_path: Path) -> None:
    """A message replayed by somebody with a node's password, with the same values or others."""
    asked = definition(attempts.keys.sweep, {"length": [5, 10]})
    attempts.commit("1:0-1", rows("1:0-1", 0, 1))
    forged = Rows.from_dicts("1:1-1", "n@h/1", 0.1, [{"point": 1, "status": "error", "error": "forged"}])
    for message in (rows("1:0-1", 0, 1), forged):
        redis.xadd(attempts.keys.rows, {"rows": message.encode()})
    with Store.create(tmp_path) as store:
        store.add_sweep(asked, "name: a\n", {})
        assert collect_waiting(Stream(redis, asked), store, asked.sweep) == {Status.OK: 2}
        assert [row["status"] for row in store.rows(asked.sweep)] == ["ok", "ok"]


def test_other_keys_where_a_sweep_is_cancelled_or_chunks_run_stop_nobody(redis: Any, attempts: Attempts) -> None:
    keys = attempts.keys
    redis.rpush(keys.status, "something else")
    redis.rpush(keys.cancelled, "something else")
    redis.rpush(keys.running, "something else")
    assert not is_cancelled(redis, keys.sweep)
    nodes_at_work(redis)  # no error
    cancel(redis, keys.sweep)
    assert is_cancelled(redis, keys.sweep)


def test_a_lost_blob_of_a_series_is_noticed_like_that_of_a_slice(redis: Any) -> None:
    """Its sweep was sent again and again, and ended with advice that did not help: the series was never published."""
    blobs, keys = Blobs(redis, "0123456789abcdef"), Keys("with-a-series")
    made = definition(
        keys.sweep,
        {"length": [5]},
        slices={"feed": blobs.put(b"slice")},
        series={"rate": blobs.put(b"series")},
        controllers=blobs.put(b"bundle"),
    )
    redis.set(keys.definition, blobs.put(made.encode()))
    assert keep(redis, keys, made)
    redis.delete(blob_key(made.series["rate"]))
    assert not keep(redis, keys, made)


def test_a_list_in_place_of_a_definition_is_a_lost_definition(redis: Any) -> None:
    """`WRONGTYPE`, at every command that went on with the sweep."""
    keys = Keys("with-a-list")
    redis.rpush(keys.definition, "something else")
    assert not keep(redis, keys, definition(keys.sweep, {"length": [5]}, controllers=""))


def test_unsigned_and_wrongly_signed_blobs_are_refused(redis: Any) -> None:
    unsigned = Blobs(redis, "key").put(b"code 1")
    with pytest.raises(BlobError, match="not signed"):
        Blobs(redis, "key").get(unsigned, signed=True)
    signed = Blobs(redis, "key").put(b"code 2", sign=True)
    assert Blobs(redis, "key").get(signed, signed=True) == b"code 2"
    with pytest.raises(BlobError, match="another key"):
        Blobs(redis, "other").get(signed, signed=True)
    with pytest.raises(BlobError, match="no signing key"):
        Blobs(redis, "").put(b"code 3", sign=True)
    with pytest.raises(ParcelMissing, match="not on the broker"):
        Blobs(redis, "key").get("0" * 64)
    with pytest.raises(ParcelMissing, match="not on the broker"):
        Blobs(redis, "key").get("0" * 64, signed=True)


def test_a_signature_that_is_no_text_is_a_wrong_one(redis: Any) -> None:
    signed = Blobs(redis, "key").put(b"code 4", sign=True)
    field = next(field for field in redis.hkeys(blob_key(signed)) if field.startswith(b"signature:"))
    for given in (b"\xff\xfe", b"", "\u00e9".encode(), b"0" * 64):
        redis.hset(blob_key(signed), field, given)
        with pytest.raises(BlobError, match="another key"):
            Blobs(redis, "key").get(signed, signed=True)


def test_two_keys_on_one_broker_sign_the_same_blob_beside_each_other(redis: Any) -> None:
    """One signature per blob had orchestrators with different keys overwrite each other's."""
    ours, theirs = Blobs(redis, "our key"), Blobs(redis, "their key")
    digest = ours.put(b"the same controllers", sign=True)
    assert theirs.put(b"the same controllers", sign=True) == digest
    assert ours.get(digest, signed=True) == theirs.get(digest, signed=True)


@pytest.mark.parametrize(
    "harm",
    [
        lambda redis, name: redis.hset(name, "0", b"rubbish"),
        lambda redis, name: redis.hset(name, "0", pyarrow.compress(b"other content", "zstd", asbytes=True)),
        lambda redis, name: redis.hset(name, "0", redis.hget(name, "0")[:-3]),
        lambda redis, name: redis.hset(name, "0", b""),
        lambda redis, name: redis.hdel(name, "0"),
        lambda redis, name: redis.hset(name, "parts", 5),
        lambda redis, name: redis.hset(name, "parts", "many"),
        lambda redis, name: redis.hset(name, "size", "x"),
        lambda redis, name: redis.hdel(name, "size"),
        lambda redis, name: redis.hset(name, "1", b"more"),
    ],
)
def test_a_damaged_blob_is_found_and_published_again(redis: Any, harm: Callable[[Any, str], object]) -> None:
    """It used to stay for a week, whatever the user did."""
    blobs, data = Blobs(redis, "key"), b"candles" * 1000
    digest = blobs.put(data, sign=True)
    other = Blobs(redis, "other")
    other.put(data, sign=True)
    harm(redis, blob_key(digest))
    damaged = redis.hgetall(blob_key(digest))
    assert blobs.put(data) == digest  # whoever publishes finds it
    assert blobs.get(digest, signed=True) == other.get(digest, signed=True) == data
    redis.delete(blob_key(digest))
    redis.hset(blob_key(digest), mapping=damaged)
    try:
        assert blobs.get(digest, signed=True) == data  # more than there should be is no harm
    except ParcelMissing as error:  # whoever fetches finds it
        assert "damaged" in str(error)
        assert not redis.exists(blob_key(digest))


def test_a_bomb_is_refused_without_room_being_made_for_it(redis: Any) -> None:
    digest = "1" * 64
    bomb = pyarrow.compress(bytes(1 << 30), "zstd", asbytes=True)
    redis.hset(blob_key(digest), mapping={"parts": 1, "size": 1 << 30, "0": bomb})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ParcelMissing, match="another"):
        Blobs(redis, "key").get(digest)
    redis.hset(blob_key(digest), mapping={"parts": 1, "size": 1 << 30, "0": bomb})
    with pytest.raises(BlobError, match="over the limit of 20 MB"):
        Blobs(redis, "key").get(digest, limit_bytes=20 << 20)
    redis.hset(blob_key(digest), "size", 1000)
    with pytest.raises(ParcelMissing, match="more than it claims"):
        Blobs(redis, "key").get(digest, limit_bytes=20 << 20)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < (64 << 20 if sys.platform == "darwin" else 64 << 10)


def test_a_second_orchestrator_is_refused_while_the_first_lives(redis: Any) -> None:
    keys, said = Keys("claimed"), []
    with collector_lease(redis, keys, said.append) as first:
        second = CollectorLease(redis, keys)
        second._me = "another machine, process 1"
        with pytest.raises(BrokerError, match="is being collected by"):
            second.take(said.append)
        first.check()
        redis.set(keys.collector, second._me)  # it took over while the first stood still
        with pytest.raises(BrokerError, match="now collected by another machine"):
            first.check()
    assert redis.get(keys.collector) == second._me.encode()  # not the first one's to give free


def test_the_claim_of_an_orchestrator_that_was_killed_runs_out(redis: Any) -> None:
    keys, said = Keys("claimed"), []
    redis.set(keys.collector, "a dead one", ex=2)
    with collector_lease(redis, keys, said.append):
        assert len(said) == 1
    assert not redis.exists(keys.collector)

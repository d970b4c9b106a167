"""The cluster a command talks to: the one at --broker, or an embedded server with a local node.

    with session(settings) as cluster:
        cluster.redis, cluster.app, cluster.blobs ...

The embedded one belongs to a guardian process (orchestrator.cluster.guardian). It stays for the next command for some
minutes (orchestrator.cluster.warm), or with `warm_s` 0 ends with this one, however that ends.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from orchestrator.cluster.bookkeeping import of_another_type
from orchestrator.cluster.embedded import Embedded
from orchestrator.cluster.memory_policy import eviction_warning
from orchestrator.cluster.warm import WarmCluster
from tasks.broker.app import make_app
from tasks.broker.connect import connect
from tasks.errors import BrokerError, HummingsweepError
from tasks.protocol.blobs import Blobs
from tasks.protocol.chunks import Chunk
from tasks.protocol.keys import NODES_KEY, UNACKED_INDEX_KEY, UNACKED_KEY, node_heartbeat_key
from tasks.protocol.messages import CHUNK_TASK
from tasks.protocol.names import as_text
from tasks.protocol.records import NodeRecord, readable
from tasks.settings import LOOPBACK, Settings, check_broker, check_key, versions, without_password

if TYPE_CHECKING:
    from celery import Celery
    from kombu.messaging import Producer
    from redis import Redis

#: Seconds to wait for a node of this orchestrator's where there are others only.
OTHERS_PATIENCE_S = 10.0
#: Seconds between two heartbeats of a node (tasks.node.lease.BEAT_S, which the orchestrator does not import).
NODE_HEARTBEAT_S = 2.0


@dataclass
class Cluster:
    """A broker and what hangs on it."""

    settings: Settings
    #: its processes when the cluster is embedded
    embedded: Embedded | WarmCluster | None = None
    #: False: an error at once when the broker is away, for who looks again anyway
    patient: bool = True
    #: told, a line each, what a person who waits should know
    say: Callable[[str], object] = lambda _: None
    _unreadable_said: bool = False

    @cached_property
    def redis(self) -> Redis:
        """The orchestrator's connection; sits out a broker restart once it has connected."""
        return connect(self.settings, patient=self.patient, while_away=self.check_alive if self.embedded else None)

    @cached_property
    def app(self) -> Celery:
        """The Celery app, for sending."""
        return make_app(self.settings)

    @cached_property
    def blobs(self) -> Blobs:
        """The blobs on this broker."""
        return Blobs(self.redis, self.settings.key)

    def send(
        self,
        sweep: str,
        chunk: Chunk,
        message: str = "",
        limit_s: float = 0.0,
        progress: str = "",
        producer: Producer | None = None,
    ) -> None:
        """One chunk, one message. `message`: its id, which `is missing` knows it by.

        `limit_s`: seconds after which the child leaves the rest of it; 0: never. `progress`: how the sweep stands, for
        who reads the chunk's arguments in Flower. `producer`: of `batches`; None: sent at once.
        """
        self.app.send_task(
            CHUNK_TASK,
            args=(sweep, chunk.id, round(limit_s, 3)) if limit_s else (sweep, chunk.id),
            # Flower cuts a long text off at its end: how far the sweep is comes first
            argsrepr=f"{progress} ('{sweep}', '{chunk.id}')".lstrip(),
            task_id=message or message_id(),
            queue=self.settings.queue,
            producer=producer,
        )

    @contextlib.contextmanager
    def batches(self) -> Iterator[Producer]:
        """A producer for many messages; each `with producer.batch():` is one round trip.

        A batch must not be repeated in doubt, so kombu wants a connection that does not retry on a timeout for it.
        """
        with (
            self.app.connection_for_write(transport_options={"retry_on_timeout": False}) as connection,
            self.app.amqp.Producer(connection) as producer,
        ):
            yield producer

    def holds(self, sweep: str) -> bool:
        """Whether any chunk of a sweep is on the queue or handed out. Reads all messages: not for every second."""
        mark = f"('{sweep}', ".encode()  # as `send` writes the arguments for Flower
        return any(mark in raw for raw in self._messages())

    def missing(self, messages: Iterable[str]) -> set[str]:
        """Which of these messages are neither on the queue nor handed out.

        Reads them all: not for every second.
        """
        missing = {message.encode() for message in messages}
        for raw in self._messages():
            missing = {message for message in missing if message not in raw}
            if not missing:
                break
        return {message.decode() for message in missing}

    def _messages(self) -> Iterator[bytes]:
        """Every message of this queue, waiting or handed out.

        Handed out last: what goes from the queue to a node between the two looks is seen there.
        """
        yield from (raw for raw in self.redis.lrange(self.settings.queue, 0, -1) if isinstance(raw, bytes))
        yield from (raw for raw in self.redis.hvals(UNACKED_KEY) if isinstance(raw, bytes))

    def nodes(self) -> list[NodeRecord]:
        """The nodes that are there, of any version; those long gone are forgotten, and foreign records passed over."""
        from redis.exceptions import ResponseError

        try:
            records = self.redis.hgetall(NODES_KEY)
        except ResponseError as error:
            if not of_another_type(error):
                raise
            raise BrokerError(
                f"{NODES_KEY} on the broker is not the list of nodes (something else wrote there): delete it "
                f"(`redis-cli DEL {NODES_KEY}`), and the nodes enter themselves again within {NODE_HEARTBEAT_S:g} s"
            ) from None
        found, unreadable = readable(sorted(records.items()), lambda record: NodeRecord.decode(*record))
        if unreadable and not self._unreadable_said:
            self._unreadable_said = True
            self.say(f"{unreadable} records of nodes on the broker cannot be read and are passed over")
        signs = self.redis.mget([node_heartbeat_key(node.name) for node in found]) if found else []
        silent = [node.name for node, sign in zip(found, signs, strict=True) if sign is None]
        if silent:
            self.redis.hdel(NODES_KEY, *silent)
        return [node for node in found if node.name not in silent]

    def children(self) -> int:
        """Children that take this orchestrator's chunks."""
        return sum(node.children for node in self.nodes() if node.queue == self.settings.queue)

    def check_alive(self, say: Callable[[str], object] | None = None) -> None:
        """Raise BrokerError when the embedded cluster ended; `say` hears what else happened to it."""
        if not self.embedded:
            return
        self.embedded.check()
        if say is None:  # in the middle of something: the next who can do both does
            return
        for line in self.embedded.news():
            say(line)
        if self.embedded.restarted():
            self._hand_out_at_once()

    def _hand_out_at_once(self) -> None:
        """What the node that ended held need not wait for the visibility timeout: the new one takes it."""
        redis = self.redis
        redis.delete(NODES_KEY)  # its sign would count for a while yet; those that live say so again in a moment
        held = redis.zrange(UNACKED_INDEX_KEY, 0, -1)
        if held:
            tags = [as_text(tag) for tag in held if isinstance(tag, bytes | str)]
            redis.zadd(UNACKED_INDEX_KEY, dict.fromkeys(tags, 0.0), xx=True)


def message_id() -> str:
    """A new one. It stands in the message three times, so it is shorter than Celery's."""
    return secrets.token_hex(8)


@contextlib.contextmanager
def session(
    settings: Settings, *, node: bool = True, say: Callable[[str], object] = lambda _: None
) -> Iterator[Cluster]:
    """The cluster of these settings for the length of a command. Raises BrokerError when it cannot be reached.

    `say` is told what a person who waits should know.
    """
    if settings.broker:
        cluster = dataclasses.replace(reach(settings), say=say)
        if warning := eviction_warning(cluster.redis):
            say(warning)
        yield cluster
        return
    if settings.warm_s > 0 and node and (warm := WarmCluster.join(settings)) is not None:
        with contextlib.closing(warm):
            cluster = Cluster(dataclasses.replace(settings, broker=warm.broker, key=warm.key), warm, say=say)
            with _announced(cluster):
                yield cluster
        return
    # the key need not be known to anybody outside these processes
    settings = dataclasses.replace(settings, key=settings.key or secrets.token_hex(32))
    with contextlib.closing(Embedded(settings, node=node)) as embedded:
        cluster = Cluster(dataclasses.replace(settings, broker=embedded.broker), embedded, say=say)
        with _announced(cluster):
            yield cluster


@contextlib.contextmanager
def _announced(cluster: Cluster) -> Iterator[None]:
    """Other commands of this user find the embedded server while it runs, through a file only the user may read."""
    folder = cluster.settings.cache_folder / "running"
    file = folder / f"{os.getpid()}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as note:  # noqa: PTH123  a descriptor
            json.dump({"broker": cluster.settings.broker, "key": cluster.settings.key}, note)
    except OSError as error:
        with contextlib.suppress(OSError):
            file.unlink()
        raise HummingsweepError(
            f"{folder}: cannot be written ({error.strerror}); make room or give yourself the right, or set "
            "HUMMINGSWEEP_CACHE to another folder"
        ) from None
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def running_embedded(settings: Settings) -> Settings:
    """The settings with the address of the embedded server that runs on this machine. Raises BrokerError."""
    notes = (settings.cache_folder / "running").glob("*.json")
    for file in sorted(notes, key=lambda note: note.stat().st_mtime, reverse=True):
        try:
            os.kill(int(file.stem), 0)
            note = json.loads(file.read_text())
        except (ProcessLookupError, ValueError):
            file.unlink(missing_ok=True)  # left by a command that was killed
            continue
        except OSError:
            continue
        return dataclasses.replace(settings, broker=note["broker"], key=settings.key or note["key"])
    raise BrokerError("no broker: give --broker or set HUMMINGSWEEP_BROKER (no sweep runs on this machine either)")


def embedded_is_running(settings: Settings) -> bool:
    """Whether an embedded server runs on this machine for this user."""
    try:
        running_embedded(settings)
    except BrokerError:
        return False
    return True


def reach(settings: Settings) -> Cluster:
    """A cluster whose broker answers. Raises BrokerError with what to do."""
    from redis.exceptions import AuthenticationError, RedisError

    check_broker(settings.broker)
    check_key(settings.key)
    shown = without_password(settings.broker)
    try:
        with contextlib.closing(connect(settings, patient=False)) as client:
            client.ping()
            _refuse_open(client, settings)
    except AuthenticationError as error:
        raise BrokerError(f"broker {shown}: {_refusal(settings.broker, str(error))}") from error
    except (RedisError, OSError, ValueError) as error:
        raise BrokerError(
            f"broker {shown}: not reachable ({error}); is it running, is the address right? `hummingsweep doctor` looks"
        ) from error
    return Cluster(settings)


def _refusal(broker: str, error: str) -> str:
    """Why the broker let nobody in. Without a password its own text is long and about its protocol."""
    where = "set HUMMINGSWEEP_BROKER_PASSWORD or HUMMINGSWEEP_BROKER_PASSWORD_FILE"
    if urlsplit(broker).password:
        return f"refused the password ({error}); {where}"
    return f"wants a password; {where}"


def _refuse_open(client: Redis, settings: Settings) -> None:
    """A server that lets everybody in must not listen beyond this machine. Raises BrokerError.

    Seen from here it may be on loopback. Whoever needs no password may read its configuration.
    """
    from redis.exceptions import ResponseError

    parts = urlsplit(settings.broker)
    if parts.password or "ssl_certfile" in parts.query:
        return
    try:
        answer: Any = client.config_get("bind", "protected-mode")
    except ResponseError:
        return
    bound = [address.lstrip("-") for address in answer.get("bind", "").split()] or ["*"]
    if answer.get("protected-mode") == "no" and not set(bound) <= set(LOOPBACK):
        raise BrokerError(
            f"broker {settings.broker}: listens on {' '.join(bound)} without a password; set requirepass or an ACL "
            "file (ops/redis), or bind it to 127.0.0.1"
        )


def wait_for_children(cluster: Cluster, patience_s: float, say: Callable[[str], None] = lambda _: None) -> int:
    """Children that are there, waiting up to `patience_s` seconds for the first. Raises BrokerError when none comes.

    Nodes that never take a chunk of this orchestrator are reason to give up earlier.
    """
    started = time.monotonic()
    told = cluster.embedded is not None
    while True:
        cluster.check_alive(say)
        nodes = cluster.nodes()  # asked once: a node that comes between two questions is none of the others
        if count := sum(node.children for node in nodes if node.queue == cluster.settings.queue):
            return count
        others = [node for node in nodes if node.queue != cluster.settings.queue]
        waited = time.monotonic() - started
        if waited > (min(patience_s, OTHERS_PATIENCE_S) if others else patience_s):
            break
        if waited > 1 and not told:
            told = True
            say(f"waiting up to {patience_s:g} s for a node: `hummingsweep worker` starts one")
        time.sleep(0.1)
    alike = [node.name for node in others if node.versions == versions()]
    if alike:
        raise BrokerError(
            f"no node with this orchestrator's key ({', '.join(alike)}: another key, "
            "nothing of this orchestrator runs there): "
            "give orchestrator and nodes the same HUMMINGSWEEP_KEY or HUMMINGSWEEP_KEY_FILE"
        )
    if others:
        there = "; ".join(f"{node.name}: {node.versions}" for node in others)
        raise BrokerError(f"no node with the versions of this orchestrator ({versions()}); there are {there}")
    raise BrokerError("no node on this broker: start one with `hummingsweep worker --broker ...`")

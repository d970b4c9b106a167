"""Every key of ours on the broker. No other module writes one out.

    hs:sweeps, hs:nodes          the sweeps and the nodes
    hs:node:<node>               a node's heartbeat
    hs:blob:<hash>               a blob, see tasks.protocol.blobs
    hs:<sweep>:<what>            what belongs to one sweep, see Keys

ops/redis/users.acl names the same keys. Celery's own (queues, `unacked`, `_kombu.binding.*`) are kombu's.
"""

from __future__ import annotations

from dataclasses import dataclass

from tasks.protocol import names

#: Sorted set of sweep ids on this broker, scored by the time they were published.
SWEEPS_KEY = "hs:sweeps"
#: Hash: node name -> its record, see tasks.protocol.records.NodeRecord.
NODES_KEY = "hs:nodes"
#: Pattern of the running chunks of every sweep, see Keys.running.
ANY_RUNNING = "hs:*:running"
#: kombu's hash of messages that nodes hold and have not acknowledged, and its index of them by time.
UNACKED_KEY = "unacked"
UNACKED_INDEX_KEY = "unacked_index"

_BLOB_PREFIX = "hs:blob:"


def blob_key(digest: str) -> str:
    """Hash: a blob. Raises InvalidName."""
    return _BLOB_PREFIX + names.content_hash(digest)


def blob_key_beside(digest: str, mark: str) -> str:
    """Hash: a blob that is still being sent; `mark` is the sender's. Raises InvalidName."""
    return f"{blob_key(digest)}:{mark}"


def node_heartbeat_key(node: str) -> str:
    """String that expires when the node has been silent for tasks.node.lease.NODE_EXPIRY_S seconds."""
    return f"hs:node:{node}"


@dataclass(frozen=True)
class Keys:
    """Every key on the broker that belongs to one sweep. Raises InvalidName for what is no sweep id."""

    sweep: str

    def __post_init__(self) -> None:
        names.sweep_id(self.sweep)

    @property
    def definition(self) -> str:
        """String: the content hash of the definition's blob."""
        return self._key("definition")

    @property
    def sent(self) -> str:
        """Set: ids of chunks sent."""
        return self._key("sent")

    @property
    def done(self) -> str:
        """Set: ids of chunks whose rows are in the stream or collected."""
        return self._key("done")

    @property
    def rows(self) -> str:
        """Stream: one encoded Rows a chunk, under the field `rows`."""
        return self._key("rows")

    @property
    def attempts(self) -> str:
        """Hash: chunk id -> how often a child began it."""
        return self._key("attempts")

    @property
    def running(self) -> str:
        """Hash: chunk id -> node, child and start time of the child that has it."""
        return self._key("running")

    @property
    def tally(self) -> str:
        """Hash: `<node> chunks|points|failed|seconds` -> sums over the chunks that node committed."""
        return self._key("tally")

    def partial(self, chunk: str) -> str:
        """Hash: point -> its encoded row, of a chunk that is tried again."""
        return self._key(f"partial:{chunk}")

    @property
    def cancelled(self) -> str:
        """String: there when the sweep was cancelled; chunks not begun are skipped."""
        return self._key("cancelled")

    @property
    def status(self) -> str:
        """Hash: points, points done, state, times: what `watch` and `list` show."""
        return self._key("status")

    @property
    def generation(self) -> str:
        """Counter: how often an orchestrator began to send this sweep."""
        return self._key("generation")

    @property
    def collector(self) -> str:
        """String with expiry: the orchestrator that collects the rows."""
        return self._key("collector")

    @property
    def distrusted(self) -> str:
        """Set: nodes that get no chunk of this sweep any more, see orchestrator.cluster.distrust."""
        return self._key("distrusted")

    @property
    def all_of_it(self) -> str:
        """Pattern that every key of the sweep matches; an id holds no character that means something in a pattern."""
        return self._key("*")

    @property
    def types(self) -> dict[str, str]:
        """Key -> the type that Redis names for what we keep there; those an orchestrator writes alone are left out."""
        return {
            self.sent: "set",
            self.done: "set",
            self.rows: "stream",
            self.attempts: "hash",
            self.running: "hash",
            self.tally: "hash",
            self.cancelled: "string",
            self.generation: "string",
            self.collector: "string",
            self.distrusted: "set",
        }

    @property
    def kept_when_done(self) -> tuple[str, ...]:
        """The keys that stay for a while after the sweep: what `watch`, `list` and a resume read."""
        return (
            self.sent,
            self.done,
            self.rows,
            self.attempts,
            self.running,
            self.status,
            self.generation,
            self.tally,
        )

    def _key(self, what: str) -> str:
        return f"hs:{self.sweep}:{what}"

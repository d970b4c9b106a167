"""Is the node of this host there, as the broker sees it? Exit code 0: yes. For the image's HEALTHCHECK."""

from __future__ import annotations

import socket
import sys

from redis.exceptions import RedisError

from tasks.broker.connect import connect
from tasks.protocol.keys import NODES_KEY, node_heartbeat_key
from tasks.protocol.names import as_text
from tasks.settings import Settings


def main() -> int:
    """0 when a node of this host gave a heartbeat lately."""
    redis = connect(Settings.read(), patient=False)
    try:
        names = map(as_text, redis.hkeys(NODES_KEY))
        mine = [name for name in names if name.endswith(f"@{socket.gethostname()}")]
        if mine and redis.exists(*map(node_heartbeat_key, mine)):
            return 0
    except RedisError as error:
        print(f"the broker does not answer: {error}")  # noqa: T201  docker keeps it
        return 1
    print("the broker has had no heartbeat from this host")  # noqa: T201
    return 1


if __name__ == "__main__":
    sys.exit(main())

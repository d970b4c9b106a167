"""A broker that throws keys away when its memory is full loses rows and blobs: which policy it has, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redis import Redis

SAFE = "noeviction"


def eviction_warning(redis: Redis) -> str:
    """A sentence that names the policy; "" where nothing is thrown away, or the broker does not say."""
    from redis.exceptions import RedisError

    try:
        policy = str(redis.info("memory").get("maxmemory_policy", SAFE))
    except RedisError:  # a server whose users may not ask
        return ""
    if policy == SAFE:
        return ""
    return (
        f"the broker's memory policy is {policy}: when its memory is full it throws away rows, candles and chunks; set "
        f"`maxmemory-policy {SAFE}` (ops/redis/redis.conf)"
    )

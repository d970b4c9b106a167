"""A broker that throws keys away is named at the start, and a guessable key is refused."""

from __future__ import annotations

import pytest

from orchestrator.cluster.broker import reach, session
from orchestrator.cluster.memory_policy import eviction_warning
from tasks.errors import HummingsweepError
from tasks.settings import check_key
from tests.integration.conftest import Cluster, settings_of


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
def test_an_evicting_broker_is_named_at_the_start(cluster: Cluster, policy: str) -> None:
    settings = settings_of(cluster)
    redis = reach(settings).redis
    assert eviction_warning(redis) == ""
    redis.config_set("maxmemory-policy", policy)
    said: list[str] = []
    with session(settings, say=said.append):
        pass
    assert len(said) == 1
    assert f"memory policy is {policy}" in said[0]
    assert "maxmemory-policy noeviction" in said[0]


def test_a_key_that_can_be_guessed_is_refused() -> None:
    check_key("")
    check_key("0123456789abcdef")
    with pytest.raises(HummingsweepError, match="7 bytes, fewer than 16"):
        check_key("hunter2")

"""A server that lets everybody in must not listen beyond this machine, whatever address it is reached at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import NoPermissionError

from orchestrator.cluster.broker import Cluster, _announced, _refusal, _refuse_open
from tasks.errors import BrokerError, HummingsweepError
from tasks.settings import Settings


class Server:
    """Answers CONFIG GET."""

    def __init__(self, bind: str, protected: str):
        self._answer = {"bind": bind, "protected-mode": protected}

    def config_get(self, *_: str) -> dict[str, str]:
        if not self._answer["protected-mode"]:
            raise NoPermissionError("this user has no permissions")
        return self._answer


def look(bind: str, protected: str, broker: str = "redis://127.0.0.1:6379/0") -> None:
    server: Any = Server(bind, protected)
    _refuse_open(server, Settings(broker=broker))


@pytest.mark.parametrize("bind", ["0.0.0.0", "* -::*", "", "127.0.0.1 192.0.2.1"])
def test_open_to_the_network_is_refused(bind: str) -> None:
    with pytest.raises(BrokerError, match="without a password"):
        look(bind, "no")


def test_loopback_protected_mode_a_password_or_no_right_to_ask_are_fine() -> None:
    look("127.0.0.1 -::1", "no")
    look("* -::*", "yes")  # such a server refuses other machines itself
    look("0.0.0.0", "no", "redis://:secret@127.0.0.1:6379/0")
    look("0.0.0.0", "")


def test_a_missing_password_is_told_from_a_wrong_one() -> None:
    text = "HELLO must be called with the client already authenticated, otherwise ..."
    assert _refusal("redis://127.0.0.1/0", text).startswith("wants a password; set ")
    assert "refused the password (WRONGPASS)" in _refusal("redis://:p@127.0.0.1/0", "WRONGPASS")


def test_a_cache_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    cluster = Cluster(Settings(broker="redis://127.0.0.1:1/0", cache=str(tmp_path / "cache")))
    with pytest.raises(HummingsweepError, match=r"cannot be written .*HUMMINGSWEEP_CACHE"), _announced(cluster):
        pass

"""Leases go by the broker's clock, whatever this machine's says."""

from __future__ import annotations

import time
from typing import Any

import kombu.transport.redis
import pytest

from tasks.node import broker_clock
from tasks.node.broker_clock import BrokerClock


class Broker:
    """A client of a broker whose clock is ahead of ours."""

    def __init__(self, ahead_s: float):
        self._ahead_s = ahead_s

    def time(self) -> tuple[int, int]:
        now = time.time() + self._ahead_s
        return int(now), int(now % 1 * 1e6)


@pytest.mark.parametrize("ahead_s", [-120.0, 0.0, 120.0])
def test_now_is_the_brokers_now_and_a_clock_that_is_off_is_said_once(
    ahead_s: float, capsys: pytest.CaptureFixture[str]
) -> None:
    clock, broker = BrokerClock(), Broker(ahead_s)
    assert clock() == pytest.approx(time.time(), abs=5)
    for _ in range(3):
        clock.look(broker)
    assert clock() == pytest.approx(time.time() + ahead_s, abs=5)
    said = capsys.readouterr().err.splitlines()
    assert len(said) == bool(ahead_s)
    assert all("120 s " + ("behind" if ahead_s > 0 else "ahead of") + " the broker's" in line for line in said)


def test_kombu_asks_it_for_the_moments_of_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name is private to kombu: a release that renames it would leave leases on the machine's clock."""
    module: Any = kombu.transport.redis
    monkeypatch.setattr(module, "time", module.time)
    broker_clock.install()
    for method in (module.QoS.append, module.QoS.restore_visible):
        assert "time" in method.__code__.co_names
        assert method.__globals__["time"] is broker_clock.broker_clock

"""Task events wait for each other, and none stays behind when the node leaves."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from celery.worker import state

from tasks.node.events import EVERY_S, GatheredEvents


class Loop:
    def __init__(self) -> None:
        self.later: list[tuple[float, Callable[[], None]]] = []

    def call_later(self, seconds: float, work: Callable[[], None]) -> None:
        self.later.append((seconds, work))


def started() -> tuple[GatheredEvents, SimpleNamespace, list[str]]:
    flushed: list[str] = []
    dispatcher = SimpleNamespace(on_send_buffered=None, flush=lambda: flushed.append("flush"))
    consumer = SimpleNamespace(event_dispatcher=dispatcher, hub=Loop())
    step = GatheredEvents(consumer)
    step.start(consumer)
    return step, consumer, flushed


def test_events_of_a_moment_are_sent_once() -> None:
    _, consumer, flushed = started()
    for turn in (1, 2):
        for _ in range(3):
            consumer.event_dispatcher.on_send_buffered()
        assert len(consumer.hub.later) == turn
        seconds, send = consumer.hub.later[-1]
        assert seconds == EVERY_S
        send()
        assert len(flushed) == turn


@pytest.mark.parametrize(("told", "flushes"), [(None, 0), (False, 0), (0, 1), (1, 1), (True, 1)])
def test_the_last_ones_are_sent_when_the_node_leaves_and_not_over_a_lost_connection(
    told: object, flushes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, consumer, flushed = started()
    monkeypatch.setattr(state, "should_stop", told)
    step.stop(consumer)
    assert len(flushed) == flushes

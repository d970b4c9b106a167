"""Task events, for Flower, travel together: one message for what happened in EVERY_S seconds.

A worker sends what happened in one turn of its loop, which is one event or two: three messages a chunk, more than a
third of what a chunk of cheap points costs the node's main process. `buffer_limit` of Celery's dispatcher still bounds
how many wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery import bootsteps
from celery.worker import state

if TYPE_CHECKING:
    from celery.worker.consumer import Consumer


#: Seconds an event waits at most: Flower shows a chunk that much later.
EVERY_S = 0.5


class GatheredEvents(bootsteps.StartStopStep):  # type: ignore[misc]  # celery has no type information
    """Gives Celery's dispatcher of events another moment to send them."""

    requires = ("celery.worker.consumer.events:Events",)

    def start(self, parent: Consumer) -> None:
        """Called again after each reconnection, when there is a new dispatcher."""
        dispatcher, hub = parent.event_dispatcher, parent.hub
        if dispatcher is None or hub is None:
            return
        waiting = False

        def send() -> None:
            nonlocal waiting
            waiting = False
            dispatcher.flush()

        def buffered() -> None:
            nonlocal waiting
            if not waiting:
                waiting = True
                hub.call_later(EVERY_S, send)

        dispatcher.on_send_buffered = buffered

    def stop(self, parent: Consumer) -> None:
        """What happened last is sent when the node leaves; not over a connection that was lost, which could hang."""
        leaves = state.should_stop is not None and state.should_stop is not False  # 0 is an exit code
        if parent.event_dispatcher is not None and leaves:
            parent.event_dispatcher.flush()

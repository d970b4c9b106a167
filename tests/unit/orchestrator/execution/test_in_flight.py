"""Points that the broker loses again and again are not sent for ever."""

from __future__ import annotations

import pytest

from orchestrator.execution.in_flight import LOSSES, InFlight
from tasks.errors import BrokerError
from tasks.protocol.chunks import Chunk


def test_the_same_points_are_sent_again_so_often_only() -> None:
    in_flight = InFlight()
    for generation in range(1, LOSSES):
        chunk, other = Chunk.of(generation, [3, 4]), Chunk.of(generation, [generation + 10])
        for each in (chunk, other):
            in_flight.add(each)
            in_flight.lose(each)
    assert in_flight.chunks == {}
    with pytest.raises(BrokerError, match=f"9:3-4 {LOSSES} times"):
        in_flight.lose(Chunk.of(9, [3, 4]))

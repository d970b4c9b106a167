"""How often, how long, when to give up: on a clock that nobody waits for."""

from __future__ import annotations

import asyncio
import itertools
import random

import pytest

from tasks.sync.retry import Gate, GaveUp, RetryPolicy
from tasks.upstream.live.refusals import Refused, Unintelligible, Unreachable, moment_of, seconds_of


class Clock:
    """Time that passes only by waiting."""

    def __init__(self):
        self.now = 1000.0
        self.waits = []

    def __call__(self):
        return self.now

    async def sleep(self, seconds):
        self.waits.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


def gate_with(clock, said=None, **retry_policy):
    return Gate(
        "venue",
        RetryPolicy(**retry_policy),
        (said if said is not None else []).append,
        clock=clock,
        sleep=clock.sleep,
        chance=random.Random(1),
    )


def ask_after(*failures):
    """An `ask` that fails so, then answers; its list of calls."""
    left, calls = list(failures), []

    async def ask():
        calls.append(None)
        if left:
            raise left.pop(0)
        return "answer"

    return ask, calls


def test_an_answer_at_once_waits_for_nothing():
    clock = Clock()
    ask, calls = ask_after()
    assert asyncio.run(gate_with(clock).patiently(ask)) == "answer"
    assert clock.waits == []
    assert len(calls) == 1


def test_waits_double_with_jitter_and_end():
    clock, said = Clock(), []
    ask, _ = ask_after(*[Refused(503, "busy")] * 5)
    asyncio.run(gate_with(clock, said, attempts=6, first_wait_s=1.0, longest_wait_s=5.0).patiently(ask))
    assert len(clock.waits) == 5
    for wait, whole in zip(clock.waits, (1, 2, 4, 5, 5), strict=True):
        assert whole / 2 <= wait <= whole
    assert len(set(clock.waits)) == 5
    assert "HTTP 503 (busy)" in said[0]


def test_gives_up_after_so_many_tries_and_says_so():
    clock = Clock()
    ask, calls = ask_after(*[Unreachable("host: cut")] * 9)
    with pytest.raises(
        GaveUp, match=r"venue: host: cut \(tried 3 times\); run the same command again later"
    ) as gave_up:
        asyncio.run(gate_with(clock, attempts=3).patiently(ask))
    assert len(calls) == 3
    assert isinstance(gave_up.value.trouble, Unreachable)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 451])
def test_a_refusal_gets_no_second_try(status):
    ask, calls = ask_after(Refused(status, '{"msg":"Invalid symbol."}'))
    with pytest.raises(GaveUp, match=r"venue refuses: HTTP \d+ .*Invalid symbol"):
        asyncio.run(gate_with(Clock()).patiently(ask))
    assert len(calls) == 1


def test_what_makes_no_sense_is_tried_three_times():
    ask, calls = ask_after(*[Unintelligible("KeyError: 'k'")] * 9)
    with pytest.raises(GaveUp):
        asyncio.run(gate_with(Clock(), attempts=9).patiently(ask))
    assert len(calls) == 3


def test_retry_after_is_waited_for_by_everybody():
    clock, sent = Clock(), []

    async def main():
        gate = gate_with(clock)
        first = True

        async def ask():
            nonlocal first
            sent.append(clock.now)
            if first:
                first = False
                raise Refused(429, "slow down", retry_after_s=30)
            return "answer"

        await gate.patiently(ask)
        await asyncio.gather(*(gate.patiently(ask) for _ in range(3)))

    asyncio.run(main())
    assert sent[0] == 1000.0
    assert all(moment >= 1030.0 for moment in sent[1:])
    # and one by one from then on
    assert sent[1:] == sorted(sent[1:])
    assert all(later - earlier >= 0.5 - 1e-9 for earlier, later in itertools.pairwise(sent))


def test_each_pause_doubles_the_distance_and_several_answers_at_once_are_one_pause():
    clock = Clock()
    gate = gate_with(clock)
    gate.shut(10)
    gate.shut(10)
    asyncio.run(gate.passed())
    before = clock.now
    asyncio.run(gate.passed())
    assert clock.now - before == pytest.approx(0.5)
    clock.now += 100
    gate.shut(10)
    asyncio.run(gate.passed())
    before = clock.now
    asyncio.run(gate.passed())
    assert clock.now - before == pytest.approx(1.0)


def test_the_distance_is_measured_where_there_is_something_to_measure():
    clock = Clock()
    gate = gate_with(clock)

    async def many():
        for _ in range(300):
            await gate.passed()
            clock.now += 0.1

    asyncio.run(many())
    gate.shut(30)
    asyncio.run(gate.passed())
    before = clock.now
    asyncio.run(gate.passed())
    assert clock.now - before == pytest.approx(60 / (0.8 * 300))


def test_an_exchange_that_asks_for_too_long_a_wait_is_left_alone():
    clock = Clock()
    ask, calls = ask_after(Refused(418, "banned", retry_after_s=86_400))
    with pytest.raises(GaveUp, match="asks to wait 86400 s"):
        asyncio.run(gate_with(clock).patiently(ask))
    assert len(calls) == 1
    assert clock.waits == []


def test_other_errors_are_not_swallowed():
    ask, calls = ask_after(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        asyncio.run(gate_with(Clock()).patiently(ask))
    assert len(calls) == 1


def test_the_same_trouble_is_told_once_in_a_while():
    clock, said = Clock(), []
    ask, _ = ask_after(*[Refused(503, "")] * 5)
    asyncio.run(gate_with(clock, said, first_wait_s=0.01).patiently(ask))
    assert len(said) == 1


def test_retry_after_as_seconds_and_as_a_date():
    assert seconds_of("7", 0) == 7
    assert seconds_of("Mon, 01 Jan 2024 00:01:00 GMT", 1_704_067_200) == 60
    assert seconds_of("Mon, 01 Jan 2024 00:01:00 GMT", 1_704_067_900) == 0
    assert seconds_of("soon", 0) is None
    assert seconds_of(None, 0) is None
    assert moment_of("Mon, 01 Jan 2024 00:00:00 GMT") == 1_704_067_200
    assert moment_of(None) is None


def test_a_page_of_html_says_nothing():
    assert str(Refused(502, "<html><body>Bad gateway</body></html>")) == "HTTP 502"

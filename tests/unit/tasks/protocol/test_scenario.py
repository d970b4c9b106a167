"""A scenario travels as text and changes a sweep's definition."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.protocol.chunks import Chunk
from tasks.protocol.messages import Kind, MessageError, SweepDefinition
from tasks.protocol.scenario import PLAIN, Scenario

DEFINITION = SweepDefinition(
    sweep="s-1",
    kind=Kind.RUN,
    controller={},
    grid={"a": [1, 2]},
    start=0,
    end=600,
    resolution="1m",
    trade_cost=0.0006,
    engine="jump",
    shift=1,
    fills="stock",
    warmup=True,
    point_timeout_s=60,
    seed=1,
    funding={"BTC-USDT": [[0, 0.0001]]},
)

scenarios = st.builds(
    Scenario,
    start=st.none() | st.integers(0, 2_000_000_000),
    end=st.none() | st.integers(0, 2_000_000_000),
    noise=st.integers(0, 1000),
    engine=st.sampled_from(["", "jump", "live"]),
    fills=st.sampled_from(["", "stock", "honest"]),
    cost=st.sampled_from([0.5, 1.0, 3.0, 0.1]),
    delay=st.integers(0, 3),
    jitter=st.sampled_from([0.0, 0.05]),
)


@given(scenarios)
def test_a_scenario_comes_back_from_its_text(scenario: Scenario) -> None:
    assert Scenario.parse(str(scenario)) == scenario
    chunk = Chunk.of(3, [1, 2, 3, 9], scenario)
    assert Chunk.parse(chunk.id) == chunk


@pytest.mark.parametrize(
    "text", ["noise=0", "end=1,start=0", "colour=1", "start=x", "start=1,start=1", "noise=1,", "engine=../x"]
)
def test_what_no_scenario_writes_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Scenario.parse(text)
    with pytest.raises(MessageError):
        Chunk.parse(f"1:0-3@{text}")


def test_the_plain_sweep_has_no_text_and_changes_nothing() -> None:
    assert str(PLAIN) == ""
    assert PLAIN.applied(DEFINITION) == DEFINITION
    assert Chunk.of(1, [0]).id == "1:0-0"


def test_costs_are_multiplied_wherever_they_are() -> None:
    dear = Scenario(cost=2.0).applied(dataclasses.replace(DEFINITION, maker_cost=0.0001, slippage_bps=1.0))
    assert (dear.trade_cost, dear.maker_cost, dear.taker_cost, dear.slippage_bps) == (0.0012, 0.0002, None, 2.0)
    assert dear.funding == {"BTC-USDT": [[0, 0.0002]]}

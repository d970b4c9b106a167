"""Messages survive the road bit for bit."""

from __future__ import annotations

import math

import pytest
import ujson
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import MessageError
from tasks.protocol.chunks import Chunk
from tasks.protocol.messages import Kind, Rows, SweepDefinition

values = st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(), st.text())


def same(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        if math.isnan(one):  # its sign means nothing and does not travel
            return math.isnan(other)
        return math.copysign(1, one) == math.copysign(1, other) and one == other
    return type(one) is type(other) and one == other


@given(st.lists(st.fixed_dictionaries({"point": st.integers(0, 10**12), "x": values}), max_size=5))
def test_rows_round_trip(rows: list[dict[str, object]]) -> None:
    back = Rows.decode(Rows.from_dicts("1:0-4", "node/1", 0.5, rows).encode()).to_dicts()
    assert len(back) == len(rows)
    assert all(same(row[name], came[name]) for row, came in zip(rows, back, strict=True) for name in row)


def test_rows_with_different_columns_hold_none() -> None:
    rows = Rows.from_dicts("1:0-1", "n", 1.0, [{"point": 0, "a": 1}, {"point": 1, "b": 2}])
    assert rows.to_dicts() == [{"point": 0, "a": 1, "b": None}, {"point": 1, "a": None, "b": 2}]


@given(
    st.integers(1, 99),
    st.lists(st.one_of(st.integers(0, 40), st.integers(0, 10**12)), min_size=1, max_size=30, unique=True),
)
def test_chunk_id_says_the_points(generation: int, points: list[int]) -> None:
    chunk = Chunk.of(generation, points)
    back = Chunk.parse(chunk.id)
    assert back == chunk
    assert back.points == points
    assert len(back) == len(points)


def test_what_comes_again_and_again_is_said_once() -> None:
    points = [first + step for first in (7, 107, 207, 307) for step in range(3)]
    assert Chunk.of(1, points).id == "1:7-9+100x4"
    assert Chunk.of(1, [5, *points]).id == "1:5-5,7-9+100x4"
    assert Chunk.of(1, [*range(0, 40, 2), 100]).id == "1:0-0+2x20,100-100"
    nested = [slow + fast + step for slow in (0, 5000, 10_000) for fast in range(60, 100, 10) for step in range(2)]
    assert Chunk.of(1, nested).id == "1:60-61+10x4+5000x3"


def test_a_chunk_of_a_run_of_points_is_short_for_any_grid() -> None:
    assert Chunk.of(3, range(10**12 - 2000, 10**12)).id == "3:999999998000-999999999999"


@pytest.mark.parametrize("text", ["", "1", "1:", "x:1-2", "1:2", "1:a-b", "1:1-2+3", "1:1-2x3", "1:1-2+3x"])
def test_a_broken_chunk_id_is_refused(text: str) -> None:
    with pytest.raises(MessageError):
        Chunk.parse(text)


def a_definition() -> SweepDefinition:
    return SweepDefinition(
        sweep="s-1",
        kind=Kind.RUN,
        controller={"b": 1, "a": "0.01,0.02"},
        grid={"x": [0.1, 0.2]},
        start=1,
        end=2,
        resolution="1m",
        trade_cost=0.0006,
        engine="jump",
        shift=1,
        fills="stock",
        warmup=True,
        point_timeout_s=600.0,
        seed=0,
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [("grid", {"x": 7}), ("grid", {"x": []}), ("grid", {"x": "ab"}), ("grid", [1]), ("controller", 3), ("options", 3)],
)
def test_a_definition_with_a_field_of_another_kind_is_refused(field: str, value: object) -> None:
    fields = ujson.loads(a_definition().encode()) | {field: value}
    with pytest.raises(MessageError, match="not a sweep definition"):
        SweepDefinition.decode(ujson.dumps(fields).encode())


def test_definition_round_trip_and_stable_bytes() -> None:
    definition = a_definition()
    assert SweepDefinition.decode(definition.encode()) == definition
    assert definition.encode() == SweepDefinition.decode(definition.encode()).encode()


def test_undecodable_bytes_are_kept() -> None:
    with pytest.raises(MessageError) as caught:
        SweepDefinition.decode(b'{"sweep": 1}')
    assert caught.value.raw == b'{"sweep": 1}'

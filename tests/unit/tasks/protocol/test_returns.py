"""The periods of a sweep's returns, and how returns travel."""

from __future__ import annotations

import base64
import zlib

import numpy as np
import pytest

from tasks.errors import MessageError
from tasks.protocol.messages import Rows
from tasks.protocol.returns import (
    RETURNS,
    ReturnsError,
    decoded,
    encode_row,
    pack,
    period_ends,
    returns_interval,
    unpack,
)

DAY = 86400
START = 1_704_067_200  # 2024-01-01 00:00 UTC


@pytest.mark.parametrize(
    ("days", "resolution_s", "interval_s"),
    [
        (180, 60, DAY), (90, 60, DAY), (89, 60, DAY // 2), (30, 60, 6 * 3600), (10, 60, 2 * 3600),
        (2, 60, 1800), (1, 60, 900), (0.05, 60, 60), (0.01, 1, 60),
        (30, 3600, 6 * 3600), (2, 3600, 3600), (180, 3 * DAY, 3 * DAY), (10, 180, 2 * 3600), (0.1, 180, 180),
    ],
)  # fmt: skip
def test_the_interval_is_a_day_or_the_longest_that_gives_ninety_returns(
    days: float, resolution_s: int, interval_s: int
) -> None:
    end = START + int(days * DAY) - resolution_s
    assert returns_interval(START, end, resolution_s) == interval_s


def test_the_one_candle_of_an_inclusive_end_is_no_period_of_its_own() -> None:
    assert len(period_ends(START, START + 90 * DAY, 60, DAY)) == 90
    assert period_ends(START, START + 90 * DAY, 60, DAY)[-1] > START + 90 * DAY


def test_a_first_part_of_less_than_half_a_period_is_counted_with_the_next() -> None:
    late, early = START + 13 * 3600, START + 11 * 3600
    assert period_ends(late, START + 3 * DAY - 60, 60, DAY).tolist() == [START + 2 * DAY, START + 3 * DAY]
    assert period_ends(early, START + 3 * DAY - 60, 60, DAY)[0] == START + DAY


def test_there_is_always_one_period() -> None:
    assert len(period_ends(START + 3600, START + 7200, 60, DAY)) == 1
    assert len(period_ends(START + DAY - 60, START + DAY, 60, DAY)) == 1


def test_returns_come_back_as_they_were_and_points_without_any_as_nan() -> None:
    values = np.random.default_rng(0).normal(size=(3, 100)).astype(np.float32)
    packed = pack([encode_row(values[0], 3600), None, encode_row(values[2], 3600)])
    assert packed is not None
    assert (packed.interval_s, packed.periods) == (3600, 100)
    back = unpack(decoded(packed.data), 3, 100)
    np.testing.assert_array_equal(back[[0, 2]], values[[0, 2]])
    assert np.isnan(back[1]).all()


def test_a_message_of_rows_carries_them_beside_its_columns() -> None:
    returns = np.array([0.1, -0.2], dtype=np.float32)
    rows = [{"point": 4, "status": "ok", RETURNS: encode_row(returns, 60)}, {"point": 5, "status": "error"}]
    sent = Rows.from_dicts("1:4-5", "node/0", 1.0, rows)
    assert list(sent.columns) == ["point", "status"]
    back = Rows.decode(sent.encode())
    assert back.returns == sent.returns
    assert back.returns is not None
    np.testing.assert_array_equal(unpack(decoded(back.returns.data), 2, 2)[0], returns)


def test_rows_without_returns_have_none() -> None:
    sent = Rows.from_dicts("1:0-0", "node/0", 1.0, [{"point": 0, "status": "error"}])
    assert Rows.decode(sent.encode()).returns is None


def test_a_message_with_other_returns_is_refused() -> None:
    with pytest.raises(MessageError):
        Rows.decode(b'{"chunk": "1:0-0", "node": "n", "seconds": 1, "columns": {}, "returns": {"what": 1}}')


@pytest.mark.parametrize("data", ["%%%", "ä"])
def test_what_is_no_base64_is_refused(data: str) -> None:
    with pytest.raises(ReturnsError, match="base64"):
        decoded(data)


@pytest.mark.parametrize(
    "packed", [b"no zlib", zlib.compress(b"\0" * 15), zlib.compress(b"\0" * 17), zlib.compress(b"\0" * 10**7)]
)
def test_packed_returns_of_another_size_are_refused(packed: bytes) -> None:
    with pytest.raises(ReturnsError, match="returns of a chunk"):
        unpack(packed, 2, 2)
    with pytest.raises(ReturnsError, match="none or too many"):
        unpack(packed, 2, 10**9)


def test_a_chunk_packs_to_less_than_its_plain_bytes() -> None:
    values = (np.random.default_rng(0).normal(size=(100, 180)) * 0.01).astype(np.float32)
    packed = pack([encode_row(row, DAY) for row in values])
    assert packed is not None
    assert len(base64.b64decode(packed.data)) < 0.95 * values.nbytes


def test_an_endless_period_is_refused_before_there_is_room_made_for_it() -> None:
    with pytest.raises(ReturnsError, match="more than 100,000 periods"):
        period_ends(0, 10**17, 60, 60)

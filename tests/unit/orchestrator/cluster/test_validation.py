"""What a node commits is checked before anything of it is stored."""

from __future__ import annotations

import dataclasses
import json
import resource
import sys
from typing import Any

import numpy as np
import pytest
import ujson

from orchestrator.cluster.validation import DECIDED, MAX_ROWS_BYTES, ExpectedRows, RowsRefused
from orchestrator.results.layout import decided_by
from tasks.errors import MessageError
from tasks.protocol.chunks import MAX_CHUNK_POINTS, Chunk
from tasks.protocol.messages import Kind, Rows
from tasks.protocol.returns import RETURNS, encode_row
from tests.made import definition

EXPECTED = ExpectedRows(definition("a-sweep", {"length": [5, 10, 20], "stop": [0.1, 0.2]}))


def good(**changes: Any) -> dict[str, Any]:
    """A message as a child sends it, with changes."""
    rows = [
        {"point": point, "status": "ok", "error": "", "engine": "jump", "seconds": 0.1, "net_pnl": point / 7}
        for point in (0, 1, 2)
    ]
    message = dataclasses.asdict(Rows.from_dicts("1:0-2", "n@host/7", 0.5, rows, 1 << 20, ["length"]))
    message["columns"] |= changes.pop("columns", {})
    return message | changes


def encoded(message: Any) -> bytes:
    return ujson.dumps(message).encode()


def test_what_a_child_sends_is_taken_value_for_value() -> None:
    rows = EXPECTED.check(encoded(good()))
    assert rows.columns["net_pnl"] == [0 / 7, 1 / 7, 2 / 7]
    assert rows.chunk == "1:0-2"


def test_rows_of_some_points_of_the_chunk_are_taken() -> None:
    message = good(chunk="3:0-5", columns={"custom_info": [{"a": [1, None]}, None, "text"]})
    assert len(EXPECTED.check(encoded(message))) == 3


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"columns": {"point": [-1, 0, 1]}}, "point -1 is not of chunk"),
        ({"columns": {"point": [0.5, 1, 2]}}, "no whole number"),
        ({"columns": {"point": [True, 1, 2]}}, "no whole number"),
        ({"columns": {"point": ["0", 1, 2]}}, "no whole number"),
        ({"columns": {"point": [[0], 1, 2]}}, "no whole number"),
        ({"columns": {"point": [None, 1, 2]}}, "no whole number"),
        ({"columns": {"point": [0, 0, 1]}}, "comes twice"),
        ({"columns": {"warning": [1.5, "", ""]}}, "`warning` is no text"),
        ({"columns": {"controller_log": [["a"], "", ""]}}, "`controller_log` is no text"),
        ({"columns": {"engine_note": [{}, "", ""]}}, "`engine_note` is no text"),
        ({"columns": {"fills": ["a", "b", "c"]}}, "no child sends a column `fills`"),
        ({"columns": {"axis_length": [1, 2, 3]}}, "no child sends a column `axis_length`"),
        ({"columns": {"point": [0, 1, 3]}}, "point 3 is not of chunk"),
        ({"columns": {"point": [0, 1, 10**30]}}, "more than 64 bits"),
        ({"chunk": "1:0-9", "columns": {"point": [0, 1, 9]}}, "not of the grid, which has 6"),
        ({"columns": {"point": []}}, "no column `point`"),
        ({"columns": {"point": "012"}}, "no lists"),
        ({"columns": {"status": ["ok", "ok", "fine"]}}, "fine"),
        ({"columns": {"status": ["ok", "ok", ["ok"]]}}, "a status is no text"),
        ({"columns": {"status": ["ok", "ok"]}}, "different lengths"),
        ({"columns": {"net_pnl": [1.0]}}, "different lengths"),
        ({"columns": {"net_pnl": [1.0, 2.0, 2**70]}}, "more than 64 bits"),
        ({"columns": {"error": ["x" * 30_000, "", ""]}}, "longer than"),
        ({"columns": {"error": [1, "", ""]}}, "no text"),
        ({"columns": {"engine": [{}, "", ""]}}, "no text"),
        ({"columns": {"seconds": ["1", 2, 3]}}, "`seconds` is no number"),
        ({"columns": {"": [1, 2, 3]}}, "cannot have the name"),
        ({"columns": {"a\x1b[2J": [1, 2, 3]}}, "cannot have the name"),
        ({"columns": {"x" * 300: [1, 2, 3]}}, "cannot have the name"),
        ({"chunk": "../../etc"}, "not a chunk id"),
        ({"chunk": ""}, "not a chunk id"),
        ({"chunk": 7}, "its chunk is no text"),
        ({"chunk": "1:0-2@start=1,end=2,up=/../"}, "not a chunk id"),
        ({"chunk": "1:0-99999999999"}, "not a chunk id"),
        ({"chunk": "01:0-2"}, "not a chunk id"),
        ({"chunk": "1:2-0"}, "not a chunk id"),
        ({"node": None}, "its node is no text"),
        ({"node": "n\n"}, "cannot be shown"),
        ({"node": "n" * 500}, "too long"),
        ({"seconds": -1}, "no seconds"),
        ({"seconds": "1"}, "no seconds"),
        ({"seconds": float("nan")}, "no seconds"),
        ({"memory_bytes": -5}, "no number of bytes"),
        ({"memory_bytes": 1.5}, "no number of bytes"),
        ({"feature_axes": 7}, "no names"),
        ({"feature_axes": [7]}, "no names"),
        ({"columns": []}, "lists"),
        ({"returns": {"interval_s": 3600, "periods": 10**9, "data": "AAAA"}}, "returns per"),
        ({"returns": {"interval_s": 3600}}, "not rows"),
        ({"returns": 5}, "not rows"),
        ({"more": 1}, "not rows"),
    ],
)
def test_what_does_not_fit_is_refused_and_says_why(changes: dict[str, Any], why: str) -> None:
    message = good(**changes) if changes != {"columns": []} else {**good(), "columns": []}
    with pytest.raises(RowsRefused, match=why) as refused:
        EXPECTED.check(encoded(message))
    if "node" not in changes and "not rows" not in why:
        assert refused.value.node == "n@host/7"


@pytest.mark.parametrize("raw", [b"", b"{broken", b"[]", b"null", b"7", b'"text"', b"\xff\xfe", b"[" * 100_000, b"{}"])
def test_what_is_no_message_is_refused(raw: bytes) -> None:
    with pytest.raises(RowsRefused, match="not rows"):
        EXPECTED.check(raw)


def test_a_field_that_is_missing_is_refused() -> None:
    for name in ("chunk", "node", "seconds", "columns"):
        message = good()
        del message[name]
        with pytest.raises(RowsRefused):
            EXPECTED.check(encoded(message))
    for name in ("point", "status"):
        message = good()
        del message["columns"][name]
        with pytest.raises(RowsRefused, match=name):
            EXPECTED.check(encoded(message))


def test_half_a_character_in_a_result_is_replaced_and_stops_nothing() -> None:
    raw = json.dumps(good(columns={"note": ["a\ud800b", "\ud83d\ude00", "c"]})).encode()
    rows = EXPECTED.check(raw)
    assert rows.columns["note"] == ["a\ufffdb", "\U0001f600", "c"]
    rows.encode().decode()


def test_returns_that_unpack_to_something_else_are_refused() -> None:
    fitting = EXPECTED.definition
    periods, interval_s = 168, 3600  # seven days of hours
    values = np.random.default_rng(1).normal(size=periods).astype(np.float32)
    row = {"point": 0, "status": "ok", RETURNS: encode_row(values, interval_s)}
    rows = Rows.from_dicts("1:0-0", "n@host/7", 0.1, [row])
    assert ExpectedRows(fitting).check(rows.encode()).returns == rows.returns
    assert rows.returns is not None
    for broken in ("no base64!", "AAAA", rows.returns.data[:16]):
        changed = dataclasses.replace(rows, returns=dataclasses.replace(rows.returns, data=broken))
        with pytest.raises(RowsRefused, match="returns"):
            EXPECTED.check(changed.encode())


def test_a_hundred_megabytes_are_refused_before_they_are_decoded() -> None:
    raw = b'{"chunk": "' + b"x" * (100 << 20) + b'"}'
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(RowsRefused, match="100 MB, more than 32 MB"):
        EXPECTED.check(raw)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < (8 << 20 if sys.platform == "darwin" else 8 << 10)
    assert MAX_ROWS_BYTES == 32 << 20


@pytest.mark.parametrize(
    "chunk_id",
    [
        "1:0-99999999999",
        f"1:0-{MAX_CHUNK_POINTS}",
        "1:0-9+10x1000000",
        "1:0-0" + "+1x2" * 40,
        "1:" + ",".join(["0-0"] * 200_000),
        "1:9-0",
        "1:0-0+0x0",
        "1:" + "9" * 5000 + "-" + "9" * 5000,
        "\u0661:0-0",
        "1:\u0660-\u0660",
        "1_0:0-0",
        "1:0-0@",
        "",
    ],
)
def test_a_chunk_of_more_points_than_are_ever_sent_is_refused_before_they_are_counted(chunk_id: str) -> None:
    with pytest.raises(MessageError, match="not a chunk id"):
        Chunk.parse(chunk_id)
    assert Chunk.parse(f"1:0-{MAX_CHUNK_POINTS - 1}")


@pytest.mark.parametrize(
    "scenario",
    ["start=0,end=253402300799", "end=999999999999999999", "start=1,end=2", "start=-5", f"end={2**62}"],
)
def test_a_window_outside_of_the_sweeps_period_is_refused_before_its_periods_are_counted(scenario: str) -> None:
    """Terabytes of moments were asked for, and the orchestrator ended."""
    message = good(chunk=f"1:0-2@{scenario}", returns={"interval_s": 60, "periods": 1, "data": "AAAA"})
    with pytest.raises(RowsRefused, match=r"window of scenario|is not a scenario|not a chunk id"):
        EXPECTED.check(encoded(message))


def test_no_child_sends_what_a_table_has_from_the_sweep() -> None:
    """Two columns of one name stopped the ranking, the verdict and the report with a traceback."""
    assert decided_by(EXPECTED.definition).keys() == DECIDED


def test_a_point_that_the_sweep_leaves_out_is_refused() -> None:
    """Its row counted as one of those that are waited for: the sweep said 12 of 10 points, or ended too early."""
    expected = ExpectedRows(definition("a-sweep", {"length": [5, 10, 20], "stop": [0.1, 0.2]}, skip="length == 10"))
    with pytest.raises(RowsRefused, match="point 2 is one that the sweep leaves out"):
        expected.check(encoded(good()))
    message = good(columns={"point": [0, 1, 4]}, chunk="1:0-1,4-4")
    assert len(expected.check(encoded(message))) == 3


def test_other_work_than_back_tests_has_columns_of_its_own() -> None:
    expected = ExpectedRows(definition("a-sweep", {"length": [5, 10, 20]}, kind=Kind.TRADES))
    assert expected.check(encoded(good(columns={"fills": [[], [], []]})))


def test_a_window_of_the_sweep_is_taken() -> None:
    plain = EXPECTED.definition
    message = good(chunk=f"1:0-2@start={plain.start + 60},end={plain.end - 60}")
    assert len(EXPECTED.check(encoded(message))) == 3

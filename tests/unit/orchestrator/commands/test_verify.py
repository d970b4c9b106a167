"""What verify counts, and what it passes."""

from __future__ import annotations

from typing import Any

from orchestrator.commands.answers import _verified, _verify_lines


def row(point: int, **others: Any) -> dict[str, Any]:
    return {"point": point, "status": "ok", "error": "", "engine": "jump", "differences": [], "executors": 0, **others}


DIFFERENCE = {"field": "net_pnl", "stock": "1", "jump": "2", "candle": None}


def test_the_kinds_are_counted_apart() -> None:
    rows = [
        row(0, executors=3),
        row(1),
        row(2, failed_alike="ValueError: no"),
        row(3, differences=[DIFFERENCE], executors=3),
        row(4, status="error", error="refused"),
    ]
    kinds = _verified(rows)
    assert {name: [one["point"] for one in of_kind] for name, of_kind in kinds.items()} == {
        "equal": [0], "untraded": [1], "failed_alike": [2], "different": [3], "failed": [4],
    }  # fmt: skip
    lines = _verify_lines(kinds)
    assert "point 2: fails alike: ValueError: no" in lines
    assert lines[-1] == (
        "5 points on both engines (jump): 1 equal with executors, 1 equal without an executor, 1 failed alike, "
        "1 differ, 1 could not be run"
    )


def test_a_sweep_whose_points_all_fail_alike_verifies_nothing() -> None:
    kinds = _verified([row(0, failed_alike="x"), row(1)])
    assert kinds["equal"] == []
    assert _verify_lines(kinds)[-1] == "nothing was verified: no point opened an executor on both engines"


def test_points_of_the_live_engine_are_said_to_be_others_than_those_compared() -> None:
    lines = _verify_lines(_verified([row(0, executors=3, live_engine="it trades on 2 pairs")]))
    assert lines[-1].startswith("this sweep runs on the live engine (it trades on 2 pairs), which no stock engine")
    assert "live engine" not in _verify_lines(_verified([row(0, executors=3, live_engine="")]))[-1]

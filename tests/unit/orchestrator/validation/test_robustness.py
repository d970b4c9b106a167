"""What a point's result depends on: which conditions are asked for, and what the matrix says."""

from __future__ import annotations

import math

from orchestrator.validation.robustness import Check, checks_of, left_out, matrix, neighbours
from tasks.grid import Grid
from tests.unit.orchestrator.sweepfile.test_validate import sweep


def test_every_condition_changes_one_thing() -> None:
    asked = sweep(fills="honest", validate={"robustness": True})
    assert asked.validation.robustness is not None
    found = checks_of(asked, asked.validation.robustness)
    labels = [check.label for check in found]
    assert labels[:5] == ["costs x0.5", "costs x1.5", "costs x2", "costs x3", "stock fills"]
    assert "1 candle later" in labels
    assert "starts 6h later" in labels
    start = next(check for check in found if check.label == "starts 6h later")
    assert start.changes == {"start": asked.start + 6 * 3600, "end": asked.end}


def test_neighbours_say_what_differs() -> None:
    grid = Grid.from_mapping({"a": [1, 2, 3], "b": [5, 6]})
    assert neighbours(grid, 2) == [("a = 1", 0), ("a = 3", 4), ("b = 6", 3)]


def test_the_matrix_names_what_a_point_is_fragile_to() -> None:
    checks = [Check("costs", "costs x2", {"cost": 2}), Check("delay", "1 candle later", {"delay": 1})]
    changed = {
        ("costs x2", 7): 0.09,
        ("costs x2", 8): 0.01,
        ("1 candle later", 7): 0.08,
        ("1 candle later", 8): math.nan,
    }
    found = matrix(
        [7, 8], checks, {7: 0.1, 8: 0.1}, changed, {7: [("a", 6, 0.09), ("a", 8, 0.07)], 8: []}, ascending=False
    )
    assert found["notes"][0] == "point 7: keeps at least 50% of its result under every condition"
    assert found["notes"][1].startswith("point 8: fragile: costs x2, 1 candle later")
    by_label = {row["label"]: row["values"] for row in found["rows"]}
    assert by_label["1 candle later"] == [0.08, None]
    assert by_label["worst neighbour"] == [0.07, None]


def test_an_objective_to_be_small_is_fragile_where_it_grows() -> None:
    checks = [Check("costs", "costs x2", {"cost": 2})]
    found = matrix([1], checks, {1: 1.0}, {("costs x2", 1): 1.6}, {}, ascending=True)
    assert "fragile: costs x2" in found["notes"][0]


def test_a_sweep_with_both_fills_has_no_other_fills_to_try() -> None:
    asked = sweep(fills="both", validate={"robustness": True})
    assert asked.validation.robustness is not None
    assert not [check for check in checks_of(asked, asked.validation.robustness) if check.group == "fills"]


def test_a_sweep_without_costs_is_not_called_robust_against_them() -> None:
    free = sweep(trade_cost=0, validate={"robustness": True})
    assert free.validation.robustness is not None
    assert not [check for check in checks_of(free, free.validation.robustness) if check.group == "costs"]
    assert left_out(free, free.validation.robustness) == [
        "left out: factors on costs, for this sweep has none (write `trade_cost`)"
    ]
    for costs in ({"slippage_bps": 1}, {"maker_cost": -0.0001}, {"funding": {"BTC-USDT": [[1_704_067_200, 0.0001]]}}):
        dear = sweep(trade_cost=0, fills="honest", validate={"robustness": True}, **costs)
        assert dear.validation.robustness is not None
        assert left_out(dear, dear.validation.robustness) == []


def test_a_start_that_leaves_nothing_or_no_yearly_figures_is_left_out_and_said() -> None:
    period = {"start": "2024-01-01", "end": "2024-01-09"}
    short = sweep(period=period, validate={"robustness": {"start_shift": ["1h", "3d", "20d"]}})
    assert short.validation.robustness is not None
    starts = [check.label for check in checks_of(short, short.validation.robustness) if check.group == "start"]
    assert starts == ["starts 1h later"]
    (said,) = left_out(short, short.validation.robustness)
    assert said == "left out: a start 3d, 20d later, which leaves too little of the period of 8 days"

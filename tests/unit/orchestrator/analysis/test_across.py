"""Points ranked by what they do on all values of an axis."""

import math
from statistics import mean, median

import pyarrow as pa
import pytest

from orchestrator.analysis.rank import curve_points, rank
from tasks.grid import Grid

GRID = Grid.from_mapping({"length": [10, 20, 30], "pair": ["A-U", "B-U", "C-U"], "std": [1, 2]})


def table(values: dict[int, float], *, failed: tuple[int, ...] = ()) -> pa.Table:
    points = sorted(values)
    return pa.table(
        {
            "point": points,
            "status": ["error" if point in failed else "ok" for point in points],
            "net_pnl": [values[point] for point in points],
            "trades": [point % 7 + 1 for point in points],
        }
    )


VALUES = {point: math.sin(point * 1.7) for point in range(GRID.size)}


def slowly(how, values=VALUES) -> dict[tuple[int, int], float]:
    """(length, std) -> the objective over all pairs."""
    groups: dict[tuple[int, int], list[float]] = {}
    for point, value in values.items():
        config = GRID.values(point)
        groups.setdefault((config["length"], config["std"]), []).append(value)
    return {key: how(group) for key, group in groups.items()}


@pytest.mark.parametrize("how", [min, mean, median, max])
def test_groups_are_ranked_by_what_all_their_points_do(how):
    found = rank(table(VALUES), "net_pnl", grid=GRID, top=None, across={"pair": how.__name__})
    expected = sorted(slowly(how).values(), reverse=True)
    assert [row["objective"] for row in found.rows] == pytest.approx(expected)
    assert found.groups == 6
    best = found.rows[0]
    own: dict[str, float] = best["across"]
    assert how(own.values()) == pytest.approx(best["objective"])
    assert set(own) == {"A-U", "B-U", "C-U"}
    assert {name: VALUES[point] for name, point in best["across_points"].items()} == pytest.approx(own)
    assert curve_points(found, 3) == list(best["across_points"].values())


def test_the_row_shown_is_that_of_the_point_that_decided_and_all_points_have_the_groups_place():
    found = rank(table(VALUES), "net_pnl", grid=GRID, top=None, across={"pair": "min"})
    for place, row in enumerate(found.rows, 1):
        assert row["net_pnl"] == pytest.approx(row["objective"])
        config = GRID.values(row["point"])
        group = [p for p in VALUES if all(GRID.values(p)[key] == config[key] for key in ("length", "std"))]
        assert {found.place(point) for point in group} == {place}


def test_a_group_with_a_point_that_failed_or_does_not_meet_where_is_not_ranked():
    found = rank(table(VALUES, failed=(0,)), "net_pnl", grid=GRID, top=None, across={"pair": "max"})
    assert found.groups == 5 and found.place(2) is None
    found = rank(table(VALUES), "net_pnl", "trades > 1", grid=GRID, top=None, across={"pair": "max"})
    assert {found.place(point) for point in (0, 2, 4)} == {None}


def test_a_leading_minus_ranks_the_smallest_of_the_groups_first():
    found = rank(table(VALUES), "-net_pnl", grid=GRID, top=None, across={"pair": "max"})
    assert [row["objective"] for row in found.rows] == pytest.approx(sorted(slowly(max).values()))


def test_several_axes_are_reduced_in_the_order_of_the_file():
    found = rank(table(VALUES), "net_pnl", grid=GRID, top=None, across={"pair": "min", "std": "mean"})
    by_length: dict[int, list[float]] = {}
    for (length, _), value in slowly(min).items():
        by_length.setdefault(length, []).append(value)
    expected = sorted(map(mean, by_length.values()), reverse=True)
    assert [row["objective"] for row in found.rows] == pytest.approx(expected)
    assert "A-U, 1" in found.rows[0]["across"]


def test_an_axis_that_points_are_taken_over_has_no_edge():
    values = {point: float(point) for point in range(GRID.size)}
    found = rank(table(values), "net_pnl", grid=GRID, across={"length": "min"})
    assert "length" not in [edge.axis for edge in found.edges]

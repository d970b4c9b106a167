"""The ranking: order, constraint, equal points, edges, plateau or spike."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.analysis.rank import Edge, Ranking, Stability, ordered, rank
from orchestrator.commands.tables import ranking_table, remarks
from orchestrator.results.store import Store
from tasks.errors import ExpressionError
from tasks.grid import Axis, Grid
from tests.unit.orchestrator.stores import DECIDED, failed, fill, ok
from tests.unit.orchestrator.sweepfile.test_sweep import sweep

NAN = float("nan")
LINE = {"x": [1, 2, 3, 4, 5]}
PLANE = {"x": [1, 2, 3, 4, 5], "y": [0.1, 0.2, 0.3, 0.4, 0.5]}

Ranked = Callable[..., Ranking]


@pytest.fixture
def ranked(tmp_path: Path) -> Ranked:
    """Rank rows of a grid, each time in a store of their own."""
    folders = count()

    def of(rows: list[dict[str, Any]], rank_by: str = "net_pnl", where: str | None = None, **more: Any) -> Ranking:
        grid = more.pop("grid", LINE)
        with Store.create(tmp_path / str(next(folders))) as store:
            return rank(store.table(fill(store, rows, grid)), rank_by, where, grid=Grid.from_mapping(grid), **more)

    return of


def line(values: list[float], **more: Any) -> list[dict[str, Any]]:
    """A row a point; `own` keeps points with the same objective apart."""
    return [ok(point, net_pnl=value, own=point, **more) for point, value in enumerate(values)]


def points(ranking: Ranking) -> list[int]:
    return [row["point"] for row in ranking.rows]


class TestOrder:
    def test_best_first_ties_by_point_nan_last(self, ranked: Ranked) -> None:
        assert points(ranked(line([1.0, NAN, 3.0, -math.inf, 3.0]))) == [2, 4, 0, 3, 1]

    def test_ascending(self, ranked: Ranked) -> None:
        found = ranked(line([1.0, NAN, 3.0, -math.inf, 3.0]), "-net_pnl")
        assert points(found) == [3, 0, 2, 4, 1]
        assert found.ascending
        assert found.rows[1]["objective"] == 1.0

    def test_only_points_that_are_ok_and_meet_where(self, ranked: Ranked) -> None:
        rows = [*line([1.0, 2.0, 3.0]), failed(3), failed(4, status="timeout")]
        found = ranked(rows, where="net_pnl < 3")
        assert points(found) == [1, 0]
        assert (found.ok, found.matching, found.groups) == (3, 2, 2)
        assert [found.place(point) for point in range(5)] == [2, 1, None, None, None]

    def test_an_expression_over_results_and_axes(self, ranked: Ranked) -> None:
        found = ranked(line([5.0, 8.0, 9.0]), "net_pnl / x", "x != 1 and own in [1, 2]")
        assert [(row["point"], row["objective"]) for row in found.rows] == [(1, 4.0), (2, 3.0)]

    def test_integers_that_no_float_holds_are_ranked_as_floats(self, ranked: Ranked) -> None:
        found = ranked([ok(point, net_pnl=2**60 + point * 2**20) for point in range(3)])
        assert points(found) == [2, 1, 0]

    def test_top(self, ranked: Ranked) -> None:
        rows = line([1.0, 2.0, 3.0])
        assert points(ranked(rows, top=2)) == [2, 1]
        assert points(ranked(rows, top=None)) == [2, 1, 0]
        found = ranked(rows, top=0)
        assert found.rows == []
        assert found.place(0) == 3

    def test_a_row_holds_every_column_as_the_store_gives_it(self, ranked: Ranked) -> None:
        found = ranked([ok(1, net_pnl=0.5, close_types={"STOP_LOSS": 1}, warning="win rate")])
        assert found.rows == [
            {
                **ok(1),
                "x": 2,
                "net_pnl": 0.5,
                "close_types": {"STOP_LOSS": 1},
                "warning": "win rate",
                **DECIDED,
                "rank": 1,
                "objective": 0.5,
                "equal_points": [],
            }
        ]

    @pytest.mark.parametrize("rows", [[], [failed(0)]])
    def test_nothing_to_rank(self, ranked: Ranked, rows: list[dict[str, Any]]) -> None:
        found = ranked(rows, "net_pnl", "total_positions > 3")
        assert (found.rows, found.ok, found.edges) == ([], 0, ())
        assert found.neighbourhood.stability is Stability.UNKNOWN

    def test_axes_that_bear_a_rankings_own_names(self, ranked: Ranked) -> None:
        axes = {"rank": [7, 8], "status": ["x", "y"], "z": [1, 2]}
        found = ranked(line([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]), grid=axes, top=1)
        (row,) = found.rows
        assert (row["rank"], row["status"], row["objective"]) == (1, "ok", 8.0)
        assert (row["axis_rank"], row["axis_status"], row["z"]) == (8, "y", 2)
        sweep = SimpleNamespace(
            rank_by="net_pnl", where=None, fills="stock", controller={}, grid=Grid.from_mapping(axes)
        )
        shown = ranking_table(found, sweep)  # type: ignore[arg-type]
        assert shown[2].split()[:5] == ["1", "7", "8", "y", "2"]

    def test_nothing_meets_where(self, ranked: Ranked) -> None:
        found = ranked(line([1.0, 2.0]), where="net_pnl > 5")
        assert (found.rows, found.ok, found.matching) == ([], 2, 0)

    def test_columns_that_are_not_there(self, ranked: Ranked) -> None:
        with pytest.raises(ExpressionError, match="no column net_pln; the nearest is `net_pnl`"):
            ranked(line([1.0]), "net_pln")
        with pytest.raises(ExpressionError, match="no column own_er; the nearest is `own`"):
            ranked(line([1.0]), where="own_er > 1")
        with pytest.raises(ExpressionError, match="is text"):
            ranked(line([1.0]), "status")

    @given(st.lists(st.none() | st.floats() | st.integers(-3, 3), min_size=1, max_size=12), st.booleans())
    def test_it_is_a_sort(self, values: list[float | None], ascending: bool) -> None:
        rows = [ok(point, net_pnl=value, own=point) for point, value in enumerate(values)]
        grid = {"x": list(range(len(values)))}
        with TemporaryDirectory() as folder, Store.create(Path(folder)) as store:
            table = store.table(fill(store, rows, grid))
            found = rank(table, "-net_pnl" if ascending else "net_pnl", grid=Grid.from_mapping(grid), top=None)

        def key(point: int) -> tuple[bool, float, int]:
            value = values[point]
            missing = value is None or math.isnan(value)
            return missing, 0.0 if missing else float(value or 0) * (1 if ascending else -1), point

        assert points(found) == sorted(range(len(values)), key=key)


class TestEqualPoints:
    def test_are_one_entry(self, ranked: Ranked) -> None:
        rows = [
            ok(point, net_pnl=pnl, trades=trades)
            for point, (pnl, trades) in enumerate([(1, 5), (2, 5), (1, 5), (1, 6)])
        ]
        found = ranked([*rows, ok(4, net_pnl=2, trades=5)])
        assert [(row["rank"], row["point"], row["equal_points"]) for row in found.rows] == [
            (1, 1, [4]),
            (2, 0, [2]),
            (3, 3, []),
        ]
        assert [found.place(point) for point in range(5)] == [2, 1, 2, 3, 1]
        assert (found.matching, found.groups) == (5, 3)

    def test_time_and_engine_do_not_tell_them_apart_but_missing_values_and_dicts_do(self, ranked: Ranked) -> None:
        rows = [
            {**ok(0, net_pnl=1.0, sharpe=None, kinds={"a": 1}), "seconds": 1.0},
            {**ok(1, net_pnl=1.0, sharpe=None, kinds={"a": 1}, engine_note="slow"), "seconds": 2.0, "engine": "stock"},
            ok(2, net_pnl=1.0, sharpe=0.0, kinds={"a": 1}),
            ok(3, net_pnl=1.0, sharpe=None, kinds={"a": 2}),
        ]
        assert [row["equal_points"] for row in ranked(rows).rows] == [[1], [], []]

    def test_points_that_rank_differently_are_never_one_entry(self, ranked: Ranked) -> None:
        rows = [ok(0, net_pnl=1), ok(1, net_pnl=1)]
        assert points(ranked(rows, "x")) == [1, 0]


class TestEdges:
    @pytest.mark.parametrize(
        ("values", "edges"),
        [
            ([9, 1, 2, 3, 4], (Edge("x", 1, "lowest"),)),
            ([1, 2, 3, 4, 9], (Edge("x", 5, "highest"),)),
            ([1, 2, 9, 4, 3], ()),
        ],
    )
    def test_of_a_line(self, ranked: Ranked, values: list[float], edges: tuple[Edge, ...]) -> None:
        assert ranked(line(values)).edges == edges

    def test_on_a_descending_axis(self, ranked: Ranked) -> None:
        assert ranked(line([9, 1, 1]), grid={"x": [3.0, 2.0, 1.0]}).edges == (Edge("x", 3.0, "highest"),)

    @pytest.mark.parametrize("axis", [[1, 2], ["a", "b", "c"], [1, 5, 3], [True, False], [[1], [2], [3]], [1, None, 3]])
    def test_not_on_axes_without_ends(self, ranked: Ranked, axis: list[Any]) -> None:
        assert ranked(line([9, 1, 1][: len(axis)]), grid={"x": axis}).edges == ()

    def test_not_where_an_equal_point_lies_inside(self, ranked: Ranked) -> None:
        assert ranked([ok(point, net_pnl=1) for point in range(5)]).edges == ()
        assert ranked([ok(0, net_pnl=1), ok(4, net_pnl=1), ok(2, net_pnl=0)]).edges == ()


class TestNeighbourhood:
    def test_plateau_slope_and_spike(self, ranked: Ranked) -> None:
        grid = {"x": list(range(9))}
        found = ranked(line([9.0, 9.0, 9.0, 9.0, 10.0, 9.0, 9.0, 9.0, 9.0]), grid=grid).neighbourhood
        assert found.stability is Stability.SPIKE  # the median point is as good as the neighbours
        assert (found.kept, found.mean_ratio, found.worst_ratio) == (0.0, 0.9, 0.9)

    @pytest.mark.parametrize(
        ("around", "stability"),
        [(9.5, Stability.PLATEAU), (7.0, Stability.PLATEAU), (5.0, Stability.SLOPE), (1.0, Stability.SPIKE)],
    )
    def test_footing(self, ranked: Ranked, around: float, stability: Stability) -> None:
        values: dict[int, float] = dict.fromkeys(range(25), 0.0)
        values |= {12: 10.0, 7: around, 17: around, 11: around, 13: around}
        assert ranked(line(list(values.values())), grid=PLANE).neighbourhood.stability is stability
        # the same shape where less is better, and below zero
        assert (
            ranked(line([-value for value in values.values()]), "-net_pnl", grid=PLANE).neighbourhood.stability
            is stability
        )
        assert ranked(line([value - 50 for value in values.values()]), grid=PLANE).neighbourhood.stability is stability

    def test_who_they_are(self, ranked: Ranked) -> None:
        rows = line([0.0] * 5 + [1.0, 10.0, NAN, 0.0, 0.0])
        rows[1] = failed(1)
        found = ranked(rows, grid=PLANE).neighbourhood
        assert [(each.axis, each.value, each.point, each.objective) for each in found.neighbours] == [
            ("x", 1, 1, None),
            ("x", 3, 11, None),
            ("y", 0.1, 5, 1.0),
            ("y", 0.3, 7, None),
        ]
        assert found.mean_ratio == 0.1

    def test_unknown_without_neighbours_or_lead(self, ranked: Ranked) -> None:
        assert ranked(line([1.0, 2.0]), grid={"x": ["a", "b"]}).neighbourhood.stability is Stability.UNKNOWN
        assert ranked(line([1.0, 1.0, 1.0])).neighbourhood.stability is Stability.UNKNOWN
        assert ranked(line([NAN, NAN])).neighbourhood.stability is Stability.UNKNOWN
        assert ranked(line([math.inf, 1.0])).neighbourhood.stability is Stability.UNKNOWN

    @pytest.mark.parametrize("values", [[2.0, 1.0], [1.0, 2.0, 1.0], [0.0, 9.0, 10.0, 9.0, 0.0], [9.0, *[0.0] * 20]])
    def test_unknown_among_few_points_or_with_one_neighbour(self, ranked: Ranked, values: list[float]) -> None:
        found = ranked(line(values), grid={"x": list(range(len(values)))})
        assert found.neighbourhood.stability is Stability.UNKNOWN
        assert not any("stands on" in remark for remark in remarks(found))

    def test_in_a_grid_of_a_million_million_points(self, ranked: Ranked) -> None:
        grid: Mapping[str, list[int]] = {name: list(range(1000)) for name in "abcd"}
        middle = Grid.from_mapping(grid).point([500, 500, 500, 500])
        rows = [ok(middle, net_pnl=2.0), ok(middle + 1, net_pnl=1.0), ok(0, net_pnl=0.0)]
        found = ranked(rows, grid=grid)
        assert len(found.neighbourhood.neighbours) == 8
        assert found.neighbourhood.kept == 0.0
        assert found.edges == ()


def test_ordered() -> None:
    assert ordered(Axis("x", (1, 2.5, 9)))
    assert ordered(Axis("x", (3, 2)))
    assert not ordered(Axis("x", (1,)))
    assert not ordered(Axis("x", (1, 1, 2)))
    assert not ordered(Axis("x", (1, 3, 2)))
    assert not ordered(Axis("x", (False, True)))
    assert not ordered(Axis("x", ("1", "2")))


def test_no_rows_asked_for_is_not_no_rows_to_rank(ranked: Ranked) -> None:
    asked = sweep(grid={"x": [1, 2, 3, 4, 5]}, where="net_pnl > 1")
    assert ranking_table(ranked(line([1, 2, 3]), top=0), asked) == []
    none = ["nothing to rank: no point is ok and meets where: net_pnl > 1"]
    assert ranking_table(ranked(line([0, 0, 0]), where="net_pnl > 1"), asked) == none
    assert ranking_table(ranked(line([0, 0, 0]), where="net_pnl > 1", top=0), asked) == none

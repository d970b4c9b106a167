"""What every point source promises; see `PointSource`. A new source is a subclass of `PointSourceCase`."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from orchestrator.execution.source import PointSource
from tasks.grid import Grid
from tasks.protocol.messages import Rows

GRID = Grid.from_mapping({"fast": [1, 2, 3], "slow": [10, 20], "stop": [0.01, 0.02, 0.03, 0.04]})


def rows_of(points: Sequence[int], feature_axes: Sequence[str] = ()) -> Rows:
    """Rows of points, as a child hands them in; the objective is a fixed function of the point."""
    rows = [
        {"point": point, "status": "ok", "error": "", "engine": "jump", "seconds": 0.1, "net_pnl": (point * 7) % 11}
        for point in points
    ]
    return Rows.from_dicts(
        f"1:{min(points)}-{max(points)}", "node/1", 0.1 * len(points), rows, feature_axes=feature_axes
    )


class PointSourceCase:
    """The promises, as tests."""

    #: axes that rows say the features depend on, while the case runs
    feature_axes: tuple[str, ...] = ()
    #: whether the points are the grid's, whatever rows say
    proposes_all = True

    def make(self, stored: Iterable[int] = ()) -> PointSource:
        """A source over GRID, with these points stored already."""
        raise NotImplementedError

    def worked_off(self, source: PointSource, count: int, order: random.Random | None = None) -> list[int]:
        """Every point, handed out `count` at a time, its rows observed in order or (`order`) three chunks late."""
        handed: list[int] = []
        waiting: list[list[int]] = []
        while not source.is_complete() or waiting:
            points = source.next(count)
            handed += points
            if points:
                waiting.append(points)
            if not points or order is None or len(waiting) > 3:
                assert waiting, "nothing is handed out, nothing is under way, and yet the source is not complete"
                place = 0 if order is None else order.randrange(len(waiting))
                source.observe(rows_of(waiting.pop(place), self.feature_axes))
        return handed

    def test_every_point_is_handed_out_once(self) -> None:
        for count in (1, 2, 7, GRID.size, 10 * GRID.size):
            source = self.make()
            handed = self.worked_off(source, count)
            assert len(handed) == len(set(handed))
            assert all(0 <= point < GRID.size for point in handed)
            if self.proposes_all:
                assert sorted(handed) == list(range(GRID.size))
            assert source.next(5) == []
            assert source.is_complete()

    def test_never_more_than_asked_for(self) -> None:
        source = self.make()
        assert len(source.next(3)) <= 3
        assert source.next(0) == []

    def test_points_that_were_stored_are_not_proposed_again(self) -> None:
        stored = {0, 1, 5, GRID.size - 1}
        handed = self.worked_off(self.make(stored), 4)
        assert not stored & set(handed)
        if self.proposes_all:
            assert set(handed) | stored == set(range(GRID.size))

    def test_a_source_without_points_left_is_complete_at_once(self) -> None:
        source = self.make(range(GRID.size))
        assert source.is_complete()
        assert source.next(1) == []

    def test_points_that_are_given_back_come_again(self) -> None:
        source = self.make()
        first = source.next(4)
        source.give_back(first[1:])
        source.observe(rows_of(first[:1], self.feature_axes))
        assert not source.is_complete()
        handed = first[:1] + self.worked_off(source, 5)
        assert len(handed) == len(set(handed))
        assert set(first) <= set(handed)
        source.give_back([])
        assert source.is_complete()

    def test_what_is_proposed_does_not_depend_on_the_order_in_which_rows_come(self) -> None:
        proposed = [sorted(self.worked_off(self.make(), 3, random.Random(seed))) for seed in range(5)]
        assert all(one == proposed[0] for one in proposed)

    def test_a_chunk_ends_within_its_points(self) -> None:
        source = self.make()
        points = source.next(12)
        for count in range(1, len(points) + 1):
            assert 1 <= source.end_of_group(points, count) <= count

    def test_the_total_is_what_is_handed_out(self) -> None:
        source = self.make({2, 3})
        total = source.total
        assert len(self.worked_off(source, 6)) == total
        assert source.total == total

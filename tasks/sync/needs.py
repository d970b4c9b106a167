"""Which feeds does a sweep ask for? Its controller is asked, as a child asks it before a run.

Not every point is: the first and last, every value of every axis alone, all combinations of the axes that change the
feeds (pairs x intervals), and the point that has of every axis the value that wants the most history alone.
"""

from __future__ import annotations

from itertools import islice, product
from pathlib import Path

from tasks.candles.formats import interval_seconds
from tasks.errors import HummingsweepError
from tasks.grid import Grid
from tasks.messages import FeedNeed, SweepDefinition
from tasks.sync.orders import FeedOrder

#: Points that are asked at most.
_MOST = 2000


async def feeds_of(sweep: SweepDefinition, controllers: Path) -> list[FeedOrder]:
    """The feeds with the candles before the period that indicators (or the shift) want. Raises ControllerError."""
    from tasks.upstream.build import controller_config, feed_needs

    grid = Grid.from_mapping(sweep.grid)
    asked: dict[int, list[FeedNeed]] = {}

    def ask(point: int) -> frozenset[str]:
        """The feeds of a point, by name; none when its config is refused: that point will be a row that says so."""
        if point not in asked:
            try:
                config = controller_config({**sweep.controller, **grid.values(point)}, controllers, config_id="sync")
                asked[point] = feed_needs(config, sweep.resolution, sweep.shift)
            except HummingsweepError:
                if point == 0:
                    raise
                asked[point] = []
        return frozenset(need.key for need in asked[point])

    def alone(place: int, digit: int) -> int:
        return grid.point([digit if other == place else 0 for other in range(len(grid.axes))])

    base = ask(0)
    steering = []
    for place, axis in enumerate(grid.axes):
        # every value is asked, also after one that changes the feeds: another may want more history
        answers = [ask(alone(place, digit)) for digit in range(min(len(axis), _MOST))]
        if any(answer not in (frozenset(), base) for answer in answers):
            steering.append(place)
    for digits in islice(product(*(range(len(grid.axes[place])) for place in steering)), _MOST):
        chosen = dict(zip(steering, digits, strict=True))
        ask(grid.point([chosen.get(place, 0) for place in range(len(grid.axes))]))
    ask(grid.size - 1)

    def history(point: int) -> int:
        return sum(need.max_records for need in asked.get(point, ()))

    deep = [
        max(range(min(len(axis), _MOST)), key=lambda digit, at=place: history(alone(at, digit)))  # type: ignore[misc]
        for place, axis in enumerate(grid.axes)
    ]
    ask(grid.point(deep))

    deepest: dict[str, FeedNeed] = {}
    for need in (need for needs in asked.values() for need in needs):
        if need.key not in deepest or deepest[need.key].max_records < need.max_records:
            deepest[need.key] = need
    return [_order(need, sweep) for need in deepest.values()]


def _order(need: FeedNeed, sweep: SweepDefinition) -> FeedOrder:
    lead = need.max_records if sweep.warmup else max(1, sweep.shift)
    start = max(0, sweep.start - lead * interval_seconds(need.interval))
    return FeedOrder(need.connector, need.trading_pair, need.interval, start, sweep.end)

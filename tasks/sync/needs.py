"""Which feeds does a sweep ask for? Its controller is asked, as a child asks it before a run.

Of which points, tasks.feeds says.
"""

from __future__ import annotations

from pathlib import Path

from tasks import feeds
from tasks.errors import HummingsweepError
from tasks.grid import Grid
from tasks.intervals import interval_seconds
from tasks.protocol.messages import FeedNeed, SweepDefinition
from tasks.sync.orders import FeedOrder


async def feeds_of(sweep: SweepDefinition, controllers: Path) -> list[FeedOrder]:
    """The feeds with the candles before the period that indicators (or the shift) want.

    Raises ControllerError when every config that is asked is refused; one that is will be a row that says so.
    """
    from tasks.upstream.backtest.build import controller_config, feed_needs

    grid = Grid.from_mapping(sweep.grid)
    refused: list[HummingsweepError] = []

    def needs(point: int) -> list[FeedNeed]:
        try:
            config = controller_config({**sweep.controller, **grid.values(point)}, controllers, config_id="sync")
            return feed_needs(config, sweep.resolution, sweep.shift)
        except HummingsweepError as error:
            refused.append(error)
            return []

    asking = feeds.asking(grid, sweep.seed)
    try:
        points = next(asking)
        while True:
            points = asking.send({point: needs(point) for point in points})
    except StopIteration as end:
        answers: feeds.Answers = end.value
    if not any(answers.values()):
        raise refused[0]
    return [_order(need, sweep) for need in feeds.deepest(answers)]


def _order(need: FeedNeed, sweep: SweepDefinition) -> FeedOrder:
    lead = need.max_records if sweep.warmup else max(1, sweep.shift)
    start = max(0, sweep.start - lead * interval_seconds(need.interval))
    return FeedOrder(need.connector, need.trading_pair, need.interval, start, sweep.end)

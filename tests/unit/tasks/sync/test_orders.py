"""What passes between the orchestrator and the download comes back as it went."""

from __future__ import annotations

import pytest

from tasks.errors import HummingsweepError
from tasks.sync.orders import Event, FeedAnswer, FeedOrder, Kind, Order, RulesAnswer, RulesOrder, Status


def test_an_order_and_back():
    order = Order(
        "data",
        (FeedOrder("binance", "BTC-USDT", "1m", 1, None), FeedOrder("kucoin", "A-B", "1h", 1, 2)),
        (RulesOrder("binance", "data/trading_rules", ("BTC-USDT",)), RulesOrder("kucoin", "x")),
        sweep='{"a": "b/c"}',
        controllers="c",
        encoding="parquet",
        base_url="http://127.0.0.1:1",
        again=True,
    )
    assert "\n" not in order.encode()
    assert Order.decode(order.encode()) == order


def test_an_event_and_back():
    event = Event(
        Kind.DONE,
        feeds=[FeedAnswer("binance", "BTC-USDT", "1m", Status.FAILED, "p", 3, 60, 180, 2, [[60, 1]], ["w"], "e", True)],
        rules=[RulesAnswer("binance", Status.DOWNLOADED, "p", ["BTC-USDT"])],
        requests=7,
        interrupted=True,
    )
    assert "\n" not in event.encode()
    assert Event.decode(event.encode()) == event
    assert isinstance(Event.decode(event.encode()).feeds[0].status, Status)


@pytest.mark.parametrize("line", ["", "[]", "{}", '{"feeds": [{}], "rules": []}', "nonsense"])
def test_anything_else_is_refused(line):
    with pytest.raises(HummingsweepError):
        Order.decode(line)
    with pytest.raises(HummingsweepError):
        Event.decode(line)

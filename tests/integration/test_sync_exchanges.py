"""Downloads from exchanges that are not Binance, through Hummingbot's own feeds; exchanges.py says what each speaks."""

from __future__ import annotations

import json
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest

from tasks.sync.orders import FeedOrder, Status
from tests.integration.exchange import Answer, candle
from tests.integration.exchanges import Exchanges
from tests.integration.test_sync import START, Downloads

CONNECTORS = (
    "bybit", "bybit_perpetual", "okx", "okx_perpetual", "kucoin", "gate_io", "kraken", "hyperliquid_perpetual",
)  # fmt: skip
TOO_MANY = Answer(body=b'{"retCode": 10006, "retMsg": "Too many visits!", "result": {}}')


@pytest.fixture(scope="module")
def process():
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        pool.submit(int).result()  # started here, it belongs to all tests of the module
        yield pool


@pytest.fixture
def exchange():
    with Exchanges() as exchange:
        yield exchange


@pytest.fixture
def downloads(process, exchange, tmp_path):
    return Downloads(process, exchange, tmp_path)


def lately(connector, minutes=600, pair="BTC-USDT"):
    """The last minutes: Kraken and Gate.io reach back no further."""
    now = int(time.time()) // 60 * 60
    return FeedOrder(connector, pair, "1m", now - minutes * 60, now - 120)


@pytest.mark.parametrize("connector", CONNECTORS)
def test_every_candle_once_and_the_next_time_nothing(downloads, exchange, connector):
    feed = lately(connector)
    answer = downloads.one(feed)
    assert answer.status is Status.DOWNLOADED, answer.error
    rows = np.loadtxt(answer.path, delimiter=",", skiprows=1)
    assert rows[:, 0].tolist() == list(range(feed.start, feed.end + 60, 60))
    assert rows[:, 1:6].tolist() == [list(candle("BTCUSDT", "1m", int(at))[:5]) for at in rows[:, 0]]
    exchange.forget()
    assert downloads.one(feed).status is Status.COMPLETE
    assert exchange.requests == []


@pytest.mark.parametrize(
    ("connector", "words"),
    [
        ("bybit", "10001: Not supported symbols"),
        ("okx", "51001: Instrument ID does not exist"),
        ("kraken", "EQuery:Unknown asset pair"),
        ("gate_io", "Invalid currency pair"),
    ],
)
def test_what_an_exchange_says_of_an_unknown_pair_is_told(downloads, connector, words):
    answer = downloads.one(lately(connector, pair="NOPE-USDT"))
    assert answer.status is Status.FAILED
    assert words in answer.error
    assert answer.bad_input


def test_too_many_requests_inside_an_answer_of_200(downloads, exchange):
    """Bybit's: taken for an answer without candles it would leave a hole that is never asked for again."""
    feed = FeedOrder("bybit", "BTC-USDT", "1m", START, START + 6000 * 60)
    middle = range(START + 1000 * 60, START + 5000 * 60)
    exchange.fault = lambda request: TOO_MANY if request.start in middle else None
    answer = downloads.one(feed, retry_policy={"attempts": 3})
    assert answer.status is Status.FAILED
    assert "Too many visits!" in answer.error
    exchange.fault = lambda request: TOO_MANY if request.start in middle and not request.again else None
    exchange.requests.clear()
    answer = downloads.one(feed)
    assert (answer.status, answer.rows, answer.gaps) == (Status.DOWNLOADED, 6001, [])


@pytest.mark.parametrize(("connector", "words"), [("gate_io", "10000 candles ago"), ("kraken", "720 candles ago")])
def test_further_back_than_a_feed_reaches_is_said_at_once(downloads, exchange, connector, words):
    answer = downloads.one(FeedOrder(connector, "BTC-USDT", "1m", START, START + 3600))
    assert words in answer.error
    assert "ask for a later start" in answer.error
    assert answer.bad_input
    assert exchange.requests == []


def test_a_busy_exchange_is_asked_again(downloads, exchange):
    exchange.fail_once(Answer(body=json.dumps({"code": "50013", "msg": "Systems are busy", "data": []}).encode()), 3)
    assert downloads.one(lately("okx")).status is Status.DOWNLOADED

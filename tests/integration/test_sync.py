"""Downloads through Hummingbot's own feeds, from an exchange on loopback that misbehaves to order.

Hummingbot is imported once, in a process that carries out one order after the other; the commands at the end are
processes of their own.
"""

from __future__ import annotations

import json
import multiprocessing
import signal
import subprocess
import threading
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from tasks.candles.check import examine
from tasks.candles.formats import COLUMNS, candle_file, find
from tasks.candles.resample import slice_for
from tasks.protocol.messages import FeedNeed
from tasks.sync.orders import Event, FeedOrder, Kind, Order, RulesOrder, Status
from tests.integration.conftest import eventually, started_command
from tests.integration.exchange import Answer, Exchange, candle

#: 2024-01-01 00:00 UTC
START = 1_704_067_200
MINUTE, DAY = 60, 86_400


def carry(line, retry_policy, limits=None):
    """In the other process: an order to its end, every event as its line."""
    import asyncio

    from hummingbot.core.api_throttler.data_types import RateLimit
    from hummingbot.data_feed.candles_feed.binance_perpetual_candles import constants

    from tasks.errors import HummingsweepError
    from tasks.sync.retry import RetryPolicy
    from tasks.sync.work import carry_out

    lines, before = [], constants.RATE_LIMITS
    if limits:
        constants.RATE_LIMITS = [RateLimit(constants.CANDLES_ENDPOINT, limit=limits[0], time_interval=limits[1])]
    try:
        done = asyncio.run(
            carry_out(Order.decode(line), lambda event: lines.append(event.encode()), RetryPolicy(**retry_policy))
        )
        lines.append(done.encode())
    except HummingsweepError as error:
        lines.append(Event(Kind.WRONG, text=str(error)).encode())
    finally:
        constants.RATE_LIMITS = before
    return lines


def plain_rules(path, connector):
    """In the other process: a rules file as the TradingRules a sweep makes of it, as text."""
    from tasks.upstream.backtest.rules import trading_rules

    return {
        pair: repr(rule)
        for pair, rule in trading_rules({connector: json.loads(Path(path).read_text())})[connector].items()
    }


def elsewhere(*arguments):
    """In the other process."""
    from tasks.upstream.live.exchange import elsewhere as sut

    return sut(*arguments)


@pytest.fixture(scope="module")
def process():
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        pool.submit(int).result()  # started here, it belongs to all tests of the module
        yield pool


@pytest.fixture
def exchange():
    with Exchange() as exchange:
        yield exchange


@dataclass
class Downloads:
    """Orders to one exchange, into one folder."""

    process: object
    exchange: Exchange
    folder: object
    said: list = field(default_factory=list)

    def order(self, *feeds, rules=(), **how):
        return Order(str(self.folder), feeds, tuple(rules), base_url=self.exchange.url, **how)

    def run(self, *feeds, rules=(), limits=None, retry_policy=None, **how):
        """The last event; what was said on the way is in `said`."""
        retry_policy = {"first_wait_s": 0.02, "answer_s": 5.0, **(retry_policy or {})}
        future = self.process.submit(carry, self.order(*feeds, rules=rules, **how).encode(), retry_policy, limits)
        events = [Event.decode(line) for line in future.result()]
        self.said = [event.text for event in events if event.kind is Kind.SAY]
        return events[-1]

    def one(self, feed, **how):
        """The answer of one feed."""
        (answer,) = self.run(feed, **how).feeds
        return answer


@pytest.fixture
def downloads(process, exchange, tmp_path):
    return Downloads(process, exchange, tmp_path)


def perpetual(minutes=4000, *, start=START, pair="BTC-USDT"):
    return FeedOrder("binance_perpetual", pair, "1m", start, start + minutes * MINUTE)


def spot(minutes=4000, *, start=START, pair="BTC-USDT"):
    return FeedOrder("binance", pair, "1m", start, start + minutes * MINUTE)


MARKETS = pytest.mark.parametrize("feed", [perpetual, spot])


def expected(symbol, times, interval="1m"):
    """The candles that open at these times (s), as rows of COLUMNS."""
    return np.array([(time, *candle(symbol, interval, int(time))) for time in times])


def minutes(*bounds):
    """Open times of the minutes of range(*bounds)."""
    return [START + minute * MINUTE for minute in range(*bounds)]


def stored(answer):
    return np.loadtxt(answer.path, delimiter=",", skiprows=1, ndmin=2)


def is_whole(answer, count=4001):
    """Does the file hold exactly the candles of the exchange?"""
    return np.array_equal(stored(answer), expected("BTCUSDT", minutes(count)))


@MARKETS
def test_a_feed_is_downloaded_and_the_next_time_nothing_is_asked_for(downloads, exchange, feed):
    answer = downloads.one(feed())
    assert answer.status is Status.DOWNLOADED, answer.error
    assert is_whole(answer)
    assert Path(answer.path).read_text().partition("\n")[0] == ",".join(COLUMNS)
    assert examine(candle_file(downloads.folder / answer.path)).sound
    exchange.forget()
    answer = downloads.one(feed())
    assert (answer.status, answer.rows) == (Status.COMPLETE, 4001)
    assert exchange.requests == exchange.others == []


@MARKETS
def test_only_what_is_missing_is_asked_for(downloads, exchange, feed):
    downloads.one(feed(1000, start=START + 2000 * MINUTE))
    file = downloads.folder / f"candles_{feed().connector}_BTC-USDT_1m.csv"
    lines = file.read_text().splitlines()
    del lines[501:511]  # a hole: minutes 2500 to 2509
    file.write_text("\n".join(lines) + "\n")
    exchange.forget()
    answer = downloads.one(feed())
    assert is_whole(answer)
    assert answer.downloaded == 3010
    ends = {(request.end - START) // MINUTE for request in exchange.requests}
    # each window ends one candle after what is missing: none ends inside of what was there but at its holes
    assert {end for end in ends if 2002 < end <= 3002} == {2510}


@MARKETS
def test_busy_down_and_cut_off(downloads, exchange, feed):
    answers = [
        Answer(503, b"busy"),
        Answer(500, b"<html>oops</html>"),
        Answer(cut=300),
        Answer(cut=0),
        Answer(body=b'[[1704067200000, "1.0", "1'),
        Answer(429, b'{"code":-1003,"msg":"Too many requests"}', {"Retry-After": "0"}),
    ]
    lock = threading.Lock()

    def fault(request):
        with lock:
            return answers.pop() if answers else None

    exchange.fault = fault
    answer = downloads.one(feed(6000))
    assert answer.status is Status.DOWNLOADED, answer.error
    assert answers == []
    assert is_whole(answer, 6001)
    assert downloads.said


def test_retry_after_stops_all_requests_to_this_exchange(downloads, exchange):
    sent = []

    def fault(request):
        sent.append(time.monotonic())
        if len(sent) == 1:
            return Answer(429, b"", {"Retry-After": "2"})
        return None

    exchange.fault = fault
    event = downloads.run(perpetual(1000), perpetual(9000, pair="ETH-USDT"))
    assert {answer.status for answer in event.feeds} == {Status.DOWNLOADED}
    # requests that were under way together with the first one may still arrive, the rest waits
    assert all(moment - sent[0] >= 2 for moment in sent[9:])
    assert sum(moment - sent[0] < 2 for moment in sent) <= 8
    assert "HTTP 429" in downloads.said[0]


def test_an_exchange_that_asks_for_a_long_wait_is_left_alone(downloads, exchange):
    exchange.fault = lambda request: Answer(418, b'{"msg":"banned"}', {"Retry-After": "7200"})
    answer = downloads.one(perpetual(100))
    assert answer.status is Status.FAILED
    assert answer.error.startswith("binance_perpetual asks to wait 7200 s: HTTP 418")
    assert len(exchange.requests) == 1
    assert not answer.bad_input


def test_giving_up_is_one_line_and_the_next_command_goes_on(downloads, exchange):
    exchange.fault = lambda request: Answer(502, b"") if request.end > START + 3100 * MINUTE else None
    answer = downloads.one(perpetual(), retry_policy={"attempts": 3})
    assert answer.status is Status.FAILED
    assert "HTTP 502 (tried 3 times)" in answer.error
    assert f"candles are kept in {downloads.folder}/candles_binance_perpetual_BTC-USDT_1m.csv.part" in answer.error
    assert "\n" not in answer.error
    assert not answer.bad_input
    assert answer.downloaded == 2994
    exchange.fault = lambda request: None
    exchange.forget()
    answer = downloads.one(perpetual())
    assert is_whole(answer)
    assert len(exchange.requests) == 1
    assert [file.name for file in downloads.folder.iterdir()] == ["candles_binance_perpetual_BTC-USDT_1m.csv"]


def test_nobody_listens(downloads, exchange):
    with Exchange() as gone:
        pass
    downloads.exchange = gone
    answer = downloads.one(perpetual(100), retry_policy={"attempts": 2})
    assert answer.status is Status.FAILED
    assert "127.0.0.1" in answer.error
    assert "(tried 2 times)" in answer.error


def test_an_answer_that_does_not_come(downloads, exchange):
    release = threading.Event()

    def fault(request):
        if not request.again:
            release.wait(20)

    exchange.fault = fault
    try:
        answer = downloads.one(perpetual(100), retry_policy={"answer_s": 0.3})
    finally:
        release.set()
    assert answer.status is Status.DOWNLOADED, answer.error
    assert is_whole(answer, 101)


@MARKETS
def test_pages_that_overlap_and_pages_that_are_missing(downloads, exchange, feed):
    faults = [lambda rows: [], lambda rows: rows[: len(rows) // 2]]

    def fault(request):
        if len(exchange.requests) in (2, 3) and faults:
            return Answer(rows=faults.pop())
        # candles from before and some twice, in no order
        more = exchange.candles(request.symbol, "1m", START + 300 * MINUTE, START + 900 * MINUTE)
        return Answer(rows=lambda rows: (rows + more + rows[10:30])[::-1])

    exchange.fault = fault
    answer = downloads.one(feed())
    assert answer.status is Status.DOWNLOADED, answer.error
    assert is_whole(answer)
    assert answer.gaps == []


@MARKETS
def test_a_gap_at_the_exchange_is_told_and_no_failure(downloads, exchange, feed):
    exchange.lacking = set(minutes(1000, 1030)) | set(minutes(2222, 2223))
    answer = downloads.one(feed())
    assert answer.status is Status.DOWNLOADED
    assert answer.gaps == [[START + 999 * MINUTE, 30], [START + 2221 * MINUTE, 1]]
    assert answer.rows == 4001 - 31
    exchange.forget()
    assert downloads.one(feed()).gaps == answer.gaps
    assert exchange.requests == []
    exchange.lacking = set()
    assert is_whole(downloads.one(feed(), again=True))


@pytest.mark.parametrize("ahead_s", [0.0, -5000.0])
@MARKETS
def test_the_candle_that_is_still_running_is_not_stored(downloads, exchange, feed, ahead_s):
    """By the exchange's clock, also where this machine's clock is ahead of it."""
    exchange.ahead_s = ahead_s
    now = exchange.now
    start = int(now) // MINUTE * MINUTE - 200 * MINUTE
    answer = downloads.one(FeedOrder(feed().connector, "BTC-USDT", "1m", start))
    assert answer.status is Status.DOWNLOADED, answer.error
    running = int(now) // MINUTE * MINUTE
    # the exchange sent it: its klines end with the running candle
    assert exchange.candles("BTCUSDT", "1m", running, running + 1)
    assert answer.last + MINUTE <= exchange.now
    assert answer.last >= running - 2 * MINUTE
    assert np.array_equal(stored(answer), expected("BTCUSDT", range(start, answer.last + 1, MINUTE)))


def test_rate_limits_are_kept_by_all_feeds_of_an_exchange_together(downloads, exchange):
    moments = []
    exchange.fault = lambda request: moments.append(time.monotonic())
    feeds = [perpetual(8000, pair=pair) for pair in ("BTC-USDT", "ETH-USDT", "DOGE-USDT")]
    event = downloads.run(*feeds, limits=(6, 2))
    assert {answer.status for answer in event.feeds} == {Status.DOWNLOADED}
    assert len(moments) == 18
    busiest = max(sum(begin <= other < begin + 1.9 for other in moments) for begin in moments)
    assert busiest <= 6


def test_several_feeds_and_intervals_at_once(downloads, exchange):
    event = downloads.run(
        perpetual(),
        spot(pair="ETH-USDT"),
        FeedOrder("binance_perpetual", "ETH-USDT", "1h", START, START + 30 * DAY),
        FeedOrder("binance", "DOGE-USDT", "1d", START, START + 30 * DAY),
    )
    assert [answer.rows for answer in event.feeds] == [4001, 4001, 721, 31]
    assert np.array_equal(stored(event.feeds[3]), expected("DOGEUSDT", range(START, START + 31 * DAY, DAY), "1d"))
    assert event.requests == len(exchange.requests)


@pytest.mark.parametrize("connector", ["binance_perpetual", "binance"])
def test_an_unknown_pair_names_the_nearest(downloads, connector):
    feeds = [FeedOrder(connector, pair, "1m", START, START + 100 * MINUTE) for pair in ("BTC-USDX", "ETH-USDT")]
    unknown, other = downloads.run(*feeds).feeds
    assert unknown.status is Status.FAILED
    assert unknown.error.startswith(f"{connector} has no pair BTC-USDX; the nearest are BTC-USDT")
    assert unknown.bad_input
    assert other.status is Status.DOWNLOADED


def test_unknown_connector_and_interval_name_the_nearest(downloads, exchange):
    event = downloads.run(FeedOrder("binance_perpetul", "BTC-USDT", "1m", START))
    assert event.kind is Kind.WRONG
    assert "the nearest is binance_perpetual" in event.text
    event = downloads.run(perpetual(), FeedOrder("kucoin_perpetual", "BTC-USDT", "3m", START))
    assert event.kind is Kind.WRONG
    assert "'3m': kucoin_perpetual has no candles of this interval; the nearest is 5m" in event.text
    # nothing is begun when something in the order cannot be
    assert exchange.requests == []


@pytest.mark.parametrize("connector", ["binance_perpetual", "binance"])
def test_trading_rules(downloads, exchange, process, connector):
    folder = downloads.folder / "trading_rules"
    exchange.info_failures = 2
    (answer,) = downloads.run(rules=[RulesOrder(connector, str(folder), ("ETH-USDT",))]).rules
    assert answer.status is Status.DOWNLOADED, answer.error
    rules = {
        "min_order_size": "0.001",
        "min_price_increment": "0.1",
        "min_base_amount_increment": "0.001",
        "min_notional_size": "5",
    }
    path = folder / f"{connector}.json"
    assert json.loads(path.read_text()) == {"ETH-USDT": rules}
    (answer,) = downloads.run(rules=[RulesOrder(connector, str(folder))]).rules
    assert sorted(json.loads(path.read_text())) == answer.pairs == ["BTC-USDT", "DOGE-USDT", "ETH-USDT"]
    # a sweep reads them as they were
    assert "min_price_increment=0.1," in process.submit(plain_rules, str(path), connector).result()["BTC-USDT"]


def test_trading_rules_that_cannot_be_had(downloads, exchange):
    folder = str(downloads.folder)
    orders = [RulesOrder("binance_perpetual", folder, ("BTC-USDX",)), RulesOrder("binanze", folder)]
    unknown, nowhere = downloads.run(rules=orders).rules
    assert "has no pair BTC-USDX; the nearest are BTC-USDT" in unknown.error
    assert nowhere.error == "'binanze': Hummingbot has no such connector; the nearest is binance"
    assert unknown.bad_input
    assert nowhere.bad_input
    exchange.info_failures = 99
    (down,) = downloads.run(rules=[RulesOrder("binance", folder)], retry_policy={"attempts": 3}).rules
    assert "HTTP 503" in down.error
    assert not down.bad_input
    assert list(downloads.folder.iterdir()) == []


def test_a_mirror_below_a_path(process):
    calls = [
        ("https://fapi.binance.com/fapi/v1/klines?a=1", ""),
        ("https://fapi.binance.com/fapi/v1/klines?a=1", "http://127.0.0.1:8/mirror/"),
    ]
    assert [process.submit(elsewhere, *call).result() for call in calls] == [
        "https://fapi.binance.com/fapi/v1/klines?a=1",
        "http://127.0.0.1:8/mirror/fapi/v1/klines?a=1",
    ]


# From here on the command itself.


@dataclass
class Command:
    """`hummingsweep sync` as a user types it."""

    folder: object
    environment: dict
    url: str

    def start(self, *arguments):
        return started_command(
            ["sync", *map(str, arguments)],
            cwd=self.folder,
            env={**self.environment, "HUMMINGSWEEP_SYNC_BASE_URL": self.url},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments):
        """(exit code, standard output, standard error)."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err


@pytest.fixture
def command(exchange, tmp_path, bare_environment):
    return Command(tmp_path, bare_environment, exchange.url)


OPTIONS = ("--connector", "binance_perpetual", "--start", "2024-01-01", "--end", "2024-01-08")


def held_back(exchange, after):
    """From this request on the exchange does not answer until the event is set."""
    reached, release, seen = threading.Event(), threading.Event(), Counter()

    def fault(request):
        seen["requests"] += 1
        if seen["requests"] > after:
            reached.set()
            release.wait(60)

    exchange.fault = fault
    return reached, release


def test_the_command_from_an_empty_folder(command, exchange):
    code, out, err = command.run(*OPTIONS, "--pair", "BTC-USDT", "--pair", "ETH-USDT", "--rules", "--json")
    assert code == 0, err
    document = json.loads(out)
    assert [feed["rows"] for feed in document["feeds"]] == [10_081, 10_081]
    assert document["feeds"][0]["path"] == "data/candles/candles_binance_perpetual_BTC-USDT_1m.csv"
    assert document["feeds"][0]["from"] == "2024-01-01T00:00:00Z"
    assert document["rules"][0]["pairs"] == ["BTC-USDT", "ETH-USDT"]
    assert (command.folder / "data/candles/trading_rules/binance_perpetual.json").is_file()
    exchange.forget()
    code, out, err = command.run(*OPTIONS, "--pair", "BTC-USDT", "--pair", "ETH-USDX")
    assert code == 2
    assert "BTC-USDT 1m: 10081 candles" in out
    complaint = [line for line in err.splitlines() if line.startswith("hummingsweep:")]
    assert len(complaint) == 1
    assert "has no pair ETH-USDX; the nearest are ETH-USDT" in complaint[0]
    assert "Traceback" not in err
    assert {request.symbol for request in exchange.requests} == {"ETHUSDX"}


@pytest.mark.parametrize("how", ["interrupt", "kill the download", "kill the command"])
def test_whatever_ends_it_the_next_command_asks_for_the_rest_only(command, exchange, how):
    reached, release = held_back(exchange, after=3)
    process = command.start(*OPTIONS, "--pair", "BTC-USDT")
    try:
        assert reached.wait(60)
        part = command.folder / "data/candles/candles_binance_perpetual_BTC-USDT_1m.csv.part"
        eventually(lambda: part.exists() and part.stat().st_size >= 3 * 1497 * 80, 30, "three pages on the disk")
        child = int(subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True).stdout)
        if how == "interrupt":
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=60)
            assert process.returncode == 130
            assert "4491 candles are kept, the same command goes on from there" in out
        elif how == "kill the download":
            subprocess.run(["kill", "-9", str(child)], check=True)
            _, err = process.communicate(timeout=60)
            assert process.returncode != 0
            assert "the download process ended" in err
            assert "Traceback" not in err
        else:
            process.kill()
            process.wait()
            deadline = time.monotonic() + 60
            while is_alive(child) and time.monotonic() < deadline:
                time.sleep(0.05)
            assert not is_alive(child)
    finally:
        release.set()
        process.kill()
        process.wait()
    assert not (command.folder / "data/candles/candles_binance_perpetual_BTC-USDT_1m.csv").exists()
    exchange.fault = lambda request: None
    exchange.forget()
    code, out, err = command.run(*OPTIONS, "--pair", "BTC-USDT")
    assert code == 0, err
    assert "10081 candles" in out
    assert len(exchange.requests) == 4  # of seven pages three were there


def is_alive(pid):
    """Does this process still run? (One that has ended and waits to be looked at does not.)"""
    found = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return found.returncode == 0 and not found.stdout.strip().startswith("Z")


def test_a_sweep_file_gets_all_it_needs(command, exchange, place):
    place.sweep["grid"]["trading_pair"] = ["BTC-USDT", "ETH-USDT"]
    place.sweep["candles"] = "downloaded"
    command.folder = place.folder
    code, out, err = command.run(place.file, "--json")
    assert code == 0, err
    document = json.loads(out)
    feeds = {(feed["pair"], feed["interval"]): feed for feed in document["feeds"]}
    assert set(feeds) == {(pair, interval) for pair in ("BTC-USDT", "ETH-USDT") for interval in ("1m", "3m")}
    for feed in feeds.values():
        seconds = {"1m": 60, "3m": 180}[feed["interval"]]
        # the period, with candles before it for the indicators
        assert feed["first"] < place.sweep["period"]["start"]
        assert feed["last"] + seconds >= place.sweep["period"]["end"]
        assert feed["path"].startswith(str(place.folder / "downloaded"))
        # and nothing a run would refuse
        need = FeedNeed(feed["connector"], feed["pair"], feed["interval"], 0)
        cut = slice_for(need, find(place.folder / "downloaded"), *place.sweep["period"].values(), gaps="error")
        assert cut.interval == feed["interval"]
    assert document["rules"][0]["pairs"] == ["BTC-USDT", "ETH-USDT"]
    exchange.forget()
    code, out, err = command.run(place.file)
    assert code == 0, err
    assert exchange.requests == exchange.others == []

"""What a command line or a sweep file asks the download for, and how its answer is told. Nothing is started here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.commands._shared import Exit
from orchestrator.commands.sync import complaints, exit_code
from orchestrator.data import sync
from orchestrator.progress.sync_watcher import PlainLines, progress_line
from orchestrator.sweepfile.sweep import Sweep
from tasks.errors import HummingsweepError
from tasks.protocol.messages import SweepDefinition
from tasks.sync.orders import Event, FeedAnswer, FeedOrder, Kind, RulesAnswer, RulesOrder, Status

START = 1_704_067_200


def asked(
    connector="binance",
    pairs=("BTC-USDT",),
    intervals=("1m",),
    start="2024-01-01",
    end="2024-01-02",
    rules=False,
    **how,
):
    wanted = sync.Request(connector, pairs, intervals, start, end, rules)
    return sync.order_for(wanted, Path("data"), sync.DownloadOptions(**how))


def test_candles():
    order = asked(pairs=("BTC-USDT", "ETH-USDT"), intervals=("1m", "1h"), encoding="parquet", again=True)
    assert order.feeds == tuple(
        FeedOrder("binance", pair, interval, START, START + 86_400)
        for pair in ("BTC-USDT", "ETH-USDT")
        for interval in ("1m", "1h")
    )
    assert (order.to, order.rules, order.encoding, order.again) == ("data", (), "parquet", True)


def test_without_an_end_up_to_now():
    assert asked(end=None).feeds[0].end is None


def test_trading_rules_alone_and_beside_candles():
    alone = asked(start=None, end=None, rules=True)
    assert alone.feeds == ()
    assert alone.rules == (RulesOrder("binance", "data/trading_rules", ("BTC-USDT",)),)
    assert asked(start=None, end=None, pairs=(), rules=True).rules[0].pairs == ()
    both = asked(rules=True)
    assert len(both.feeds) == len(both.rules) == 1


@pytest.mark.parametrize(
    "changes, sentence",
    [
        ({"connector": ""}, "give a sweep file, or --connector"),
        ({"pairs": ()}, "--pair is missing"),
        ({"pairs": ("BTCUSDT",)}, "--pair BTCUSDT: a trading pair is written BASE-QUOTE"),
        ({"pairs": ("../x-USDT",)}, "a trading pair is written BASE-QUOTE"),
        ({"intervals": ("60s",)}, "--interval 60s: no interval of Hummingbot; write 1m,"),
        ({"intervals": ("2m",)}, "--interval 2m: no interval of Hummingbot; the nearest is"),
        ({"start": None}, "--start is missing"),
        ({"start": "yesterday"}, "--start: 'yesterday' is not a valid time"),
        ({"start": "1704067200000"}, "--start: .* looks like milliseconds"),
        ({"end": "2023-01-01"}, "--end 2023-01-01 is before --start 2024-01-01"),
        ({"start": "2999-01-01", "end": None}, "--start 2999-01-01 is in the future"),
        ({"encoding": "xlsx"}, "--format xlsx: write csv or parquet"),
        ({"base_url": "localhost:80"}, "--base-url localhost:80: write an address"),
    ],
)
def test_bad_options_are_one_sentence(changes, sentence):
    with pytest.raises(HummingsweepError, match=sentence):
        asked(**changes)


def sweep_in(folder: Path, **keys):
    return Sweep.from_mapping(
        {
            "controller": {
                "controller_type": "directional_trading",
                "controller_name": "any",
                "connector_name": "binance_perpetual",
            },
            "grid": {"trading_pair": ["BTC-USDT", "ETH-USDT"], "x": [1, 2]},
            "period": {"start": START, "end": START + 3600},
            "candles": "candles",
            **keys,
        },
        folder / "sweep.yml",
    )


def test_a_sweep_file_asks_for_its_feeds_and_for_the_rules_that_lack(tmp_path):
    rules = tmp_path / "candles" / "trading_rules"
    rules.mkdir(parents=True)
    (rules / "binance_perpetual.json").write_text(json.dumps({"BTC-USDT": {"min_order_size": "1"}}))
    order = sync.order_for_sweep(sweep_in(tmp_path), how=sync.DownloadOptions(base_url="http://127.0.0.1:1"))
    assert order.to == str(tmp_path / "candles")
    assert order.rules == (RulesOrder("binance_perpetual", str(rules), ("ETH-USDT",)),)
    assert order.controllers == str(tmp_path / "controllers")
    assert order.base_url == "http://127.0.0.1:1"
    definition = SweepDefinition.decode(order.sweep.encode())
    assert definition.grid == {"trading_pair": ["BTC-USDT", "ETH-USDT"], "x": [1, 2]}
    anew = sync.order_for_sweep(sweep_in(tmp_path), tmp_path / "else", rules=True)
    assert anew.rules[0].pairs == ("BTC-USDT", "ETH-USDT")
    assert anew.to == str(tmp_path / "else")


def test_a_sweep_that_holds_its_rules_needs_none(tmp_path):
    inline = {"binance_perpetual": {"BTC-USDT": {"min_order_size": "1"}, "ETH-USDT": {"min_order_size": "1"}}}
    assert sync.order_for_sweep(sweep_in(tmp_path, trading_rules=inline), rules=True).rules == ()


def answer(status=Status.DOWNLOADED, **fields):
    facts = {"path": "data/x.csv", "rows": 10, "first": START, "last": START + 540, "downloaded": 4}
    return FeedAnswer("binance", "BTC-USDT", "1m", status, **{**facts, **fields})


def test_how_a_feed_is_told():
    assert sync.lines_of(answer()) == [
        "binance BTC-USDT 1m: 10 candles from 2024-01-01T00:00:00Z to 2024-01-01T00:10:00Z, 4 new: data/x.csv"
    ]
    assert "nothing was missing" in sync.lines_of(answer(Status.COMPLETE, downloaded=0))[0]
    lines = sync.lines_of(answer(gaps=[[START + 60, 2], [START + 300, 1]], warnings=["odd"]))
    assert lines[1] == (
        "  3 candles are missing in 2 gaps, at the exchange, too; the first 2 after 2024-01-01T00:01:00Z"
    )
    assert lines[2] == "  odd"
    assert "4 candles are kept" in sync.lines_of(answer(Status.INTERRUPTED))[0]
    assert sync.summary(answer())["to"] == "2024-01-01T00:10:00Z"
    assert sync.summary(answer(first=None, last=None))["from"] is None


def test_how_rules_are_told():
    many = RulesAnswer("binance", Status.DOWNLOADED, "r.json", [f"C{n}-USDT" for n in range(7)])
    assert sync.rules_line(many) == (
        "binance trading rules of C0-USDT, C1-USDT, C2-USDT, C3-USDT, C4-USDT and 2 more: r.json"
    )


def test_exit_codes():
    def code(*answers, interrupted=False):
        return exit_code(Event(Kind.DONE, feeds=list(answers), interrupted=interrupted))

    down = answer(Status.FAILED, error="down")
    unknown = answer(Status.FAILED, error="no such pair", bad_input=True)
    assert code(answer(), answer(Status.COMPLETE)) is Exit.DONE
    assert code(answer(), down) is Exit.FAILED
    assert code(answer(), unknown) is Exit.BAD_INPUT
    assert code(unknown, down) is Exit.FAILED
    assert code(answer(Status.INTERRUPTED), interrupted=True) is Exit.INTERRUPTED
    rules = RulesAnswer("binance", Status.FAILED, error="down")
    event = Event(Kind.DONE, feeds=[down], rules=[rules])
    assert exit_code(Event(Kind.DONE, rules=[rules])) is Exit.FAILED
    assert complaints(event) == ["binance BTC-USDT 1m: down", "binance trading rules: down"]


def test_progress_of_all_feeds_on_one_line():
    assert progress_line({"a": (50, 100), "b": (0, 100)}, 10.0) == "50/200 candles of 2 feeds, 30 s left"
    assert progress_line({"a": (0, 100)}, 10.0) == "0/100 candles of 1 feeds"


def test_plain_lines_come_once_in_a_while(capsys, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("orchestrator.progress.sync_watcher.time.monotonic", lambda: now[0])
    lines = PlainLines()
    for done in range(12):
        lines.progress("a", done, 100)
        now[0] += 1
    assert capsys.readouterr().err.splitlines() == [
        "5/100 candles of 1 feeds, 1 min 35 s left",
        "10/100 candles of 1 feeds, 1 min 30 s left",
    ]

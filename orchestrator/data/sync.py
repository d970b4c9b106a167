"""Download candles and trading rules: what is asked for, and the process that does it.

    command line or sweep file -> Order -> `python -m tasks.sync` -> events -> progress bar, answer

The process imports hummingbot and has the network; this side has neither. It leaves when its standard input closes,
so that Ctrl-C, a kill and a crash of this side all end the same way: what was downloaded is kept.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from pydantic import TypeAdapter, ValidationError

from orchestrator.execution.controllers import controllers_folder, pack
from orchestrator.execution.precheck import markets
from orchestrator.progress.sync_watcher import Watcher
from orchestrator.sweepfile.keys import Moment
from orchestrator.sweepfile.rules import load
from orchestrator.sweepfile.sweep import Sweep
from orchestrator.sweepfile.values import no_interval
from tasks import launch
from tasks.errors import HummingsweepError, TradingRulesMissing
from tasks.intervals import INTERVALS, interval_seconds
from tasks.named_types import JsonObject
from tasks.protocol.blobs import unpack_controllers
from tasks.protocol.messages import Kind as SweepKind
from tasks.settings import Settings
from tasks.sync.orders import Event, FeedAnswer, FeedOrder, Kind, Order, RulesAnswer, RulesOrder, Status
from tasks.times import iso

#: Seconds the process may take to leave once it has been told to.
_LEAVE_S = 20.0
_ENCODINGS = ("", "csv", "parquet")


@dataclass(frozen=True)
class DownloadOptions:
    """How candles are downloaded: `encoding` "csv", "parquet" or "" (as the file that is there); `again`: ask again for
    candles that the exchange said it does not have; `base_url`: a mirror to ask in place of the exchange."""

    encoding: str = ""
    again: bool = False
    base_url: str = ""


@dataclass(frozen=True)
class Request:
    """What the options ask for, as they were written: candles when there is a start, trading rules with `rules`."""

    connector: str
    pairs: Sequence[str]
    intervals: Sequence[str]
    start: str | None = None
    end: str | None = None
    rules: bool = False


#: From the exchange, as the files that are there.
_PLAIN = DownloadOptions()


def order_for(wanted: Request, to: Path, how: DownloadOptions = _PLAIN) -> Order:
    """The order for what the options ask for, into the candle folder `to`. Raises HummingsweepError."""
    start, end, rules = wanted.start, wanted.end, wanted.rules
    if not wanted.connector:
        raise HummingsweepError(
            "give a sweep file, or --connector with --pair and --start (candles) or --rules (trading rules)"
        )
    for pair in wanted.pairs:
        if not re.fullmatch(r"[^-_|/\s]+-[^-_|/\s]+", pair):
            raise HummingsweepError(f"--pair {pair}: a trading pair is written BASE-QUOTE, such as BTC-USDT")
    for interval in wanted.intervals:
        if interval not in INTERVALS:
            raise HummingsweepError(f"--interval {interval}: {no_interval(interval)}")
    if start is None and not rules:
        raise HummingsweepError("--start is missing; give the first day, such as --start 2024-01-01, or --rules alone")
    if start is not None and not wanted.pairs:
        raise HummingsweepError("--pair is missing; give at least one, such as --pair BTC-USDT")
    feeds = []
    if start is not None:
        first, last = _moment("--start", start), None if end is None else _moment("--end", end)
        if last is not None and last < first:
            raise HummingsweepError(f"--end {end} is before --start {start}; swap or mend them")
        if first > time.time():
            raise HummingsweepError(f"--start {start} is in the future; there are no candles yet")
        feeds = [
            FeedOrder(wanted.connector, pair, interval, first, last)
            for pair in wanted.pairs
            for interval in wanted.intervals
        ]
    rules_orders = (RulesOrder(wanted.connector, str(to / "trading_rules"), tuple(wanted.pairs)),) if rules else ()
    return _checked(Order(str(to), tuple(feeds), rules_orders, **asdict(how)))


def order_for_sweep(
    sweep: Sweep, to: Path | None = None, *, rules: bool = False, how: DownloadOptions = _PLAIN
) -> Order:
    """What a sweep file needs: its feeds with their warm-up, and the trading rules that lack (`rules`: all anew).

    `to`: the candle folder; default: the sweep's. Raises HummingsweepError.
    """
    wanted = []
    if isinstance(sweep.trading_rules, Path):
        missing: dict[str, list[str]] = {}
        for connector, pair in sorted(markets(sweep)):
            if rules or not _has_rules(sweep.trading_rules, connector, pair):
                missing.setdefault(connector, []).append(pair)
        wanted = [RulesOrder(name, str(sweep.trading_rules), tuple(pairs)) for name, pairs in missing.items()]
    definition = sweep.definition(kind=SweepKind.PROBE).encode().decode()
    controllers = controllers_folder(sweep.controllers).resolve()
    if sweep.import_path:  # as a node has them: the modules of the import path beside the folder
        controllers = unpack_controllers(pack(sweep), Settings.read().cache_folder / "bundles")
    folder = str(to or sweep.candles)
    return _checked(Order(folder, (), tuple(wanted), sweep=definition, controllers=str(controllers), **asdict(how)))


def sync(order: Order, watcher: Watcher) -> Event:
    """Carry an order out in a process of its own; the event that says how everything ended.

    Ctrl-C ends it early: the event says `interrupted`. Raises HummingsweepError when nothing could be done at all.
    """
    with tempfile.TemporaryFile("w+") as complaints:
        process = subprocess.Popen(
            launch.command("tasks.sync.__main__"),
            env=launch.environment(os.environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
            start_new_session=True,  # a terminal's Ctrl-C reaches this side alone, which tells the other
        )
        assert process.stdin is not None and process.stdout is not None
        try:
            watcher.say("starting Hummingbot's candle feeds")
            process.stdin.write(order.encode() + "\n")
            process.stdin.flush()
            last = _follow(process.stdout, watcher)
        except KeyboardInterrupt:
            watcher.say("interrupted: keeping what was downloaded")
            process.stdin.close()
            last = _follow(process.stdout, watcher)
        except BrokenPipeError:
            last = None
        finally:
            _end(process)
        if last is None:
            raise HummingsweepError(
                f"the download process ended (exit code {process.returncode}): {_last_line(complaints)}; what was "
                "downloaded is kept, run the same command again"
            )
    if last.kind is Kind.WRONG:
        raise HummingsweepError(last.text)
    return last


def summary(answer: FeedAnswer) -> JsonObject:
    """A feed as --json answers it; times as seconds and as people read them."""
    closes = None if answer.last is None else answer.last + interval_seconds(answer.interval)
    return {
        **dataclasses.asdict(answer),
        "status": str(answer.status),
        "from": None if answer.first is None else iso(answer.first),
        "to": None if closes is None else iso(closes),
    }


def lines_of(answer: FeedAnswer) -> list[str]:
    """A feed that did not fail, as the command tells it."""
    name = f"{answer.connector} {answer.pair} {answer.interval}"
    if answer.status is Status.INTERRUPTED:
        kept = f"{answer.downloaded} candles are kept, the same command goes on from there"
        return [f"{name}: interrupted; {kept if answer.downloaded else 'nothing new yet'}"]
    new = f"{answer.downloaded} new" if answer.downloaded else "nothing was missing"
    facts = summary(answer)
    lines = [f"{name}: {answer.rows} candles from {facts['from']} to {facts['to']}, {new}: {answer.path}"]
    if answer.gaps:
        after, missing = answer.gaps[0]
        lines.append(
            f"  {sum(gap[1] for gap in answer.gaps)} candles are missing in {len(answer.gaps)} gaps, at the exchange, "
            f"too; the first {missing} after {iso(after)}"
        )
    return lines + [f"  {warning}" for warning in answer.warnings]


def rules_line(answer: RulesAnswer) -> str:
    """Rules that did not fail, as the command tells it."""
    if answer.status is Status.INTERRUPTED:
        return f"{answer.connector} trading rules: interrupted"
    pairs = ", ".join(answer.pairs[:5]) + (f" and {len(answer.pairs) - 5} more" if len(answer.pairs) > 5 else "")
    return f"{answer.connector} trading rules of {pairs}: {answer.path}"


def _follow(events: IO[str], watcher: Watcher) -> Event | None:
    """Tell the watcher what comes; the last event, None when the process ended without one."""
    for line in events:
        event = Event.decode(line)
        if event.kind is Kind.SAY:
            watcher.say(event.text)
        elif event.kind is Kind.PROGRESS:
            watcher.progress(event.feed, event.done, event.total)
        else:
            return event
    return None


def _end(process: subprocess.Popen[str]) -> None:
    """The process has left when this returns, by itself or not."""
    assert process.stdin is not None and process.stdout is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()
    try:
        process.wait(_LEAVE_S)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        process.kill()
        process.wait()
    process.stdout.close()


def _last_line(complaints: IO[str]) -> str:
    complaints.seek(0)
    lines = [line.strip() for line in complaints if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"


def _checked(order: Order) -> Order:
    """Raises HummingsweepError for what no order can have."""
    if order.encoding not in _ENCODINGS:
        raise HummingsweepError(f"--format {order.encoding}: write csv or parquet")
    if order.base_url and not re.match(r"https?://[^/\s]+", order.base_url):
        raise HummingsweepError(f"--base-url {order.base_url}: write an address such as http://127.0.0.1:8080")
    return order


def _moment(option: str, text: str) -> int:
    try:
        return int(TypeAdapter(Moment).validate_python(text))
    except ValidationError as error:
        detail = error.errors()[0]
        raise HummingsweepError(f"{option}: {detail.get('ctx', {}).get('error', detail['msg'])}") from None


def _has_rules(folder: Path, connector: str, pair: str) -> bool:
    try:
        load(folder, {(connector, pair)})
    except TradingRulesMissing:
        return False
    return True

"""sync: candles and trading rules out of the network, the only command that uses it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.commands._shared import Exit, Json, answer_json, say
from orchestrator.data import sync as syncs
from orchestrator.progress.sync_watcher import watcher_for
from orchestrator.sweepfile.sweep import read
from tasks.errors import HummingsweepError
from tasks.sync.orders import Event, Status

_Sweep = Annotated[
    Path | None, typer.Argument(help="A sweep file: whatever it needs is downloaded.", show_default=False)
]
_Connector = Annotated[str, typer.Option("--connector", help="As Hummingbot names it: binance_perpetual, kucoin, ...")]
_Pairs = Annotated[list[str] | None, typer.Option("--pair", help="As BTC-USDT; may be repeated.")]
_Intervals = Annotated[list[str] | None, typer.Option("--interval", help="As 1m; may be repeated.")]
_Start = Annotated[
    str | None, typer.Option("--start", help="First moment, UTC: a date, an ISO timestamp or epoch seconds.")
]
_End = Annotated[str | None, typer.Option("--end", help="Last moment; default: the last finished candle.")]
_To = Annotated[Path | None, typer.Option("--to", help="Candle folder; default data/candles, or the sweep file's.")]
_Rules = Annotated[
    bool, typer.Option("--rules", help="Trading rules, too; without --start them alone. A sweep's are fetched anew.")
]
_Format = Annotated[str, typer.Option("--format", help="csv or parquet; default as the file that is there, else csv.")]
_Again = Annotated[bool, typer.Option("--again", help="Ask again for candles that the exchange said it does not have.")]
_BaseUrl = Annotated[
    str,
    typer.Option(
        "--base-url", envvar="HUMMINGSWEEP_SYNC_BASE_URL", help="A mirror or proxy to ask instead of the exchange."
    ),
]


def sync(
    sweep: _Sweep = None,
    connector: _Connector = "",
    pair: _Pairs = None,
    interval: _Intervals = None,
    start: _Start = None,
    end: _End = None,
    to: _To = None,
    rules: _Rules = False,
    format: _Format = "",
    again: _Again = False,
    base_url: _BaseUrl = "",
    json: Json = False,
) -> None:
    """Download candles and trading rules: only what is missing, going on where the last download stopped.

    Ctrl-C keeps what was downloaded. Exit code 1 when the exchange could not be reached or refused.

    Examples:
      hummingsweep sync sweep.yml
      hummingsweep sync --connector binance_perpetual --pair BTC-USDT --interval 1m --start 2024-01-01 --end 2024-02-01
      hummingsweep sync --connector binance_perpetual --pair BTC-USDT --rules
    """
    how = syncs.DownloadOptions(encoding=format, again=again, base_url=base_url)
    if sweep is not None:
        if connector or pair or interval or start or end:
            raise HummingsweepError(
                "give a sweep file or --connector, --pair, --interval, --start, --end, not both: a sweep file says them"
            )
        order = syncs.order_for_sweep(read(sweep), to, rules=rules, how=how)
    else:
        wanted = syncs.Request(connector, pair or [], interval or ["1m"], start, end, rules)
        order = syncs.order_for(wanted, to or Path("data/candles"), how)
    watcher = watcher_for(json)
    try:
        event = syncs.sync(order, watcher)
    finally:
        watcher.close()
    if json:
        _answer_json(event)
    else:
        _tell(event)
    for complaint in complaints(event):
        sys.stderr.write(f"hummingsweep: {' '.join(complaint.split())}\n")
    code = exit_code(event)
    if code is not Exit.DONE:
        raise typer.Exit(code)


def exit_code(event: Event) -> Exit:
    """Interrupted; else bad input when that alone failed; else a failed check when anything did."""
    if event.interrupted:
        return Exit.INTERRUPTED
    blames = [one.bad_input for one in event.feeds if one.status is Status.FAILED]
    blames += [one.bad_input for one in event.rules if one.status is Status.FAILED]
    if not blames:
        return Exit.DONE
    return Exit.BAD_INPUT if all(blames) else Exit.FAILED


def complaints(event: Event) -> list[str]:
    """A sentence for each thing that failed."""
    failed = [one for one in event.feeds if one.status is Status.FAILED]
    sentences = [f"{one.connector} {one.pair} {one.interval}: {one.error}" for one in failed]
    return sentences + [
        f"{one.connector} trading rules: {one.error}" for one in event.rules if one.status is Status.FAILED
    ]


def _answer_json(event: Event) -> None:
    answer_json(
        {
            "feeds": [syncs.summary(one) for one in event.feeds],
            "rules": event.rules,
            "requests": event.requests,
            "interrupted": event.interrupted,
        }
    )


def _tell(event: Event) -> None:
    for answer in event.feeds:
        if answer.status is not Status.FAILED:
            for line in syncs.lines_of(answer):
                say(line)
    for rules in event.rules:
        if rules.status is not Status.FAILED:
            say(syncs.rules_line(rules))

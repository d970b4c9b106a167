"""trades: the executors and fills of points, as data."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.commands._shared import Broker, SweepName, settings_for
from orchestrator.execution.trades import trades as compute
from orchestrator.progress.watcher import watcher_for
from orchestrator.results.sweep_ref import resolve
from orchestrator.results.trade_tables import FORMATS, encoded, write
from tasks.errors import HummingsweepError

TABLES = ("executors", "fills")


def trades(
    sweep: SweepName,
    point: Annotated[list[int], typer.Option("--point", help="The point (repeatable).")],
    format: Annotated[str, typer.Option("--format", help="csv, json or parquet; json holds both tables.")] = "csv",
    table: Annotated[str, typer.Option("--table", help="executors or fills, for csv and parquet.")] = "executors",
    to: Annotated[Path | None, typer.Option("--to", help="File to write; default standard output.")] = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="CSV: without the ' before texts that a spreadsheet would run as a formula.")
    ] = False,
    fills: Annotated[
        str, typer.Option("--fills", help="stock (default) or honest, of a sweep with `fills: both`.")
    ] = "",
    broker: Broker = "",
) -> None:
    """The executors of a point (created, filled, closed, side, amount, prices, close type, pnl, fees) or its fills
    (time, price, amount, maker or taker), with the sweep's own engine and fills. Times are UTC.

    Examples:
      hummingsweep trades runs/mine --point 17
      hummingsweep trades runs/mine --point 17 --table fills --to fills.csv
      hummingsweep trades runs/mine --point 17 --format json
    """
    if format not in FORMATS:
        raise HummingsweepError(f"--format {format}: is none of {', '.join(FORMATS)}")
    if table not in TABLES:
        raise HummingsweepError(f"--table {table}: is none of {', '.join(TABLES)}")
    watcher = watcher_for(json=True)
    try:
        found = compute(resolve(sweep), settings_for(broker), watcher, list(dict.fromkeys(point)), fills)
    finally:
        watcher.close()
    write(encoded(found._asdict(), format, table, raw=raw), to or sys.stdout.buffer)

"""rows, report, verify, audit, promote: what a sweep says."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.commands._shared import (
    Broker,
    Children,
    Exit,
    Json,
    SweepFile,
    SweepName,
    answer_json,
    say,
    settings_for,
)
from orchestrator.commands.tables import table
from orchestrator.progress.streams import tell
from orchestrator.progress.watcher import watcher_for
from orchestrator.results.readable import currency
from orchestrator.results.store_reader import StoreReader
from orchestrator.results.sweep_ref import SweepRef, resolve
from tasks.errors import HummingsweepError
from tasks.metrics.columns import column
from tasks.named_types import Row
from tasks.times import utc_second

MAX_SHOWN = 10


def rows(
    sweep: SweepName,
    format: Annotated[
        str,
        typer.Option("--format", help="csv, json or parquet, default csv; with --returns parquet (default) or npy."),
    ] = "",
    to: Annotated[Path | None, typer.Option("--to", help="File to write; default standard output.")] = None,
    status: Annotated[str, typer.Option(help="Only rows with this status: ok, error, crashed, timeout.")] = "",
    windows: Annotated[
        bool, typer.Option("--windows", help="One row per (point, window) of walk-forward and hold-out.")
    ] = False,
    returns: Annotated[
        bool, typer.Option("--returns", help="The returns of every ok point in place of its results; parquet or npy.")
    ] = False,
    columns: Annotated[
        bool, typer.Option("--columns", help="What each column is, in place of the rows; a table, or --format json.")
    ] = False,
    raw: Annotated[
        bool, typer.Option("--raw", help="CSV: without the ' before texts that a spreadsheet would run as a formula.")
    ] = False,
) -> None:
    """Every row, machine-readable, at full precision; works while the sweep runs.

    Examples:
      hummingsweep rows runs/mine > rows.csv
      hummingsweep rows runs/mine --format parquet --to rows.parquet
      hummingsweep rows runs/mine --format json --status error
      hummingsweep rows runs/mine --windows > windows.csv
      hummingsweep rows runs/mine --returns --format parquet --to returns.parquet
      hummingsweep rows runs/mine --columns
    """
    from orchestrator.execution.windows import window_rows
    from orchestrator.results.export import RowSource, write, write_returns

    found = SweepRef.find(sweep)
    if columns:
        _say_columns(found, as_json=format == "json")
        return
    if returns:
        if status:
            raise HummingsweepError("--status does not go with --returns: only points that are ok have returns")
        if windows:
            raise HummingsweepError("--windows does not go with --returns: they are those of the whole period")
        with StoreReader.open(found.folder) as store:
            write_returns(store, found.sweep, format or "parquet", to or sys.stdout.buffer)
        return
    with StoreReader.open(found.folder) as store:
        if unfit := store.unfit(found.sweep):
            tell(
                f"{unfit} rows of {found.folder} do not fit the sweep and are left out (an earlier version stored what "
                "a node sent); the sweep's `run` command computes their points again"
            )
        source: RowSource = store
        if windows:
            source = window_rows(store)
        write(source, found.sweep, format or "csv", to or sys.stdout.buffer, status=status or None, raw=raw)


def _say_columns(found: SweepRef, *, as_json: bool) -> None:
    """Name, unit, direction, source and sentence of every column of the rows."""
    with StoreReader.open(found.folder) as store:
        stored = store.sweep(found.sweep)
        described = [column(name, stored.grid.names) for name in store.table(found.sweep).column_names]
    if as_json:
        answer_json([dataclasses.asdict(one) for one in described])
        return
    direction = {1: "more", -1: "less", 0: ""}
    quote = currency(stored.definition.controller, stored.grid)
    cells = [
        [one.name, quote if one.unit == "quote" else one.unit, direction[one.better], one.source.value, one.sentence]
        for one in described
    ]
    for line in table(f"columns of {found.sweep}", ["column", "unit", "better", "whose", "what it is"], cells):
        say(line)


def report(
    sweep: SweepName,
    point: Annotated[
        list[int] | None, typer.Option("--point", help="Show the curves of this point (repeatable).")
    ] = None,
    best: Annotated[int, typer.Option(min=0, help="Show the curves of so many of the best points.")] = 3,
    to: Annotated[Path | None, typer.Option("--to", help="File to write; default report.html in the folder.")] = None,
    broker: Broker = "",
    json: Json = False,
) -> None:
    """Write one self-contained HTML page of a sweep; curves are computed again in a child.

    Examples:
      hummingsweep report runs/mine
      hummingsweep report runs/mine --point 17 --to page.html
    """
    from orchestrator.execution import operations

    watcher = watcher_for(json)
    try:
        path = operations.report(resolve(sweep), settings_for(broker), watcher, points=point or [], best=best, to=to)
    finally:
        watcher.close()
    if json:
        answer_json({"report": str(path)})
    else:
        say(f"report: {path}")


def verify(
    file: SweepFile,
    sample: Annotated[int, typer.Option("--sample", min=1, help="Points, spread over the grid.")] = 10,
    point: Annotated[
        list[int] | None, typer.Option("--point", help="This point (repeatable) in place of a sample.")
    ] = None,
    broker: Broker = "",
    children: Children = 0,
    json: Json = False,
) -> None:
    """Run N points on the stock and the jump-ahead engine and compare results, ledger and time series exactly.

    Exit code 0 when nothing differs, every point could be run, and at least one opened an executor on both; else 1.

    Examples:
      hummingsweep verify sweep.yml --sample 20
      hummingsweep verify sweep.yml --point 17 --json
    """
    from orchestrator.execution import operations
    from orchestrator.sweepfile.sweep import read

    watcher = watcher_for(json)
    try:
        found = operations.verify(read(file), settings_for(broker, children), sample, watcher, point or [])
    finally:
        watcher.close()
    kinds = _verified(found)
    if json:
        answer_json({"points": len(found), **{name: len(rows) for name, rows in kinds.items()}, "rows": found})
    else:
        for line in _verify_lines(kinds):
            say(line)
    if kinds["different"] or kinds["failed"] or not kinds["equal"]:
        raise typer.Exit(Exit.FAILED)


def audit(
    file: SweepFile,
    sample: Annotated[int, typer.Option("--sample", min=1, help="Points, spread over the grid.")] = 3,
    cuts: Annotated[
        int, typer.Option("--cuts", min=1, help="Random moments at which the data are cut, per point.")
    ] = 8,
    broker: Broker = "",
    children: Children = 0,
    json: Json = False,
) -> None:
    """Test the controller for look-ahead: cut the data at random moments, compare every decision before the cut.

    Exit code 1 when a decision changed.

    Examples:
      hummingsweep audit sweep.yml
      hummingsweep audit sweep.yml --sample 5 --cuts 20
    """
    from orchestrator.execution import operations
    from orchestrator.sweepfile.sweep import read

    watcher = watcher_for(json)
    try:
        found = operations.audit(read(file), settings_for(broker, children), sample, cuts, watcher)
    finally:
        watcher.close()
    states = [row["audit"]["state"] if row.get("audit") else "" for row in found]
    clean = all(state == "clean" for state in states)
    if json:
        answer_json({"clean": clean, "points": found})
    else:
        for row in found:
            say(f"point {row['point']}: {row['audit']['verdict'] if row.get('audit') else row['error']}")
            if row.get("audit", {}).get("history"):
                say(f"point {row['point']}: {row['audit']['history']['sentence']}")
        say(_verdict(states))
    if not clean:
        raise typer.Exit(Exit.FAILED)


def promote(
    sweep: SweepName,
    to: Annotated[
        Path, typer.Option("--to", help="Hummingbot's folder; conf/controllers and conf/scripts are written.")
    ],
    rank: Annotated[int | None, typer.Option("--rank", help="Place in the ranking; default 1, the best.")] = None,
    point: Annotated[int | None, typer.Option("--point", help="This point in place of a rank.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that are there.")] = False,
    anyway: Annotated[
        bool,
        typer.Option(
            "--anyway", help="Also where the verdict is luck, look-ahead was found, or the point never traded."
        ),
    ] = False,
    with_code: Annotated[
        bool, typer.Option("--with-code", help="Copy the controller's source and the helpers it imports, too.")
    ] = False,
    json: Json = False,
) -> None:
    """Write a point as a controller config (and script config) that Hummingbot loads.

    Examples:
      hummingsweep promote runs/mine --rank 1 --to ~/hummingbot --with-code
      hummingsweep promote runs/mine --point 17 --to ~/hummingbot --force
    """
    from orchestrator.execution.controller_code import code_of
    from orchestrator.execution.promote import is_bot_folder, missing_code
    from orchestrator.execution.promote import promote as write

    if rank is not None and point is not None:
        raise HummingsweepError("promote takes --rank or --point, not both: leave one of them out")
    found = SweepRef.find(sweep)
    with StoreReader.open(found.folder) as store:
        code = code_of(store, found.sweep) if with_code else None
        if not is_bot_folder(to):
            tell(f"{to} is no folder of a bot (no conf/, controllers/ or hummingbot/ in it)")
        place = 1 if rank is None else rank
        paths = write(store, found.sweep, to, rank=place, point=point, force=force, anyway=anyway, code=code)
    if json:
        answer_json({"files": [str(path) for path in paths]})
    else:
        for path in paths:
            say(f"wrote {path}")
        if (missing := missing_code(to, paths[0])) and not with_code:
            say(f"{missing} is not there, and the bot needs it: give --with-code, or copy the controller yourself")


def _verified(found: list[Row]) -> dict[str, list[Row]]:
    """The rows of a verification by what they say: `equal` with executors, `untraded` equal without any,
    `failed_alike` the same error on both engines, `different`, and `failed`: could not be run at all."""
    kinds: dict[str, list[Row]] = {
        "equal": [], "untraded": [], "failed_alike": [], "different": [], "failed": [],
    }  # fmt: skip
    for row in found:
        if row["status"] != "ok":
            kind = "failed"
        elif row.get("differences"):
            kind = "different"
        elif row.get("failed_alike"):
            kind = "failed_alike"
        else:
            kind = "equal" if row.get("executors") else "untraded"
        kinds[kind].append(row)
    return kinds


def _verify_lines(kinds: dict[str, list[Row]]) -> list[str]:
    lines = [
        f"point {row['point']}: {_difference(difference)}"
        for row in kinds["different"][:MAX_SHOWN]
        for difference in row["differences"][:MAX_SHOWN]
    ]
    lines += [f"point {row['point']}: fails alike: {row['failed_alike']}" for row in kinds["failed_alike"][:MAX_SHOWN]]
    lines += [f"point {row['point']}: {row['status']}: {row['error']}" for row in kinds["failed"][:MAX_SHOWN]]
    rows = [row for of_kind in kinds.values() for row in of_kind]
    engines = ", ".join(sorted({str(row["engine"]) for row in rows if row.get("engine")})) or "none"
    counts = [
        f"{len(kinds['equal'])} equal with executors",
        f"{len(kinds['untraded'])} equal without an executor",
        f"{len(kinds['failed_alike'])} failed alike",
        f"{len(kinds['different'])} differ",
        f"{len(kinds['failed'])} could not be run",
    ]
    lines.append(f"{len(rows)} points on both engines ({engines}): {', '.join(counts)}")
    if not kinds["equal"] and not kinds["different"]:
        lines.append("nothing was verified: no point opened an executor on both engines")
    if live := next((row["live_engine"] for row in rows if row.get("live_engine")), ""):
        lines.append(
            f"this sweep runs on the live engine ({live}), which no stock engine can be compared with: the comparison "
            "above is of the two engines that do not run it"
        )
    return lines


def _difference(difference: Row) -> str:
    where = ""
    if difference.get("candle") is not None:
        where = f", first at the candle of {utc_second(difference['candle'])} UTC"
    return f"{difference['field']}: stock {difference['stock']}, jump {difference['jump']}{where}"


#: What the states of an audit say of some points, the worst first; the rest could not be audited.
_SAID = {
    "look_ahead": "look-ahead: {} of {} points decide on data from their future",
    "fills": "fills: {} of {} points are told of the future by stock fills, not by their controller",
}


def _verdict(states: list[str]) -> str:
    """One line for all points; the worst that was found."""
    for state, words in _SAID.items():
        if state in states:
            return words.format(states.count(state), len(states))
    failed = len(states) - states.count("clean")
    if failed:
        return f"{failed} of {len(states)} points could not be audited"
    return f"clean: no decision of {len(states)} points changed when the future was cut off"

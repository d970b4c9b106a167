"""run, submit, watch, resume, cancel, list: a sweep's life."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrator.analysis.verdict import Verdict
from orchestrator.commands._shared import (
    Broker,
    Children,
    Exit,
    Json,
    Out,
    SweepFile,
    SweepName,
    answer_json,
    say,
    settings_for,
)
from orchestrator.commands.tables import ranking_table
from orchestrator.commands.trust import trust_lines
from orchestrator.execution import operations, remote
from orchestrator.execution.run import Summary
from orchestrator.execution.session import stored_sweep
from orchestrator.progress.watcher import Watcher, watcher_for
from orchestrator.report.folds_words import closing_lines
from orchestrator.results.store_reader import StoreReader
from orchestrator.results.sweep_ref import resolve
from orchestrator.sweepfile.sweep import Sweep, read
from tasks.errors import one_line
from tasks.named_types import JsonObject
from tasks.settings import Settings
from tasks.suggest import command
from tasks.times import span, utc_second

#: Stages that answer what `validate` asks.
OUT_OF_SAMPLE = ("walk_forward", "robustness", "holdout")
GiveUpAfter = Annotated[
    float | None,
    typer.Option("--give-up-after", help="Seconds to wait when no node is left; 0: for ever. Default 3600.", min=0),
]
HoldoutLook = Annotated[
    bool,
    typer.Option(
        "--holdout-look/--no-holdout-look",
        help="Run the best points on the hold-out at the end; every look at it is counted.",
    ),
]


def _settings(broker: str, children: int, give_up_after: float | None) -> Settings:
    settings = settings_for(broker, children)
    return settings if give_up_after is None else dataclasses.replace(settings, give_up_after_s=give_up_after)


def run(
    file: SweepFile,
    out: Out = None,
    broker: Broker = "",
    children: Children = 0,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Run a few points, say how long all take and in how much memory, stop.")
    ] = False,
    retry: Annotated[bool, typer.Option("--retry", help="Compute failed points again.")] = False,
    audit: Annotated[bool, typer.Option(help="A small look-ahead audit of the best point at the end.")] = True,
    report: Annotated[bool, typer.Option(help="Write report.html into the output folder.")] = True,
    top: Annotated[int, typer.Option(min=0, help="Rows of the ranking that are shown.")] = 10,
    holdout_look: HoldoutLook = True,
    give_up_after: GiveUpAfter = None,
    json: Json = False,
) -> None:
    """Run a sweep: submit, watch, rank. With the same file and folder it continues what is there.

    Examples:
      hummingsweep run sweep.yml
      hummingsweep run sweep.yml --broker redis://192.0.2.1:6379/0 --out runs/btc
    """
    sweep = read(file)
    _run(
        sweep,
        out or Path("runs") / sweep.name,
        _settings(broker, children, give_up_after),
        estimate,
        retry,
        audit,
        report,
        top,
        json,
        () if holdout_look else ("holdout",),
    )


def resume(
    sweep: SweepName,
    broker: Broker = "",
    children: Children = 0,
    retry: Annotated[bool, typer.Option("--retry", help="Compute failed points again.")] = False,
    top: Annotated[int, typer.Option(min=0, help="Rows of the ranking that are shown.")] = 10,
    holdout_look: HoldoutLook = True,
    give_up_after: GiveUpAfter = None,
    json: Json = False,
) -> None:
    """Go on with the sweep of an output folder: the points without a row are computed.

    Where controllers, candles, trading rules or versions are others by now, it is another sweep and every point is
    computed (one line says so); the rows of the earlier one stay in the folder.

    Examples:
      hummingsweep resume runs/mine
      hummingsweep resume runs/mine --retry
    """
    folder = resolve(sweep)
    with StoreReader.open(folder) as store:
        stored = stored_sweep(store)
    skip = () if holdout_look else ("holdout",)
    _run(stored, folder, _settings(broker, children, give_up_after), False, retry, True, True, top, json, skip)


def submit(file: SweepFile, out: Out = None, broker: Broker = "", json: Json = False) -> None:
    """Send a whole sweep to a cluster and leave; `resume` or `watch` collects the rows.

    Examples:
      hummingsweep submit sweep.yml --broker redis://192.0.2.1:6379/0
    """
    sweep = read(file)
    folder = out or Path("runs") / sweep.name
    watcher = watcher_for(json)
    try:
        sent = remote.submit(sweep, folder, settings_for(broker), watcher)
    finally:
        watcher.close()
    if json:
        answer_json(sent)
    else:
        say(f"sweep {sent.sweep}: {sent.points} points in {sent.chunks} chunks sent; rows will come into {folder}")
        say(f"watch it with: {command('watch', folder)}")


def watch(
    sweep: SweepName,
    broker: Broker = "",
    once: Annotated[bool, typer.Option("--once", help="Say how it stands and leave.")] = False,
    json: Json = False,
) -> None:
    """Follow a sweep on the broker: progress, nodes, chunks; rows nobody collects are collected.

    Examples:
      hummingsweep watch runs/mine
      hummingsweep watch runs/mine --once --json
    """
    settings = settings_for(broker)
    if once or json:
        standing = remote.standing(sweep, settings)
        if json:
            answer_json(standing.document())
        else:
            for line in standing.lines():
                say(line)
        return
    watcher = watcher_for(False)
    try:
        remote.watch(sweep, settings, watcher)
    finally:
        watcher.close()


def cancel(sweep: SweepName, broker: Broker = "", json: Json = False) -> None:
    """Cancel a sweep on the broker: chunks not begun are dropped, running ones finish. A finished one stays as it is.

    Examples:
      hummingsweep cancel runs/mine
    """
    name, state = remote.cancel(sweep, settings_for(broker))
    if json:
        answer_json({"sweep": name, "state": state})
    elif state == "done":
        say(f"sweep {name}: every point has its row already, there is nothing to cancel")
    else:
        say(f"sweep {name}: cancelled; its rows stay, `hummingsweep resume` goes on with it")


def list_sweeps(broker: Broker = "", json: Json = False) -> None:
    """The sweeps on the broker; without one, those that this machine runs and those of the folders in `runs`.

    Examples:
      hummingsweep list
      hummingsweep list --broker redis://192.0.2.1:6379/0
    """
    settings = settings_for(broker)
    found = remote.sweeps(settings)
    if json:
        answer_json(found)
        return
    if not found:
        say(
            "no sweeps on this broker"
            if settings.broker
            else "no sweeps: none runs on this machine, and `runs` has none"
        )
    for one in found:
        say(
            f"{one['sweep']}  {one['state']}  {one['done']}/{one['points']} points, "
            f"{one['failed']} failed  ({utc_second(one['at'])} UTC)"
        )


def _run(
    sweep: Sweep,
    out: Path,
    settings: Any,
    estimate: bool,
    retry: bool,
    audit: bool,
    report: bool,
    top: int,
    json: bool,
    skip_stages: tuple[str, ...],
) -> None:
    watcher: Watcher = watcher_for(json)
    try:
        answer = operations.run_sweep(
            sweep,
            out,
            settings,
            watcher,
            estimate=estimate,
            retry=retry,
            audit=audit,
            report=report,
            top=top,
            skip_stages=skip_stages,
        )
    finally:
        watcher.close()
    summary = answer.summary
    if json:
        answer_json(_document(answer, sweep, estimate))
    else:
        for line in _closing_lines(answer, sweep, estimate):
            say(line)
    if summary.interrupted:
        raise typer.Exit(Exit.INTERRUPTED)
    if answer.look_ahead:
        raise typer.Exit(Exit.FAILED)
    if summary.failed:
        raise typer.Exit(Exit.POINTS_FAILED)


def _document(answer: operations.Answer, sweep: Sweep, estimate: bool) -> JsonObject:
    ranking = answer.ranking
    return {
        **dataclasses.asdict(answer.summary),
        "name": sweep.name,
        "out": str(answer.out),
        "rank_by": sweep.rank_by,
        "ranking": ranking.rows if ranking else [],
        "no_answer": answer.no_answer or None,
        "remarks": answer.remarks,
        "audit": answer.audit,
        "out_of_sample": {name: answer.findings[name] for name in OUT_OF_SAMPLE if name in answer.findings} or None,
        "reused": {"rows": sum(answer.reused.values()), "sweeps": answer.reused},
        "windows": windows_estimate(answer),
        "trust": answer.trust,
        "report": str(answer.report) if answer.report else None,
        "left_s": estimated_seconds(answer.summary),
        "points_per_s": estimated_speed(answer.summary),
    }


def _closing_lines(answer: operations.Answer, sweep: Sweep, estimate: bool) -> list[str]:
    summary = answer.summary
    lines = alarms(answer)
    lines += answer.remarks
    if answer.ranking is not None:
        lines += ranking_table(answer.ranking, sweep)
    if estimate and summary.done < summary.points:
        left = estimated_seconds(summary)
        each = summary.seconds_per_point or 0.0
        lines.append(
            f"estimate: {each:.3f} s a point, {estimated_speed(summary) or 0.0:.1f} points/s on {summary.children} "
            f"children, {summary.points - summary.done} points left: {span(left) if left is not None else 'unknown'}"
        )
        if windows := windows_estimate(answer):
            lines.append(
                f"tests of `validate`: {windows['candles']:,} candles beside the {windows['plain_candles']:,} of the "
                f"sweep itself: {span(windows['left_s']) if windows['left_s'] is not None else 'unknown'} more"
            )
        megabytes = summary.memory_bytes / 2**20
        lines.append(f"memory: {megabytes:.0f} MB a child, {megabytes * summary.children:.0f} MB for all children")
    lines.append(
        f"sweep {summary.sweep}: {summary.done}/{summary.points} points, {summary.failed} failed, "
        f"{summary.computed} computed in {span(summary.seconds)}"
    )
    if answer.reused:
        taken = ", ".join(f"{rows:,} of {name}" for name, rows in answer.reused.items())
        lines.append(f"rows taken from earlier sweeps of this folder: {taken}")
    lines += closing_lines(answer.findings)
    if answer.audit:
        lines.append(f"audit of the best point: {answer.audit}")
    lines += [str(finding["sentence"]) for finding in answer.findings.values() if finding.get("sentence")]
    if answer.trust:
        lines += trust_lines(answer.trust)
    lines.append(f"rows: {answer.out / 'results.sqlite'} ({command('rows', answer.out, '--format', 'csv')})")
    if answer.report:
        lines.append(f"report: {answer.report}")
    if summary.interrupted:
        how = "cancelled" if summary.cancelled else "interrupted"
        lines.append(f"{how}; go on with: {command('resume', answer.out)}")
    elif summary.failed:
        with StoreReader.open(answer.out) as store:
            for error, count in store.errors(summary.sweep)[:5]:
                lines.append(f"failed: {count} x {one_line(error)}")
    return lines


def alarms(answer: operations.Answer) -> list[str]:
    """What a reader must know before the ranking: look-ahead, or a verdict of luck; red where there is colour."""
    found = []
    if answer.look_ahead:
        found.append(f"LOOK-AHEAD: {answer.audit}")
    if answer.trust and answer.trust.get("verdict") == Verdict.LUCK:
        headline = str(answer.trust["sentence"]).partition(". ")[0].rstrip(".")  # the rest stands at the end
        found.append(f"LUCK: {headline}.")
    if not sys.stdout.isatty():
        return found
    return [f"\033[1;31m{line}\033[0m" for line in found]


def windows_estimate(answer: operations.Answer) -> JsonObject | None:
    """What the tests of `validate` still cost beside the sweep: candles, and seconds on these children; None without
    tests, and of a run that is no estimate."""
    planned, summary = answer.planned, answer.summary
    if planned is None:
        return None
    plain = planned["plain_candles"]
    candles = sum(planned.values()) - plain
    each, children = summary.seconds_per_point, summary.children
    left = each * summary.points * candles / plain / children if each and children else None
    return {**planned, "candles": candles, "left_s": left}


def estimated_speed(summary: Summary) -> float | None:
    """Points per second of these children together."""
    return summary.children / summary.seconds_per_point if summary.seconds_per_point and summary.children else None


def estimated_seconds(summary: Summary) -> float | None:
    """Seconds the points that are left take on these children."""
    speed = estimated_speed(summary)
    return (summary.points - summary.done) / speed if speed else None

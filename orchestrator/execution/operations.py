"""What a user asks of the orchestrator, one function each: the steps of `run`, `submit`, `verify`, `audit`, in
order.
"""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.analysis.across import of_meta
from orchestrator.analysis.judgement import TRUST, judge_sweep
from orchestrator.analysis.other_parts import LOOK_AHEAD
from orchestrator.analysis.path_bracket import winner_hangs_on_path
from orchestrator.analysis.rank import Ranking, curve_points, rank, scored
from orchestrator.analysis.untraded import unranked, untraded
from orchestrator.cluster import broker
from orchestrator.execution import publish
from orchestrator.execution.planner import check_points
from orchestrator.execution.precheck import precheck
from orchestrator.execution.run import Hooks, RunContext, Summary, run
from orchestrator.execution.session import SweepSession, ask, known_feeds, opened, stored_sweep
from orchestrator.execution.stages import STAGES, run_stages
from orchestrator.progress.watcher import Silent, Watcher
from orchestrator.results.database import FILE
from orchestrator.results.output_path import check_target
from orchestrator.results.store import Store
from orchestrator.results.store_reader import StoreReader
from orchestrator.sweepfile.skip import points_of, skip_of, spread_kept
from orchestrator.sweepfile.sweep import Sweep
from orchestrator.validation.folds import whole_scenarios
from orchestrator.validation.planned import planned_candles
from tasks.errors import ExpressionError, HummingsweepError, SweepFileError
from tasks.named_types import JsonObject, Row
from tasks.protocol.messages import Kind, Status
from tasks.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

    from tasks.protocol.messages import SweepDefinition

#: Cuts of the small audit that `run` does of the best point at its end.
CLOSING_CUTS = 4
#: Best points whose curves `run` puts into the report.
SHOWN_CURVES = 3


@dataclasses.dataclass
class Answer:
    """What `run` found."""

    summary: Summary
    out: Path
    ranking: Ranking | None
    #: verdict of the small look-ahead audit of the best point; "" when there was none
    audit: str = ""
    #: whether that audit found look-ahead
    look_ahead: bool = False
    report: Path | None = None
    #: what there is to know before the ranking: that nothing traded, or that the objective is empty in some rows
    remarks: list[str] = dataclasses.field(default_factory=list)
    #: why there is no best point: "untraded" (no point opened an executor), "unranked" (the objective is empty
    #: everywhere); "" where there is one
    no_answer: str = ""
    #: what the stages found, by stage (orchestrator.execution.stages)
    findings: dict[str, JsonObject] = dataclasses.field(default_factory=dict)
    #: the verdict on the sweep (orchestrator.analysis.verdict.document)
    trust: JsonObject | None = None
    #: sweep of the folder -> rows that were taken from it instead of computed
    reused: dict[str, int] = dataclasses.field(default_factory=dict)
    #: of an estimate, candles that the tests of `validate` still cost (orchestrator.validation.planned); None without
    planned: dict[str, int] | None = None


def run_sweep(
    sweep: Sweep,
    out: Path,
    settings: Settings,
    watcher: Watcher | None = None,
    *,
    estimate: bool = False,
    retry: bool = False,
    audit: bool = True,
    report: bool = True,
    top: int = 10,
    skip_stages: Sequence[str] = (),
) -> Answer:
    """Compute what is missing of a sweep and say which points were best.

    `estimate`: a few points only. `retry`: points that failed are computed again. `top`: points that are ranked.
    `skip_stages`: names of stages that are left out (orchestrator.execution.stages).
    Raises HummingsweepError for whatever the user can mend; nothing is left running in any case.
    """
    watcher = watcher or Silent()
    if not (estimate or retry) and (
        finished := _finished(sweep, out, _closing(sweep, audit, report, skip_stages), top)
    ):
        watcher.say(f"{sweep.name}: every point has its row, nothing is computed")
        return finished
    started = time.monotonic()
    with opened(sweep, out, settings, watcher) as session:
        store, definition = session.store, session.definition
        if retry:
            store.forget_failed(definition.sweep)
            session.retry = True
        watcher.say(f"{sweep.name}: {_size(sweep, definition)}, ready after {time.monotonic() - started:.1f} s")
        session.take_whole(whole_scenarios(sweep))
        summary = run(
            RunContext(session.cluster, store, definition, watcher),
            target_s=settings.chunk_seconds,
            estimate=estimate,
            hooks=Hooks(
                on_first_rows=lambda: _check_ranking(sweep, store.first(definition.sweep)),
                publish_again=session.publish_again,
            ),
        )
        if estimate or summary.interrupted:
            planned = planned_candles(sweep, session.rows_there) if estimate else None
            return Answer(summary, out, None, reused=dict(session.reused), planned=planned)
        answer = _concluded(session, summary, out, _closing(sweep, audit, report, skip_stages), top)
        answer.reused = dict(session.reused)
        return answer


def _concluded(session: SweepSession, summary: Summary, out: Path, closing: JsonObject, top: int) -> Answer:
    """What follows the last row: ranking, audit of the best point, stages, verdict, report; see `_closing`."""
    sweep, store, name = session.sweep, session.store, session.definition.sweep
    table = store.table(name)
    ranking = _ranking(sweep, table, max(top, SHOWN_CURVES))
    shown = dataclasses.replace(ranking, rows=ranking.rows[:top])
    answer = _with_remarks(Answer(summary, out, shown), sweep, table)
    store.set_meta(name, "no_answer", {"why": answer.no_answer, "remarks": answer.remarks})
    best = [] if answer.no_answer else [row["point"] for row in ranking.rows[:SHOWN_CURVES]]
    if best and closing["audit"]:
        found = _closing_audit(session, best[0])
        answer.audit, answer.look_ahead = str(found["verdict"]), found.get("state") == LOOK_AHEAD
    if not answer.no_answer:
        unasked = () if closing["audit"] or sweep.validation.live else ("live",)
        answer.findings = run_stages(session, ranking, (*closing["skip_stages"], *unasked))
    if session.interrupted:
        summary.interrupted = True
        return answer
    answer.trust = judged(store, name, sweep, best[0] if best else None)
    if closing["report"]:
        details = session.ask(Kind.DETAIL, curve_points(ranking, SHOWN_CURVES)) if best else []
        answer.report = _write(store, name, out / "report.html", store.meta(name), details)
    store.set_meta(name, "finished", closing)
    return answer


def _finished(sweep: Sweep, out: Path, closing: JsonObject, top: int) -> Answer | None:
    """The answer of a sweep that has run to its end before, from its store; None where something is to be computed.

    `closing`: what is asked for after the last row, see `_closing`. Raises CandlesError, ControllerError, ... as
    publishing would: candles or controllers may be gone by now.
    """
    page, report, audit = out / "report.html", closing["report"], closing["audit"]
    if not (out / FILE).is_file() or (report and not page.is_file()):
        return None
    with StoreReader.open(out) as store:
        stored = store.sweeps()
        if not stored or stored[0].meta.get("finished") != closing:
            return None
        precheck(sweep)
        definition = publish.without_cluster(sweep, known_feeds(store))
        if definition is None or definition.sweep != stored[0].sweep:
            return None
        counts = Counter(store.counts(definition.sweep))
        if counts.total() < points_of(definition):
            return None
        meta = stored[0].meta
        table = store.table(definition.sweep)
        ranking = _ranking(sweep, table, top)
        summary = Summary(
            sweep=definition.sweep,
            points=points_of(definition),
            done=counts.total(),
            failed=counts.total() - counts[Status.OK],
            seconds=0.0,
            computed=0,
        )
        audited = (meta.get("audit") or {}) if audit else {}
        answer = Answer(
            summary,
            out,
            ranking,
            audit=str(audited.get("verdict", "")),
            look_ahead=audited.get("state") == LOOK_AHEAD,
            report=page if report else None,
            findings={name: meta[name] for name in STAGES if meta.get(name) and name not in closing["skip_stages"]},
            trust=meta.get(TRUST),
        )
        return _with_remarks(answer, sweep, table)


def _with_remarks(answer: Answer, sweep: Sweep, table: pa.Table) -> Answer:
    """The answer, without a ranking where no point traded or nothing is ranked, and with what is to be said of it.

    `table`: the sweep's rows, see StoreReader.table.
    """
    if nothing := untraded(table):
        answer.remarks, answer.no_answer = nothing.lines(), "untraded"
    else:
        sentence, is_nothing = unranked(table, sweep.rank_by, sweep.where)
        answer.remarks = [sentence] if sentence else []
        answer.no_answer = "unranked" if is_nothing else ""
        if not is_nothing and (sentence := winner_hangs_on_path(table, sweep.rank_by, sweep.where)):
            answer.remarks.append(sentence)
    if answer.no_answer:
        answer.ranking = None
    return answer


def judged(store: Store, name: str, sweep: Sweep, best: int | None = None) -> JsonObject:
    """The verdict on a stored sweep, kept in its meta. `best`: its best-ranked point, where it is known."""
    found = judge_sweep(store, name, sweep.rank_by, sweep.where, best=best).document
    store.set_meta(name, TRUST, found)
    return found


def _closing(sweep: Sweep, audit: bool, report: bool, skip_stages: Sequence[str]) -> JsonObject:
    """What decides what is done after the last row: where it is the same, it need not be done again."""
    asked = {"rank_by": sweep.rank_by, "where": sweep.where, "audit": audit, "report": report}
    return {**asked, "skip_stages": sorted(skip_stages), "validate": sweep.validation.model_dump(mode="json")}


def _ranking(sweep: Sweep, table: pa.Table, top: int) -> Ranking:
    """The best points of a sweep's rows. Raises SweepFileError for a ranking that cannot be made."""
    _check_ranking(sweep, table)
    return rank(table, sweep.rank_by, sweep.where, grid=sweep.grid, top=top, across=sweep.across)


def report(
    folder: Path,
    settings: Settings,
    watcher: Watcher,
    *,
    points: Sequence[int] = (),
    best: int = 3,
    to: Path | None = None,
) -> Path:
    """The HTML page of a stored sweep; curves and trades of `points` and of the `best` are computed again in a child.

    Without candles or controllers at hand (a copied folder) the page has no curves, and says so.
    """
    to = to or folder / "report.html"
    check_target(to)
    with StoreReader.open(folder) as store:
        name = store.latest()
        meta = store.meta(name)
        known = store.sweep(name).grid
        check_points(name, points, known.size)
        ranking = rank(
            store.table(name), meta["rank_by"], meta["where"], grid=known, top=max(best, 1), across=of_meta(meta)
        )
        chosen = [*points, *curve_points(ranking, best)]
        details: list[Row] = []
        if chosen:
            try:
                with broker.session(settings, say=watcher.say) as cluster:
                    definition = publish.publish(stored_sweep(store), cluster, watcher)
                    details = detail(cluster, definition, list(dict.fromkeys(chosen)))
            except HummingsweepError as error:
                watcher.say(f"no curves in the report: {error}")
        return _write(store, name, to, meta, details, points)


def _write(
    store: StoreReader,
    name: str,
    to: Path,
    meta: JsonObject,
    details: list[Row],
    first: Sequence[int] = (),
) -> Path:
    from orchestrator.report.page import write_report

    return write_report(store, name, to, rank_by=meta["rank_by"], where=meta["where"], details=details, first=first)


def detail(cluster: broker.Cluster, definition: SweepDefinition, points: Sequence[int]) -> list[Row]:
    """Rows of some points with their curves and trades, see tasks.engine.detail."""
    return ask(cluster, definition, Kind.DETAIL, points)


def verify(sweep: Sweep, settings: Settings, sample: int, watcher: Watcher, points: Sequence[int] = ()) -> list[Row]:
    """Rows with `differences` between the stock and the jump-ahead engine, for N points spread over the grid.

    Compared as the sweep asks for them (its own shift and warm-up), with stock fills.
    """
    check_points(sweep.name, points, sweep.grid.size)
    precheck(sweep)
    with broker.session(settings, say=watcher.say) as cluster:
        definition = publish.publish(sweep, cluster, watcher)
        chosen = list(points) or spread_kept(sweep.grid, sample, skip_of(definition))
        return ask(cluster, definition, Kind.VERIFY, chosen, watcher)


def audit(sweep: Sweep, settings: Settings, sample: int, cuts: int, watcher: Watcher) -> list[Row]:
    """Rows with the look-ahead `audit` of N points spread over the grid."""
    precheck(sweep)
    with broker.session(settings, say=watcher.say) as cluster:
        definition = publish.publish(sweep, cluster, watcher)
        points = spread_kept(sweep.grid, sample, skip_of(definition))
        return ask(cluster, definition, Kind.AUDIT, points, watcher, cuts=cuts)


def _size(sweep: Sweep, definition: SweepDefinition) -> str:
    """The number of points, with and without those that `skip` leaves out."""
    kept, whole = points_of(definition), sweep.grid.size
    without = f" ({whole:,} without `skip`, which leaves out {whole - kept:,})" if kept < whole else ""
    return f"{kept:,} points{without}"


def _check_ranking(sweep: Sweep, table: pa.Table) -> None:
    """A ranking that cannot be made is refused with the first row, not after the last. Raises SweepFileError."""
    for key, rank_by, where in (("rank_by", sweep.rank_by, None), ("where", "point", sweep.where)):
        try:
            scored(table, rank_by, where)
        except ExpressionError as error:
            raise SweepFileError(f"{sweep.place(key)}: {error}") from None


def _closing_audit(session: SweepSession, point: int) -> JsonObject:
    """A small look-ahead audit of one point, kept in the sweep's meta."""
    row = session.ask(Kind.AUDIT, [point], cuts=CLOSING_CUTS)[0]
    found: JsonObject = row.get("audit") or {"verdict": f"could not be audited: {row['error']}"}
    session.store.set_meta(session.definition.sweep, "audit", {"point": point, **found})
    return found

"""The page: rows of a sweep in, one HTML file out, that needs nothing but a browser.

    store -> table -> ranking, sensitivity, aggregates -> template.html with style.css, script.js and plotly.js inside

Everything is aggregated here, so that the page of 100,000 points is hardly larger than that of 100. Whatever users
wrote (names, values, errors) goes through the template's escaping, or as JSON whose < and > are escaped; a policy in
the page forbids the browser every request.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import ujson
import yaml
from tornado.template import Loader

from orchestrator.analysis.across import of_meta
from orchestrator.analysis.judgement import judge_sweep
from orchestrator.analysis.rank import Ranking, rank, scored
from orchestrator.analysis.sensitivity import sensitivity
from orchestrator.report import charts, tables, trust_figures, trust_words, words
from orchestrator.report.checks import Evidence, checks, worst_first
from orchestrator.report.facts import facts
from orchestrator.report.folds_page import folds_part
from orchestrator.report.live import history_checks, live_checks, live_part
from orchestrator.report.next_steps import next_steps
from orchestrator.report.summary import summary
from orchestrator.report.text import Objective, a_point, plural
from orchestrator.results.output_path import check_target, replacing
from orchestrator.results.readable import currency
from orchestrator.sweepfile.skip import points_of
from tasks.named_types import JsonObject, JsonView
from tasks.protocol.messages import Status
from tasks.suggest import command
from tasks.times import utc_minute

if TYPE_CHECKING:
    import pyarrow as pa

    from orchestrator.analysis.sensitivity import AxisEffect
    from orchestrator.results.store_reader import StoreReader
    from tasks.grid import Grid
    from tasks.protocol.messages import SweepDefinition

_FOLDER = Path(__file__).parent
#: In this order: the last one draws what the others add.
SCRIPTS = ("colours.js", "folds.js", "trust.js", "live.js", "points.js", "parallel.js", "script.js", "tables.js")
#: Entries of the ranking in the page.
TOP = 100
#: Heat maps before the fold.
MAPS_OPEN = 6


def write_report(
    store: StoreReader,
    sweep: str,
    out: Path,
    *,
    rank_by: str = "net_pnl",
    where: str | None = None,
    details: Sequence[JsonObject] = (),
    first: Sequence[int] = (),
) -> Path:
    """Write the page of a sweep to `out` and return it.

    `details`: rows of points with `detail` (see tasks.engine.detail), drawn in the order of their rank; those of
    `first`, which a reader asked for, come before everything but the summary. Raises ExpressionError for a `rank_by` or
    `where` that does not fit the columns, StoreError when it cannot be written.
    """
    check_target(out)
    page, data = _contents(store, sweep, rank_by, where, details, first)
    html = _render(
        "template.html",
        page=page,
        data=_json(data),
        script="".join(map(_text, SCRIPTS)),
        style=_text("style.css"),
        plotly=_plotly(),
    )
    with replacing(out) as stream:
        stream.write(html)
    return out


def shows(page: Path, sweep: str, rows: int, meta: JsonView) -> bool:
    """Whether a written page is of this sweep with that many rows and as many folds, as its head says."""
    try:
        with page.open(encoding="utf-8") as file:
            head = file.read(4000)
    except (OSError, UnicodeDecodeError):
        return False
    return f'content="{_state(sweep, rows, meta)}"' in head


def render_sweeps(folder: Path) -> bytes:
    """The page of `hummingsweep serve`, which lists the sweeps of a folder."""
    return _render(
        "sweeps.html", folder=str(folder), style=_text("style.css"), script=_text("sweeps.js"), version=_version()
    )


def _contents(
    store: StoreReader,
    sweep: str,
    rank_by: str,
    where: str | None,
    details: Sequence[JsonObject],
    first: Sequence[int],
) -> tuple[SimpleNamespace, JsonObject]:
    """What the template shows, and what the script draws."""
    stored = store.sweep(sweep)
    definition, grid, meta = stored.definition, stored.grid, {**stored.meta, "rank_by": rank_by, "where": where}
    table = store.table(sweep)
    counts = store.counts(sweep)
    ranking = rank(table, rank_by, where, grid=grid, top=TOP, across=of_meta(meta))
    judged = judge_sweep(store, sweep, rank_by, where, best=ranking.best)
    noise = meta.get("noise_worlds")
    trust = trust_figures.charts(judged, noise)
    details = _in_order(details, first, ranking, grid)
    objective, money = Objective.of(rank_by), currency(definition.controller, grid)
    swept = charts.Swept.of(scored(table, rank_by, where), grid)
    drawn, data = _drawn(swept, ranking, objective, _effects(table, rank_by, where, grid))
    data |= {"trust": trust, "details": _curves(details, definition, grid)}
    unseen, data["unseen"] = folds_part(meta, details, definition)
    replayed, data["live"] = live_part(meta.get("live"), store.folder)
    evidence = Evidence(definition, points_of(definition), counts, ranking, table, meta.get("audit") or {})
    found = worst_first([*checks(evidence), *live_checks(meta.get("live")), *history_checks(meta.get("audit"))])
    points = words.details(details, ranking, grid, money)
    shown = tables.RankingTable(ranking, objective, grid, money)
    page = SimpleNamespace(
        state=_state(sweep, sum(counts.values()), meta),
        title=sweep.rpartition("-")[0] or sweep,
        subtitle=_subtitle(definition),
        objective=objective.name,
        tiles=_tiles(ranking, objective, counts, points_of(definition), data["distribution"], table),
        trust=trust_words.section(judged, trust, noise),
        winner=None if ranking.best is None else summary(ranking, objective, grid, found, details, money),
        no_answer=(meta.get("no_answer") or {}).get("remarks") or [],
        checks=found,
        ranking_note=tables.ranking_note(ranking),
        ranking=shown,
        folds=unseen,
        live=replayed,
        asked_points=[point for point in points if point.point in first],
        details=[point for point in points if point.point not in first],
        **_commands(store.folder),
        **drawn,
        maps_open=MAPS_OPEN,
        next_steps=next_steps(stored.sweep_file, definition, grid, ranking),
        failures=tables.failures(table),
        facts=facts(definition, grid, table, store.nodes(sweep), meta),
        controller=yaml.safe_dump(definition.controller, sort_keys=False, allow_unicode=True),
        sweep_file=stored.sweep_file,
        version=_version(),
        written=f"{utc_minute(time.time())} UTC",
    )
    return page, data


def _curves(details: Sequence[JsonObject], definition: SweepDefinition, grid: Grid) -> list[JsonObject]:
    """What the script draws of every point with curves."""
    return [
        charts.curves(row["detail"], row["point"], _amount(definition, grid, row["point"]))
        for row in details
        if row.get("detail")
    ]


def _commands(folder: Path) -> dict[str, str]:
    """What the page tells to type for more."""
    return {
        "best_command": command("report", folder, "--best", "3"),
        "point_command": command("report", folder, "--point", "N"),
        "trades_command": command("trades", folder, "--point", "N", "--format", "csv"),
    }


def _in_order(details: Sequence[JsonObject], first: Sequence[int], ranking: Ranking, grid: Grid) -> list[JsonObject]:
    """The points that were asked for as they were asked for, then the others by rank."""
    asked = list(first)

    def place(row: JsonObject) -> tuple[int, int]:
        point = row["point"]
        return (0, asked.index(point)) if point in asked else (1, ranking.place(point) or grid.size + 1)

    return sorted(details, key=place)


def _amount(definition: SweepDefinition, grid: Grid, point: int) -> float | None:
    """Quote with which a point trades; None where its config does not say."""
    amount = {**definition.controller, **grid.values(point)}.get("total_amount_quote")
    try:
        return float(amount) if amount else None
    except (TypeError, ValueError):
        return None


def _effects(table: pa.Table, rank_by: str, where: str | None, grid: Grid) -> list[tuple[AxisEffect, AxisEffect]]:
    """(over all points, over those that meet `where`) of each axis that varies, the strongest over all first."""
    every, ranked = sensitivity(table, rank_by, grid=grid), sensitivity(table, rank_by, where, grid=grid)
    pairs = [pair for pair in zip(every, ranked, strict=True) if len(pair[0].values) > 1]
    return sorted(pairs, key=lambda pair: -(pair[0].explained or 0.0))


def _drawn(
    swept: charts.Swept,
    ranking: Ranking,
    objective: Objective,
    effects: list[tuple[AxisEffect, AxisEffect]],
) -> tuple[JsonObject, JsonObject]:
    """The charts over all points: (in words, for the template; in numbers, for the script)."""
    grid = swept.grid
    best = ranking.rows[0]["point"] if ranking.rows else None
    winner = grid.values(best) if best is not None else {}
    maps, distribution = charts.heat_maps(swept, best), charts.distribution(swept.ranked)
    parallel = charts.parallel(swept.ranked)
    side_by_side = charts.side_by_side(ranking)
    told = [
        words.effect_figure(place, effect, objective, ranking.ascending, winner.get(effect.axis))
        for place, (effect, _) in enumerate(effects)
    ]
    in_words = {
        "distribution": words.distribution_text(distribution, objective),
        "distribution_is_drawn": bool(distribution and len(distribution["counts"]) > 1),
        "sensitivity": told,
        "sensitivity_text": words.effects_text([effect for effect, _ in effects], objective, len(swept.points)),
        "sensitivity_note": (
            f"Line: mean of {objective.name} over all points with that value, also those that where leaves out; "
            "band: one standard deviation; diamonds: the best ranked point with that value; ring: the best point of "
            "all."
        ),
        "maps": [words.map_figure(place, each, objective) for place, each in enumerate(maps)],
        "colour_note": words.colour_note(ranking.ascending),
        "parallel": words.parallel_text(parallel, objective),
        "side_by_side": words.side_by_side_text(ranking, objective),
    }
    in_numbers = {
        "objective": objective.name,
        "fraction": objective.is_fraction,
        "ascending": ranking.ascending,
        "distribution": distribution,
        "sensitivity": [charts.along(effect, winner.get(effect.axis), ranked) for effect, ranked in effects],
        "maps": maps,
        "parallel": parallel,
        "side_by_side": side_by_side,
    }
    return in_words, in_numbers


def _subtitle(definition: SweepDefinition) -> str:
    about = {**definition.controller, **{name: f"{len(values)} {name}s" for name, values in definition.grid.items()}}
    controller = f"{about.get('controller_type')}/{about.get('controller_name')}"
    market = f"{about.get('connector_name')} {about.get('trading_pair')}"
    return f"{controller} on {market}, {utc_minute(definition.start)} to {utc_minute(definition.end)} UTC"


def _tiles(
    ranking: Ranking,
    objective: Objective,
    counts: dict[Status, int],
    size: int,
    distribution: JsonObject | None,
    table: pa.Table,
) -> list[SimpleNamespace]:
    done = sum(counts.values())
    failed = done - counts.get(Status.OK, 0)

    def tile(label: str, value: str, note: str = "") -> SimpleNamespace:
        return SimpleNamespace(label=label, value=value, note=note)

    tiles = [
        tile("points with a row", f"{done:,}", f"of {size:,}; {failed:,} failed" if failed else f"of {size:,}"),
        tile(
            "ranked", f"{ranking.matching:,}", f"where {ranking.where}" if ranking.where else "every point that is ok"
        ),
    ]
    if distribution:
        share = distribution["positive"] / distribution["total"]
        tiles.append(tile(f"{objective.name} above 0", f"{share:.1%}", plural(distribution["positive"], "point")))
        tiles.append(tile(f"median {objective.name}", objective.text(distribution["median"])))
    seconds = sum(value or 0.0 for value in table.column("seconds").to_pylist())
    tiles.append(tile("computing time", f"{seconds:,.0f} s", a_point(seconds, done)))
    return tiles


def _state(sweep: str, rows: int, meta: JsonView) -> str:
    folds = len((meta.get("walk_forward") or {}).get("folds") or [])
    return f"{sweep}, {rows} rows" + (f", {folds} folds" if folds else "")


def _json(data: JsonObject) -> str:
    """JSON that cannot end the script element it stands in."""
    return ujson.dumps(data, encode_html_chars=True, allow_nan=False)


def _render(template: str, **values: Any) -> bytes:
    return Loader(str(_FOLDER), whitespace="all").load(template).generate(**values)


def _text(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    script: str = get_plotlyjs()
    return script


def _version() -> str:
    return metadata.version("hummingsweep")

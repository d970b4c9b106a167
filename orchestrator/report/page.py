"""The page: rows of a sweep in, one HTML file out, that needs nothing but a browser.

    store -> table -> ranking, sensitivity, aggregates -> template.html with style.css, script.js and plotly.js inside

Everything is aggregated here, so that the page of 100,000 points is hardly larger than that of 100. Whatever users
wrote (names, values, errors) goes through the template's escaping, or as JSON whose < and > are escaped; a policy in
the page forbids the browser every request.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping, Sequence
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
from orchestrator.report.checks import Evidence, checks
from orchestrator.report.facts import facts
from orchestrator.report.folds_page import folds_part
from orchestrator.report.live import history_checks, live_checks
from orchestrator.report.text import a_point, cell_text, plural
from orchestrator.results.output_path import check_target
from orchestrator.sweepfile.expressions import parse_objective
from orchestrator.sweepfile.skip import points_of
from tasks.errors import StoreError
from tasks.protocol.messages import Status
from tasks.suggest import command
from tasks.times import utc_minute

if TYPE_CHECKING:
    import pyarrow as pa

    from orchestrator.results.store import Store
    from tasks.protocol.messages import SweepDefinition

_FOLDER = Path(__file__).parent
#: Entries of the ranking in the page.
TOP = 100
#: Heat maps before the fold.
MAPS_OPEN = 6


def write_report(
    store: Store,
    sweep: str,
    out: Path,
    *,
    rank_by: str = "net_pnl",
    where: str | None = None,
    details: Sequence[dict[str, Any]] = (),
) -> Path:
    """Write the page of a sweep to `out` and return it.

    `details`: rows of points with `detail` (see tasks.engine.detail), drawn in the order of their rank. Raises
    ExpressionError for a `rank_by` or `where` that does not fit the columns, StoreError when it cannot be written.
    """
    check_target(out)
    page, data = _contents(store, sweep, rank_by, where, details)
    html = _render(
        "template.html",
        page=page,
        data=_json(data),
        script=_text("folds.js") + _text("trust.js") + _text("script.js"),
        style=_text("style.css"),
        plotly=_plotly(),
    )
    draft = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        draft.write_bytes(html)
        draft.replace(out)
    except OSError as error:
        raise StoreError(f"{out}: the report cannot be written ({error.strerror})") from None
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()
    return out


def shows(page: Path, sweep: str, rows: int, meta: Mapping[str, Any]) -> bool:
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
    store: Store, sweep: str, rank_by: str, where: str | None, details: Sequence[dict[str, Any]]
) -> tuple[SimpleNamespace, dict[str, Any]]:
    """What the template shows, and what the script draws."""
    stored = store.sweep(sweep)
    definition, grid, meta = stored.definition, stored.grid, {**stored.meta, "rank_by": rank_by, "where": where}
    table = store.table(sweep)
    counts = store.counts(sweep)
    ranking = rank(table, rank_by, where, grid=grid, top=TOP, across=of_meta(meta))
    found = scored(table, rank_by, where)
    swept = charts.Swept.of(found, grid)
    objective, ascending = parse_objective(rank_by)[0].text, found.ascending
    maps, distribution = charts.heat_maps(swept), charts.distribution(swept)
    parallel = charts.parallel(swept)
    effects = [effect for effect in sensitivity(table, rank_by, where, grid=grid) if len(effect.values) > 1]
    winner = grid.values(ranking.rows[0]["point"]) if ranking.rows else {}
    judged = judge_sweep(store, sweep, rank_by, where, best=ranking.rows[0]["point"] if ranking.rows else None)
    noise = meta.get("noise_worlds")
    trust = trust_figures.charts(judged, noise)
    details = sorted(details, key=lambda row: ranking.place(row["point"]) or grid.size + 1)
    drawable = [row for row in details if row.get("detail")]
    data = {
        "objective": objective,
        "ascending": ascending,
        "distribution": distribution,
        "sensitivity": [charts.along(effect, winner.get(effect.axis)) for effect in effects],
        "maps": maps,
        "parallel": parallel,
        "trust": trust,
        "details": [charts.curves(row["detail"]) for row in drawable],
    }
    names = [axis.name for axis in grid.axes]
    unseen, data["unseen"] = folds_part(meta, details, definition)
    page = SimpleNamespace(
        state=_state(sweep, sum(counts.values()), meta),
        title=sweep.rpartition("-")[0] or sweep,
        subtitle=_subtitle(definition),
        objective=objective,
        tiles=_tiles(ranking, objective, counts, points_of(definition), distribution, table),
        trust=trust_words.section(judged, trust, noise),
        checks=[
            *checks(Evidence(definition, points_of(definition), counts, ranking, table, meta.get("audit") or {})),
            *live_checks(meta.get("live")),
            *history_checks(meta.get("audit")),
        ],
        ranking_note=tables.ranking_note(ranking),
        heads=tables.heads(ranking, objective, names),
        rows=tables.rows(ranking, objective, grid, names),
        folds=unseen,
        details=words.details(details, ranking, grid),
        point_command=command("report", store.folder, "--point", "N"),
        distribution=words.distribution_text(distribution, objective),
        sensitivity=[words.effect_figure(place, effect, objective, ascending) for place, effect in enumerate(effects)],
        sensitivity_note=(
            f"Line: mean of {objective} over the ranked points with that value; band: one standard deviation; "
            "diamonds: the best point with that value; ring: the best point of all."
        ),
        maps=[words.map_figure(place, each, objective) for place, each in enumerate(maps)],
        maps_open=MAPS_OPEN,
        parallel=words.parallel_text(parallel, objective),
        failures=tables.failures(table),
        facts=facts(definition, grid, table, store.nodes(sweep), meta),
        controller=yaml.safe_dump(definition.controller, sort_keys=False, allow_unicode=True),
        sweep_file=stored.sweep_file,
        version=_version(),
        written=f"{utc_minute(time.time())} UTC",
    )
    return page, data


def _subtitle(definition: SweepDefinition) -> str:
    about = {**definition.controller, **{name: f"{len(values)} {name}s" for name, values in definition.grid.items()}}
    controller = f"{about.get('controller_type')}/{about.get('controller_name')}"
    market = f"{about.get('connector_name')} {about.get('trading_pair')}"
    return f"{controller} on {market}, {utc_minute(definition.start)} to {utc_minute(definition.end)} UTC"


def _tiles(
    ranking: Ranking,
    objective: str,
    counts: dict[Status, int],
    size: int,
    distribution: dict[str, Any] | None,
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
    if ranking.rows:
        best = ranking.rows[0]
        tiles.append(tile(f"best {objective}", cell_text(best["objective"]), f"point {best['point']}"))
    if distribution:
        share = distribution["positive"] / distribution["total"]
        tiles.append(tile(f"{objective} above 0", f"{share:.1%}", plural(distribution["positive"], "point")))
        tiles.append(tile(f"median {objective}", cell_text(distribution["median"])))
    seconds = sum(value or 0.0 for value in table.column("seconds").to_pylist())
    tiles.append(tile("computing time", f"{seconds:,.0f} s", a_point(seconds, done)))
    return tiles


def _state(sweep: str, rows: int, meta: Mapping[str, Any]) -> str:
    folds = len((meta.get("walk_forward") or {}).get("folds") or [])
    return f"{sweep}, {rows} rows" + (f", {folds} folds" if folds else "")


def _json(data: dict[str, Any]) -> str:
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

"""A point as the configs that Hummingbot loads: what the sweep found, on its way to the bot.

    <to>/conf/controllers/<id>.yml          the controller config of the point, every value as the back-test had it
    <to>/conf/scripts/<id>-script.yml       runs it: script_file_name v2_with_controllers.py

The files' names differ because `hbot start` looks a config up by its bare name over both folders and refuses one that
it finds twice. The id names sweep and point, so a promoted config always leads back to its row.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from orchestrator.analysis.across import of_meta
from orchestrator.analysis.judgement import TRUST
from orchestrator.analysis.other_parts import LOOK_AHEAD
from orchestrator.analysis.rank import rank as rank_rows
from orchestrator.analysis.untraded import EXECUTORS, LOG
from orchestrator.analysis.verdict import Verdict
from orchestrator.execution.planner import check_points
from orchestrator.results.columns import plain_text
from tasks.errors import StoreError
from tasks.files import written_beside
from tasks.grid import Grid
from tasks.named_types import JsonObject, Row
from tasks.nested import config_values
from tasks.protocol.messages import Status
from tasks.times import utc_minute

if TYPE_CHECKING:
    from orchestrator.results.store_reader import StoreReader
    from tasks.protocol.messages import SweepDefinition

SCRIPT = "v2_with_controllers.py"
#: Results written into the head of the file.
HEAD_RESULTS = (
    "net_pnl",
    "net_pnl_quote",
    "max_drawdown_pct",
    "profit_factor",
    "total_positions",
    "accuracy",
    "sharpe",
    "sortino",
    "max_drawdown",
    "honest_net_pnl",
    "honest_sharpe",
)
#: Hummingbot writes these first.
_FIRST = ("id", "controller_name", "controller_type")


def promote(
    store: StoreReader,
    sweep: str,
    to: Path,
    *,
    rank: int = 1,
    point: int | None = None,
    force: bool = False,
    anyway: bool = False,
    code: Mapping[Path, Path] | None = None,
) -> list[Path]:
    """Write the configs of a point, by place in the ranking (from 1 on) or by index; the paths written.

    `anyway`: also where the verdict on the sweep is luck, its best point looks ahead, or the point never opened an
    executor. `code`: path below `to` -> source file of the controller and its helpers
    (orchestrator.execution.controller_code), which are copied. Raises StoreError: such a verdict or point, no such rank
    or point, a point without results, a file that is there already (unless `force`), a folder that cannot be written.
    Either all files are written or none.
    """
    definition = store.definition(sweep)
    meta = store.meta(sweep)
    rank_by, where = meta["rank_by"], meta["where"]
    grid = Grid.from_mapping(definition.grid)
    ranking = rank_rows(store.table(sweep), rank_by, where, grid=grid, top=max(rank, 1), across=of_meta(meta))
    if point is None:
        if not 1 <= rank <= len(ranking.rows):
            raise StoreError(
                f"{sweep}: there is no rank {rank}; {ranking.groups} different points are ranked by {rank_by}"
            )
        point = int(ranking.rows[rank - 1]["point"])
        if math.isnan(ranking.rows[rank - 1]["objective"]):
            raise StoreError(
                f"{sweep}: there is no rank {rank}: the points without one have no number for {rank_by}; name the "
                "point you mean with --point"
            )
    row = _row(store, definition, point)
    _check_worth(definition.sweep, point, row, meta, force=force, anyway=anyway)
    place = ranking.place(point)
    standing = f"rank {place} of {ranking.groups}" if place else "not ranked"
    standing += f" by {rank_by}" + (f" where {where}" if where else "")
    name = promoted_name(definition.sweep, point)
    script = {"script_file_name": SCRIPT, "controllers_config": [f"{name}.yml"]}
    head = _head(definition, point, standing, row, meta)
    files = {
        to / "conf" / "controllers" / f"{name}.yml": head + _yaml(controller_config(definition, point)),
        to / "conf" / "scripts" / f"{name}-script.yml": f"# Runs {name}.yml, see there.\n" + _yaml(script),
        **_new_code(to, code or {}),
    }
    _write(files, force)
    return list(files)


def _new_code(to: Path, code: Mapping[Path, Path]) -> dict[Path, str]:
    """Path -> text of the source files that the bot does not have as they are; its own `__init__.py` stay."""
    files = {}
    for target, source in code.items():
        path, text = to / target, source.read_text(encoding="utf-8")
        there = path.read_text(encoding="utf-8") if path.is_file() else None
        if there != text and not (there is not None and path.name == "__init__.py"):
            files[path] = text
    return files


def _check_worth(sweep: str, point: int, row: Row, meta: JsonObject, *, force: bool, anyway: bool) -> None:
    """Raises StoreError for a point that never traded, a verdict of luck, or look-ahead, unless asked for anyway."""
    executors = [row[name] for name in EXECUTORS if row.get(name) is not None]
    if executors and not any(executors) and not (force or anyway):  # 0.1 knew --force alone
        log = f" Its controller: {row[LOG]}" if row.get(LOG) else ""
        raise StoreError(
            f"{sweep}: point {point} never opened an executor: a bot with its config does nothing, or something else "
            f"than the back-test. Give --anyway to write it all the same.{log}"
        )
    trust = meta.get(TRUST) or {}
    if trust.get("verdict") == Verdict.LUCK and not anyway:
        raise StoreError(
            f"{sweep}: the verdict on this sweep is luck. {trust['sentence']} To promote the point all the same, give "
            "--anyway"
        )
    audit = meta.get("audit") or {}
    if audit.get("state") == LOOK_AHEAD and not anyway:
        raise StoreError(
            f"{sweep}: the audit of point {audit.get('point')} found look-ahead ({audit.get('verdict', '')}): the bot "
            "cannot see that future. Mend the controller, or raise `shift`; to promote the point all the same, give "
            "--anyway"
        )


def is_bot_folder(folder: Path) -> bool:
    """Whether a folder looks like Hummingbot's or its API's: it has configs or controllers."""
    return any((folder / name).is_dir() for name in ("conf", "controllers", "hummingbot"))


def missing_code(folder: Path, config: Path) -> Path | None:
    """Where a bot's folder should hold the controller of a written config (`controllers/<type>/<name>.py`, as in
    Hummingbot or its API) when it does not; None where it is there."""
    values = yaml.safe_load(config.read_text(encoding="utf-8"))
    inner = Path(str(values["controller_type"]), *str(values["controller_name"]).split("."))
    places = [folder / outer / "controllers" / inner.with_suffix(".py") for outer in ("", "bots", "app")]
    return None if any(place.is_file() for place in places) else places[0]


def controller_config(definition: SweepDefinition, point: int) -> JsonObject:
    """The controller config of a point as `conf/controllers/*.yml` holds it: the values the back-test had, an id."""
    config = config_values(definition.controller, Grid.from_mapping(definition.grid).values(point))
    config["id"] = promoted_name(definition.sweep, point)
    first = {key: config.pop(key) for key in _FIRST if key in config}
    return {**first, **config}


def promoted_name(sweep: str, point: int) -> str:
    """The id of a promoted config, which names its files too: letters, digits, - and _.

    Hummingbot's API takes no other names, and Hummingbot cuts one at its first dot.
    """
    return f"{re.sub(r'[^A-Za-z0-9_-]+', '-', sweep)}-{point}"


def _row(store: StoreReader, definition: SweepDefinition, point: int) -> Row:
    """The row of a point that has results. Raises StoreError."""
    check_points(definition.sweep, [point], Grid.from_mapping(definition.grid).size)
    row = next(store.rows(definition.sweep, [point]), None)
    if row is None:
        raise StoreError(f"{definition.sweep}: point {point} has no row yet; `hummingsweep resume` computes it")
    if row["status"] != Status.OK:
        raise StoreError(f"{definition.sweep}: point {point} has no results: {row['status']}: {row['error']}")
    return row


def _head(definition: SweepDefinition, point: int, standing: str, row: Row, meta: JsonObject) -> str:
    """The comment at the top: where this config comes from and what it did there."""
    audit, trust = meta.get("audit") or {}, meta.get(TRUST)
    values = Grid.from_mapping(definition.grid).values(point)
    results = [f"{name} {row[name]:.6g}" for name in HEAD_RESULTS if isinstance(row.get(name), int | float)]
    facts = [
        f"sweep {definition.sweep}, point {point}: {standing}",
        "point: " + ", ".join(f"{name} {value}" for name, value in values.items()),
        f"back-test: {utc_minute(definition.start)} to {utc_minute(definition.end)} UTC, "
        f"candles {definition.resolution}, "
        f"trade_cost {definition.trade_cost:g}, engine {row.get('engine') or definition.engine}, "
        f"shift {definition.shift}, fills {definition.fills}, warmup {str(definition.warmup).lower()}, "
        f"seed {definition.seed}",
        "results: " + ", ".join(results),
        f"look-ahead audit (point {audit.get('point', 'not noted')}): {audit['verdict']}"
        if audit.get("verdict")
        else "look-ahead audit: none was made (hummingsweep audit)",
        f"verdict on the sweep: {trust['verdict']}. {trust['sentence']}"
        if trust
        else "verdict on the sweep: none was made (run it again with this version)",
        *([f"warning: {row['warning']}"] if row.get("warning") else []),
        "versions: " + ", ".join(f"{name} {version}" for name, version in sorted(definition.versions.items())),
        f"controllers: {definition.controllers or 'no digest'}",
        *(f"candles {feed}: {digest}" for feed, digest in sorted(definition.slices.items())),
        "the bot sees the unfinished candle, a back-test only finished ones: "
        f"`hummingsweep live {definition.sweep} --point {point}` says what that changes",
        f"written {utc_minute(time.time())} UTC by hummingsweep promote; a back-test is not a promise",
    ]
    # one line a fact: a value with a line break in it must not become YAML
    return "".join(f"# {' '.join(plain_text(fact).split())}\n" for fact in facts)


def _yaml(content: JsonObject) -> str:
    text: str = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, default_flow_style=False, width=120)
    return text


def _write(files: dict[Path, str], force: bool) -> None:
    for path in files:
        if os.path.lexists(path) and not force:  # a link that leads nowhere is there, too
            raise StoreError(f"{path}: is there already; give --force to overwrite it")
    try:
        with contextlib.ExitStack() as drafts:  # none takes its name before all are written
            for path, text in files.items():
                drafts.enter_context(written_beside(path)).write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{error.filename}: cannot be written ({error.strerror})") from None

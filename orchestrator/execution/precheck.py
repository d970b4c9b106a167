"""What can be told of a sweep before a server, a node or a child is started: all that is wrong with it, at once.

A check is one function in CHECKS; it raises for what it finds. What only a child can know (is a value accepted, which
feeds does the controller ask for) comes later, from a probe.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import SequenceMatcher
from itertools import product
from pathlib import Path

from orchestrator.execution.controllers import check_controller, controllers_folder
from orchestrator.sweepfile import rules
from orchestrator.sweepfile.config_source import config_fields
from orchestrator.sweepfile.expressions import Expression, parse_objective
from orchestrator.sweepfile.row_columns import row_columns
from orchestrator.sweepfile.sweep import Sweep
from orchestrator.validation.folds import windows_of
from tasks.candles.formats import demand_folder, find
from tasks.candles.resample import check_cover
from tasks.errors import CandlesMissing, HummingsweepError, SweepFileError, UnknownKey
from tasks.nested import root_key
from tasks.protocol.messages import FeedNeed
from tasks.suggest import nearest

#: Markets whose candles are looked at; more are left to publishing.
MAX_MARKETS = 50
#: A column is a slip of the pen when it is so much like one that rows have.
ALIKE = 0.8


def precheck(sweep: Sweep) -> None:
    """Raises HummingsweepError, the first mistake with all others; see CHECKS."""
    found: list[HummingsweepError] = []
    for check in CHECKS:
        try:
            check(sweep)
        except HummingsweepError as error:
            found.append(error)
    if found:
        raise found[0].with_others(found[1:])


def markets(sweep: Sweep) -> set[tuple[str, str]]:
    """Every (connector, trading pair) the points may trade on."""

    def values(key: str) -> list[str]:
        for axis in sweep.grid.axes:
            if axis.name == key:
                return [str(value) for value in axis.values]
        return [str(sweep.controller[key])] if key in sweep.controller else []

    return set(product(values("connector_name"), values("trading_pair")))


def place_of_refusal(sweep: Sweep, error: str) -> str:
    """File, line and key that a controller's refusal is about; "" where it names no key of the sweep file."""
    found = re.search(r"refuses its config: (?:unknown key ')?([\w.]+)", error)
    for name in (found[1], root_key(found[1])) if found else ():
        if axis := next((axis for axis in sweep.axes if name in (axis, root_key(axis))), None):
            return sweep.place("grid", axis)
        if name in sweep.controller:
            return sweep.place("controller", name)
    return ""


def controller_file(sweep: Sweep) -> Path | None:
    """The source of the controller; None where it is an axis, or is not there."""
    controller_type, name = sweep.controller.get("controller_type"), sweep.controller.get("controller_name")
    if not isinstance(controller_type, str) or not isinstance(name, str):
        return None
    if {"controller_type", "controller_name"}.intersection(sweep.grid.names):
        return None
    module = controllers_folder(sweep.controllers).joinpath(controller_type, *name.split("."))
    files = (module.with_name(f"{module.name}.py"), module / "__init__.py")
    return next((file for file in files if file.is_file()), None)


def _config_keys(sweep: Sweep) -> None:
    """Keys that the config class does not have, told from its source."""
    file = controller_file(sweep)
    if file is None:
        return
    known = config_fields(file, [controllers_folder(sweep.controllers).parent, *sweep.import_path])
    if known is None:
        return
    places = [(("controller", str(key)), str(key)) for key in sweep.controller]
    places += [(("grid", name), root_key(name)) for name in sweep.axes]
    errors = []
    for place, key in places:
        if key not in known.keys:
            close = nearest(key, sorted(known.keys - {"id"}))
            text = f"the config of this controller ({known.name}) has no key {key}; the nearest is `{close}`"
            errors.append(UnknownKey(f"{sweep.place(*place)}: {text}"))
    if errors:
        raise errors[0].with_others(errors[1:])


def _ranking_columns(sweep: Sweep) -> None:
    """Columns of `rank_by` and `where` that are nearly, but not quite, columns of rows."""
    there = row_columns(sweep)
    errors = []
    for key, parsed in (
        ("rank_by", parse_objective(sweep.rank_by)[0]),
        ("where", Expression.parse(sweep.where) if sweep.where else None),
    ):
        for name in parsed.names if parsed is not None else ():
            close = nearest(name, there)
            # a column that this list does not have yet is left to the first rows
            if name not in there and SequenceMatcher(None, name, close).ratio() >= ALIKE:
                text = f"rows have no column {name}; the nearest is `{close}`"
                errors.append(SweepFileError(f"{sweep.place(key)}: {text}"))
    if errors:
        raise errors[0].with_others(errors[1:])


def _period(sweep: Sweep) -> None:
    """The candles that the engine steps over are there for the whole period."""
    files = find(sweep.candles)
    errors = []
    for connector, pair in sorted(markets(sweep))[:MAX_MARKETS]:
        need = FeedNeed(connector, pair, sweep.resolution, 0)
        try:
            check_cover(need, files, sweep.start, sweep.period.end)
        except HummingsweepError as error:
            errors.append(error)
    if errors:
        raise errors[0].with_others(errors[1:])


def _candles(sweep: Sweep) -> None:
    demand_folder(sweep.candles)


def _trading_rules(sweep: Sweep) -> None:
    inside = isinstance(sweep.trading_rules, Path) and sweep.trading_rules.is_relative_to(sweep.candles)
    if inside and not sweep.candles.is_dir():
        return  # nobody asked for rules, and the candle folder is told
    rules.load(sweep.trading_rules, markets(sweep))


def _period_of_candles(sweep: Sweep) -> None:
    try:
        demand_folder(sweep.candles)
    except CandlesMissing:
        return  # told already
    _period(sweep)


def _windows(sweep: Sweep) -> None:
    windows_of(sweep)


def _controller(sweep: Sweep) -> None:
    check_controller(sweep)


def _import_path(sweep: Sweep) -> None:
    for place, folder in enumerate(sweep.import_path):
        if not folder.is_dir():
            raise SweepFileError(
                f"{sweep.place('import_path')}: {folder}: no such folder (entry {place + 1}); relative folders start "
                "at the sweep file"
            )


CHECKS: tuple[Callable[[Sweep], None], ...] = (
    _candles,
    _controller,
    _windows,
    _config_keys,
    _import_path,
    _ranking_columns,
    _trading_rules,
    _period_of_candles,
)

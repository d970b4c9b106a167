"""walk, robustness: would the choice have worked on data it never saw, and what does it depend on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer

from orchestrator.commands._shared import (
    Broker,
    Children,
    Exit,
    Json,
    SweepName,
    answer_json,
    say,
    settings_for,
)
from orchestrator.commands.tables import shown, table
from orchestrator.execution import windows as stored_windows
from orchestrator.progress.watcher import watcher_for
from orchestrator.report.folds_words import DAY_S, between, closing_lines, objective_columns, percent, rule_text
from orchestrator.report.text import Objective
from orchestrator.results.sweep_ref import resolve
from orchestrator.sweepfile.validate import Robustness, length_text
from tasks.errors import HummingsweepError, StoreError
from tasks.named_types import JsonView


def walk(sweep: SweepName, json: Json = False) -> None:
    """The walk-forward table of a sweep: what was chosen in each fold, and what it did on data the choice never saw.

    Works while the sweep runs: the folds that are there are shown.

    Examples:
      hummingsweep walk runs/mine
      hummingsweep walk runs/mine --json
    """
    document = stored_windows.walk_forward(resolve(sweep))
    if json:
        answer_json(document)
        return
    if document["walk_forward"] is not None:
        for line in walk_lines(document["walk_forward"]):
            say(line)
    for line in closing_lines(document):
        say(line)


def robustness(
    sweep: SweepName,
    point: Annotated[
        list[int] | None, typer.Option("--point", help="This point (repeatable) in place of the best ones.")
    ] = None,
    best: Annotated[int, typer.Option(min=1, max=100, help="So many of the best points.")] = 3,
    cost: Annotated[
        list[float] | None, typer.Option("--cost", min=0, help="Factor on all costs (repeatable); default 0.5 to 3.")
    ] = None,
    jitter: Annotated[
        list[float] | None,
        typer.Option("--jitter", min=0, help="Noise on candles as a fraction of their range (repeatable)."),
    ] = None,
    start_shift: Annotated[
        list[str] | None, typer.Option("--start-shift", help="Begin so much later, such as 6h (repeatable).")
    ] = None,
    delay: Annotated[int, typer.Option(min=0, help="Candles by which everything derived comes later; 0: none.")] = 1,
    broker: Broker = "",
    children: Children = 0,
    json: Json = False,
) -> None:
    """Run the best points again under changed conditions: costs, fills, a candle later, noisy candles, another start.

    Rows that are there are not computed again. Exit code 1 when every point is fragile.

    Examples:
      hummingsweep robustness runs/mine
      hummingsweep robustness runs/mine --point 17 --cost 2 --cost 5 --start-shift 6h
    """
    folder = resolve(sweep)
    asked = _asked(best=best, cost=cost, jitter=jitter, start_shift=start_shift, delay=delay)
    watcher = watcher_for(json)
    try:
        answer = stored_windows.robustness(folder, settings_for(broker, children), watcher, asked, point or [])
    finally:
        watcher.close()
    if answer is None:
        raise StoreError(f"{folder}: has no ranked point to run again; see `hummingsweep rows {folder}`")
    if json:
        answer_json(answer)
    else:
        for line in robustness_lines(answer):
            say(line)
    if all("fragile" in note for note in answer["notes"]):
        raise typer.Exit(Exit.FAILED)


def _asked(**options: Any) -> Robustness:
    """The checks that the options name. Raises HummingsweepError."""
    from pydantic import ValidationError

    names = {"best": "points", "cost": "costs", "jitter": "jitter", "start_shift": "start_shift", "delay": "delay"}
    given = {names[option]: value for option, value in options.items() if value is not None and value != []}
    try:
        return Robustness.model_validate(given)
    except ValidationError as errors:
        error = errors.errors(include_url=False)[0]
        option = next(option for option, key in names.items() if key == error["loc"][0])
        text = str(error["ctx"]["error"]) if error["type"] == "value_error" else error["msg"].lower()
        raise HummingsweepError(f"--{option.replace('_', '-')}: {error['input']}: {text}") from None


def walk_lines(answer: JsonView) -> list[str]:
    """The table of a walk-forward, one row a fold."""
    objectives = objective_columns(answer)
    folds: Sequence[JsonView] = answer["folds"]
    axes = [each["axis"] for each in answer["parameters"]]
    columns = ["fold", "train", "test", "point", *axes, *objectives, "return in", "return out", "random out"]
    rows = [_fold_cells(fold, axes, Objective.of(answer["rank_by"]), objectives.values()) for fold in folds]
    lines = table(f"walk-forward, {rule_text(answer)}", columns, rows)
    if len(folds) < answer["planned"]:
        lines.append(f"{len(folds)} of {answer['planned']} folds have their rows so far")
    if answer["left_over_s"] >= DAY_S:
        lines.append(f"{length_text(answer['left_over_s'])} at the end of the period are in no test window")
    without: dict[str, list[str]] = {}
    for fold in folds:
        if fold["point"] is None:
            without.setdefault(fold.get("why") or "no point ran to its end", []).append(str(fold["fold"] + 1))
    for why, numbers in without.items():
        which = f"fold{'s' * (len(numbers) > 1)} {', '.join(numbers)}"
        lines.append(f"{which}: no point could be ranked in training: {why}")
    return lines


def _fold_cells(fold: JsonView, axes: Sequence[str], objective: Objective, keys: Iterable[str]) -> list[str]:
    windows = [between(fold["train_start"], fold["train_end"]), between(fold["test_start"], fold["test_end"])]
    values = fold.get("values") or {}
    return [
        str(fold["fold"] + 1),
        *windows,
        "" if fold["point"] is None else str(fold["point"]),
        *(shown(values.get(axis)) for axis in axes),
        *(objective.text(fold.get(key)) for key in keys),
        *(percent(fold.get(name)) for name in ("return_in", "return_out", "control_out")),
    ]


def robustness_lines(answer: JsonView) -> list[str]:
    """The matrix: one row a condition, one column a point."""
    columns = ["condition", *(f"point {point}" for point in answer["points"])]
    rows = [[row["label"], *(shown(value) for value in row["values"])] for row in answer["rows"]]
    return [
        *table(f"{answer['rank_by']} under changed conditions", columns, rows),
        *answer["notes"],
        *answer.get("left_out", []),
    ]

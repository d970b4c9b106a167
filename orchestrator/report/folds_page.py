"""The report's part on data that the choice never saw: folds, joined curve, parameters, hold-out, robustness, regimes.

What the stages of a run noted beside the sweep becomes tables and a few charts; without notes there is no such part.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import SimpleNamespace

from orchestrator.report.folds_words import between, closing_lines, objective_columns, percent, rule_text
from orchestrator.report.text import Objective, cell_text, shown
from tasks.named_types import JsonObject, JsonView
from tasks.protocol.messages import SweepDefinition

#: Moments of the price that a chart of folds is drawn with.
MAX_PRICES = 600
#: Regimes of these kinds are in the page's table; hours and weekdays are drawn.
IN_TABLE = ("month", "volatility", "trend")


def folds_part(
    meta: JsonView, details: Sequence[JsonView], definition: SweepDefinition
) -> tuple[SimpleNamespace | None, JsonObject]:
    """(what the template shows, what the script draws); None without windows, robustness and curves."""
    walk, holdout, robustness = (meta.get(name) or None for name in ("walk_forward", "holdout", "robustness"))
    regimes = _regimes(details)
    if not (walk or holdout or robustness or regimes):
        return None, {}
    walk = walk if walk and walk["folds"] else None
    data = _data(walk, holdout, details, definition)
    objective = Objective.of(str(meta["rank_by"]))
    part = SimpleNamespace(
        sentences=closing_lines({"walk_forward": walk, "holdout": holdout}),
        rule=rule_text(walk) if walk else "",
        fold_heads=_fold_heads(walk),
        fold_rows=_fold_rows(walk, objective),
        joined=bool(walk and walk["joined"]),
        folds_alt=_folds_alt(walk, priced=bool(data["price"]["time"])),
        joined_alt=_joined_alt(walk),
        axes=[each["axis"] for each in walk["parameters"]] if walk else [],
        holdout_rows=_holdout_rows(holdout, objective),
        holdout_by_return=bool(holdout and holdout.get("by_return")),
        holdout_ratios=_has_ratios(holdout),
        holdout_title=between(holdout["start"], holdout["end"]) if holdout else "",
        robustness=_matrix(robustness, objective),
        regimes=regimes,
    )
    return part, data


def _data(
    walk: JsonView | None,
    holdout: JsonView | None,
    details: Sequence[JsonView],
    definition: SweepDefinition,
) -> JsonObject:
    nothing: dict[str, list[float]] = {"time": [], "close": []}
    curve = next((row["detail"]["curve"] for row in details if row.get("detail")), nothing)
    step = max(1, math.ceil(len(curve["time"]) / MAX_PRICES))
    folds = walk["folds"] if walk else []
    names = ("fold", "train_start", "train_end", "test_start", "test_end", "return_in", "return_out", "control_out")
    return {
        "period": [definition.start, definition.end],
        "price": {"time": curve["time"][::step], "close": curve["close"][::step]},
        "folds": [{name: fold.get(name) for name in names} for fold in folds],
        "holdout": [holdout["start"], holdout["end"]] if holdout else None,
        "joined": walk["joined"]["curve"] if walk and walk["joined"] else None,
        "control": walk["control"]["curve"] if walk and walk["control"] else None,
        "parameters": [
            {"axis": each["axis"], "folds": [fold + 1 for fold in each["folds"]], "values": each["values"]}
            for each in (walk["parameters"] if walk else [])
        ],
    }


def _fold_heads(walk: JsonView | None) -> list[str]:
    if walk is None:
        return []
    axes = [each["axis"] for each in walk["parameters"]]
    # what was earned comes before the axes, for the table scrolls sideways and there may be many of them
    returns = ["return in", "return out", "random out"]
    return ["fold", "training", "test", "point", *returns, *objective_columns(walk), *axes]


def _fold_rows(walk: JsonView | None, objective: Objective) -> list[list[SimpleNamespace]]:
    if walk is None:
        return []
    axes = [each["axis"] for each in walk["parameters"]]
    objectives = objective_columns(walk).values()
    rows = []
    for fold in walk["folds"]:
        values = fold.get("values") or {}
        texts = [
            str(fold["fold"] + 1),
            between(fold["train_start"], fold["train_end"]),
            between(fold["test_start"], fold["test_end"]),
            "none" if fold["point"] is None else str(fold["point"]),
        ]
        after = [
            *(objective.text(fold.get(key)) for key in objectives),
            *(shown(values[axis]) if axis in values else "" for axis in axes),
        ]
        returns = [_signed(fold.get(name)) for name in ("return_in", "return_out", "control_out")]
        first, last = ([SimpleNamespace(text=text, css="") for text in some] for some in (texts, after))
        rows.append([*first, *returns, *last])
    return rows


def _signed(value: float | None) -> SimpleNamespace:
    css = "" if value is None or value == 0 else "good" if value > 0 else "bad-text"
    return SimpleNamespace(text=percent(value), css=css)


def _folds_alt(walk: JsonView | None, *, priced: bool) -> str:
    if walk is None:
        return ""
    won = sum((fold.get("return_out") or 0) > 0 for fold in walk["folds"])
    return (
        f"{'Price over the period; below it one' if priced else 'One'} line a fold: training grey, test coloured by "
        f"what the chosen point earned there. {won} of {len(walk['folds'])} test windows won."
    )


def _joined_alt(walk: JsonView | None) -> str:
    if walk is None or not walk["joined"]:
        return ""
    return (
        f"The test windows of the chosen points, one after another: {percent(walk['joined']['return'])}; dotted: the "
        "middle one of the curves that choosing at random gives. Nothing in this curve was seen by the choice."
    )


def _holdout_rows(holdout: JsonView | None, objective: Objective) -> list[list[SimpleNamespace]]:
    if holdout is None:
        return []
    rows = []
    for each in holdout["points"]:
        texts = [
            f"rank {each['rank']}" if each["rank"] else "at random",
            str(each["point"]),
            objective.text(each["objective_in"]),
        ]
        if not holdout.get("by_return"):
            texts.append(objective.text(each["objective_out"]))
        cells = [SimpleNamespace(text=text, css="") for text in texts]
        ratio = [SimpleNamespace(text=cell_text(each["sharpe"]), css="")] if _has_ratios(holdout) else []
        rows.append([*cells, _signed(each["return"]), *ratio])
    return rows


def _has_ratios(holdout: JsonView | None) -> bool:
    """Whether the hold-out has returns enough for a Sharpe ratio."""
    return holdout is not None and any(each["sharpe"] is not None for each in holdout["points"])


def _matrix(robustness: JsonView | None, objective: Objective) -> SimpleNamespace | None:
    """The matrix with a colour a cell: how much of the point's result is left."""
    if robustness is None:
        return None
    plain = robustness["rows"][0]["values"]
    descending = not str(robustness["rank_by"]).startswith("-")
    rows = []
    for row in robustness["rows"]:
        cells = [
            SimpleNamespace(text=objective.text(value), css=_kept_css(value, base, descending))
            for value, base in zip(row["values"], plain, strict=True)
        ]
        rows.append(SimpleNamespace(label=row["label"], cells=cells))
    return SimpleNamespace(
        objective=robustness["rank_by"],
        points=robustness["points"],
        rows=rows,
        notes=[*robustness["notes"], *robustness.get("left_out", [])],
    )


def _kept_css(value: float | None, base: float | None, descending: bool) -> str:
    if value is None or base is None:
        return "gone"
    lost = (base - value) if descending else (value - base)
    share = lost / abs(base) if base else (1.0 if lost > 0 else 0.0)
    return "kept" if share <= 0.2 else "less" if share <= 0.5 else "gone"


def _regimes(details: Sequence[JsonView]) -> list[SimpleNamespace]:
    """What each point with curves earned in which market."""
    found = []
    for row in details:
        regimes = (row.get("detail") or {}).get("regimes")
        if not regimes or not regimes["regimes"]:
            continue
        rows = [
            SimpleNamespace(
                kind=each["kind"],
                name=each["name"],
                share=f"{each['share']:.0%}",
                earned=cell_text(each["earned"]),
                css="good" if each["earned"] > 0 else "bad-text" if each["earned"] < 0 else "",
                winning="-" if each["winning"] is None else f"{each['winning']:.0%}",
            )
            for each in regimes["regimes"]
        ]
        found.append(
            SimpleNamespace(
                point=row["point"],
                note=regimes["note"],
                rows=[each for each in rows if each.kind in IN_TABLE],
                others=[each for each in rows if each.kind not in IN_TABLE],
            )
        )
    return found

"""What is said on a terminal of windows, hold-out and robustness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.commands.tables import shown, table
from orchestrator.sweepfile.validate import length_text
from tasks.times import utc_day, utc_minute

#: Efficiency from which on a choice is usually called usable (Pardo).
USUAL_BAR = 0.5
DAY_S = 86400


def walk_lines(answer: Mapping[str, Any]) -> list[str]:
    """The table of a walk-forward, one row a fold."""
    objective = str(answer["rank_by"]).lstrip("-")
    folds: Sequence[Mapping[str, Any]] = answer["folds"]
    axes = [each["axis"] for each in answer["parameters"]]
    columns = ["fold", "train", "test", "point", *axes, f"{objective} in", f"{objective} out"]
    columns += ["return in", "return out", "random out"]
    rows = [_fold_cells(fold, axes) for fold in folds]
    lines = table(f"walk-forward, {_rule(answer)}", columns, rows)
    if len(folds) < answer["planned"]:
        lines.append(f"{len(folds)} of {answer['planned']} folds have their rows so far")
    if answer["left_over_s"] >= DAY_S:
        lines.append(f"{length_text(answer['left_over_s'])} at the end of the period are in no test window")
    for fold in folds:
        if fold["point"] is None:
            lines.append(f"fold {fold['fold'] + 1}: no point could be ranked in training")
    return lines


def _fold_cells(fold: Mapping[str, Any], axes: Sequence[str]) -> list[str]:
    between = [_between(fold["train_start"], fold["train_end"]), _between(fold["test_start"], fold["test_end"])]
    values = fold.get("values") or {}
    return [
        str(fold["fold"] + 1),
        *between,
        "" if fold["point"] is None else str(fold["point"]),
        *(shown(values.get(axis)) for axis in axes),
        shown(fold.get("objective_in")),
        shown(fold.get("objective_out")),
        *(percent(fold.get(name)) for name in ("return_in", "return_out", "control_out")),
    ]


def closing_lines(answer: Mapping[str, Any]) -> list[str]:
    """A few sentences on everything that was tested out of sample."""
    lines: list[str] = []
    walk = answer.get("walk_forward")
    if walk and walk["joined"]:
        lines += _joined_lines(walk)
    elif walk:
        lines.append("out of sample: no fold has a point that could be tested")
    if holdout := answer.get("holdout"):
        lines += holdout_lines(holdout)
    if robustness := answer.get("robustness"):
        lines += robustness["notes"]
    return lines


def _joined_lines(walk: Mapping[str, Any]) -> list[str]:
    joined, control = walk["joined"], walk["control"]
    lines = [
        f"out of sample: {joined['windows']} test windows, {joined['days']:.0f} days, return "
        f"{percent(joined['return'])} ({percent(joined['return_per_year'])} a year), {sharpe_text(joined)}, drawdown "
        f"{percent(joined['max_drawdown'])}, {joined['winning_windows']:.0%} of the windows won"
    ]
    if joined["efficiency"] is None:
        lines.append("efficiency: none, for the chosen points lost in training")
    else:
        lines.append(
            f"efficiency: {joined['efficiency']:.2f} of the yearly return in training was kept in the tests "
            f"({USUAL_BAR} is the usual bar)"
        )
    if control:
        lines.append(
            f"choosing at random: return {percent(control['return'])} (median of {control['draws']} draws); the rule "
            f"beats {control['beaten']:.0%} of them"
        )
    others = [each for each in walk["choices"][1:] if each.get("return") is not None]
    if others:
        returns = ", ".join(percent(each["return"]) for each in others)
        lines.append(f"the choices after the first: return {returns}")
    lines += [_wander_line(each) for each in walk["parameters"] if each["changed"]]
    correlations = [value for value in walk.get("rank_correlation") or [] if value is not None]
    if correlations:
        mean = sum(correlations) / len(correlations)
        lines.append(
            f"rank correlation of training and test over all points: {mean:+.2f} (mean of {len(correlations)})"
        )
    if paths := walk.get("paths"):
        spread = paths["return_per_year"]
        lines.append(
            f"{paths['paths']} paths of {paths['splits']} splits: return a year from {percent(spread['low'])} to "
            f"{percent(spread['high'])}, median {percent(spread['median'])}, {paths['losing']:.0%} of them lose"
        )
    return lines


def _wander_line(each: Mapping[str, Any]) -> str:
    text = f"{each['axis']}: another value in {each['changed']:.0%} of the folds"
    if each["step"] is not None:
        text += f", moving {each['step']:.0%} of the axis on average"
    return f"{text} ({', '.join(shown(value) for value in each['values'])})"


def holdout_lines(holdout: Mapping[str, Any]) -> list[str]:
    """What the hold-out said."""
    first = next((each for each in holdout["points"] if each["rank"] == 1), None)
    if first is None:
        return []
    looks = holdout["looks"]
    lines = [
        f"hold-out {_between(holdout['start'], holdout['end'])}: best point {first['point']} "
        f"{shown(first['objective_out'])} (in sample {shown(first['objective_in'])}), return "
        f"{percent(first['return'])}; median of the best {shown(holdout['best_median'])}, of random points "
        f"{shown(holdout['random_median'])}"
    ]
    if looks > 1:
        lines.append(f"this hold-out was looked at {looks} times with this controller: with every look it says less")
    return lines


def robustness_lines(answer: Mapping[str, Any]) -> list[str]:
    """The matrix: one row a condition, one column a point."""
    columns = ["condition", *(f"point {point}" for point in answer["points"])]
    rows = [[row["label"], *(shown(value) for value in row["values"])] for row in answer["rows"]]
    return [*table(f"{answer['rank_by']} under changed conditions", columns, rows), *answer["notes"]]


def percent(value: float | None) -> str:
    """A fraction as per cent."""
    return "" if value is None else f"{value:+.2%}"


def sharpe_text(joined: Mapping[str, Any]) -> str:
    """The Sharpe ratio with its interval, or why there is none."""
    if joined["sharpe"] is None:
        return f"no Sharpe ratio from {joined['intervals']} returns"
    return f"Sharpe {joined['sharpe']:.2f} (95%: {joined['sharpe_low']:.2f} to {joined['sharpe_high']:.2f})"


def _rule(answer: Mapping[str, Any]) -> str:
    name, number = answer["rule"]["name"], answer["rule"]["number"]
    rules = {
        "best": f"chosen: the best by {answer['rank_by']}",
        "neighbourhood": f"chosen: the best neighbourhood by {answer['rank_by']}",
        "median": f"chosen: the middle of the best {number} by {answer['rank_by']}",
        "point": f"point {number} in every fold",
    }
    return rules[name]


def _between(start: int, end: int) -> str:
    """A window in days where it is made of days, in minutes otherwise."""
    if start % DAY_S == 0 and (DAY_S - end % DAY_S <= 3600 or end % DAY_S == 0):
        return f"{utc_day(start)} to {utc_day(end)}"
    return f"{utc_minute(start)} to {utc_minute(end)}"
